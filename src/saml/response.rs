//! From a Response to a sign-in, in three steps that cannot be left out or reordered: [`Received`]
//! is what arrived, [`Signed`] is what a key of the IdP vouches for, and [`Login`] is meant for us,
//! for this request, now.

use std::time::Duration;

pub use super::rejection::Rejection;
use super::{Decryption, EntityId, Login, Status, assertion, message};
use crate::clock::Timestamp;
use crate::xml::verify::{self, SignedElement, Thumbprint, TrustedKeys};
use crate::xml::{Document, Element, ns};

/// A Response as it arrived. Nothing in it is believed; it only helps to find out which request it
/// claims to answer.
#[derive(Debug)]
pub struct Received<'d> {
    response: Element<'d>,
    /// An Assertion or an EncryptedAssertion.
    assertion: Option<Element<'d>>,
    /// Every signature with the element that holds it: the Response, its Assertion, or both.
    signatures: Vec<(Element<'d>, Element<'d>)>,
    status: Status,
    claimed_issuer: Option<EntityId>,
}

/// A Response in which every signature holds, and at least one is there.
#[derive(Debug)]
pub struct Signed<'d> {
    response: Element<'d>,
    encrypted: bool,
    status: Status,
    evidence: Evidence<'d>,
    decryption: Decryption<'d>,
}

/// The outermost element that was signed. What is read of the person is read from within it, or
/// from what was encrypted within it.
#[derive(Debug)]
enum Evidence<'d> {
    Response { signed: SignedElement<'d>, decrypted: Option<Element<'d>> },
    Assertion(SignedElement<'d>),
}

/// What a Response must say to be the answer to our request.
#[derive(Clone, PartialEq, Debug)]
pub struct Expected {
    pub idp: EntityId,
    pub sp: EntityId,
    /// The URL that it must be made for, byte for byte.
    pub acs_url: String,
    pub request_id: String,
    /// How far the clocks may differ; every comparison of times allows it.
    pub clock_skew: Duration,
    /// A person authenticated before this moment counts as not authenticated (ForceAuthn, max_age).
    pub authn_not_before: Option<Timestamp>,
}

impl<'d> Received<'d> {
    /// Checks the shape: at most one Assertion, where it belongs, and signatures only there.
    ///
    /// # Errors
    /// Everything that makes wrapping possible, and what is no Response at all.
    pub fn read(document: &'d Document<'d>) -> Result<Self, Rejection> {
        let response = document.root();
        message::expect(response, "Response")?;
        message::id(response)?;
        message::required_time(response, "IssueInstant")?;
        verify::check_ids(document)?;
        let assertion = only_assertion(response)?;
        let plain = assertion.filter(|assertion| !is_encrypted(*assertion));
        let holders: Vec<_> = std::iter::once(response).chain(plain).collect();
        let claimed_issuer = match (message::issuer(response)?, plain) {
            (Some(issuer), _) => Some(issuer),
            (None, Some(assertion)) => message::issuer(assertion)?,
            (None, None) => None,
        };
        Ok(Self {
            response,
            assertion,
            signatures: verify::signatures_only_in(document, &holders)?,
            status: Status::read(response)?,
            claimed_issuer,
        })
    }

    /// The ID of the request that this claims to answer.
    pub fn in_response_to(&self) -> Option<&'d str> {
        self.response.attribute("InResponseTo")
    }

    /// The IdP that this claims to come from. Anybody can write it.
    pub fn claimed_issuer(&self) -> Option<&EntityId> {
        self.claimed_issuer.as_ref()
    }

    /// Verifies every signature with the keys of the one IdP that was asked, and has `then` go on
    /// with what they cover. One that does not hold refuses the whole (SAML Core 3.2.2). What can be
    /// verified as it is is verified first; an EncryptedAssertion is decrypted after that, and lives
    /// as long as `then` runs.
    ///
    /// # Errors
    /// [`Rejection::Unsigned`] if nobody signed anything, whatever is encrypted. A Response that
    /// reports a failure without a signature is taken at its word, [`Rejection::Status`]: it can
    /// only keep somebody out.
    pub fn verify<T>(
        self,
        keys: &TrustedKeys,
        decryption: &Decryption<'_>,
        then: impl FnOnce(Signed<'_>) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        let (mut envelope, mut assertion) = (None, None);
        for (holder, signature) in self.signatures {
            let signed = verify::verify(holder, signature, keys)?;
            *(if holder == self.response { &mut envelope } else { &mut assertion }) = Some(signed);
        }
        let success = self.status.is_success();
        let encrypted = self.assertion.filter(|assertion| is_encrypted(*assertion));
        let (response, status, decryption) = (self.response, self.status, *decryption);
        if let Some(encrypted) = encrypted
            && success
        {
            return decryption.assertion(encrypted, envelope.is_some(), keys, |inner, signed| {
                let evidence = match (envelope, signed) {
                    (Some(signed), _) => Evidence::Response { signed, decrypted: Some(inner) },
                    (None, Some(signed)) => Evidence::Assertion(signed),
                    (None, None) => return Err(Rejection::Unsigned),
                };
                then(Signed { response, encrypted: true, status, evidence, decryption })
            });
        }
        let evidence = match (envelope, assertion) {
            (Some(signed), _) => Evidence::Response { signed, decrypted: None },
            (None, Some(signed)) => Evidence::Assertion(signed),
            (None, None) if success => return Err(Rejection::Unsigned),
            (None, None) => return Err(Rejection::Status(status)),
        };
        then(Signed { response, encrypted: encrypted.is_some(), status, evidence, decryption })
    }
}

impl Signed<'_> {
    /// Thumbprint of the key that signed.
    pub fn key(&self) -> Thumbprint {
        match &self.evidence {
            Evidence::Response { signed, .. } | Evidence::Assertion(signed) => signed.key(),
        }
    }

    /// Decides whether this is the answer that is waited for, and reads the sign-in. The caller
    /// refuses an `assertion_id` that it has seen.
    ///
    /// # Errors
    /// The first thing that is not as expected; [`Rejection::Status`] if the IdP reports a failure.
    pub fn accept(self, expected: &Expected, now: Timestamp) -> Result<Login, Rejection> {
        self.check_envelope(expected)?;
        if !self.status.is_success() {
            return Err(Rejection::Status(self.status));
        }
        let assertion = match self.evidence {
            Evidence::Assertion(signed) => signed.element(),
            Evidence::Response { decrypted: Some(assertion), .. } => assertion,
            Evidence::Response { signed, decrypted: None } => {
                signed.element().optional(ns::SAML, "Assertion")?.ok_or(Rejection::NoAssertion)?
            }
        };
        if self.decryption.required && !self.encrypted {
            return Err(Rejection::NotEncrypted);
        }
        assertion::accept(assertion, self.decryption.keys, expected, now)
    }

    /// The attributes of the Response are checked even if nobody signed them: they only restrict.
    fn check_envelope(&self, expected: &Expected) -> Result<(), Rejection> {
        match (self.response.attribute("Destination"), &self.evidence) {
            (Some(url), _) if url == expected.acs_url => {}
            (Some(url), _) => return Err(Rejection::Destination { found: url.to_owned() }),
            // SAML Bindings 3.5.5.2: a signed message names its destination.
            (None, Evidence::Response { .. }) => return Err(Rejection::NoDestination),
            (None, Evidence::Assertion(_)) => {}
        }
        if self.response.attribute("InResponseTo") != Some(expected.request_id.as_str()) {
            return Err(Rejection::InResponseTo);
        }
        match message::issuer(self.response)? {
            Some(found) if found != expected.idp => Err(Rejection::Issuer { found }),
            _ => Ok(message::in_order(self.response, RESPONSE)?),
        }
    }
}

/// SAML Core 3.2.2 and 3.3.3.
const RESPONSE: &[&[(&str, &str)]] = &[
    &[(ns::SAML, "Issuer")],
    &[(ns::SAMLP, "Extensions")],
    &[(ns::SAMLP, "Status")],
    &[(ns::SAML, "Assertion"), (ns::SAML, "EncryptedAssertion")],
];

fn is_encrypted(assertion: Element<'_>) -> bool {
    assertion.local_name() == "EncryptedAssertion"
}

/// The one Assertion, directly in the Response, encrypted or not. An element of that name anywhere
/// else, in whatever namespace, refuses the document: it would be there to be mistaken for the real
/// one.
fn only_assertion(response: Element<'_>) -> Result<Option<Element<'_>>, Rejection> {
    let mut found = None;
    for element in response.document().elements().filter(|element| *element != response) {
        match element.local_name() {
            "Response" => return Err(Rejection::NestedResponse),
            "Assertion" | "EncryptedAssertion"
                if element.namespace() != ns::SAML || element.parent() != Some(response) =>
            {
                return Err(Rejection::MisplacedAssertion);
            }
            "Assertion" | "EncryptedAssertion" if found.is_some() => {
                return Err(Rejection::SeveralAssertions);
            }
            "Assertion" | "EncryptedAssertion" => found = Some(element),
            _ => {}
        }
    }
    Ok(found)
}

/// The same for an Assertion that was decrypted: it has none inside.
pub(super) fn no_other_assertion(assertion: Element<'_>) -> Result<(), Rejection> {
    match only_assertion(assertion)? {
        Some(_) => Err(Rejection::MisplacedAssertion),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::fixture::{
        ACS, IDP, Sign, idp_key, other_key, receive, response, signed, trusted,
    };
    use crate::saml::message::MessageError;
    use crate::saml::{Status, StatusCode, status};
    use crate::xml::sign::sign_enveloped;
    use crate::xml::verify::SignatureError;
    use crate::xml::{Limits, parse};

    /// The outcome of the good Response with one part of it replaced before it was signed.
    fn changed(from: &str, to: &str, sign: Sign) -> Result<Login, Rejection> {
        let good = response();
        assert!(good.contains(from), "{from}");
        receive(&signed(&good.replace(from, to), sign))
    }

    const SIGNED: [Sign; 3] = [Sign::Response, Sign::Assertion, Sign::Both];

    #[test]
    fn a_signature_on_the_response_or_on_the_assertion_is_enough_and_none_is_not() {
        for sign in SIGNED {
            let login = receive(&signed(&response(), sign)).unwrap();
            assert_eq!(login.name_id.unwrap().value, "ada");
        }
        assert_eq!(receive(&signed(&response(), Sign::Nothing)), Err(Rejection::Unsigned));
    }

    #[test]
    fn every_signature_must_hold() {
        for sign in SIGNED {
            let forged = signed(&response(), sign).replace(">ada<", ">eve<");
            let digest = Err(Rejection::Signature(SignatureError::Digest));
            assert_eq!(receive(&forged), digest, "{sign:?}");
        }
        // The Assertion is signed well, the Response around it by somebody else.
        let inner = signed(&response(), Sign::Assertion);
        assert!(receive(&sign_enveloped(&inner, idp_key(), None).unwrap()).is_ok());
        assert_eq!(
            receive(&sign_enveloped(&inner, other_key(), None).unwrap()),
            Err(Rejection::Signature(SignatureError::Invalid))
        );
    }

    #[test]
    fn only_the_keys_of_the_asked_idp_count() {
        let xml = signed(&response(), Sign::Assertion);
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let key = |keys: &[_]| {
            let received = Received::read(&document).unwrap();
            received.verify(&trusted(keys), &Decryption::NONE, |signed| Ok(signed.key()))
        };
        assert!(key(&[other_key()]).is_err());
        let signed_by = key(&[other_key(), idp_key()]);
        assert_eq!(signed_by, Ok(idp_key().public_key().thumbprint()));
    }

    #[test]
    fn an_assertion_stands_only_where_it_belongs() {
        let good = signed(&response(), Sign::Assertion);
        let start = good.find("<saml:Assertion").unwrap();
        let end = good.find("</saml:Assertion>").unwrap() + "</saml:Assertion>".len();
        let assertion = &good[start..end];
        let evil = assertion.replace(">ada<", ">eve<").replace("_assertion", "_evil");
        let wrap = |inner: &str| format!("{}{inner}{}", &good[..start], &good[end..]);
        assert!(receive(&wrap(assertion)).is_ok());
        assert_eq!(
            receive(&wrap(&format!("{evil}{assertion}"))),
            Err(Rejection::SeveralAssertions)
        );
        for hidden in [
            format!("<samlp:Extensions>{assertion}</samlp:Extensions>{evil}"),
            format!("{evil}<x>{assertion}</x>"),
            evil.replace("</saml:Assertion>", &format!("{assertion}</saml:Assertion>")),
            format!(r#"{assertion}<Assertion xmlns="urn:other"/>"#),
        ] {
            assert_eq!(receive(&wrap(&hidden)), Err(Rejection::MisplacedAssertion), "{hidden}");
        }
        assert_eq!(
            receive(&wrap(&format!("{assertion}<x><samlp:Response/></x>"))),
            Err(Rejection::NestedResponse)
        );
        let twin = format!("{assertion}<x ID=\"_assertion\"/>");
        assert_eq!(receive(&wrap(&twin)), Err(Rejection::Signature(SignatureError::DuplicateId)));
        let moved = assertion.find("<ds:Signature").unwrap();
        let moved_end = assertion.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
        let (signature, rest) = (
            &assertion[moved..moved_end],
            format!("{}{}", &assertion[..moved], &assertion[moved_end..]),
        );
        assert_eq!(
            receive(&wrap(&format!("{rest}<x>{signature}</x>"))),
            Err(Rejection::Signature(SignatureError::Misplaced))
        );
    }

    #[test]
    fn the_destination_is_ours_or_absent_and_unsigned() {
        let own = format!(r#" Destination="{ACS}""#);
        for sign in SIGNED {
            assert!(changed(&own, &own, sign).is_ok());
            for other in [format!("{ACS}/"), ACS.replace("https", "http"), String::new()] {
                assert_eq!(
                    changed(&own, &format!(r#" Destination="{other}""#), sign),
                    Err(Rejection::Destination { found: other })
                );
            }
        }
        assert!(changed(&own, "", Sign::Assertion).is_ok());
        assert_eq!(changed(&own, "", Sign::Response), Err(Rejection::NoDestination));
        assert_eq!(changed(&own, "", Sign::Both), Err(Rejection::NoDestination));
    }

    #[test]
    fn it_answers_our_request() {
        let own = r#" InResponseTo="_request"><saml:Issuer>"#;
        for sign in SIGNED {
            for other in [r#" InResponseTo="_other"><saml:Issuer>"#, "><saml:Issuer>"] {
                assert_eq!(changed(own, other, sign), Err(Rejection::InResponseTo));
            }
        }
    }

    #[test]
    fn it_comes_from_the_idp_that_was_asked() {
        let own = format!("<saml:Issuer>{IDP}</saml:Issuer><samlp:Status>");
        let with = |issuer: &str, sign| changed(&own, &format!("{issuer}<samlp:Status>"), sign);
        for sign in SIGNED {
            // The Issuer of the Response is optional, that of the Assertion is not.
            assert!(with("", sign).is_ok());
            let found = EntityId::parse("https://other.example").unwrap();
            assert_eq!(
                with("<saml:Issuer>https://other.example</saml:Issuer>", sign),
                Err(Rejection::Issuer { found })
            );
            assert_eq!(
                with(&format!(r#"<saml:Issuer Format="urn:x">{IDP}</saml:Issuer>"#), sign),
                Err(Rejection::Message(MessageError::IssuerFormat))
            );
        }
    }

    #[test]
    fn a_failure_is_reported_even_if_an_assertion_is_there() {
        let code = r#"Value="urn:oasis:names:tc:SAML:2.0:status:Success""#;
        let failed = format!(r#"Value="{}""#, StatusCode::Responder.uri());
        for sign in [Sign::Nothing, Sign::Response, Sign::Assertion, Sign::Both] {
            let Err(Rejection::Status(status)) = changed(code, &failed, sign) else {
                panic!("{sign:?}");
            };
            assert_eq!(status.code, StatusCode::Responder);
        }
    }

    #[test]
    fn a_failure_without_assertion_is_read_signed_or_not() {
        let good = response();
        let start = good.find("<saml:Assertion").unwrap();
        let end = good.find("</saml:Assertion>").unwrap() + "</saml:Assertion>".len();
        let bare = format!("{}{}", &good[..start], &good[end..]);
        let nested = format!(
            r#"Responder"><samlp:StatusCode Value="{}"></samlp:StatusCode>"#,
            status::NO_PASSIVE
        );
        let failed = bare.replace(r#"Success">"#, &nested);
        for sign in [Sign::Nothing, Sign::Response] {
            let wanted = Status {
                code: StatusCode::Responder,
                nested: vec![status::NO_PASSIVE.into()],
                message: None,
            };
            assert_eq!(receive(&signed(&failed, sign)), Err(Rejection::Status(wanted)));
        }
        assert_eq!(receive(&signed(&bare, Sign::Response)), Err(Rejection::NoAssertion));
        assert_eq!(receive(&bare), Err(Rejection::Unsigned));
        // Signed, but for somebody else: it is not our failure.
        let elsewhere = failed.replace(ACS, "https://other.example/acs");
        assert!(matches!(
            receive(&signed(&elsewhere, Sign::Response)),
            Err(Rejection::Destination { .. })
        ));
    }

    #[test]
    fn what_it_claims_can_be_read_before_it_is_believed() {
        let xml = response();
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let received = Received::read(&document).unwrap();
        assert_eq!(received.in_response_to(), Some("_request"));
        assert_eq!(received.claimed_issuer().map(EntityId::as_str), Some(IDP));
        let silent = xml.replacen(&format!("<saml:Issuer>{IDP}</saml:Issuer>"), "", 1);
        let document = parse(silent.as_bytes(), &Limits::MESSAGE).unwrap();
        let received = Received::read(&document).unwrap();
        assert_eq!(received.claimed_issuer().map(EntityId::as_str), Some(IDP));
        let outcome = received.verify(&trusted(&[idp_key()]), &Decryption::NONE, |_| Ok(()));
        assert_eq!(outcome, Err(Rejection::Unsigned));
    }

    #[test]
    fn other_versions_and_other_messages_are_refused() {
        let xml = response();
        let version = xml.replacen(r#"Version="2.0""#, r#"Version="1.1""#, 1);
        assert_eq!(receive(&version), Err(Rejection::Message(MessageError::Version)));
        let inner = changed(
            r#"ID="_assertion" Version="2.0""#,
            r#"ID="_assertion" Version="3.0""#,
            Sign::Both,
        );
        assert_eq!(inner, Err(Rejection::Message(MessageError::Version)));
        assert!(matches!(
            receive("<Response/>"),
            Err(Rejection::Message(MessageError::NotA { .. }))
        ));
    }
}
