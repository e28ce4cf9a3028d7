//! What stays the same in every run: settings, keys, clients, IdP connections, and an empty database.

use std::pin::pin;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::mpsc;

use crate::change::{Change, KeyPurpose, Source, StoredSigningKey};
use crate::clock::Timestamp;
use crate::connection::{Fallback, IdpSettings, MaxValidity, UnsignedLogoutResponse};
use crate::id::{ClientId, IdpId};
use crate::keys::{Kek, KeyAlgorithm, SigningKey, certificate};
use crate::oidc::{ClientSettings, Confirm, Issuer, LogoutScope, SubjectSource};
use crate::outbound;
use crate::rng::Rng;
use crate::saml::EntityId;
use crate::secret::Token;
use crate::session::Lifetime;
use crate::store::simulated::{Asked, InMemory};
use crate::store::{SealedStore, Store};
use crate::use_cases::{Existing, Keys, SaveIdp, Settings, UseCases};
use crate::xml;

pub(super) const ISSUER: &str = "https://sloop.test";
pub(super) const SP: &str = "https://sloop.test/saml/metadata";
pub(super) const SECRET: &str = "a secret of more than thirty-two characters";
pub(super) const APPS: usize = 4;
pub(super) const IDPS: usize = 6;
/// The IdP that has a new name for a person at every login, and tells them by an attribute.
pub(super) const TRANSIENT: usize = 5;
pub(super) const ATTRIBUTE: &str = "uid";

/// One for each thread; runs follow each other in it.
pub(super) struct Installation {
    pub(super) database: InMemory,
    /// Never serves anybody: nodes are made after its likeness.
    pub(super) pattern: UseCases,
    pub(super) idp_keys: Vec<IdpKey>,
}

pub(super) struct IdpKey {
    pub(super) key: xml::sign::SigningKey,
    pub(super) certificate: Vec<u8>,
}

/// When every run begins.
pub(super) fn beginning() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

pub(super) fn app(number: usize) -> ClientId {
    format!("app-{number}").parse().unwrap()
}

pub(super) fn idp(number: usize) -> IdpId {
    format!("idp-{number}").parse().unwrap()
}

pub(super) fn entity(number: usize) -> EntityId {
    EntityId::parse(&format!("https://idp-{number}.test/metadata")).unwrap()
}

pub(super) fn kek() -> Kek {
    static KEK: LazyLock<Kek> = LazyLock::new(|| Kek::from_bytes([7; 32]));
    KEK.clone()
}

impl Installation {
    pub(super) fn new() -> Self {
        let mut database = InMemory::open();
        let (asked, mut asking) = mpsc::unbounded_channel();
        let rng = Rng::repeatable(0);
        let store = SealedStore::new(Store::simulated(asked), kek(), rng.clone());
        let (posts, _) = mpsc::unbounded_channel();
        let outbound = outbound::Client::simulated(outbound::simulated::Simulated(posts));
        let keys = at_once(&mut database, &mut asking, beginning(), async {
            store.commit(beginning(), own_keys()).await.unwrap();
            Keys::load_or_make(&store, ISSUER, beginning(), &rng).await.unwrap()
        });
        let pattern = UseCases::new(settings(), store, keys, outbound, rng);
        let idp_keys: Vec<IdpKey> = (0..IDPS).map(|_| IdpKey::new()).collect();
        at_once(&mut database, &mut asking, beginning(), async {
            for number in 0..APPS {
                let secret = Some(Token::received(SECRET));
                let saved =
                    pattern.save_client(client(number), secret, Source::Admin, Existing::Refuse);
                saved.await.unwrap();
            }
            for (number, key) in idp_keys.iter().enumerate() {
                let metadata = metadata(number, key).into_bytes();
                let (id, settings) = (idp(number), idp_settings(number).into());
                let wanted = SaveIdp { id, settings, metadata, source: Source::Admin };
                pattern.save_idp(wanted).await.unwrap();
            }
            let clients: Vec<_> = (0..APPS).map(app).collect();
            let idps: Vec<_> = (0..IDPS).map(idp).collect();
            pattern.know(&clients, &idps).await.unwrap();
        });
        database.forget_people();
        Self { database, pattern, idp_keys }
    }
}

/// Carries out what a future asks for as it asks, so that it never waits.
pub(super) fn at_once<T>(
    database: &mut InMemory,
    asking: &mut mpsc::UnboundedReceiver<Asked>,
    now: Timestamp,
    future: impl Future<Output = T>,
) -> T {
    let mut future = pin!(future);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(std::future::poll_fn(|context| {
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            match asking.try_recv() {
                Ok(Asked::Select { queries, reply }) => {
                    let _ = reply.send(database.select(now, &queries));
                }
                Ok(Asked::Apply { statements, reply, .. }) => {
                    let _ = reply.send(database.apply(statements));
                }
                Err(_) => return Poll::Pending,
            }
        }
    }))
}

/// Keys that sign fast: a run signs some twenty messages. Made once, because the slow one that decrypts
/// takes as long to make as many runs.
fn own_keys() -> Vec<Change> {
    static KEYS: LazyLock<Vec<Change>> = LazyLock::new(new_keys);
    KEYS.clone()
}

fn new_keys() -> Vec<Change> {
    let signing = |purpose, algorithm: KeyAlgorithm| {
        let key = SigningKey::generate(algorithm, 2048).unwrap();
        let certificate = (purpose != KeyPurpose::Oidc).then(|| certificate_of(&key));
        Change::AddSigningKey(Box::new(StoredSigningKey {
            id: key.kid().to_owned(),
            purpose,
            algorithm: algorithm.as_str().to_owned(),
            certificate,
            active_from: beginning(),
            private: key.to_pkcs8_der().unwrap(),
        }))
    };
    vec![
        Change::AddSecretKey { name: "subject", key: [1; 32] },
        Change::AddSecretKey { name: "csrf", key: [2; 32] },
        signing(KeyPurpose::Oidc, KeyAlgorithm::EdDsa),
        signing(KeyPurpose::SamlSigning, KeyAlgorithm::Es256),
        signing(KeyPurpose::SamlDecryption, KeyAlgorithm::Rs256),
    ]
}

fn certificate_of(key: &SigningKey) -> Vec<u8> {
    let year = Duration::from_secs(365 * 86_400);
    certificate::self_signed(key.private_key(), "simulation", beginning(), year, [3; 16]).unwrap()
}

impl IdpKey {
    fn new() -> Self {
        let key = SigningKey::generate(KeyAlgorithm::Es256, 2048).unwrap();
        let certificate = certificate_of(&key);
        let key = xml::sign::SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
        Self { key, certificate }
    }
}

fn settings() -> Settings {
    Settings {
        issuer: Issuer::parse(ISSUER).unwrap(),
        saml_entity_id: EntityId::parse(SP).unwrap(),
        clock_skew: Duration::from_secs(60),
        require_encryption: false,
        session: Lifetime {
            idle: Duration::from_secs(8 * 3600),
            absolute: Duration::from_secs(24 * 3600),
        },
        code_lifetime: Duration::from_secs(60),
        access_token_lifetime: Duration::from_secs(300),
        id_token_lifetime: Duration::from_secs(300),
        metadata_max_validity: MaxValidity::default(),
        notify_on_expiry: true,
        logout_deadline: Duration::from_secs(600),
        logout_wait: Duration::from_secs(2),
        logout_scope: LogoutScope::AllApps,
        allowed_logout_urls: Vec::new(),
    }
}

/// The first two apps are told by the back channel, the third by a frame, and it has the person asked,
/// the fourth leaves the IdPs alone.
fn client(number: usize) -> ClientSettings {
    let base = format!("https://app-{number}.test");
    ClientSettings {
        id: format!("app-{number}"),
        redirect_uris: vec![format!("{base}/callback")],
        post_logout_redirect_uris: vec![format!("{base}/bye")],
        allowed_logout_urls: vec![format!("{base}/bye")],
        frontchannel_logout_uri: (number == 2).then(|| format!("{base}/frontchannel")),
        backchannel_logout_uri: (number != 2).then(|| format!("{base}/backchannel")),
        scope: if number == 3 { LogoutScope::AllApps } else { LogoutScope::AllAppsAndIdp },
        confirm: if number == 2 { Confirm::Always } else { Confirm::Auto },
        id_token_alg: KeyAlgorithm::EdDsa,
        ..ClientSettings::default()
    }
}

/// The first is what the standard wants; answers of the second need no signature, and it names no
/// sessions; the third has no logout URL, and neither has the fourth, for which there is a page; the
/// fifth is asked by SOAP alone, as the second is where no browser is there; the last makes one IdP
/// session of every login, so that a logout has to ask it more than once.
fn idp_settings(number: usize) -> IdpSettings {
    IdpSettings {
        sign_requests: Some(false),
        subject: match number {
            TRANSIENT => SubjectSource::Attribute(ATTRIBUTE.to_owned()),
            _ => SubjectSource::NameId,
        },
        unsigned_logout_response: match number {
            1 => UnsignedLogoutResponse::Accept,
            _ => UnsignedLogoutResponse::default(),
        },
        fallback: match number {
            3 => Fallback::Url("https://idp-3.test/out".to_owned()),
            _ => Fallback::default(),
        },
        ..IdpSettings::default()
    }
}

fn metadata(number: usize, key: &IdpKey) -> String {
    let binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
    let base = format!("https://idp-{number}.test");
    let slo = |binding: &str| {
        format!("<md:SingleLogoutService Binding=\"{binding}\" Location=\"{base}/slo\"/>")
    };
    let soap = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP";
    let slo = match number {
        0 | TRANSIENT => slo(binding),
        1 => slo(binding) + &slo(soap),
        4 => slo(soap),
        _ => String::new(),
    };
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" entityID=\"{base}/metadata\">\
         <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\
         <md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>{slo}\
         <md:SingleSignOnService Binding=\"{binding}\" Location=\"{base}/sso\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>",
        STANDARD.encode(&key.certificate)
    )
}
