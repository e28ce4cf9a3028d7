//! What becomes of an encrypted assertion, to the exact reason, without a service around it. The
//! stories over HTTP are in `encryption.rs`.

use std::time::Duration;

use sloop::clock::{Clock, Timestamp};
use sloop::keys::{KeyAlgorithm, SigningKey, certificate};
use sloop::mock_idp::Encryption;
use sloop::mock_idp::encryption::{Content, KeyPlace, Transport};
use sloop::rng::Rng;
use sloop::saml::{
    AuthnRequest, Decryption, EntityId, Expected, IdpMetadata, Login, LogoutRequest, NameId,
    Received, Rejection, SessionIndex,
};
use sloop::xml::decrypt::{Cbc, DecryptionKey};
use sloop::xml::encryption_algorithm::ContentAlgorithm;
use sloop::xml::{Limits, parse};

use crate::support::encrypted::{assertion_in, element_in};
use crate::support::forger::{Asked, Forger, Said, Sign};

const ACS: &str = "https://sp.test/saml/acs";
const SP: &str = "https://sp.test/saml/metadata";
const NAMES: (&str, &str) = ("Assertion", "EncryptedAssertion");
const CBC: Encryption = Encryption {
    content: Content::Accepted(ContentAlgorithm::Aes128Cbc),
    transport: Encryption::COMMON.transport,
    place: KeyPlace::Inside,
};

/// An IdP, a request that it was asked, and the other side's keys.
struct Case {
    clock: Clock,
    forger: Forger,
    asked: Asked,
    certificate: Vec<u8>,
    keys: Vec<DecryptionKey>,
    cbc: Cbc,
    required: bool,
}

impl Case {
    fn new() -> Self {
        let clock = Clock::system();
        let forger = Forger::new(&clock);
        let pair = SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap();
        let day = Duration::from_secs(86_400);
        let certificate =
            certificate::self_signed(pair.private_key(), "sp", clock.now(), day, [1; 16]).unwrap();
        let request = AuthnRequest {
            id: "_request".into(),
            issue_instant: clock.now(),
            destination: forger.sso(),
            issuer: EntityId::parse(SP).unwrap(),
            acs_url: ACS.into(),
            force_authn: false,
            is_passive: false,
            name_id_policy: None,
            requested_authn_context: Vec::new(),
        };
        Self {
            asked: Asked { request, xml: String::new(), relay_state: None },
            keys: vec![DecryptionKey::from_pkcs8_der(&pair.to_pkcs8_der().unwrap()).unwrap()],
            clock,
            forger,
            certificate,
            cbc: Cbc::Refused,
            required: false,
        }
    }

    fn says(&self, name_id: &str) -> Said {
        self.forger.says(&self.asked, name_id)
    }

    fn encrypted(&self, said: &Said, sign: Sign) -> String {
        self.forger.encrypted(said, sign, Encryption::COMMON, &self.certificate)
    }

    fn receive(&self, xml: &str) -> Result<Login, Rejection> {
        let metadata = self.forger.metadata();
        let idp = IdpMetadata::parse(metadata.as_bytes(), None, self.clock.now()).unwrap();
        let expected = Expected {
            idp: idp.entity_id.clone(),
            sp: EntityId::parse(SP).unwrap(),
            acs_url: ACS.into(),
            request_id: "_request".into(),
            clock_skew: Duration::from_secs(60),
            authn_not_before: None,
        };
        let decryption = Decryption { keys: &self.keys, cbc: self.cbc, required: self.required };
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let received = Received::read(&document)?;
        received.verify(&idp.signing_keys, &decryption, |signed| {
            signed.accept(&expected, self.clock.now())
        })
    }

    /// Who is signed in, or the code of the refusal.
    fn outcome(&self, xml: &str) -> Result<String, &'static str> {
        match self.receive(xml) {
            Ok(login) => Ok(login.name_id.unwrap().value),
            Err(rejection) => Err(rejection.code()),
        }
    }
}

#[test]
fn a_signature_within_or_around_is_needed_and_encryption_is_none() {
    let case = Case::new();
    let ada = || Ok("ada".to_owned());
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let login = case.receive(&case.encrypted(&case.says("ada"), sign)).unwrap();
        let plain = case.receive(&case.forger.signed(&case.says("ada"), Sign::Both)).unwrap();
        assert_eq!(
            (login.name_id, login.attributes),
            (plain.name_id, plain.attributes),
            "{sign:?}"
        );
        assert_eq!(login.session_indexes.len(), 1);
    }
    let said = case.says("ada");
    assert_eq!(case.outcome(&case.encrypted(&said, Sign::Nothing)), Err("response.unsigned"));
    // Signed well, but by somebody else: within, around, and in both places.
    let eve = Forger::new(&case.clock);
    let to = &case.certificate;
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let xml = eve.encrypted(&said, sign, Encryption::COMMON, to);
        assert_eq!(case.outcome(&xml), Err("sig.invalid"), "{sign:?}");
    }
    // One signature that does not hold refuses the whole, whatever the other says.
    let xml = case.forger.enveloped(&eve.encrypted(&said, Sign::Assertion, Encryption::COMMON, to));
    assert_eq!(case.outcome(&xml), Err("sig.invalid"));
    let xml = eve.enveloped(&case.encrypted(&said, Sign::Assertion));
    assert_eq!(case.outcome(&xml), Err("sig.invalid"));
    assert_eq!(case.outcome(&case.encrypted(&said, Sign::Both)), ada());
    // What was signed is changed before it is encrypted.
    let changed = case.forger.assertion(&said, Sign::Assertion).replace(">ada<", ">eve<");
    for sign in [Sign::Nothing, Sign::Response] {
        let xml = case.forger.encrypting(&said, sign, changed.as_bytes(), to);
        assert_eq!(case.outcome(&xml), Err("sig.digest"), "{sign:?}");
    }
    // The ciphertext is changed under the outer signature.
    let one = case.encrypted(&said, Sign::Response);
    let other = case.encrypted(&case.says("eve"), Sign::Response);
    let moved = one.replace(
        &element_in(&one, "EncryptedAssertion"),
        &element_in(&other, "EncryptedAssertion"),
    );
    assert_eq!(case.outcome(&moved), Err("sig.digest"));
}

#[test]
fn there_is_one_assertion_encrypted_or_not() {
    let case = Case::new();
    let (good, evil) = (case.says("ada"), case.says("eve"));
    let holder = |said: &Said, sign| element_in(&case.encrypted(said, sign), "EncryptedAssertion");
    let signed = holder(&good, Sign::Assertion);
    let unsigned = holder(&evil, Sign::Nothing);
    let plain = case.forger.assertion(&good, Sign::Assertion);
    let evil_plain = case.forger.assertion(&evil, Sign::Nothing);
    let inside = |inside: &str| {
        [Sign::Nothing, Sign::Response]
            .map(|sign| case.outcome(&case.forger.holding(&good, sign, inside)))
    };
    assert_eq!(inside(&signed), [Ok("ada".into()), Ok("ada".into())]);
    assert_eq!(inside(&unsigned), [Err("response.unsigned"), Ok("eve".into())]);
    for two in [
        format!("{unsigned}{signed}"),
        format!("{signed}{unsigned}"),
        format!("{signed}{signed}"),
        format!("{unsigned}{plain}"),
        format!("{plain}{unsigned}"),
        format!("{evil_plain}{signed}"),
        format!("{signed}{evil_plain}"),
    ] {
        assert_eq!(
            inside(&two),
            [Err("response.several_assertions"), Err("response.several_assertions")],
            "{two:.60}"
        );
    }
    for misplaced in [
        format!("<x>{signed}</x>"),
        signed.replace("</saml:EncryptedAssertion>", &format!("{plain}</saml:EncryptedAssertion>")),
        signed.replace("<xenc:EncryptedData ", &format!("{unsigned}<xenc:EncryptedData ")),
        signed.replace(sloop::xml::ns::SAML, "urn:other"),
    ] {
        assert_eq!(
            inside(&misplaced),
            [Err("response.misplaced_assertion"), Err("response.misplaced_assertion")],
            "{misplaced:.60}"
        );
    }
    let stray = signed.replacen(
        "<xenc:EncryptedData ",
        &format!("<ds:Signature xmlns:ds=\"{}\"/><xenc:EncryptedData ", sloop::xml::ns::DS),
        1,
    );
    assert_eq!(inside(&stray), [Err("sig.misplaced"), Err("sig.misplaced")]);
}

#[test]
fn what_was_encrypted_is_one_assertion_of_the_strict_kind() {
    let case = Case::new();
    let said = case.says("ada");
    let good = case.forger.assertion(&said, Sign::Assertion);
    let outcome = |content: &str| {
        // By its own signature alone, and under that of the Response.
        let [alone, covered] = [Sign::Nothing, Sign::Response].map(|sign| {
            let xml = case.forger.encrypting(&said, sign, content.as_bytes(), &case.certificate);
            case.outcome(&xml)
        });
        assert_eq!(alone, covered, "{content:.80}");
        alone
    };
    assert_eq!(outcome(&good), Ok("ada".into()));
    assert_eq!(outcome(&format!("<?xml version='1.0'?>\n<!-- -->{good}\n")), Ok("ada".into()));
    let holder = element_in(&case.encrypted(&said, Sign::Assertion), "EncryptedAssertion");
    let whole = case.forger.signed(&said, Sign::Both);
    let inside = |extra: &str| {
        let end = "</saml:Assertion>";
        good.replacen(end, &format!("<saml:Advice>{extra}</saml:Advice>{end}"), 1)
    };
    let again = good.replace(&said.assertion_id, "_again");
    for (content, code) in [
        (format!("<!DOCTYPE x>{good}"), "enc.failed"),
        (format!("<!DOCTYPE x [<!ENTITY e 'eve'>]>{good}"), "enc.failed"),
        (format!("<?x y?>{good}"), "enc.failed"),
        (format!("{good}{good}"), "enc.failed"),
        (format!("{good}<x/>"), "enc.failed"),
        (format!("x{good}"), "enc.failed"),
        ("ada".into(), "enc.failed"),
        (String::new(), "enc.failed"),
        (format!("{}{}", "<a>".repeat(100), "</a>".repeat(100)), "enc.failed"),
        (holder.clone(), "saml.decrypted_other"),
        (whole, "saml.decrypted_other"),
        ("<Assertion/>".into(), "saml.decrypted_other"),
        (
            element_in(&good, "Subject").replacen("<saml:Subject", &subject(), 1),
            "saml.decrypted_other",
        ),
        (inside(&holder), "response.misplaced_assertion"),
        (inside(&again), "response.misplaced_assertion"),
        (inside("<Assertion xmlns='urn:other'/>"), "response.misplaced_assertion"),
        (inside("<Response xmlns='urn:other'/>"), "response.nested"),
        (inside(&format!("<x ID='{}'/>", said.assertion_id)), "id.duplicate"),
        (
            good.replace("<ds:Signature ", "<x><ds:Signature ")
                .replace("</ds:Signature>", "</ds:Signature></x>"),
            "sig.misplaced",
        ),
    ] {
        assert_eq!(outcome(&content), Err(code), "{content:.80}");
    }
}

fn subject() -> String {
    format!("<saml:Subject xmlns:saml=\"{}\"", sloop::xml::ns::SAML)
}

#[test]
fn prefixes_may_have_stayed_behind() {
    // As xmlsec1 does it: the element is cut out, its declarations are not.
    let case = Case::new();
    let said = case.says("ada");
    let response = case.forger.signed(&said, Sign::Assertion);
    let cut = assertion_in(&response);
    assert!(!cut.contains("xmlns:saml="));
    let xml = case.forger.encrypting(&said, Sign::Nothing, cut.as_bytes(), &case.certificate);
    assert_eq!(case.outcome(&xml), Ok("ada".into()));
}

#[test]
fn cbc_needs_a_signature_around_it_or_an_opt_in() {
    let mut case = Case::new();
    let said = case.says("ada");
    for content in [ContentAlgorithm::Aes128Cbc, ContentAlgorithm::Aes256Cbc] {
        let how = Encryption { content: Content::Accepted(content), ..CBC };
        for (cbc, alone) in [(Cbc::Refused, Err("enc.cbc")), (Cbc::Accepted, Ok("ada".into()))] {
            case.cbc = cbc;
            let outcome =
                |sign| case.outcome(&case.forger.encrypted(&said, sign, how, &case.certificate));
            assert_eq!(outcome(Sign::Assertion), alone);
            assert_eq!(outcome(Sign::Response), Ok("ada".into()));
            assert_eq!(outcome(Sign::Both), Ok("ada".into()));
        }
    }
}

#[test]
fn what_is_never_accepted_is_not_accepted_under_a_signature_either() {
    let mut case = Case::new();
    case.cbc = Cbc::Accepted;
    let said = case.says("ada");
    for (how, code) in [
        (Encryption { transport: Transport::RsaV15, ..Encryption::COMMON }, "enc.key_transport"),
        (
            Encryption { content: Content::TripleDesCbc, ..Encryption::COMMON },
            "enc.content_algorithm",
        ),
    ] {
        for sign in [Sign::Assertion, Sign::Both] {
            let xml = case.forger.encrypted(&said, sign, how, &case.certificate);
            assert_eq!(case.outcome(&xml), Err(code), "{how:?}");
        }
    }
}

#[test]
fn a_failure_is_believed_without_decrypting() {
    let case = Case::new();
    let mut said = case.says("ada");
    said.status = vec!["urn:oasis:names:tc:SAML:2.0:status:Responder".into()];
    for sign in [Sign::Nothing, Sign::Assertion, Sign::Response, Sign::Both] {
        assert_eq!(case.outcome(&case.encrypted(&said, sign)), Err("response.status"), "{sign:?}");
    }
}

#[test]
fn encryption_can_be_required() {
    let mut case = Case::new();
    let said = case.says("ada");
    for required in [false, true] {
        case.required = required;
        for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
            assert_eq!(case.outcome(&case.encrypted(&said, sign)), Ok("ada".into()));
            let plain = case.outcome(&case.forger.signed(&said, sign));
            match required {
                true => assert_eq!(plain, Err("response.not_encrypted")),
                false => assert_eq!(plain, Ok("ada".into())),
            }
        }
    }
    // A NameID that is encrypted is not the Assertion.
    let named = encrypted_name(&case, &said, "NameID", &case.certificate);
    assert_eq!(case.outcome(&case.forger.enveloped(&named)), Err("response.not_encrypted"));
}

/// The unsigned Response with this element of the Subject encrypted as its identifier.
fn encrypted_name(case: &Case, said: &Said, local: &str, to: &[u8]) -> String {
    let xml = case.forger.signed(said, Sign::Nothing);
    CBC.replace(&xml, (local, "EncryptedID"), to, &Rng::system()).unwrap()
}

#[test]
fn an_encrypted_name_counts_as_it_was_before() {
    let case = Case::new();
    let mut said = case.says("ada");
    said.name_id_format = Some("urn:f".into());
    let plain = case.receive(&case.forger.signed(&said, Sign::Response)).unwrap();
    // CBC is safe here: a signature covers it always.
    let named = encrypted_name(&case, &said, "NameID", &case.certificate);
    let login = case.receive(&case.forger.enveloped(&named)).unwrap();
    assert_eq!(login.name_id, plain.name_id);
    assert_eq!(login.name_id.unwrap().format.as_deref(), Some("urn:f"));
    // In an assertion that is encrypted itself.
    let both = Encryption::COMMON.replace(&named, NAMES, &case.certificate, &Rng::system());
    assert_eq!(case.outcome(&case.forger.enveloped(&both.unwrap())), Ok("ada".into()));

    let code = |xml: &str| case.outcome(&case.forger.enveloped(xml)).unwrap_err();
    let other = Case::new().certificate;
    assert_eq!(code(&encrypted_name(&case, &said, "NameID", &other)), "enc.failed");
    let holder = element_in(&named, "EncryptedID");
    let another = "<saml:Issuer>ada</saml:Issuer>".as_bytes();
    let another =
        Encryption::COMMON.element(another, "EncryptedID", &case.certificate, &Rng::system());
    assert_eq!(code(&named.replace(&holder, &another.unwrap())), "saml.decrypted_other");
    assert_eq!(code(&named.replace(&holder, &holder.repeat(2))), "xml.repeated_element");
    let beside =
        format!("{}{holder}", element_in(&case.forger.signed(&said, Sign::Nothing), "NameID"));
    assert_eq!(code(&named.replace(&holder, &beside)), "saml.too_many");
    let empty = named.replace(&holder, "<saml:EncryptedID/>");
    assert_eq!(code(&empty), "xml.missing_element");
}

#[test]
fn a_logout_request_may_name_its_person_in_secret() {
    let case = Case::new();
    let request = LogoutRequest {
        asynchronous: false,
        id: "_1".into(),
        issue_instant: Timestamp::from_seconds(case.clock.now().as_seconds()),
        not_on_or_after: None,
        destination: Some("https://sp.test/logout".into()),
        issuer: EntityId::parse("https://idp.test").unwrap(),
        name_id: NameId {
            value: "ada".into(),
            format: Some("urn:f".into()),
            name_qualifier: Some(String::new()),
            sp_name_qualifier: None,
            sp_provided_id: None,
        },
        session_indexes: vec![SessionIndex::parse("one").unwrap()],
        reason: None,
    };
    let plain = request.to_xml().unwrap();
    let names = ("NameID", "EncryptedID");
    for place in [KeyPlace::Inside, KeyPlace::Beside] {
        let how = Encryption { place, ..Encryption::COMMON };
        let xml = how.replace(&plain, names, &case.certificate, &Rng::system()).unwrap();
        let read = |keys: &[DecryptionKey]| {
            let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
            LogoutRequest::parse_encrypted(document.root(), keys).map_err(|error| error.code())
        };
        assert_eq!(read(&case.keys).as_ref(), Ok(&request));
        let second = [Case::new().keys.remove(0), case.keys[0].clone()];
        assert_eq!(read(&second).as_ref(), Ok(&request));
        assert_eq!(read(&second[..1]), Err("enc.failed"));
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let unasked = LogoutRequest::parse(document.root()).map_err(|error| error.code());
        assert_eq!(unasked, Err("saml.unsupported"));
    }
    let document = parse(plain.as_bytes(), &Limits::MESSAGE).unwrap();
    assert_eq!(LogoutRequest::parse_encrypted(document.root(), &case.keys), Ok(request));
}
