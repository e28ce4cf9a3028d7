//! A Response that the IdP signed and that is not what the schema says: what is there twice, not at
//! all, or in another order could be read in two ways, and so it is not read at all.

use super::ambush::{Ambush, Base};
use crate::both;
use crate::support::attack::Attack;
use crate::support::forger::{Forger, Sign};
use crate::support::mutation::Xml;
use crate::support::world::On;

/// What is changed, how, and the code of the reason.
type Change<'c> = (&'c str, &'c dyn Fn(&Xml) -> Xml, &'static str);

/// The same for each way of signing: the change comes first, then the signatures.
async fn refuses(ambush: &Ambush, changes: &[Change<'_>]) {
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        let said = ambush.says(&waiting);
        let unsigned = Xml::new(ambush.forger.signed(&said, Sign::Nothing));
        for (what, change, code) in changes {
            let changed = change(&unsigned);
            assert_ne!(changed, unsigned, "{what}");
            let signed = signed(&ambush.forger, base, &changed);
            let message = ambush.as_sent(base, &signed);
            let attack = Attack::new(*what, message, code);
            ambush.refuses(&mut waiting, base, &attack).await;
        }
        let message = signed(&ambush.forger, base, &unsigned);
        ambush.signs_in_the_honest(&mut waiting, ambush.as_sent(base, &message)).await;
    }
}

fn signed(forger: &Forger, base: Base, unsigned: &Xml) -> String {
    let mut xml = unsigned.as_str().to_owned();
    if base != Base::Response {
        let id = unsigned.attribute("Response/Assertion", "ID").to_owned();
        xml = sloop::xml::sign::sign_enveloped_at(&xml, &id, forger.key(), None).unwrap();
    }
    match base {
        Base::Response | Base::Both => forger.signs(&xml),
        Base::Assertion | Base::Encrypted => xml,
    }
}

both!(what_must_be_there_once_is_there_once, counted);
async fn counted(on: On) {
    let ambush = Ambush::on(on).await;
    let (repeated, missing) = ("xml.repeated_element", "xml.missing_element");
    refuses(
        &ambush,
        &[
            ("two Status", &|xml| xml.twice("Status"), repeated),
            ("no Status", &|xml| xml.without("Status"), missing),
            ("two StatusCode", &|xml| xml.twice("StatusCode"), repeated),
            ("no StatusCode", &|xml| xml.without("StatusCode"), missing),
            ("two Issuer of the Response", &|xml| xml.twice("Response/Issuer"), repeated),
            ("two Issuer of the Assertion", &|xml| xml.twice("Assertion/Issuer"), repeated),
            ("no Issuer of the Assertion", &|xml| xml.without("Assertion/Issuer"), missing),
            ("two Subject", &|xml| xml.twice("Subject"), repeated),
            ("no Subject", &|xml| xml.without("Subject"), missing),
            ("two NameID", &|xml| xml.twice("NameID"), repeated),
            ("no confirmation", &|xml| xml.without("SubjectConfirmation"), "assertion.no_bearer"),
            ("two SubjectConfirmationData", &|xml| xml.twice("SubjectConfirmationData"), repeated),
            ("no SubjectConfirmationData", &|xml| xml.without("SubjectConfirmationData"), missing),
            ("two Conditions", &|xml| xml.twice("Conditions"), repeated),
            ("no Conditions", &|xml| xml.without("Conditions"), "assertion.no_audience"),
            (
                "no AudienceRestriction",
                &|xml| xml.without("AudienceRestriction"),
                "assertion.no_audience",
            ),
            ("no Audience", &|xml| xml.without("Audience"), "assertion.audience"),
            (
                "no AuthnStatement",
                &|xml| xml.without("AuthnStatement"),
                "assertion.no_authn_statement",
            ),
            ("two AuthnContext", &|xml| xml.twice("AuthnContext"), repeated),
            ("two AuthnContextClassRef", &|xml| xml.twice("AuthnContextClassRef"), repeated),
        ],
    )
    .await;
}

both!(an_attribute_that_must_be_there_is_there, attributes);
async fn attributes(on: On) {
    let ambush = Ambush::on(on).await;
    let missing = "xml.missing_attribute";
    refuses(
        &ambush,
        &[
            ("no Version", &|xml| xml.without_attribute("Response", "Version"), missing),
            (
                "no Version of the Assertion",
                &|xml| xml.without_attribute("Assertion", "Version"),
                missing,
            ),
            ("no IssueInstant", &|xml| xml.without_attribute("Response", "IssueInstant"), missing),
            (
                "no IssueInstant of the Assertion",
                &|xml| xml.without_attribute("Assertion", "IssueInstant"),
                missing,
            ),
            ("no status value", &|xml| xml.without_attribute("StatusCode", "Value"), missing),
            (
                "no AuthnInstant",
                &|xml| xml.without_attribute("AuthnStatement", "AuthnInstant"),
                missing,
            ),
            ("no name of an attribute", &|xml| xml.without_attribute("Attribute", "Name"), missing),
            (
                "a Method that is nothing",
                &|xml| xml.without_attribute("SubjectConfirmation", "Method"),
                "assertion.no_bearer",
            ),
            (
                "a Recipient in a namespace",
                &|xml| xml.substituted(" Recipient=", " saml:Recipient="),
                "assertion.recipient",
            ),
        ],
    )
    .await;
}

both!(elements_stand_in_the_order_of_the_schema, ordered);
async fn ordered(on: On) {
    let ambush = Ambush::on(on).await;
    let order = "saml.order";
    let moved = |xml: &Xml, what: &str, behind: &str| {
        let element = xml.outer(what);
        xml.without(what).after(behind, element)
    };
    refuses(
        &ambush,
        &[
            (
                "the Status behind the Assertion",
                &|xml| moved(xml, "Response/Status", "Response/Assertion"),
                order,
            ),
            (
                "the Issuer behind the Status",
                &|xml| moved(xml, "Response/Issuer", "Response/Status"),
                order,
            ),
            (
                "the Issuer behind the Subject",
                &|xml| moved(xml, "Assertion/Issuer", "Assertion/Subject"),
                order,
            ),
            (
                "the Subject behind the Conditions",
                &|xml| moved(xml, "Subject", "Conditions"),
                order,
            ),
            ("the Subject last", &|xml| moved(xml, "Subject", "AttributeStatement"), order),
            ("the Conditions last", &|xml| moved(xml, "Conditions", "AttributeStatement"), order),
            (
                "the NameID behind its confirmation",
                &|xml| moved(xml, "NameID", "SubjectConfirmation"),
                order,
            ),
            (
                "an element that nobody knows in the Response",
                &|xml| xml.after("Response/Status", "<x/>"),
                order,
            ),
            (
                "an element that nobody knows in the Assertion",
                &|xml| xml.after("Conditions", "<x/>"),
                order,
            ),
            (
                "an element that nobody knows in the Subject",
                &|xml| xml.after("NameID", "<x/>"),
                order,
            ),
            (
                "a Subject of another namespace before the real one",
                &|xml| {
                    let evil = xml.outer("Subject").with("NameID", "eve");
                    xml.before("Subject", evil.with_attribute("Subject", "xmlns:saml", "urn:evil"))
                },
                order,
            ),
        ],
    )
    .await;
    // Statements come in any order (SAML Core 2.3.3), and what is optional may be there.
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        let xml = Xml::new(ambush.forger.signed(&ambush.says(&waiting), Sign::Nothing));
        let xml = moved(&xml, "AuthnStatement", "AttributeStatement")
            .after("Conditions", "<saml:Advice/>")
            .before("Status", "<samlp:Extensions><x/></samlp:Extensions>");
        let message = ambush.as_sent(base, &signed(&ambush.forger, base, &xml));
        ambush.signs_in_the_honest(&mut waiting, message).await;
    }
}

both!(a_type_or_nil_changes_nobodys_name, typed);
async fn typed(on: On) {
    let ambush = Ambush::on(on).await;
    let xsi = "http://www.w3.org/2001/XMLSchema-instance";
    let with = |xml: &Xml, path: &str, name: &str, value: &str| {
        xml.with_attribute(path, name, value).with_attribute(path, "xmlns:xsi", xsi)
    };
    let (empty, text) = ("saml.name_id_empty", "xml.not_text");
    refuses(
        &ambush,
        &[
            ("a NameID that is nil", &|xml| with(xml, "NameID", "xsi:nil", "true"), empty),
            (
                "a NameID that is nil, as a number",
                &|xml| with(xml, "NameID", "xsi:nil", "1"),
                empty,
            ),
            ("an empty NameID", &|xml| xml.with("NameID", ""), empty),
            ("a NameID of white space", &|xml| xml.with("NameID", " \n "), empty),
            (
                "a NameID in a NameID",
                &|xml| xml.wrapped("NameID", "<saml:NameID>", "</saml:NameID>"),
                text,
            ),
            ("an element in an Audience", &|xml| xml.first_in("Audience", "<x/>"), text),
            ("an element in an Issuer", &|xml| xml.last_in("Assertion/Issuer", "<x/>"), text),
            (
                "an element in an AuthnContextClassRef",
                &|xml| xml.last_in("AuthnContextClassRef", "<x/>"),
                text,
            ),
        ],
    )
    .await;
    // A type says nothing that we use; markup and nil in an AttributeValue are no value.
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        let xml = Xml::new(ambush.forger.signed(&ambush.says(&waiting), Sign::Nothing));
        let xml = with(&xml, "NameID", "xsi:type", "saml:NameIDType");
        let value = "<saml:AttributeValue><saml:NameID>eve</saml:NameID></saml:AttributeValue>";
        let nil = "<saml:AttributeValue xsi:nil=\"true\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
                   eve@example.org</saml:AttributeValue>";
        let xml = xml.last_in("Attribute", format!("{value}{nil}"));
        let message = ambush.as_sent(base, &signed(&ambush.forger, base, &xml));
        ambush.signs_in_the_honest(&mut waiting, message).await;
    }
}
