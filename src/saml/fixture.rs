//! Keys and an IdP's Response for the tests of this folder.

use std::sync::LazyLock;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::{X509, X509NameBuilder};

use super::response::Expected;
use super::{Decryption, EntityId, Login, Received, Rejection};
use crate::clock::Timestamp;
use crate::xml::sign::{SigningKey, sign_enveloped, sign_enveloped_at};
use crate::xml::verify::TrustedKeys;
use crate::xml::{Document, Limits, ns, parse};

pub(super) const IDP: &str = "https://idp.example/metadata";
pub(super) const SP: &str = "https://sp.example/saml/metadata";
pub(super) const ACS: &str = "https://sp.example/saml/acs";

static KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| [ec_key(), ec_key()].map(signing));

fn ec_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn signing(key: PKey<Private>) -> SigningKey {
    SigningKey::new(key).unwrap()
}

pub(super) fn idp_key() -> &'static SigningKey {
    &KEYS[0]
}

pub(super) fn other_key() -> &'static SigningKey {
    &KEYS[1]
}

pub(super) fn trusted(keys: &[&SigningKey]) -> TrustedKeys {
    TrustedKeys::new(keys.iter().map(|key| key.public_key().clone()).collect()).unwrap()
}

/// A self-signed certificate over a fresh EC key, valid until `not_after`.
pub(super) fn certificate(not_after: Timestamp) -> X509 {
    certificate_of(&ec_key(), not_after)
}

pub(super) fn certificate_of(key: &PKeyRef<Private>, not_after: Timestamp) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "idp.example").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(not_after.as_seconds()).unwrap()).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000)
}

/// `seconds` from [`now`], as text.
pub(super) fn at(seconds: i64) -> String {
    now().shifted(seconds * 1_000_000).to_string()
}

pub(super) fn expected() -> Expected {
    Expected {
        idp: EntityId::parse(IDP).unwrap(),
        sp: EntityId::parse(SP).unwrap(),
        acs_url: ACS.into(),
        request_id: "_request".into(),
        clock_skew: Duration::from_secs(60),
        authn_not_before: None,
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Sign {
    Nothing,
    Response,
    Assertion,
    Both,
}

/// A Response that is accepted. Tests replace a part of its text before it is signed.
pub(super) fn response() -> String {
    let (saml, samlp) = (ns::SAML, ns::SAMLP);
    let (instant, until) = (at(-5), at(300));
    format!(
        r##"<samlp:Response xmlns:samlp="{samlp}" xmlns:saml="{saml}" ID="_response" Version="2.0" IssueInstant="{instant}" Destination="{ACS}" InResponseTo="_request"><saml:Issuer>{IDP}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>{}</samlp:Response>"##,
        format_args!(
            r##"<saml:Assertion ID="_assertion" Version="2.0" IssueInstant="{instant}"><saml:Issuer>{IDP}</saml:Issuer><saml:Subject><saml:NameID Format="urn:f" SPNameQualifier="">ada</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData Recipient="{ACS}" InResponseTo="_request" NotOnOrAfter="{until}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{instant}" NotOnOrAfter="{until}"><saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{instant}" SessionIndex="one"><saml:AuthnContext><saml:AuthnContextClassRef>urn:password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="mail" FriendlyName="Mail"><saml:AttributeValue>ada@example.com</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"##
        )
    )
}

pub(super) fn signed(xml: &str, sign: Sign) -> String {
    let mut xml = xml.to_owned();
    if matches!(sign, Sign::Assertion | Sign::Both) {
        xml = sign_enveloped_at(&xml, "_assertion", idp_key(), None).unwrap();
    }
    if matches!(sign, Sign::Response | Sign::Both) {
        xml = sign_enveloped(&xml, idp_key(), None).unwrap();
    }
    xml
}

/// What becomes of a Response in a service that expects [`expected`], at [`now`].
pub(super) fn receive(xml: &str) -> Result<Login, Rejection> {
    receive_as(xml, &expected())
}

pub(super) fn receive_as(xml: &str, expected: &Expected) -> Result<Login, Rejection> {
    let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
    receive_with(&document, expected, &Decryption::NONE)
}

pub(super) fn receive_with(
    document: &Document<'_>,
    expected: &Expected,
    decryption: &Decryption<'_>,
) -> Result<Login, Rejection> {
    let received = Received::read(document)?;
    received.verify(&trusted(&[idp_key()]), decryption, |signed| signed.accept(expected, now()))
}

/// The outcome of the good Response with one part of its Assertion replaced before it was signed.
pub(super) fn changed(from: &str, to: &str) -> Result<Login, Rejection> {
    changed_as(from, to, &expected())
}

pub(super) fn changed_as(from: &str, to: &str, expected: &Expected) -> Result<Login, Rejection> {
    let good = response();
    let (head, assertion) = good.split_at(good.find("<saml:Assertion").unwrap());
    assert!(assertion.contains(from), "{from}");
    let xml = format!("{head}{}", assertion.replace(from, to));
    receive_as(&signed(&xml, Sign::Assertion), expected)
}

/// Metadata of an IdP with one signing key, that of [`idp_key`] not being it.
pub(super) fn idp_metadata() -> String {
    let key = base64_of(&certificate(now().shifted(1_000_000_000)));
    format!(
        r#"<md:EntityDescriptor xmlns:md="{}" xmlns:ds="{}" entityID="{IDP}">
<md:IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="{}">
<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{key}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/slo" ResponseLocation="https://idp.example/slo/answer"/>
<md:NameIDFormat> urn:format </md:NameIDFormat>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example/sso"/>
<md:SingleSignOnService Binding="urn:mace:shibboleth:1.0:profiles:AuthnRequest" Location="https://idp.example/shib"/>
</md:IDPSSODescriptor>
</md:EntityDescriptor>"#,
        ns::MD,
        ns::DS,
        ns::SAMLP
    )
}

pub(super) fn base64_of(certificate: &X509) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(certificate.to_der().unwrap())
}
