//! Every kind of message that we sign, judged by samael, and a Response that samael signs, judged by
//! us. Each verdict has its twin: the same message with one letter changed is refused.

use std::time::Duration;

use openssl::pkey::{PKey, Private};
use samael::crypto::{CertificateDer, Crypto, CryptoProvider as _, UrlVerifier};
use samael::idp::response_builder::build_response_template;
use samael::idp::verified_request::UnverifiedAuthnRequest;
use samael::idp::{CertificateParams, IdentityProvider, KeyType, Rsa};
use samael::metadata::EntityDescriptor;
use samael::schema::{LogoutRequest as SamaelLogoutRequest, Response};
use samael::signature::DigestAlgorithm;
use samael::traits::ToXml as _;
use sloop::clock::{Clock, Timestamp};
use sloop::saml::binding::redirect;
use sloop::saml::{
    AuthnRequest, Decryption, EntityId, Expected, Login, LogoutRequest, LogoutResponse,
    MessageKind, NameId, NameIdPolicy, Received, Rejection, SessionIndex, SpMetadata, Status,
};
use sloop::xml::sign::{SigningKey, sign_enveloped};
use sloop::xml::verify::{PublicKey, TrustedKeys};
use sloop::xml::{Limits, parse};
use url::Url;

const SP: &str = "https://sloop.test/saml/metadata";
const ACS: &str = "https://sloop.test/saml/acs";
const SLO: &str = "https://sloop.test/logout";
const IDP: &str = "https://idp.test/metadata";
const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// What `changed` alters. Every message here carries it somewhere.
const MARK: &str = "unchanged";

struct Key {
    samael: IdentityProvider,
    certificate: CertificateDer,
}

impl Key {
    fn new() -> Self {
        let samael = IdentityProvider::generate_new(KeyType::Rsa(Rsa::Rsa2048)).unwrap();
        let names = CertificateParams {
            common_name: "oracle",
            issuer_name: "oracle",
            days_until_expiration: 1,
        };
        let certificate = samael.create_certificate(&names).unwrap();
        Self { samael, certificate }
    }

    fn private_der(&self) -> Vec<u8> {
        self.samael.export_private_key_der().unwrap()
    }

    fn ours(&self) -> SigningKey {
        let key: PKey<Private> = PKey::private_key_from_der(&self.private_der()).unwrap();
        SigningKey::new(key).unwrap()
    }

    fn trusted(&self) -> TrustedKeys {
        let key = PublicKey::from_certificate_der(self.certificate.der_data()).unwrap();
        TrustedKeys::new(vec![key]).unwrap()
    }

    /// Signs with our signer.
    fn sign(&self, xml: &str) -> String {
        sign_enveloped(xml, &self.ours(), Some(self.certificate.der_data())).unwrap()
    }

    /// Judges with samael's verifier, which is xmlsec's.
    fn samael_verifies(&self, xml: &str) -> bool {
        Crypto::verify_signed_xml(xml, &self.certificate, Some("ID")).is_ok()
    }
}

fn changed(text: &str) -> String {
    assert!(text.contains(MARK), "nothing to change in {text}");
    text.replacen(MARK, "uncHanged", 1)
}

fn assert_samael_verifies(key: &Key, xml: &str) {
    assert!(key.samael_verifies(xml), "{xml}");
    assert!(!key.samael_verifies(&changed(xml)), "a changed message verifies: {xml}");
    assert!(!Key::new().samael_verifies(xml), "a foreign key verifies: {xml}");
}

fn now() -> Timestamp {
    Clock::system().now()
}

fn entity(id: &str) -> EntityId {
    EntityId::parse(id).unwrap()
}

fn authn_request() -> AuthnRequest {
    AuthnRequest {
        id: "_0123456789abcdef0123456789abcdef".to_owned(),
        issue_instant: now(),
        destination: format!("https://idp.test/sso?tenant=a&kind={MARK}"),
        issuer: entity(SP),
        acs_url: ACS.to_owned(),
        force_authn: true,
        is_passive: false,
        name_id_policy: Some(NameIdPolicy { format: Some(PERSISTENT.to_owned()) }),
        requested_authn_context: Vec::new(),
    }
}

fn logout_request() -> LogoutRequest {
    LogoutRequest {
        asynchronous: false,
        id: "_fedcba9876543210fedcba9876543210".to_owned(),
        issue_instant: now(),
        not_on_or_after: Some(now().plus(Duration::from_secs(300))),
        destination: Some("https://idp.test/slo".to_owned()),
        issuer: entity(SP),
        name_id: NameId {
            value: format!(" Zoë & <{MARK}> \"x\" "),
            format: Some(PERSISTENT.to_owned()),
            name_qualifier: Some(String::new()),
            sp_name_qualifier: Some(SP.to_owned()),
            sp_provided_id: None,
        },
        session_indexes: ["_one", "_two"].map(|index| SessionIndex::parse(index).unwrap()).into(),
        reason: None,
    }
}

#[test]
fn samael_verifies_an_authn_request_that_we_sign() {
    let key = Key::new();
    let signed = key.sign(&authn_request().to_xml().unwrap());
    assert_samael_verifies(&key, &signed);
    let unverified = UnverifiedAuthnRequest::from_xml(&signed).unwrap();
    let request = unverified.try_verify_with_cert(&key.certificate).unwrap();
    assert_eq!(request.assertion_consumer_service_url.as_deref(), Some(ACS));
    assert_eq!(request.destination, Some(authn_request().destination));
    assert_eq!(request.issuer_value().as_deref(), Some(SP));
    assert_eq!(request.force_authn, Some(true));
}

#[test]
fn samael_verifies_a_logout_request_that_we_sign() {
    let key = Key::new();
    let signed = key.sign(&logout_request().to_xml().unwrap());
    assert_samael_verifies(&key, &signed);
    // Its reader knows neither SessionIndex elements nor the Format of a NameID here: the octets that
    // were signed are what it can judge.
    let read: SamaelLogoutRequest = signed.parse().unwrap();
    assert_eq!(read.destination, logout_request().destination);
    assert_eq!(read.name_id.unwrap().value.trim(), logout_request().name_id.value.trim());
}

#[test]
fn samael_verifies_a_logout_response_that_we_sign() {
    let key = Key::new();
    let response = LogoutResponse {
        id: "_00112233445566778899aabbccddeeff".to_owned(),
        issue_instant: now(),
        destination: Some("https://idp.test/slo".to_owned()),
        issuer: entity(SP),
        in_response_to: format!("_{MARK}"),
        status: Status::partial_logout(),
    };
    assert_samael_verifies(&key, &key.sign(&response.to_xml().unwrap()));
}

#[test]
fn samael_verifies_and_reads_metadata_that_we_sign() {
    let key = Key::new();
    let acs = [ACS.to_owned(), format!("https://sloop.test/old/{MARK}")];
    let metadata = SpMetadata {
        id: "_ffeeddccbbaa99887766554433221100".to_owned(),
        entity_id: entity(SP),
        valid_until: now().plus(Duration::from_secs(86_400)),
        acs: acs.to_vec(),
        slo: SLO.to_owned(),
        slo_soap: format!("{SLO}/soap"),
        encryption_certificates: Vec::new(),
        signing_certificates: vec![key.certificate.der_data().to_vec()],
        name_id_formats: vec![PERSISTENT.to_owned()],
    };
    let signed = key.sign(&metadata.to_xml().unwrap());
    assert_samael_verifies(&key, &signed);
    let read: EntityDescriptor = signed.parse().unwrap();
    assert_eq!(read.entity_id.as_deref(), Some(SP));
    let sp = &read.sp_sso_descriptors.unwrap()[0];
    assert_eq!(sp.authn_requests_signed, Some(true));
    let read: Vec<_> = sp.assertion_consumer_services.iter().map(|acs| &acs.location).collect();
    assert_eq!(read, acs.iter().collect::<Vec<_>>());
    let logout = sp.single_logout_services.as_ref().unwrap();
    let places: Vec<_> = logout.iter().map(|service| service.location.as_str()).collect();
    assert_eq!(places, [SLO, SLO, &format!("{SLO}/soap")]);
}

#[test]
fn samael_verifies_what_we_sign_for_the_redirect_binding() {
    let key = Key::new();
    let verifier = UrlVerifier::from_x509(&key.certificate).unwrap();
    let relay_state = Some(MARK);
    for (kind, xml) in [
        (MessageKind::Request, authn_request().to_xml().unwrap()),
        (MessageKind::Request, logout_request().to_xml().unwrap()),
        (MessageKind::Response, authn_request().to_xml().unwrap()),
    ] {
        let url =
            redirect::encode(kind, &xml, relay_state, "https://idp.test/sso", Some(&key.ours()));
        let url = url.unwrap();
        let verifies = |url: &str| {
            let url = Url::parse(url).unwrap();
            match kind {
                MessageKind::Request => verifier.verify_signed_request_url(&url).unwrap(),
                MessageKind::Response => verifier.verify_signed_response_url(&url).unwrap(),
            }
        };
        assert!(verifies(&url), "{url}");
        assert!(!verifies(&changed(&url)), "a changed URL verifies: {url}");
    }
}

#[test]
fn we_accept_a_response_that_samael_signs() {
    let key = Key::new();
    let signed = samael_response(&key);
    let login = judge(&key, &signed).unwrap();
    assert_eq!(login.name_id.unwrap().value, format!("Zoë & <{MARK}>"));
    assert_eq!(login.session_indexes, [SessionIndex::parse("_session").unwrap()]);
}

#[test]
fn we_refuse_a_changed_response_and_one_by_a_foreign_key() {
    let key = Key::new();
    let signed = samael_response(&key);
    for refused in [judge(&key, &changed(&signed)), judge(&Key::new(), &signed)] {
        assert!(matches!(refused, Err(Rejection::Signature(_))), "{refused:?}");
    }
}

/// A Response made and signed by samael. Its template lacks what the Web SSO profile demands
/// (Profiles 4.1.4.2), and proposes SHA-1: that is filled in before it signs.
fn samael_response(key: &Key) -> String {
    // Escaped here, because samael writes text as it is.
    let name = format!("Zoë &amp; &lt;{MARK}&gt;");
    let mut response: Response =
        build_response_template(&key.certificate, &name, SP, IDP, ACS, "_request", &[]);
    let assertion = response.assertion.as_mut().unwrap();
    let in_five_minutes = assertion.issue_instant + Duration::from_secs(300);
    let subject = assertion.subject.as_mut().unwrap();
    let confirmation = &mut subject.subject_confirmations.as_mut().unwrap()[0];
    let data = confirmation.subject_confirmation_data.as_mut().unwrap();
    data.not_on_or_after = Some(in_five_minutes);
    assertion.conditions.as_mut().unwrap().not_on_or_after = Some(in_five_minutes);
    let statement = &mut assertion.authn_statements.as_mut().unwrap()[0];
    statement.session_index = Some("_session".to_owned());
    // samael writes an empty AttributeStatement, which the schema does not allow.
    assertion.attribute_statements = None;
    let reference = &mut response.signature.as_mut().unwrap().signed_info.reference[0];
    reference.digest_method.algorithm = DigestAlgorithm::Sha256;
    Crypto::sign_xml(response.to_string().unwrap(), &key.private_der()).unwrap()
}

fn judge(key: &Key, xml: &str) -> Result<Login, Rejection> {
    let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
    let expected = Expected {
        idp: entity(IDP),
        sp: entity(SP),
        acs_url: ACS.to_owned(),
        request_id: "_request".to_owned(),
        clock_skew: Duration::from_secs(60),
        authn_not_before: None,
    };
    let received = Received::read(&document)?;
    received.verify(&key.trusted(), &Decryption::NONE, |signed| signed.accept(&expected, now()))
}
