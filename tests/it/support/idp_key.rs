//! A key of the test's own that the connected IdP vouches for, as at a key rollover: people sign in
//! with the IdP's other key, and a story writes the LogoutResponses itself, right ones and wrong ones.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::change::Source;
use sloop::connection::IdpSettings;
use sloop::keys::{KeyAlgorithm, SigningKey as KeyPair, certificate};
use sloop::rng::Rng;
use sloop::saml::binding::{post, redirect};
use sloop::saml::{
    LogoutRequest, LogoutResponse, MessageKind, PostForm, RawQuery, SessionIndex, Status,
};
use sloop::use_cases::SaveIdp;
use sloop::xml::sign::{SigningKey, sign_enveloped};
use sloop::xml::{self, Limits};

use super::browser::{Browser, Page};
use super::forger::Forger;
use super::world::World;

pub struct IdpKey {
    pub(super) key: SigningKey,
    pub(super) certificate: Vec<u8>,
}

/// How an answer travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    Redirect,
    Post,
}

/// A LogoutRequest that a browser is about to carry to the IdP.
#[derive(Clone, Debug)]
pub struct Asked {
    pub request: LogoutRequest,
    pub relay_state: String,
    pub at: String,
}

/// An answer to it, right in every part until a story changes one.
#[derive(Clone)]
pub struct Message<'k> {
    pub answer: LogoutResponse,
    pub relay_state: Option<String>,
    pub signer: Option<&'k IdpKey>,
    /// Where it is delivered.
    pub at: String,
    from: String,
}

impl IdpKey {
    /// A key that nobody knows.
    pub fn stranger(world: &World) -> Self {
        let pair = KeyPair::generate(KeyAlgorithm::Rs256, 2048).unwrap();
        let from = world.clock.now().minus(Duration::from_secs(60));
        let year = Duration::from_secs(365 * 86_400);
        let bytes = Rng::system().bytes();
        let certificate =
            certificate::self_signed(pair.private_key(), "The test's IdP key", from, year, bytes);
        let key = SigningKey::from_pkcs8_der(&pair.to_pkcs8_der().unwrap()).unwrap();
        Self { key, certificate: certificate.unwrap() }
    }

    /// A key that counts for the IdP `corp`.
    pub async fn connect(world: &World) -> Self {
        Self::connect_with(world, IdpSettings::default()).await
    }

    /// As above, with settings for the connection.
    pub async fn connect_with(world: &World, settings: IdpSettings) -> Self {
        let key = Self::stranger(world);
        let metadata = key.beside(&world.idp.metadata());
        connect(world, settings, metadata).await;
        key
    }

    /// The key of an IdP that a story plays all by itself.
    pub fn of(forger: &Forger) -> Self {
        Self { key: forger.key().clone(), certificate: forger.certificate().to_vec() }
    }

    /// For messages that a test writes by hand.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// This metadata with the key of ours beside the IdP's own.
    pub fn beside(&self, metadata: &str) -> String {
        let certificate = STANDARD.encode(&self.certificate);
        let ours = format!(
            "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\
             {certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        );
        assert!(metadata.contains("<md:KeyDescriptor"), "{metadata}");
        metadata.replacen("<md:KeyDescriptor", &format!("{ours}<md:KeyDescriptor"), 1)
    }
}

/// Settles how `corp` is treated, with its metadata as it is.
pub async fn settle(world: &World, settings: IdpSettings) {
    connect(world, settings, world.idp.metadata()).await;
}

/// Connects `corp` anew, with this metadata.
pub async fn connect(world: &World, settings: IdpSettings, metadata: String) {
    let id = "corp".parse().unwrap();
    let metadata = metadata.into_bytes();
    let settings = settings.into();
    let wanted = SaveIdp { id, settings, metadata, source: Source::Admin };
    world.use_cases().save_idp(wanted).await.unwrap();
}

impl Asked {
    /// Reads what the browser is to carry to the IdP, by either binding.
    pub fn of(page: &Page) -> Self {
        if let Some(location) = page.location() {
            return Self::of_url(&location);
        }
        let form = page.form();
        let message = form.field("SAMLRequest").unwrap_or_else(|| panic!("{}", page.summary()));
        let xml = post::decode(message, Limits::MESSAGE.bytes).unwrap();
        let relay_state = form.field("RelayState").expect("a RelayState").to_owned();
        Self { request: read(&xml), relay_state, at: form.action }
    }

    /// Reads a URL of the Redirect binding.
    pub fn of_url(url: &url::Url) -> Self {
        let query = url.query().unwrap_or_else(|| panic!("no message: {url}"));
        let message = RawQuery::new(query).parse().expect("a message of the Redirect binding");
        assert!(message.is_signed());
        let xml = message.inflate(Limits::MESSAGE.bytes).unwrap();
        let relay_state = message.relay_state().expect("a RelayState").to_owned();
        let at = url[..url::Position::AfterPath].to_owned();
        Self { request: read(&xml), relay_state, at }
    }

    pub fn session_indexes(&self) -> Vec<&str> {
        self.request.session_indexes.iter().map(SessionIndex::as_str).collect()
    }

    /// Success, signed, for this request.
    pub fn answer<'k>(&self, world: &World, key: &'k IdpKey) -> Message<'k> {
        let at = world.url(sloop::paths::SAML_LOGOUT);
        let answer = LogoutResponse {
            id: Rng::system().saml_id(),
            issue_instant: world.clock.now(),
            destination: Some(at.clone()),
            issuer: world.idp.entity_id().clone(),
            in_response_to: self.request.id.clone(),
            status: Status::success(),
        };
        let relay_state = Some(self.relay_state.clone());
        let from = format!("{}/slo", world.idp_url);
        Message { answer, relay_state, signer: Some(key), at, from }
    }
}

impl Message<'_> {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The URL that carries it by the Redirect binding.
    pub fn url(&self) -> String {
        let xml = self.answer.to_xml().unwrap();
        let (relay_state, key) = (self.relay_state.as_deref(), self.signer.map(|it| &it.key));
        redirect::encode(MessageKind::Response, &xml, relay_state, &self.at, key).unwrap()
    }

    pub fn unsigned_xml(&self) -> String {
        self.answer.to_xml().unwrap()
    }

    /// The message as the POST binding carries it.
    pub fn xml(&self) -> String {
        let xml = self.unsigned_xml();
        match self.signer {
            Some(it) => sign_enveloped(&xml, &it.key, Some(&it.certificate)).unwrap(),
            None => xml,
        }
    }

    /// The fields of the form that carries it by the POST binding.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let relay_state = self.relay_state.as_deref();
        PostForm::new(MessageKind::Response, &self.xml(), relay_state, &self.at).fields
    }

    /// The IdP sends the browser with it to us: one request.
    pub async fn deliver(&self, browser: &mut Browser, by: By) -> Page {
        match by {
            By::Redirect => browser.get(&self.url()).await,
            By::Post => {
                let fields = self.fields();
                let fields: Vec<(&str, &str)> =
                    fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                browser.post(&self.at, &fields, Some(&self.from)).await
            }
        }
    }
}

fn read(xml: &[u8]) -> LogoutRequest {
    let document = xml::parse(xml, &Limits::MESSAGE).expect("well-formed XML");
    LogoutRequest::parse(document.root()).expect("a LogoutRequest")
}
