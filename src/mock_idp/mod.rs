//! A SAML IdP for tests and for the demo. It checks what a strict IdP checks, really ends its
//! sessions, and keeps a journal of everything it received and issued. On demand it does wrong what
//! real IdPs do wrong: [`Fault`] says what, [`Plan`] for whom and how often.
//!
//! It knows no passwords: whoever names a person is that person. Never run it where somebody trusts
//! it. It is also the only part of the program that can write an assertion.

mod assertion;
mod control;
pub mod encryption;
mod fault;
mod guard;
mod identity;
mod journal;
mod login;
mod message;
mod metadata;
mod outgoing;
mod own_logout;
mod pages;
mod peer;
mod person;
mod plan;
mod refusal;
mod service_provider;
mod single_logout;
mod single_sign_on;
mod state;
mod trusted;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::clock::Clock;
use crate::http::layer::BodyLimit;
use crate::keys;
use crate::rng::Rng;
use crate::saml::{Binding, EntityId};

pub use encryption::{Encryption, EncryptionError};
pub use fault::{Fault, FaultError, Refused, RolledKey};
pub use journal::{Entry, Session};
pub use peer::PeerError;
pub use person::user_name;
pub use plan::{Plan, PlanError};
pub use refusal::Refusal;
pub use service_provider::ServiceProviderError;
pub use trusted::{FetchError, MetadataSource};

use identity::{Identities, Identity};
use peer::Peer;
use plan::Faults;
use state::{Shown, State};

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

/// By which bindings it takes LogoutRequests, if at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slo {
    Redirect,
    Post,
    Soap,
    RedirectPost,
    RedirectSoap,
    PostSoap,
    All,
    None,
}

impl Slo {
    fn bindings(self) -> Vec<Binding> {
        use Binding::{Post, Redirect, Soap};
        match self {
            Self::Redirect => vec![Redirect],
            Self::Post => vec![Post],
            Self::Soap => vec![Soap],
            Self::RedirectPost => vec![Redirect, Post],
            Self::RedirectSoap => vec![Redirect, Soap],
            Self::PostSoap => vec![Post, Soap],
            Self::All => vec![Redirect, Post, Soap],
            Self::None => vec![],
        }
    }
}

impl FromIterator<Binding> for Slo {
    fn from_iter<I: IntoIterator<Item = Binding>>(bindings: I) -> Self {
        let bindings: Vec<Binding> = bindings.into_iter().collect();
        let has = |binding| bindings.contains(&binding);
        match (has(Binding::Redirect), has(Binding::Post), has(Binding::Soap)) {
            (true, true, true) => Self::All,
            (true, true, false) => Self::RedirectPost,
            (true, false, true) => Self::RedirectSoap,
            (true, false, false) => Self::Redirect,
            (false, true, true) => Self::PostSoap,
            (false, true, false) => Self::Post,
            (false, false, true) => Self::Soap,
            (false, false, false) => Self::None,
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
    /// The caller's fault.
    #[error("{entity_id:?} is no entity ID; it must be an absolute URI")]
    EntityId { entity_id: String },
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
    identities: Identities,
    peer: Peer,
    state: Mutex<State>,
}

impl MockIdp {
    /// An IdP whose pages are below `base`, such as `http://127.0.0.1:8081`. It makes itself a key,
    /// and refuses every request until [`MockIdp::trust`] names a service provider.
    ///
    /// # Errors
    /// If `base` is no URL that metadata can hold, or OpenSSL cannot make a key.
    pub fn new(base: &str, options: Options, clock: Clock, rng: Rng) -> Result<Self, SetupError> {
        Self::with_key(base, options, clock, rng, &new_key()?)
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
        let base = base.trim_end_matches('/');
        let entity_id = EntityId::parse(&format!("{base}{METADATA}"))
            .map_err(|_| SetupError::Base { base: base.to_owned() })?;
        Self::build(base, entity_id, options, clock, rng, pair)
    }

    /// As [`MockIdp::new`], with an entity ID that is not the URL of the metadata.
    ///
    /// # Errors
    /// As there, or if `entity_id` is none.
    pub fn with_entity_id(
        base: &str,
        entity_id: &str,
        options: Options,
        clock: Clock,
        rng: Rng,
    ) -> Result<Self, SetupError> {
        let parsed = EntityId::parse(entity_id)
            .map_err(|_| SetupError::EntityId { entity_id: entity_id.to_owned() })?;
        Self::build(base.trim_end_matches('/'), parsed, options, clock, rng, &new_key()?)
    }

    fn build(
        base: &str,
        entity_id: EntityId,
        options: Options,
        clock: Clock,
        rng: Rng,
        pair: &keys::SigningKey,
    ) -> Result<Self, SetupError> {
        let identities = Identities::of(pair, clock.now(), &rng)
            .map_err(|error| SetupError::Key(error.to_string()))?;
        let shown = show(base, &entity_id, options, &identities, &Faults::default())
            .ok_or_else(|| SetupError::Base { base: base.to_owned() })?;
        Ok(Self(Arc::new(Inner {
            base: base.to_owned(),
            entity_id,
            options,
            clock,
            rng,
            identities,
            peer: Peer::default(),
            state: Mutex::new(State::new(shown)),
        })))
    }

    /// The EntityDescriptor of this IdP as it is now.
    pub fn metadata(&self) -> String {
        self.state().shown().metadata.clone()
    }

    pub fn entity_id(&self) -> &EntityId {
        &self.0.entity_id
    }

    /// Who can be chosen at the sign-in page without typing. Anybody else can still type a name.
    pub fn offer_users(&self, users: Vec<String>) {
        self.state().offer_users(users);
    }

    /// Follows a plan from now on. It replaces the former one for the same person that is counted,
    /// or not counted, as this one is; one without faults replaces both.
    ///
    /// # Errors
    /// If what is in the metadata is to be counted or for one person, or no key can be made.
    pub fn misbehave(&self, plan: Plan) -> Result<(), PlanError> {
        plan.check()?;
        let prepared = self.0.identities.prepare(&plan.faults, self.0.clock.now(), &self.0.rng);
        prepared.map_err(|error| PlanError::Key(error.to_string()))?;
        let mut state = self.state();
        state.follow(plan);
        self.show_plans(&mut state);
        Ok(())
    }

    /// Follows no plan any more.
    pub fn behave(&self) {
        let mut state = self.state();
        state.forget_plans();
        self.show_plans(&mut state);
    }

    /// The plans in force.
    pub fn plans(&self) -> Vec<Plan> {
        self.state().plans().to_vec()
    }

    /// What `docs/mock-idp.md` lists: pages for people, endpoints of SAML, and what a
    /// script talks to.
    pub fn router(&self) -> Router {
        let guarded = Router::new()
            .route("/login", post(login::log_in))
            .route("/signout", post(login::sign_out))
            .route("/logout", post(own_logout::handle))
            .route("/faults", get(control::faults).post(control::choose).delete(control::forget))
            .route("/journal", get(control::journal).delete(control::clear_journal))
            .route("/sessions", get(control::sessions))
            .route(
                "/sp-metadata",
                post(control::service_provider).layer(BodyLimit::Metadata.layer()),
            )
            .layer(from_fn_with_state(self.clone(), guard::refuse_other_websites));
        Router::new()
            .route("/", get(login::home))
            .route(METADATA, get(pages::metadata))
            .route(STYLE, get(pages::style))
            .route(SSO, get(single_sign_on::handle).post(single_sign_on::handle))
            .route(SLO, get(single_logout::handle).post(single_logout::handle))
            .route(SLO_SOAP, post(single_logout::handle_soap))
            .merge(guarded)
            .with_state(self.clone())
    }

    /// Everything that was received and issued, the oldest first.
    pub fn journal(&self) -> Vec<Entry> {
        self.state().journal().entries().cloned().collect()
    }

    /// Who is signed in here now.
    pub fn sessions(&self) -> Vec<Session> {
        self.state().sessions().cloned().collect()
    }

    /// With what it signs now.
    fn identity(&self) -> Identity {
        self.state().shown().signing.clone()
    }

    fn show_plans(&self, state: &mut State) {
        let idp = &self.0;
        let always = state.always();
        // What could be written at the start can be written again.
        if let Some(shown) = show(&idp.base, &idp.entity_id, idp.options, &idp.identities, &always)
        {
            state.show(shown);
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.base)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete when the guard is dropped, so a panic elsewhere spoils nothing.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What everybody sees under these faults. `None` if the metadata cannot be written.
fn show(
    base: &str,
    entity_id: &EntityId,
    options: Options,
    identities: &Identities,
    faults: &Faults,
) -> Option<Shown> {
    let single_logout = match () {
        () if faults.has(Fault::LoginUrlOnly) => vec![],
        () if faults.has(Fault::RedirectOnly) => vec![Binding::Redirect],
        () if faults.has(Fault::PostOnly) => vec![Binding::Post],
        () if faults.has(Fault::SoapOnly) => vec![Binding::Soap],
        () => options.slo.bindings(),
    };
    let keys = identities.under(faults);
    let (published, recipient) = (&keys.published, &keys.recipient);
    let metadata = metadata::write(base, entity_id, published, recipient, &single_logout).ok()?;
    Some(Shown { signing: keys.signing, single_logout, metadata })
}

fn new_key() -> Result<keys::SigningKey, SetupError> {
    let made = keys::SigningKey::generate(keys::KeyAlgorithm::Rs256, 2048);
    made.map_err(|error| SetupError::Key(error.to_string()))
}

const METADATA: &str = "/metadata";
const SSO: &str = "/sso";
const SLO: &str = "/slo";
const SLO_SOAP: &str = "/slo/soap";
const STYLE: &str = "/style.css";
