//! What the IdP remembers, in memory only.

use std::collections::HashMap;

use super::journal::{Entry, Session};
use super::person::Person;
use super::service_provider::ServiceProvider;
use crate::clock::Timestamp;
use crate::rng::Rng;
use crate::saml::name_id::PERSISTENT;
use crate::saml::{EntityId, NameId, SessionIndex};

/// Sign-in pages that are kept open; the oldest goes first.
const MAX_OPEN: usize = 1_000;

#[derive(Default)]
pub(super) struct State {
    service_provider: Option<ServiceProvider>,
    /// The persistent name of each user, for this service provider (SAML Core 8.3.7).
    names: HashMap<String, String>,
    /// By the value of the browser's cookie.
    sessions: Vec<(String, Session)>,
    /// AuthnRequests whose person is looking at the sign-in page, by the page's handle.
    open: Vec<(String, OpenRequest)>,
    journal: Vec<Entry>,
}

/// An AuthnRequest that was accepted and waits for its answer.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct OpenRequest {
    pub(super) id: String,
    pub(super) acs_url: String,
    pub(super) relay_state: Option<String>,
}

impl State {
    /// A new service provider gets new names and no sessions.
    pub(super) fn trust(&mut self, service_provider: ServiceProvider) {
        if self.service_provider.as_ref().is_some_and(|o| o.entity_id != service_provider.entity_id)
        {
            self.names.clear();
            self.sessions.clear();
            self.open.clear();
        }
        self.service_provider = Some(service_provider);
    }

    pub(super) fn service_provider(&self) -> Option<&ServiceProvider> {
        self.service_provider.as_ref()
    }

    pub(super) fn record(&mut self, entry: Entry) {
        self.journal.push(entry);
    }

    pub(super) fn journal(&self) -> &[Entry] {
        &self.journal
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
