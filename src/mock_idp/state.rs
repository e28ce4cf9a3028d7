//! What the IdP remembers, in memory only.

use std::collections::HashMap;

use super::fault::{Fault, Occasion};
use super::identity::Identity;
use super::journal::{Entry, Journal, Session};
use super::person::Person;
use super::plan::{Faults, Plan, Plans};
use super::service_provider::ServiceProvider;
use super::trusted::MetadataSource;
use crate::clock::Timestamp;
use crate::rng::Rng;
use crate::saml::name_id::PERSISTENT;
use crate::saml::{Binding, EntityId, NameId, SessionIndex};

/// Sign-in pages that are kept open, and logouts of our own whose answer is awaited; the oldest
/// goes first.
const MAX_OPEN: usize = 1_000;

pub(super) struct State {
    service_provider: Option<ServiceProvider>,
    /// Where its metadata is, if somebody said it.
    source: Option<MetadataSource>,
    plans: Plans,
    /// What the plans make of the metadata and of the key that signs.
    shown: Shown,
    /// Who is offered at the sign-in page.
    users: Vec<String>,
    /// The persistent name of each user, for this service provider (SAML Core 8.3.7).
    names: HashMap<String, String>,
    /// By the value of the browser's cookie.
    sessions: Vec<(String, Session)>,
    /// AuthnRequests whose person is looking at the sign-in page, by the page's handle.
    open: Vec<(String, OpenRequest)>,
    /// IDs of our own LogoutRequests that are not answered yet.
    asked: Vec<String>,
    journal: Journal,
}

/// What everybody sees: how it signs, which bindings it offers, and what the metadata says.
pub(super) struct Shown {
    pub(super) signing: Identity,
    pub(super) single_logout: Vec<Binding>,
    pub(super) metadata: String,
}

/// An AuthnRequest that was accepted and waits for its answer.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct OpenRequest {
    pub(super) id: String,
    pub(super) acs_url: String,
    pub(super) relay_state: Option<String>,
}

impl State {
    pub(super) fn new(shown: Shown) -> Self {
        Self {
            service_provider: None,
            source: None,
            plans: Plans::default(),
            shown,
            users: vec!["ada".to_owned(), "ben".to_owned()],
            names: HashMap::new(),
            sessions: Vec::new(),
            open: Vec::new(),
            asked: Vec::new(),
            journal: Journal::default(),
        }
    }

    /// A new service provider gets new names and no sessions.
    pub(super) fn trust(&mut self, service_provider: ServiceProvider) {
        if self.service_provider.as_ref().is_some_and(|o| o.entity_id != service_provider.entity_id)
        {
            self.names.clear();
            self.sessions.clear();
            self.open.clear();
            self.asked.clear();
        }
        self.service_provider = Some(service_provider);
    }

    pub(super) fn service_provider(&self) -> Option<&ServiceProvider> {
        self.service_provider.as_ref()
    }

    pub(super) fn source(&self) -> Option<&MetadataSource> {
        self.source.as_ref()
    }

    pub(super) fn look_at(&mut self, source: MetadataSource) {
        self.source = Some(source);
    }

    pub(super) fn record(&mut self, at: Timestamp, entry: Entry) {
        self.journal.record(at, entry);
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(super) fn clear_journal(&mut self) {
        self.journal.clear();
    }

    pub(super) fn users(&self) -> &[String] {
        &self.users
    }

    pub(super) fn offer_users(&mut self, users: Vec<String>) {
        self.users = users;
    }

    pub(super) fn follow(&mut self, plan: Plan) {
        self.plans.follow(plan);
    }

    pub(super) fn forget_plans(&mut self) {
        self.plans.clear();
    }

    pub(super) fn plans(&self) -> &[Plan] {
        self.plans.list()
    }

    /// The faults that are in the metadata.
    pub(super) fn always(&self) -> Faults {
        self.plans.always()
    }

    pub(super) fn show(&mut self, shown: Shown) {
        self.shown = shown;
    }

    pub(super) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// What goes wrong now.
    pub(super) fn faults(&mut self, occasion: Occasion, user: Option<&str>) -> Faults {
        self.plans.take(occasion, user)
    }

    /// Whether this will go wrong.
    pub(super) fn has_fault(&self, fault: Fault, user: &str) -> bool {
        self.plans.show(fault, user)
    }

    /// Whose name this is.
    pub(super) fn user_of(&self, name_id: &NameId) -> Option<&str> {
        let named = self.names.iter().find(|(_, value)| **value == name_id.value);
        named.map(|(user, _)| user.as_str())
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().map(|(_, session)| session)
    }

    pub(super) fn session(&self, cookie: &str) -> Option<&Session> {
        self.sessions.iter().find(|(held, _)| held == cookie).map(|(_, session)| session)
    }

    /// Signs a person in under a new cookie. The same person in the same browser keeps the session,
    /// and so its SessionIndex; another person ends it.
    pub(super) fn sign_in(&mut self, sign_in: SignIn<'_>, rng: &Rng) -> Session {
        let before = sign_in.old_cookie.and_then(|cookie| self.end_browser(cookie));
        let session = match before.filter(|before| before.user == sign_in.person.user) {
            Some(same) => Session { authn_instant: sign_in.now, ..same },
            None => {
                let user = sign_in.person.user.clone();
                let value = self.names.entry(user.clone()).or_insert_with(|| rng.saml_id()).clone();
                let index = sign_in.session_index.then(|| rng.saml_id());
                Session {
                    user,
                    name_id: NameId {
                        value,
                        format: Some(PERSISTENT.to_owned()),
                        name_qualifier: Some(sign_in.idp.to_string()),
                        sp_name_qualifier: Some(sign_in.sp.to_string()),
                        sp_provided_id: None,
                    },
                    session_index: index.and_then(|index| SessionIndex::parse(&index).ok()),
                    authn_instant: sign_in.now,
                }
            }
        };
        self.sessions.push((sign_in.cookie.to_owned(), session.clone()));
        session
    }

    /// Ends the session of one browser.
    pub(super) fn end_browser(&mut self, cookie: &str) -> Option<Session> {
        let place = self.sessions.iter().position(|(held, _)| held == cookie)?;
        Some(self.sessions.remove(place).1)
    }

    /// Ends the sessions that a LogoutRequest names: all parts of the NameID must be equal, and the
    /// SessionIndex must be one of those given. None given means every session of that NameID
    /// (SAML Core 3.7.3.1). Returns how many there were.
    pub(super) fn end_named(&mut self, name_id: &NameId, indexes: &[SessionIndex]) -> usize {
        let named = |session: &Session| {
            let index_named = match &session.session_index {
                _ if indexes.is_empty() => true,
                Some(index) => indexes.contains(index),
                None => false,
            };
            session.name_id == *name_id && index_named
        };
        let before = self.sessions.len();
        self.sessions.retain(|(_, session)| !named(session));
        before - self.sessions.len()
    }

    /// The sessions of one person.
    pub(super) fn sessions_of(&self, user: &str) -> Vec<Session> {
        self.sessions().filter(|session| session.user == user).cloned().collect()
    }

    pub(super) fn keep_asked(&mut self, request_id: &str) {
        if self.asked.len() == MAX_OPEN {
            self.asked.remove(0);
        }
        self.asked.push(request_id.to_owned());
    }

    /// Whether this LogoutRequest of ours waited for an answer. It does so no longer.
    pub(super) fn take_asked(&mut self, request_id: &str) -> bool {
        let place = self.asked.iter().position(|held| held == request_id);
        place.map(|place| self.asked.remove(place)).is_some()
    }

    pub(super) fn keep_open(&mut self, handle: &str, request: OpenRequest) {
        if self.open.len() == MAX_OPEN {
            self.open.remove(0);
        }
        self.open.push((handle.to_owned(), request));
    }

    /// A request is answered once.
    pub(super) fn take_open(&mut self, handle: &str) -> Option<OpenRequest> {
        let place = self.open.iter().position(|(held, _)| held == handle)?;
        Some(self.open.remove(place).1)
    }
}

/// Somebody at the sign-in page.
pub(super) struct SignIn<'a> {
    pub(super) person: &'a Person,
    /// The cookie that the browser sent.
    pub(super) old_cookie: Option<&'a str>,
    /// The cookie that it gets.
    pub(super) cookie: &'a str,
    pub(super) idp: &'a EntityId,
    pub(super) sp: &'a EntityId,
    pub(super) session_index: bool,
    pub(super) now: Timestamp,
}
