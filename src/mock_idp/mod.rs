//! A SAML IdP for tests and for the demo. It checks what a strict IdP checks, really ends its
//! sessions, and keeps a journal of everything it received and issued.
//!
//! It knows no passwords: whoever names a person is that person. Never run it where somebody trusts
//! it. It is also the only part of the program that can write an assertion.

mod assertion;
pub mod encryption;
mod journal;
mod login;
mod message;
mod metadata;
mod pages;
mod person;
mod refusal;
mod service_provider;
mod single_logout;
mod single_sign_on;
mod state;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};

use crate::clock::Clock;
use crate::keys;
use crate::rng::Rng;
use crate::saml::{Binding, EntityId};
use crate::xml::sign::SigningKey;

pub use encryption::{Encryption, EncryptionError};
pub use journal::{Entry, Session};
pub use refusal::Refusal;
pub use service_provider::ServiceProviderError;

use service_provider::ServiceProvider;
use state::State;

/// The certificate counts from an hour ago, for clocks that go behind.
const CERTIFICATE_EARLIER: Duration = Duration::from_secs(3_600);
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 86_400);

/// How this IdP behaves. The default is the friendliest: it offers single logout by Redirect, names
/// sessions by SessionIndex and signs both the Response and the Assertion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    pub slo: Slo,
    /// Whether an assertion names its session.
    pub session_index: bool,
    pub sign: Sign,
    /// What it encrypts, if anything, to the key in the service provider's metadata.
    pub encrypt: Option<Encrypt>,
}

impl Default for Options {
    fn default() -> Self {
        Self { slo: Slo::Redirect, session_index: true, sign: Sign::Both, encrypt: None }
    }
}

/// What is encrypted, and how. Each is signed before, where it is signed at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encrypt {
    Assertion(Encryption),
    NameId(Encryption),
    /// The NameID within the Assertion.
    Both(Encryption),
}

impl Encrypt {
    fn assertion(self) -> Option<Encryption> {
        match self {
            Self::Assertion(encryption) | Self::Both(encryption) => Some(encryption),
            Self::NameId(_) => None,
        }
    }

    fn name_id(self) -> Option<Encryption> {
        match self {
            Self::NameId(encryption) | Self::Both(encryption) => Some(encryption),
            Self::Assertion(_) => None,
        }
    }
}

/// By which binding it takes LogoutRequests, if at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slo {
    Redirect,
    Post,
    None,
}

impl Slo {
    fn binding(self) -> Option<Binding> {
        match self {
            Self::Redirect => Some(Binding::Redirect),
            Self::Post => Some(Binding::Post),
            Self::None => None,
        }
    }
}

/// What it signs of an answer to an AuthnRequest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    Assertion,
    Response,
    Both,
}

/// Why there is no IdP.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetupError {
    /// The caller's fault.
    #[error("{base:?} is no base URL for an IdP; it must be like http://127.0.0.1:8081")]
    Base { base: String },
    #[error("no key and certificate could be made: {0}")]
    Key(String),
}

/// The IdP. Clones share everything.
#[derive(Clone)]
pub struct MockIdp(Arc<Inner>);

struct Inner {
    base: String,
    entity_id: EntityId,
    options: Options,
    clock: Clock,
    rng: Rng,
    key: SigningKey,
    certificate: Vec<u8>,
    metadata: String,
    state: Mutex<State>,
}

impl MockIdp {
    /// An IdP whose pages are below `base`, such as `http://127.0.0.1:8081`. It makes itself a key,
    /// and refuses every request until [`MockIdp::trust`] names a service provider.
    ///
    /// # Errors
    /// If `base` is no URL that metadata can hold, or OpenSSL cannot make a key.
    pub fn new(base: &str, options: Options, clock: Clock, rng: Rng) -> Result<Self, SetupError> {
        let key = keys::SigningKey::generate(keys::KeyAlgorithm::Rs256, 2048)
            .map_err(|error| SetupError::Key(error.to_string()))?;
        Self::with_key(base, options, clock, rng, &key)
    }

    /// The same with a key that is there already, an RSA key.
    ///
    /// # Errors
    /// As above.
    pub fn with_key(
        base: &str,
        options: Options,
        clock: Clock,
        rng: Rng,
        pair: &keys::SigningKey,
    ) -> Result<Self, SetupError> {
        let bad_base = || SetupError::Base { base: base.to_owned() };
        let base = base.trim_end_matches('/');
        let entity_id = EntityId::parse(&format!("{base}{METADATA}")).map_err(|_| bad_base())?;
        let failed = |error: &dyn std::fmt::Display| SetupError::Key(error.to_string());
        let certificate = keys::certificate::self_signed(
            pair.private_key(),
            "Sloop test IdP",
            clock.now().minus(CERTIFICATE_EARLIER),
            CERTIFICATE_LIFETIME,
            rng.bytes(),
        )
        .map_err(|error| failed(&error))?;
        let der = pair.to_pkcs8_der().map_err(|error| failed(&error))?;
        let key = SigningKey::from_pkcs8_der(&der).map_err(|error| failed(&error))?;
        let metadata =
            metadata::write(base, &entity_id, options, &certificate).map_err(|_| bad_base())?;
        Ok(Self(Arc::new(Inner {
            base: base.to_owned(),
            entity_id,
            options,
            clock,
            rng,
            key,
            certificate,
            metadata,
            state: Mutex::default(),
        })))
    }

    /// The EntityDescriptor of this IdP.
    pub fn metadata(&self) -> String {
        self.0.metadata.clone()
    }

    pub fn entity_id(&self) -> &EntityId {
        &self.0.entity_id
    }

    /// Serves the one service provider whose metadata this is, instead of any it served before.
    ///
    /// # Errors
    /// What the metadata lacks: this IdP answers only to signed requests at known addresses.
    pub fn trust(&self, sp_metadata: &str) -> Result<(), ServiceProviderError> {
        let service_provider = ServiceProvider::parse(sp_metadata.as_bytes())?;
        self.state().trust(service_provider);
        Ok(())
    }

    /// `/metadata`, `/sso`, `/login`, `/slo`, and `/` with `/signout` for whoever looks at it.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(login::home))
            .route(METADATA, get(pages::metadata))
            .route(STYLE, get(pages::style))
            .route(SSO, get(single_sign_on::handle).post(single_sign_on::handle))
            .route("/login", post(login::log_in))
            .route("/signout", post(login::sign_out))
            .route(SLO, get(single_logout::handle).post(single_logout::handle))
            .with_state(self.clone())
    }

    /// Everything that was received and issued, the oldest first.
    pub fn journal(&self) -> Vec<Entry> {
        self.state().journal().to_vec()
    }

    /// Who is signed in here now.
    pub fn sessions(&self) -> Vec<Session> {
        self.state().sessions().cloned().collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.base)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete when the guard is dropped, so a panic elsewhere spoils nothing.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const METADATA: &str = "/metadata";
const SSO: &str = "/sso";
const SLO: &str = "/slo";
const STYLE: &str = "/style.css";
