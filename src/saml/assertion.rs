//! What a signed Assertion means (SAML Core 2, SAML Profiles 4.1.4).

use std::time::Duration;

use super::attribute::{self, Attribute};
use super::authn_statement::Authentication;
use super::message::MessageError;
use super::response::{Expected, Rejection};
use super::{NameId, SessionIndex, decryption, message};
use crate::clock::Timestamp;
use crate::xml::decrypt::DecryptionKey;
use crate::xml::{Element, ns};

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// More SubjectConfirmations than this are not read. IdPs write one.
const MAX_CONFIRMATIONS: usize = 64;

/// A person whom the right IdP has signed in, for us and for the request that was waiting.
#[derive(Clone, PartialEq, Debug)]
pub struct Login {
    /// To be remembered until `not_on_or_after`, and refused if it was seen before.
    pub assertion_id: String,
    /// From this moment on the Assertion is refused for its own times; the clock skew is in it.
    pub not_on_or_after: Timestamp,
    /// Absent where the IdP names the person by attributes only.
    pub name_id: Option<NameId>,
    /// Of every AuthnStatement, in order, each once. Empty if the IdP gave none.
    pub session_indexes: Vec<SessionIndex>,
    /// When the person really proved who they are; the latest, if there are several.
    pub authn_instant: Timestamp,
    /// The earliest moment at which a session at the IdP ends, if it says so.
    pub session_not_on_or_after: Option<Timestamp>,
    /// How the person proved it: the AuthnContextClassRef beside `authn_instant`.
    pub authn_context: Option<String>,
    pub attributes: Vec<Attribute>,
}

pub(super) fn accept(
    assertion: Element<'_>,
    keys: &[DecryptionKey],
    expected: &Expected,
    now: Timestamp,
) -> Result<Login, Rejection> {
    message::version(assertion)?;
    let assertion_id = message::id(assertion)?;
    message::required_time(assertion, "IssueInstant")?;
    let found = message::required_issuer(assertion)?;
    if found != expected.idp {
        return Err(Rejection::AssertionIssuer { found });
    }
    message::in_order(assertion, ASSERTION)?;
    let moment = Moment { now, skew: expected.clock_skew };
    let subject = assertion.required(ns::SAML, "Subject")?;
    message::in_order(subject, SUBJECT)?;
    let confirmed_until = confirm(subject, expected, moment)?;
    let valid_until = check_conditions(assertion, expected, moment)?;
    let authentication = Authentication::read(assertion, moment)?;
    let too_early = |earliest: Timestamp| authentication.instant < earliest.minus(moment.skew);
    if expected.authn_not_before.is_some_and(too_early) {
        return Err(Rejection::StaleAuthentication);
    }
    let ends = valid_until.map_or(confirmed_until, |until| until.min(confirmed_until));
    Ok(Login {
        assertion_id,
        not_on_or_after: ends.plus(moment.skew),
        name_id: decryption::name_id(subject, keys)?,
        session_indexes: authentication.session_indexes,
        authn_instant: authentication.instant,
        session_not_on_or_after: authentication.session_not_on_or_after,
        authn_context: authentication.context,
        attributes: attribute::read(assertion)?,
    })
}

/// SAML Core 2.3.3. Statements come in any order.
const ASSERTION: &[&[(&str, &str)]] = &[
    &[(ns::SAML, "Issuer")],
    &[(ns::SAML, "Subject")],
    &[(ns::SAML, "Conditions")],
    &[(ns::SAML, "Advice")],
    &[
        (ns::SAML, "AuthnStatement"),
        (ns::SAML, "AttributeStatement"),
        (ns::SAML, "AuthzDecisionStatement"),
        (ns::SAML, "Statement"),
    ],
];

/// SAML Core 2.4.1.
const SUBJECT: &[&[(&str, &str)]] = &[
    &[(ns::SAML, "NameID"), (ns::SAML, "EncryptedID"), (ns::SAML, "BaseID")],
    &[(ns::SAML, "SubjectConfirmation")],
];

/// Now, give or take the difference between two machines' clocks.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) skew: Duration,
}

impl Moment {
    /// Whether a NotOnOrAfter has passed for certain.
    pub(super) fn is_past(self, not_on_or_after: Timestamp) -> bool {
        self.now >= not_on_or_after.plus(self.skew)
    }

    /// Whether a NotBefore has not come yet for certain.
    pub(super) fn is_future(self, not_before: Timestamp) -> bool {
        self.now < not_before.minus(self.skew)
    }
}

/// One bearer confirmation that holds is enough (SAML Errata E26). Returns when the last of those
/// that hold ends.
fn confirm(
    subject: Element<'_>,
    expected: &Expected,
    moment: Moment,
) -> Result<Timestamp, Rejection> {
    let mut until = None;
    let mut rejection = Rejection::NoBearer;
    for (count, confirmation) in subject.children(ns::SAML, "SubjectConfirmation").enumerate() {
        if count == MAX_CONFIRMATIONS {
            let limit = MAX_CONFIRMATIONS;
            return Err(MessageError::TooMany { element: "SubjectConfirmation", limit }.into());
        }
        if confirmation.attribute("Method") != Some(BEARER) {
            continue;
        }
        match confirm_bearer(confirmation, expected, moment) {
            Ok(end) => until = until.max(Some(end)),
            Err(reason) => rejection = reason,
        }
    }
    until.ok_or(rejection)
}

fn confirm_bearer(
    confirmation: Element<'_>,
    expected: &Expected,
    moment: Moment,
) -> Result<Timestamp, Rejection> {
    let data = confirmation.required(ns::SAML, "SubjectConfirmationData")?;
    if data.attribute("Recipient") != Some(expected.acs_url.as_str()) {
        return Err(Rejection::Recipient);
    }
    // A check of its own: the one on the Response may be outside every signature.
    if data.attribute("InResponseTo") != Some(expected.request_id.as_str()) {
        return Err(Rejection::ConfirmationInResponseTo);
    }
    if data.attribute("NotBefore").is_some() {
        return Err(Rejection::ConfirmationNotBefore);
    }
    match message::time(data, "NotOnOrAfter")? {
        None => Err(Rejection::ConfirmationUnlimited),
        Some(until) if moment.is_past(until) => Err(Rejection::ConfirmationExpired),
        Some(until) => Ok(until),
    }
}

/// SAML Core 2.5.1. Several AudienceRestrictions must all name us; one of the Audiences in each is
/// enough. Returns NotOnOrAfter.
fn check_conditions(
    assertion: Element<'_>,
    expected: &Expected,
    moment: Moment,
) -> Result<Option<Timestamp>, Rejection> {
    let Some(conditions) = assertion.optional(ns::SAML, "Conditions")? else {
        return Err(Rejection::NoAudience);
    };
    if message::time(conditions, "NotBefore")?.is_some_and(|from| moment.is_future(from)) {
        return Err(Rejection::NotYetValid);
    }
    let until = message::time(conditions, "NotOnOrAfter")?;
    if until.is_some_and(|until| moment.is_past(until)) {
        return Err(Rejection::Expired);
    }
    let mut restricted = false;
    for condition in conditions.elements() {
        match (condition.namespace(), condition.local_name()) {
            (ns::SAML, "AudienceRestriction") => {
                restricted = true;
                if !names_us(condition, expected)? {
                    return Err(Rejection::Audience);
                }
            }
            // We use an Assertion once and issue none from it, so these two always hold.
            (ns::SAML, "OneTimeUse" | "ProxyRestriction") => {}
            _ => return Err(Rejection::UnknownCondition),
        }
    }
    if restricted { Ok(until) } else { Err(Rejection::NoAudience) }
}

fn names_us(restriction: Element<'_>, expected: &Expected) -> Result<bool, Rejection> {
    for audience in restriction.children(ns::SAML, "Audience") {
        if message::trim(audience.text()?) == expected.sp.as_str() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::fixture::{
        ACS, IDP, SP, Sign, at, changed, changed_as, expected, now, receive, response, signed,
    };
    use crate::saml::message::MessageError;

    fn data(attributes: &str) -> String {
        format!("<saml:SubjectConfirmationData {attributes}></saml:SubjectConfirmationData>")
    }

    fn good_data() -> String {
        let until = at(300);
        data(&format!(r#"Recipient="{ACS}" InResponseTo="_request" NotOnOrAfter="{until}""#))
    }

    fn bearer(data: &str) -> String {
        format!(r#"<saml:SubjectConfirmation Method="{BEARER}">{data}</saml:SubjectConfirmation>"#)
    }

    #[test]
    fn a_subject_has_a_limited_number_of_confirmations() {
        let with = |others: usize| {
            let more = format!("{}<saml:SubjectConfirmation ", bearer("").repeat(others));
            changed("<saml:SubjectConfirmation ", &more)
        };
        assert!(with(MAX_CONFIRMATIONS - 1).is_ok());
        assert!(matches!(
            with(MAX_CONFIRMATIONS),
            Err(Rejection::Message(MessageError::TooMany { .. }))
        ));
    }

    #[test]
    fn everything_is_read_exactly() {
        let login = receive(&signed(&response(), Sign::Both)).unwrap();
        assert_eq!(
            login,
            Login {
                assertion_id: "_assertion".into(),
                not_on_or_after: now().shifted(360_000_000),
                name_id: Some(NameId {
                    value: "ada".into(),
                    format: Some("urn:f".into()),
                    name_qualifier: None,
                    sp_name_qualifier: Some(String::new()),
                    sp_provided_id: None,
                }),
                session_indexes: vec![SessionIndex::parse("one").unwrap()],
                authn_instant: now().shifted(-5_000_000),
                session_not_on_or_after: None,
                authn_context: Some("urn:password".into()),
                attributes: vec![Attribute {
                    name: "mail".into(),
                    name_format: None,
                    friendly_name: Some("Mail".into()),
                    values: vec!["ada@example.com".into()],
                }],
            }
        );
        assert!(!format!("{login:?}").contains("ada"));
    }

    #[test]
    fn the_issuer_is_required_and_is_the_idp_that_was_asked() {
        let own = format!("<saml:Issuer>{IDP}</saml:Issuer>");
        let found = crate::saml::EntityId::parse("https://other.example").unwrap();
        assert_eq!(
            changed(&own, "<saml:Issuer>https://other.example</saml:Issuer>"),
            Err(Rejection::AssertionIssuer { found })
        );
        assert!(matches!(changed(&own, ""), Err(Rejection::Message(MessageError::Shape(_)))));
        assert!(matches!(
            changed(&own, "<saml:Issuer></saml:Issuer>"),
            Err(Rejection::Message(MessageError::Issuer(_)))
        ));
        assert!(changed(&own, &format!("<saml:Issuer>\n {IDP}\n</saml:Issuer>")).is_ok());
    }

    #[test]
    fn the_bearer_confirmation_is_for_us_for_now_and_for_this_request() {
        let recipient = format!(r#"Recipient="{ACS}""#);
        for other in [format!("{ACS}/"), ACS.to_uppercase(), String::new()] {
            let other = format!(r#"Recipient="{other}""#);
            assert_eq!(changed(&recipient, &other), Err(Rejection::Recipient));
        }
        assert_eq!(changed(&recipient, ""), Err(Rejection::Recipient));

        let request = r#"InResponseTo="_request""#;
        for other in [r#"InResponseTo="_other""#, ""] {
            assert_eq!(changed(request, other), Err(Rejection::ConfirmationInResponseTo));
        }

        let not_before = format!(r#"{recipient} NotBefore="{}""#, at(-300));
        assert_eq!(changed(&recipient, &not_before), Err(Rejection::ConfirmationNotBefore));

        let method = |method: &str| changed(BEARER, method);
        assert_eq!(
            method("urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"),
            Err(Rejection::NoBearer)
        );
        assert_eq!(changed(&bearer(&good_data()), ""), Err(Rejection::NoBearer));
        assert!(matches!(
            changed(&good_data(), ""),
            Err(Rejection::Message(MessageError::Shape(_)))
        ));
    }

    #[test]
    fn the_confirmation_ends_within_the_clock_skew() {
        let until = |text: &str| {
            let own = format!(r#" NotOnOrAfter="{}"></saml:SubjectConfirmationData>"#, at(300));
            changed(&own, &format!("{text}></saml:SubjectConfirmationData>"))
        };
        for (seconds, accepted) in [(1, true), (-59, true), (-60, false), (-61, false)] {
            let result = until(&format!(r#" NotOnOrAfter="{}""#, at(seconds)));
            assert_eq!(result.is_ok(), accepted, "{seconds}");
            if !accepted {
                assert_eq!(result, Err(Rejection::ConfirmationExpired));
            }
        }
        assert_eq!(until(""), Err(Rejection::ConfirmationUnlimited));
        assert_eq!(
            until(r#" NotOnOrAfter="later""#),
            Err(Rejection::Message(MessageError::Time { attribute: "NotOnOrAfter" }))
        );
    }

    #[test]
    fn one_good_confirmation_of_several_is_enough() {
        let good = bearer(&good_data());
        let bad = bearer(&data(r#"Recipient="https://other.example""#));
        assert!(changed(&good, &format!("{bad}{good}")).is_ok());
        assert!(changed(&good, &format!("{good}{bad}")).is_ok());
        assert_eq!(changed(&good, &format!("{bad}{bad}")), Err(Rejection::Recipient));
    }

    #[test]
    fn the_assertion_is_for_us() {
        let own = format!("<saml:Audience>{SP}</saml:Audience>");
        let other = "<saml:Audience>https://other.example</saml:Audience>";
        let restriction =
            |inner: &str| format!("<saml:AudienceRestriction>{inner}</saml:AudienceRestriction>");
        let whole = restriction(&own);
        let with = |to: &str| changed(&whole, to);
        // Audiences in one restriction are alternatives, restrictions all hold.
        assert!(with(&restriction(&format!("{other}{own}"))).is_ok());
        assert!(with(&format!("{whole}{}", restriction(&format!("{own}{other}")))).is_ok());
        assert_eq!(with(&restriction(other)), Err(Rejection::Audience));
        assert_eq!(with(&restriction("")), Err(Rejection::Audience));
        assert_eq!(with(&format!("{whole}{}", restriction(other))), Err(Rejection::Audience));
        for near in [format!("{SP}/"), SP.replace("saml", "SAML"), SP[..SP.len() - 1].to_owned()] {
            assert_eq!(changed(SP, &near), Err(Rejection::Audience), "{near}");
        }
        assert_eq!(with(""), Err(Rejection::NoAudience));
        let good = response();
        let start = good.find("<saml:Conditions").unwrap();
        let end = good.find("<saml:AuthnStatement").unwrap();
        assert_eq!(changed(&good[start..end], ""), Err(Rejection::NoAudience));
    }

    #[test]
    fn conditions_hold_within_the_clock_skew() {
        let own = format!(r#"<saml:Conditions NotBefore="{}" NotOnOrAfter="{}">"#, at(-5), at(300));
        let with = |from: i64, until: i64| {
            let (from, until) = (at(from), at(until));
            changed(
                &own,
                &format!(r#"<saml:Conditions NotBefore="{from}" NotOnOrAfter="{until}">"#),
            )
        };
        assert!(with(59, 300).is_ok() && with(60, 300).is_ok());
        assert_eq!(with(61, 300), Err(Rejection::NotYetValid));
        assert!(with(-600, -59).is_ok());
        assert_eq!(with(-600, -60), Err(Rejection::Expired));
        let unlimited = changed(&own, "<saml:Conditions>").unwrap();
        assert_eq!(unlimited.not_on_or_after, now().shifted(360_000_000));
        assert_eq!(with(-5, 100).unwrap().not_on_or_after, now().shifted(160_000_000));
    }

    #[test]
    fn a_condition_that_we_do_not_know_is_not_met() {
        let end = "</saml:Conditions>";
        for known in ["<saml:OneTimeUse/>", r#"<saml:ProxyRestriction Count="0"/>"#] {
            assert!(changed(end, &format!("{known}{end}")).is_ok(), "{known}");
        }
        for unknown in ["<saml:Condition/>", r#"<OneTimeUse xmlns="urn:other"/>"#] {
            assert_eq!(
                changed(end, &format!("{unknown}{end}")),
                Err(Rejection::UnknownCondition),
                "{unknown}"
            );
        }
    }

    #[test]
    fn a_demanded_fresh_authentication_is_checked() {
        let own = format!(r#"AuthnInstant="{}""#, at(-5));
        let demanded = Expected { authn_not_before: Some(now()), ..expected() };
        let instant = |seconds: i64| {
            changed_as(&own, &format!(r#"AuthnInstant="{}""#, at(seconds)), &demanded)
        };
        assert!(instant(-60).is_ok());
        assert_eq!(instant(-61), Err(Rejection::StaleAuthentication));
        assert!(changed(&own, &format!(r#"AuthnInstant="{}""#, at(-3600))).is_ok());
    }

    #[test]
    fn a_name_id_may_be_absent() {
        let own = r#"<saml:NameID Format="urn:f" SPNameQualifier="">ada</saml:NameID>"#;
        assert_eq!(changed(own, "").unwrap().name_id, None);
        let empty = changed(own, "<saml:EncryptedID/>").unwrap_err();
        assert_eq!(empty.code(), "xml.missing_element");
        let both = changed(own, &format!("{own}<saml:EncryptedID/>")).unwrap_err();
        assert_eq!(both.code(), "saml.too_many");
        assert!(matches!(
            changed(own, "<saml:BaseID/>"),
            Err(Rejection::Message(MessageError::Unsupported("BaseID")))
        ));
        assert!(matches!(
            changed(own, "<saml:NameID/>"),
            Err(Rejection::Message(MessageError::NameId(_)))
        ));
        // The whole text counts: signing tools leave comments out of what they sign.
        let comment = changed(own, "<saml:NameID>ada<!-- -->.evil</saml:NameID>").unwrap();
        assert_eq!(comment.name_id.unwrap().value, "ada.evil");
    }
}
