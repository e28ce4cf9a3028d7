//! Messages of the size and kind that IdPs send.

use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509NameBuilder};
use sloop::clock::Timestamp;
use sloop::saml::{EntityId, Expected, LogoutRequest, NameId, SessionIndex};
use sloop::xml::ns;
use sloop::xml::sign::{SigningKey, sign_enveloped, sign_enveloped_at};

const IDP: &str = "https://idp.example.com/saml2/metadata";
const SP: &str = "https://login.example.org/saml/metadata";
const ACS: &str = "https://login.example.org/saml/acs";
const REQUEST: &str = "_8a5d3c1e7f9b4a6d2c0e8f7a6b5c4d3e";

/// An IdP: its key, also in the form in which messages carry it.
pub(crate) struct Idp {
    pub(crate) private: PKey<Private>,
    pub(crate) key: SigningKey,
    pub(crate) certificate: Vec<u8>,
}

impl Idp {
    pub(crate) fn new(private: PKey<Private>) -> Self {
        let key = SigningKey::new(private.clone()).expect("RSA of 2048 bits");
        let certificate = certificate(&private);
        Self { private, key, certificate }
    }

    /// A Response with the Assertion signed, of `bytes` to `bytes + 200` bytes: a person in many
    /// groups.
    pub(crate) fn response(&self, bytes: usize) -> String {
        let with = |groups: usize| {
            let xml = response(groups);
            sign_enveloped_at(&xml, "_assertion", &self.key, Some(&self.certificate))
                .expect("it can be signed")
        };
        let (none, some) = (with(0).len(), with(100).len());
        with(bytes.saturating_sub(none) * 100 / (some - none) + 1)
    }

    /// As [`Idp::response`], with the Response signed too.
    pub(crate) fn response_signed_twice(&self, bytes: usize) -> String {
        sign_enveloped(&self.response(bytes), &self.key, Some(&self.certificate))
            .expect("it can be signed")
    }

    pub(crate) fn metadata(&self) -> String {
        use base64::Engine as _;
        let certificate = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        let (md, ds, samlp) = (ns::MD, ns::DS, ns::SAMLP);
        format!(
            r#"<md:EntityDescriptor xmlns:md="{md}" xmlns:ds="{ds}" entityID="{IDP}">
<md:IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="{samlp}">
<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/slo"/>
<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/slo"/>
<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/sso"/>
</md:IDPSSODescriptor>
</md:EntityDescriptor>"#
        )
    }

    /// The metadata of a federation of so many IdPs like this one.
    pub(crate) fn aggregate(&self, entities: usize) -> String {
        let one = self.metadata();
        let all: String = (0..entities).map(|n| one.replace(IDP, &entity_id(n))).collect();
        format!(r#"<md:EntitiesDescriptor xmlns:md="{}">{all}</md:EntitiesDescriptor>"#, ns::MD)
    }
}

/// The name of one of the entities of [`Idp::aggregate`].
pub(crate) fn entity_id(n: usize) -> String {
    format!("https://idp-{n}.example.com/saml2/metadata")
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000)
}

pub(crate) fn expected() -> Expected {
    Expected {
        idp: EntityId::parse(IDP).expect("a URI"),
        sp: EntityId::parse(SP).expect("a URI"),
        acs_url: ACS.into(),
        request_id: REQUEST.into(),
        clock_skew: Duration::from_secs(60),
        authn_not_before: None,
    }
}

pub(crate) fn logout_request() -> LogoutRequest {
    LogoutRequest {
        asynchronous: false,
        id: "_3f6c1d0b9e8a7f5d4c3b2a190807f6e5".into(),
        issue_instant: now(),
        not_on_or_after: Some(now().plus(Duration::from_secs(300))),
        destination: Some("https://idp.example.com/slo".into()),
        issuer: EntityId::parse(SP).expect("a URI"),
        name_id: NameId {
            value: "ada.lovelace@example.com".into(),
            format: Some(sloop::saml::name_id::EMAIL_ADDRESS.into()),
            name_qualifier: None,
            sp_name_qualifier: None,
            sp_provided_id: None,
        },
        session_indexes: vec![
            SessionIndex::parse("_b1946ac92492d2347c6235b4d2611184").expect("ok"),
        ],
        reason: None,
    }
}

fn response(groups: usize) -> String {
    let (saml, samlp, xs, xsi) = (ns::SAML, ns::SAMLP, ns::XS, ns::XSI);
    let (instant, until) = (now(), now().plus(Duration::from_secs(300)));
    let value = |text: &str| {
        format!(r#"<saml:AttributeValue xsi:type="xs:string">{text}</saml:AttributeValue>"#)
    };
    let attribute = |name: &str, values: &str| {
        format!(
            r#"<saml:Attribute Name="{name}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri">{values}</saml:Attribute>"#
        )
    };
    let claim = |name: &str, text: &str| {
        let name = format!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/{name}");
        attribute(&name, &value(text))
    };
    let member = |group: usize| value(&format!("{group:08x}-3b1f-4c6e-9a57-d20f6b84c9e1"));
    let attributes = [
        claim("emailaddress", "ada.lovelace@example.com"),
        claim("givenname", "Ada"),
        claim("surname", "Lovelace"),
        claim("name", "Ada Lovelace &amp; Co"),
        claim("upn", "ada@example.com"),
        attribute(
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
            &(0..groups).map(member).collect::<String>(),
        ),
    ]
    .concat();
    format!(
        r##"<samlp:Response xmlns:samlp="{samlp}" xmlns:saml="{saml}" ID="_response" Version="2.0" IssueInstant="{instant}" Destination="{ACS}" InResponseTo="{REQUEST}"><saml:Issuer>{IDP}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status><saml:Assertion xmlns:xs="{xs}" xmlns:xsi="{xsi}" ID="_assertion" Version="2.0" IssueInstant="{instant}"><saml:Issuer>{IDP}</saml:Issuer><saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">ada.lovelace@example.com</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{ACS}" InResponseTo="{REQUEST}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{instant}" NotOnOrAfter="{until}"><saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{instant}" SessionIndex="_b1946ac92492d2347c6235b4d2611184"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion></samlp:Response>"##
    )
}

fn certificate(key: &PKey<Private>) -> Vec<u8> {
    let build = || {
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_text("CN", "idp.example.com")?;
        let name = name.build();
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_pubkey(key)?;
        builder.set_not_before(Asn1Time::from_unix(0)?.as_ref())?;
        builder.set_not_after(Asn1Time::from_unix(now().as_seconds() + 86_400)?.as_ref())?;
        builder.sign(key, MessageDigest::sha256())?;
        builder.build().to_der()
    };
    build().expect("a certificate")
}
