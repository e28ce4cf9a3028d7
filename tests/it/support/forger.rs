//! An IdP whose key the test holds. It says whatever a test wants it to say, and signs it well: what
//! is refused then is refused for what it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::clock::{Clock, Timestamp};
use sloop::keys;
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::binding::post;
use sloop::saml::{AuthnRequest, Binding, RawQuery};
use sloop::xml::sign::{SigningKey, sign_enveloped, sign_enveloped_at};
use sloop::xml::write::Writer;
use sloop::xml::{Limits, ns, parse};
use url::Url;

use super::browser::{Browser, Page};
use super::world::World;

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";

pub struct Forger {
    /// Nobody listens here: the browser stops when it is sent there.
    pub base: String,
    /// As people read it, markup included.
    pub display_name: Option<String>,
    /// Where it takes AuthnRequests.
    pub bindings: Vec<Binding>,
    key: SigningKey,
    certificate: Vec<u8>,
    clock: Clock,
}

/// What the service asked it, as the browser brought it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub request: AuthnRequest,
    /// The message itself.
    pub xml: String,
    pub relay_state: Option<String>,
}

/// What it is going to say. Everything is right until a test changes it.
#[derive(Clone, Debug)]
pub struct Said {
    pub version: String,
    pub response_id: String,
    pub assertion_id: String,
    pub destination: Option<String>,
    pub in_response_to: Option<String>,
    /// Of the Response.
    pub issuer: Option<String>,
    pub assertion_issuer: String,
    /// The top level and what is below it.
    pub status: Vec<String>,
    pub status_message: Option<String>,
    pub has_assertion: bool,
    pub name_id: Option<String>,
    pub name_id_format: Option<String>,
    pub method: String,
    pub recipient: Option<String>,
    pub confirmed_request: Option<String>,
    pub confirmed_not_before: Option<Timestamp>,
    pub confirmed_until: Option<Timestamp>,
    pub valid_from: Timestamp,
    pub valid_until: Timestamp,
    /// Each is an AudienceRestriction with its Audiences.
    pub audiences: Vec<Vec<String>>,
    /// An element of `Conditions` that nobody knows.
    pub odd_condition: bool,
    pub authn_instant: Option<Timestamp>,
    pub session_index: Option<String>,
    pub session_not_on_or_after: Option<Timestamp>,
    pub context: String,
    pub attributes: Vec<(String, Vec<String>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    Nothing,
    Response,
    Assertion,
    Both,
}

impl Forger {
    /// On the same site as a plain service, so that its forms carry the cookies there.
    pub fn new(clock: &Clock) -> Self {
        Self::at("http://localhost:9", clock)
    }

    pub fn at(base: &str, clock: &Clock) -> Self {
        let rng = Rng::system();
        let pair = keys::SigningKey::generate(keys::KeyAlgorithm::Es256, 0).unwrap();
        let begin = clock.now().minus(HOUR);
        let certificate =
            keys::certificate::self_signed(pair.private_key(), "forger", begin, HOUR, rng.bytes())
                .unwrap();
        Self {
            base: base.to_owned(),
            display_name: None,
            bindings: vec![Binding::Redirect],
            key: SigningKey::from_pkcs8_der(&pair.to_pkcs8_der().unwrap()).unwrap(),
            certificate,
            clock: clock.clone(),
        }
    }

    pub fn entity_id(&self) -> String {
        format!("{}/metadata", self.base)
    }

    pub fn sso(&self) -> String {
        format!("{}/sso", self.base)
    }

    pub fn metadata(&self) -> String {
        let mut xml = Writer::new();
        let declared = [("xmlns:md", ns::MD), ("xmlns:ds", ns::DS), ("xmlns:mdui", ns::MDUI)];
        let entity_id = self.entity_id();
        let mut attributes = declared.to_vec();
        attributes.push(("entityID", &entity_id));
        xml.open("md:EntityDescriptor", &attributes);
        xml.open("md:IDPSSODescriptor", &[("protocolSupportEnumeration", ns::SAMLP)]);
        if let Some(name) = &self.display_name {
            xml.open("md:Extensions", &[]).open("mdui:UIInfo", &[]);
            xml.leaf("mdui:DisplayName", &[("xml:lang", "en")], name).close().close();
        }
        xml.open("md:KeyDescriptor", &[("use", "signing")])
            .open("ds:KeyInfo", &[])
            .open("ds:X509Data", &[])
            .leaf("ds:X509Certificate", &[], &STANDARD.encode(&self.certificate))
            .close()
            .close()
            .close();
        for binding in &self.bindings {
            let sso = self.sso();
            let place = [("Binding", binding.uri()), ("Location", sso.as_str())];
            xml.leaf("md:SingleSignOnService", &place, "");
        }
        xml.close().close();
        xml.finish().unwrap()
    }

    /// Reads the AuthnRequest of the redirect or form that the browser got instead of a page.
    pub fn asked(&self, page: &Page) -> Asked {
        match page.location() {
            Some(url) => self.asked_by(&url),
            None => {
                let form = page.form();
                assert_eq!((form.action.as_str(), form.method.as_str()), (&*self.sso(), "POST"));
                let xml = post::decode(form.field("SAMLRequest").unwrap(), 100_000).unwrap();
                read(String::from_utf8(xml).unwrap(), form.field("RelayState").map(str::to_owned))
            }
        }
    }

    /// Reads the AuthnRequest of a URL that the browser is sent to.
    pub fn asked_by(&self, url: &Url) -> Asked {
        assert!(url.as_str().starts_with(&self.sso()), "{url}");
        let (xml, relay_state) = by_redirect(url);
        read(xml, relay_state)
    }

    /// The answer of an honest IdP: this person, just now, with a session of that name.
    pub fn says(&self, asked: &Asked, name_id: &str) -> Said {
        let now = self.clock.now();
        let rng = Rng::system();
        let minutes = |n: u64| std::time::Duration::from_secs(60 * n);
        Said {
            version: "2.0".into(),
            response_id: rng.saml_id(),
            assertion_id: rng.saml_id(),
            destination: Some(asked.request.acs_url.clone()),
            in_response_to: Some(asked.request.id.clone()),
            issuer: Some(self.entity_id()),
            assertion_issuer: self.entity_id(),
            status: vec![SUCCESS.into()],
            status_message: None,
            has_assertion: true,
            name_id: Some(name_id.into()),
            name_id_format: None,
            method: BEARER.into(),
            recipient: Some(asked.request.acs_url.clone()),
            confirmed_request: Some(asked.request.id.clone()),
            confirmed_not_before: None,
            confirmed_until: Some(now.plus(minutes(5))),
            valid_from: now.minus(minutes(1)),
            valid_until: now.plus(minutes(5)),
            audiences: vec![vec![asked.request.issuer.as_str().to_owned()]],
            odd_condition: false,
            authn_instant: Some(now),
            session_index: Some(rng.saml_id()),
            session_not_on_or_after: None,
            context: "urn:oasis:names:tc:SAML:2.0:ac:classes:Password".into(),
            attributes: vec![("mail".into(), vec![format!("{name_id}@example.org")])],
        }
    }

    /// The answer of an IdP that signs nobody in.
    pub fn fails(&self, asked: &Asked, status: &[&str], message: &str) -> Said {
        Said {
            status: status.iter().map(|status| format!("{STATUS}{status}")).collect(),
            status_message: Some(message.into()),
            has_assertion: false,
            ..self.says(asked, "nobody")
        }
    }

    /// Signs a Response as it is.
    pub fn enveloped(&self, xml: &str) -> String {
        sign_enveloped(xml, &self.key, Some(&self.certificate)).unwrap()
    }

    /// The Response as XML, signed with this IdP's key.
    pub fn signed(&self, said: &Said, sign: Sign) -> String {
        let mut xml = said.to_xml(self.clock.now());
        if matches!(sign, Sign::Assertion | Sign::Both) && said.has_assertion {
            xml = sign_enveloped_at(&xml, &said.assertion_id, &self.key, None).unwrap();
        }
        if matches!(sign, Sign::Response | Sign::Both) {
            xml = sign_enveloped(&xml, &self.key, Some(&self.certificate)).unwrap();
        }
        xml
    }

    /// Signs the root of whatever a test wrote.
    pub fn signs(&self, xml: &str) -> String {
        sign_enveloped(xml, &self.key, Some(&self.certificate)).unwrap()
    }

    /// For messages that a test writes by hand.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// In DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The browser brings the answer: one request.
    pub async fn send(
        &self,
        world: &World,
        browser: &mut Browser,
        asked: &Asked,
        said: &Said,
    ) -> Page {
        let xml = self.signed(said, Sign::Both);
        self.post(world, browser, &xml, asked.relay_state.as_deref()).await
    }

    pub async fn post(
        &self,
        world: &World,
        browser: &mut Browser,
        xml: impl AsRef<[u8]>,
        relay_state: Option<&str>,
    ) -> Page {
        let encoded = STANDARD.encode(xml);
        let mut fields = vec![("SAMLResponse", encoded.as_str())];
        fields.extend(relay_state.map(|value| ("RelayState", value)));
        browser.post(&world.url(paths::SAML_ACS), &fields, Some(&self.base)).await
    }
}

fn read(xml: String, relay_state: Option<String>) -> Asked {
    let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
    let request = AuthnRequest::parse(document.root()).unwrap();
    drop(document);
    Asked { request, xml, relay_state }
}

/// The message and the RelayState of a redirect.
pub fn by_redirect(url: &Url) -> (String, Option<String>) {
    let message = RawQuery::new(url.query().unwrap_or_default()).parse().unwrap();
    let xml = String::from_utf8(message.inflate(100_000).unwrap()).unwrap();
    (xml, message.relay_state().map(str::to_owned))
}

impl Said {
    fn to_xml(&self, now: Timestamp) -> String {
        let now = now.to_string();
        let mut xml = Writer::new();
        let mut response = vec![("xmlns:samlp", ns::SAMLP), ("xmlns:saml", ns::SAML)];
        response.extend([("ID", self.response_id.as_str()), ("Version", &self.version)]);
        response.push(("IssueInstant", &now));
        response.extend(optional("Destination", &self.destination));
        response.extend(optional("InResponseTo", &self.in_response_to));
        xml.open("samlp:Response", &response);
        if let Some(issuer) = &self.issuer {
            xml.leaf("saml:Issuer", &[], issuer);
        }
        xml.open("samlp:Status", &[]);
        for status in &self.status {
            xml.open("samlp:StatusCode", &[("Value", status)]);
        }
        for _ in &self.status {
            xml.close();
        }
        if let Some(message) = &self.status_message {
            xml.leaf("samlp:StatusMessage", &[], message);
        }
        xml.close();
        if self.has_assertion {
            self.write_assertion(&mut xml, &now);
        }
        xml.close();
        xml.finish().unwrap()
    }

    fn write_assertion(&self, xml: &mut Writer, now: &str) {
        let head =
            [("ID", self.assertion_id.as_str()), ("Version", &self.version), ("IssueInstant", now)];
        xml.open("saml:Assertion", &head);
        xml.leaf("saml:Issuer", &[], &self.assertion_issuer);
        self.write_subject(xml);
        let (from, until) = (self.valid_from.to_string(), self.valid_until.to_string());
        xml.open("saml:Conditions", &[("NotBefore", &from), ("NotOnOrAfter", &until)]);
        for restriction in &self.audiences {
            xml.open("saml:AudienceRestriction", &[]);
            for audience in restriction {
                xml.leaf("saml:Audience", &[], audience);
            }
            xml.close();
        }
        if self.odd_condition {
            xml.leaf("saml:Condition", &[], "");
        }
        xml.close();
        if let Some(instant) = self.authn_instant {
            let instant = instant.to_string();
            let ends = self.session_not_on_or_after.map(|end| end.to_string());
            let mut statement = vec![("AuthnInstant", instant.as_str())];
            statement.extend(optional("SessionIndex", &self.session_index));
            statement.extend(optional("SessionNotOnOrAfter", &ends));
            xml.open("saml:AuthnStatement", &statement).open("saml:AuthnContext", &[]);
            xml.leaf("saml:AuthnContextClassRef", &[], &self.context).close().close();
        }
        if !self.attributes.is_empty() {
            xml.open("saml:AttributeStatement", &[]);
            for (name, values) in &self.attributes {
                xml.open("saml:Attribute", &[("Name", name)]);
                for value in values {
                    xml.leaf("saml:AttributeValue", &[], value);
                }
                xml.close();
            }
            xml.close();
        }
        xml.close();
    }

    fn write_subject(&self, xml: &mut Writer) {
        xml.open("saml:Subject", &[]);
        if let Some(name_id) = &self.name_id {
            let format: Vec<_> = optional("Format", &self.name_id_format).collect();
            xml.leaf("saml:NameID", &format, name_id);
        }
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let (from, until) = (time(self.confirmed_not_before), time(self.confirmed_until));
        let mut data: Vec<_> = optional("Recipient", &self.recipient).collect();
        data.extend(optional("InResponseTo", &self.confirmed_request));
        data.extend(optional("NotBefore", &from));
        data.extend(optional("NotOnOrAfter", &until));
        xml.open("saml:SubjectConfirmation", &[("Method", &self.method)]);
        xml.leaf("saml:SubjectConfirmationData", &data, "").close().close();
    }
}

fn optional<'a>(
    name: &'a str,
    value: &'a Option<String>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    value.iter().map(move |value| (name, value.as_str()))
}
