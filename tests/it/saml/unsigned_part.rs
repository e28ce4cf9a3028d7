//! What stands in a Response outside of what was signed. It may keep somebody out; it never says
//! who somebody is.

use super::ambush::{Ambush, Base};
use crate::both;
use crate::support::attack::{Attack, VICTIM};
use crate::support::forger::{Said, Sign};
use crate::support::mutation::Xml;
use crate::support::world::On;

/// The bases in which the Response itself is not signed.
const OPEN: [Base; 2] = [Base::Assertion, Base::Encrypted];

both!(an_unsigned_envelope_only_keeps_people_out, envelope);
async fn envelope(on: On) {
    let ambush = Ambush::on(on).await;
    let failed = "urn:oasis:names:tc:SAML:2.0:status:Responder";
    for base in OPEN {
        let mut waiting = ambush.wait().await;
        let other = ambush.wait().await.asked.request.id;
        let signed = Xml::new(ambush.signed(&waiting, base));
        let with = |name: &str, value: &str| signed.with_attribute("Response", name, value);
        // It decides which sign-in this is for, and there it is refused.
        for (what, message) in [
            ("the answer to another request", with("InResponseTo", &other)),
            ("the answer to no request", with("InResponseTo", "_unknown")),
            ("no answer", signed.without_attribute("Response", "InResponseTo")),
        ] {
            let page = ambush.post(&mut waiting, ambush.as_sent(base, message.as_str())).await;
            super::ambush::is_refused(&page, what);
            assert!(!ambush.is_signed_in(&mut waiting).await, "{base:?}: {what}");
        }
        let issuer = |value: &str| signed.with("Response/Issuer", value);
        for (what, message, code) in [
            (
                "another address",
                with("Destination", "https://evil.test/acs"),
                "response.destination",
            ),
            ("an empty address", with("Destination", ""), "response.destination"),
            ("another issuer", issuer("https://evil.test"), "response.issuer"),
            ("an issuer that is none", issuer(VICTIM), "saml.issuer_malformed"),
            ("another version", with("Version", "1.1"), "saml.version"),
        ] {
            let attack = Attack::new(what, ambush.as_sent(base, message.as_str()), code);
            ambush.refuses(&mut waiting, base, &attack).await;
        }
        // A failure is believed, and told to the app; it signs nobody in.
        let message = signed.with_attribute("StatusCode", "Value", failed);
        let page = ambush.post(&mut waiting, ambush.as_sent(base, message.as_str())).await;
        let location = page.location().unwrap().to_string();
        assert!(
            location.contains("error=access_denied") && !location.contains("code="),
            "{location}"
        );
        assert!(!ambush.is_signed_in(&mut waiting).await);

        // Without its own InResponseTo the Assertion does not borrow that of the envelope.
        let mut waiting = ambush.wait().await;
        let said = Said { confirmed_request: None, ..ambush.says(&waiting) };
        let message = ambush.forger.signed(&said, base.sign());
        let message = ambush.as_sent(base, &message);
        let attack = Attack::new("no InResponseTo inside", message, "assertion.in_response_to");
        ambush.refuses(&mut waiting, base, &attack).await;
        let said = Said { recipient: None, ..ambush.says(&waiting) };
        let message = ambush.as_sent(base, &ambush.forger.signed(&said, base.sign()));
        let attack = Attack::new("no Recipient inside", message, "assertion.recipient");
        ambush.refuses(&mut waiting, base, &attack).await;

        // What may be missing says nothing by its absence.
        let bare = Xml::new(ambush.signed(&waiting, base));
        let bare = bare.without_attribute("Response", "Destination").without("Response/Issuer");
        ambush.signs_in_the_honest(&mut waiting, ambush.as_sent(base, bare.as_str())).await;
    }
}

/// Pieces of an Assertion that say what the attacker wants, each of a field that is used.
fn decoys(signed: &Xml) -> Vec<(&'static str, Xml)> {
    let subject = signed.outer("Subject").with("NameID", VICTIM);
    let attributes = signed.outer("AttributeStatement");
    vec![
        ("a NameID", subject.outer("NameID")),
        ("a Subject", subject),
        ("an Issuer", Xml::new("<saml:Issuer>https://evil.test</saml:Issuer>")),
        (
            "Conditions",
            signed.outer("Conditions").with("Audience", "https://evil.test").with_attribute(
                "Conditions",
                "NotOnOrAfter",
                "2099-01-01T00:00:00Z",
            ),
        ),
        (
            "an AuthnStatement",
            signed.outer("AuthnStatement").with_attribute("AuthnStatement", "SessionIndex", VICTIM),
        ),
        ("attributes", attributes.with("AttributeValue", format!("{VICTIM}@example.org"))),
        ("a SubjectConfirmation", signed.outer("SubjectConfirmation")),
    ]
}

both!(what_nobody_signed_says_nothing_of_the_person, beside);
async fn beside(on: On) {
    let ambush = Ambush::on(on).await;
    for base in OPEN {
        let mut waiting = ambush.wait().await;
        let signed = Xml::new(ambush.signed(&waiting, base));
        let decoys = decoys(&signed);
        // Directly in the Response there is no place for it.
        for (what, decoy) in &decoys {
            for (where_, message) in [
                ("before the Status", signed.before("Status", decoy)),
                ("before the Assertion", signed.before("Response/Assertion", decoy)),
                ("after the Assertion", signed.after("Response/Assertion", decoy)),
            ] {
                let code = match *what {
                    "an Issuer" => "xml.repeated_element",
                    _ => "saml.order",
                };
                let message = ambush.as_sent(base, message.as_str());
                let attack = Attack::new(format!("{what} {where_}"), message, code);
                ambush.refuses(&mut waiting, base, &attack).await;
            }
        }
        // Where anything may stand, nobody looks.
        for (what, decoy) in &decoys {
            let mut waiting = ambush.wait().await;
            let signed = Xml::new(ambush.signed(&waiting, base));
            let extensions = format!("<samlp:Extensions>{}</samlp:Extensions>", decoy.as_str());
            let detail = format!("<samlp:StatusDetail>{}</samlp:StatusDetail>", decoy.as_str());
            let key_info = format!("<ds:KeyInfo>{}</ds:KeyInfo>", decoy.as_str());
            let message = signed
                .before("Status", extensions)
                .last_in("Status", detail)
                .last_in("Assertion/Signature", key_info);
            let message = ambush.as_sent(base, message.as_str());
            let page = ambush.post(&mut waiting, message).await;
            let callback = page.location().unwrap_or_else(|| panic!("{what}: {}", page.summary()));
            let tokens = ambush.app.finish(&waiting.attempt, &callback).await.unwrap();
            ambush.is_the_honest(&tokens).await;
        }
    }
}

both!(no_field_of_what_was_signed_can_be_changed, within);
async fn within(on: On) {
    let ambush = Ambush::on(on).await;
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        let signed = Xml::new(ambush.signed(&waiting, base));
        let text = |path: &str, value: &str| signed.with(path, value);
        let attribute =
            |path: &str, name: &str| signed.with_attribute(path, name, "2030-01-01T00:00:00Z");
        let mut changes = vec![
            ("NameID", text("NameID", VICTIM)),
            ("Format", signed.with_attribute("NameID", "Format", "urn:x")),
            ("NameQualifier", signed.with_attribute("NameID", "NameQualifier", "x")),
            ("an attribute's value", text("AttributeValue", "eve@example.org")),
            ("an attribute's name", signed.with_attribute("Attribute", "Name", "sub")),
            ("another attribute", signed.twice("Attribute")),
            ("another value", signed.twice("AttributeValue")),
            ("SessionIndex", signed.with_attribute("AuthnStatement", "SessionIndex", "x")),
            ("no SessionIndex", signed.without_attribute("AuthnStatement", "SessionIndex")),
            ("AuthnInstant", attribute("AuthnStatement", "AuthnInstant")),
            ("SessionNotOnOrAfter", attribute("AuthnStatement", "SessionNotOnOrAfter")),
            ("the context", text("AuthnContextClassRef", "urn:x")),
            ("Audience", text("Audience", "https://evil.test")),
            ("another Audience", signed.twice("Audience")),
            ("NotBefore", attribute("Conditions", "NotBefore")),
            ("NotOnOrAfter", attribute("Conditions", "NotOnOrAfter")),
            ("the Recipient", signed.with_attribute("SubjectConfirmationData", "Recipient", "x")),
            ("the confirmation's end", attribute("SubjectConfirmationData", "NotOnOrAfter")),
            (
                "the confirmation's request",
                signed.with_attribute("SubjectConfirmationData", "InResponseTo", "_x"),
            ),
            ("the Method", signed.with_attribute("SubjectConfirmation", "Method", "x")),
            ("the Assertion's Issuer", text("Assertion/Issuer", "https://evil.test")),
            ("a space", signed.first_in("Subject", " ")),
            ("a line", signed.last_in("NameID", "\n")),
            ("a carriage return", signed.last_in("NameID", "&#13;")),
        ];
        if matches!(base, Base::Response | Base::Both) {
            changes.extend([
                ("Destination", signed.without_attribute("Response", "Destination")),
                (
                    "the Status",
                    signed.last_in("Status", "<samlp:StatusMessage>x</samlp:StatusMessage>"),
                ),
                ("Consent", signed.with_attribute("Response", "Consent", "x")),
                ("Extensions", signed.before("Status", "<samlp:Extensions/>")),
            ]);
        }
        for (what, message) in changes {
            let message = ambush.as_sent(base, message.as_str());
            let attack = Attack::new(what, message, "sig.digest");
            ambush.refuses(&mut waiting, base, &attack).await;
        }
        ambush.says_the_truth(&mut waiting, base).await;
    }
}

both!(an_assertion_is_found_nowhere_but_in_its_place, hidden);
async fn hidden(on: On) {
    let ambush = Ambush::on(on).await;
    let mut waiting = ambush.wait().await;
    let said = ambush.says(&waiting);
    let unsigned = Xml::new(ambush.forger.signed(&said, Sign::Nothing));
    let evil = unsigned.outer("Assertion").with("NameID", VICTIM);
    let evil = evil.with_attribute("Assertion", "ID", "_evil");
    let in_element = |name: &str| format!("<{name}>{}</{name}>", evil.as_str());
    // The IdP signs it all: evidence of somebody else is no evidence of who is there.
    for (what, message) in [
        ("Advice", unsigned.after("Conditions", in_element("saml:Advice"))),
        ("StatusDetail", unsigned.last_in("Status", in_element("samlp:StatusDetail"))),
        ("AttributeValue", unsigned.with("AttributeValue", &evil)),
        ("Extensions", unsigned.before("Status", in_element("samlp:Extensions"))),
        ("SubjectConfirmationData", unsigned.with("SubjectConfirmationData", &evil)),
        ("AuthnContextDecl", unsigned.last_in("AuthnContext", in_element("saml:AuthnContextDecl"))),
    ] {
        let signed = ambush.forger.signs(message.as_str());
        let attack = Attack::new(what, signed, "response.misplaced_assertion");
        ambush.refuses(&mut waiting, Base::Response, &attack).await;
    }
    let object = Xml::new(ambush.forger.signs(unsigned.as_str()));
    let object = object.last_in("Response/Signature", in_element("ds:Object"));
    let attack = Attack::new("Object", object, "response.misplaced_assertion");
    ambush.refuses(&mut waiting, Base::Response, &attack).await;
    ambush.says_the_truth(&mut waiting, Base::Response).await;
}
