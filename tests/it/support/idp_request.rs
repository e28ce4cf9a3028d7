//! A LogoutRequest of the connected IdP, right in every part until a story changes one, and what the
//! service answers to it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::mock_idp::Session;
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::binding::{post, redirect, soap};
use sloop::saml::message::verify_enveloped;
use sloop::saml::{
    LogoutReason, LogoutRequest, LogoutResponse, MessageKind, PostForm, Proof, RawQuery,
};
use sloop::xml::sign::sign_enveloped;
use sloop::xml::verify::{PublicKey, TrustedKeys};
use sloop::xml::{Limits, ns, parse};

use super::browser::{Browser, Page};
use super::idp_key::{By, IdpKey};
use super::wire;
use super::world::World;

#[derive(Clone)]
pub struct IdpRequest<'k> {
    pub request: LogoutRequest,
    pub relay_state: Option<String>,
    pub signer: Option<&'k IdpKey>,
    /// Where it is delivered.
    pub at: String,
    from: String,
}

/// The service's answer; its signature has been verified.
#[derive(Debug)]
pub struct Answered {
    pub response: LogoutResponse,
    pub relay_state: Option<String>,
    /// Where the browser carries it.
    pub at: String,
}

impl IdpKey {
    /// The IdP asks to end this session of its own.
    pub fn asks<'k>(&'k self, world: &World, session: &Session) -> IdpRequest<'k> {
        let (now, at) = (world.clock.now(), world.url(paths::SAML_LOGOUT));
        let request = LogoutRequest {
            id: Rng::system().saml_id(),
            issue_instant: now,
            not_on_or_after: Some(now.plus(Duration::from_secs(300))),
            destination: Some(at.clone()),
            issuer: world.idp.entity_id().clone(),
            name_id: session.name_id.clone(),
            session_indexes: session.session_index.clone().into_iter().collect(),
            reason: Some(LogoutReason::User),
            asynchronous: false,
        };
        let relay_state = Some("the IdP's own & <state>".to_owned());
        IdpRequest { request, relay_state, signer: Some(self), at, from: world.idp_url.clone() }
    }
}

impl IdpRequest<'_> {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The IdP sends a browser with it: one request.
    pub async fn through(&self, browser: &mut Browser, by: By) -> Page {
        let (kind, relay_state) = (MessageKind::Request, self.relay_state.as_deref());
        match by {
            By::Redirect => {
                let (xml, key) = (self.request.to_xml().unwrap(), self.signer.map(|it| &it.key));
                let url = redirect::encode(kind, &xml, relay_state, &self.at, key).unwrap();
                browser.get(&url).await
            }
            By::Post => {
                let form = PostForm::new(kind, &self.signed(), relay_state, &self.at);
                let fields: Vec<(&str, &str)> =
                    form.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                browser.post(&self.at, &fields, Some(&self.from)).await
            }
        }
    }

    /// The IdP sends it itself.
    pub async fn by_soap(mut self, world: &World) -> wire::Response {
        if self.request.destination.as_deref() == Some(self.at.as_str()) {
            self.request.destination = Some(world.url(paths::SAML_LOGOUT_SOAP));
        }
        send_soap(world, &soap::envelope(&self.signed())).await
    }

    fn signed(&self) -> String {
        let xml = self.request.to_xml().unwrap();
        match self.signer {
            Some(it) => sign_enveloped(&xml, &it.key, Some(&it.certificate)).unwrap(),
            None => xml,
        }
    }
}

pub async fn send_soap(world: &World, envelope: &str) -> wire::Response {
    let headers = [("content-type", "text/xml"), ("soapaction", "\"anything\"")];
    world.request("POST", paths::SAML_LOGOUT_SOAP, &headers, envelope).await
}

impl Answered {
    /// What the browser is to carry to the IdP, by either binding.
    pub async fn of(world: &World, page: &Page) -> Self {
        if let Some(location) = page.location() {
            return Self::of_url(world, &location).await;
        }
        let keys = our_keys(world).await;
        let form = page.form();
        let message = form.field("SAMLResponse").unwrap_or_else(|| panic!("{}", page.summary()));
        let xml = post::decode(message, Limits::MESSAGE.bytes).unwrap();
        let document = parse(&xml, &Limits::MESSAGE).unwrap();
        assert_eq!(verify_enveloped(document.root(), &keys), Ok(Proof::Signed));
        let relay_state = form.field("RelayState").map(str::to_owned);
        Self { response: read(&xml), relay_state, at: form.action }
    }

    /// Reads a URL of the Redirect binding.
    pub async fn of_url(world: &World, url: &url::Url) -> Self {
        let query = url.query().unwrap_or_else(|| panic!("no message: {url}"));
        let message = RawQuery::new(query).parse().expect("a message of the Redirect binding");
        assert_eq!(message.verify(&our_keys(world).await), Ok(()));
        let xml = message.inflate(Limits::MESSAGE.bytes).unwrap();
        let relay_state = message.relay_state().map(str::to_owned);
        let at = url[..url::Position::AfterPath].to_owned();
        Self { response: read(&xml), relay_state, at }
    }

    pub async fn in_envelope(world: &World, answer: &wire::Response) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let document = parse(answer.body.as_bytes(), &Limits::MESSAGE).unwrap();
        let message = soap::open(&document).unwrap();
        let keys = our_keys(world).await;
        assert_eq!(verify_enveloped(message, &keys), Ok(Proof::Signed));
        let response = LogoutResponse::parse(message).unwrap();
        drop(document);
        Self { response, relay_state: None, at: String::new() }
    }

    /// The status codes, outermost first, by the last part of each.
    pub fn status(&self) -> String {
        let status = &self.response.status;
        let codes = std::iter::once(status.code.uri()).chain(status.nested.iter().map(|n| &**n));
        codes.map(|uri| uri.rsplit(':').next().unwrap()).collect::<Vec<_>>().join(" ")
    }
}

/// The signing keys of our metadata.
pub(super) async fn our_keys(world: &World) -> TrustedKeys {
    let metadata = world.get(paths::SAML_METADATA).await.body;
    let document = parse(metadata.as_bytes(), &Limits::METADATA).unwrap();
    let of_roles = document.elements().filter(|element| {
        element.is(ns::MD, "KeyDescriptor") && element.attribute("use") == Some("signing")
    });
    let key = |descriptor: sloop::xml::Element<'_>| {
        let info = descriptor.required(ns::DS, "KeyInfo").unwrap();
        let data = info.required(ns::DS, "X509Data").unwrap();
        let text = data.required(ns::DS, "X509Certificate").unwrap().text().unwrap();
        PublicKey::from_certificate_der(&STANDARD.decode(text).unwrap()).unwrap()
    };
    TrustedKeys::new(of_roles.map(key).collect()).unwrap()
}

fn read(xml: &[u8]) -> LogoutResponse {
    let document = parse(xml, &Limits::MESSAGE).expect("well-formed XML");
    LogoutResponse::parse(document.root()).expect("a LogoutResponse")
}
