//! The model store: what the database must hold after every change, as values. It says beforehand
//! which commits are conflicts, and the database must say the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::AuditEvent;
use crate::change::{Change, EndedPrincipal, LogoutQuestion};
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, ClientId, IdpId, LegId, LogoutId};
use crate::logout::relogin_lock::ReloginLock;
use crate::logout::{Ends, Logout};
use crate::secret::TokenHash;
use crate::session::BrowserSession;

#[derive(Default)]
pub(super) struct Model {
    pub(super) sessions: BTreeMap<BrowserSessionId, Session>,
    pub(super) logouts: BTreeMap<LogoutId, KnownLogout>,
    pub(super) codes: BTreeMap<TokenHash, Code>,
    pub(super) tokens: BTreeMap<TokenHash, Access>,
    pub(super) questions: BTreeMap<TokenHash, LogoutQuestion>,
    pub(super) ended: BTreeMap<(IdpId, String), EndedPrincipal>,
    /// What keeps a browser from being signed in again by itself, and since which step.
    pub(super) locks: BTreeMap<LegId, (ReloginLock, u64)>,
    /// Those that wait.
    pub(super) authn_requests: BTreeMap<String, AskedIdp>,
    assertions: BTreeSet<(IdpId, String)>,
    held: BTreeSet<TokenHash>,
    /// Everything that was recorded of a logout.
    pub(super) events: BTreeMap<LogoutId, Vec<AuditEvent>>,
}

pub(super) struct Session {
    pub(super) session: BrowserSession,
    pub(super) cookie: TokenHash,
    /// The one before the newest sign-in.
    pub(super) former: Option<TokenHash>,
    /// The step at which it began.
    pub(super) begun: u64,
    /// The step at which it ended.
    pub(super) ended: Option<u64>,
    /// Which assertions it rests on.
    pub(super) assertions: Vec<String>,
    /// Every app that has ever taken part in it, as often as it came in, and at which step.
    pub(super) joined: Vec<(ClientId, u64)>,
}

/// An AuthnRequest.
pub(super) struct AskedIdp {
    pub(super) step: u64,
    pub(super) authn_not_before: Option<Timestamp>,
}

pub(super) struct KnownLogout {
    pub(super) logout: Logout,
    pub(super) handle: TokenHash,
    /// The step at which it began.
    pub(super) begun: u64,
}

pub(super) struct Code {
    pub(super) session: BrowserSessionId,
    pub(super) client: ClientId,
    pub(super) redeemed: bool,
    /// The step at which it was deleted, because its app's part in the session ended alone.
    pub(super) ended: Option<u64>,
}

/// An access token, by the session and the code that it came of, and who holds it.
pub(super) struct Access {
    pub(super) session: BrowserSessionId,
    code: TokenHash,
    client: ClientId,
}

impl Model {
    /// The change that does not find what it expects, if there is one (as `store/commit.rs`).
    pub(super) fn conflict(&self, changes: &[Change]) -> Option<&'static str> {
        changes.iter().find_map(|change| self.unexpected(change))
    }

    fn unexpected(&self, change: &Change) -> Option<&'static str> {
        let (holds, what) = match change {
            Change::AddAuthnRequest(request) => {
                (!self.authn_requests.contains_key(&request.id), "AddAuthnRequest")
            }
            Change::TakeAuthnRequest { id } => {
                (self.authn_requests.contains_key(id), "TakeAuthnRequest")
            }
            Change::RememberAssertion { idp, assertion_id, .. } => {
                let seen = self.assertions.contains(&(idp.clone(), assertion_id.clone()));
                (!seen, "RememberAssertion")
            }
            Change::HoldSignIn { handle, .. } => (!self.held.contains(handle), "HoldSignIn"),
            Change::TakeHeldSignIn { handle } => (self.held.contains(handle), "TakeHeldSignIn"),
            Change::BeginBrowserSession { session, .. } => {
                (!self.sessions.contains_key(&session.id), "BeginBrowserSession")
            }
            Change::AdvanceBrowserSession { id, version, .. } => {
                (self.is_at(*id, *version), "AdvanceBrowserSession")
            }
            Change::EndBrowserSession { id, version } => {
                (self.is_at(*id, *version), "EndBrowserSession")
            }
            Change::AddCode(code) => (!self.codes.contains_key(&code.hash), "AddCode"),
            Change::RedeemCode { hash } => {
                let code = self.codes.get(hash).filter(|code| code.ended.is_none());
                (code.is_some_and(|code| !code.redeemed), "RedeemCode")
            }
            Change::AddAccessToken(token) => {
                (!self.tokens.contains_key(&token.hash), "AddAccessToken")
            }
            Change::EndAppSession { browser_session, app, .. } => {
                let known = self.sessions.get(browser_session);
                let held = known.is_some_and(|known| {
                    known.session.app_sessions.iter().any(|held| held.id == app.id)
                });
                (held, "EndAppSession")
            }
            Change::TakeLogoutQuestion { handle } => {
                (self.questions.contains_key(handle), "TakeLogoutQuestion")
            }
            Change::BeginLogout { logout, handle } => {
                let used = self.logouts.values().any(|known| known.handle == *handle);
                (!used && !self.logouts.contains_key(&logout.id), "BeginLogout")
            }
            Change::AdvanceLogout { id, version, .. } => {
                let known = self.logouts.get(id);
                (known.is_some_and(|known| known.logout.version == *version), "AdvanceLogout")
            }
            Change::SaveLeg { leg } => {
                let known = self.logouts.values().any(|known| known.logout.leg(leg.id).is_some());
                (known, "SaveLeg")
            }
            Change::AddEndedPrincipal(ended) => {
                (!self.ended.contains_key(&key(ended)), "AddEndedPrincipal")
            }
            Change::SaveEndedPrincipal(ended) => {
                let known = self.ended.get(&key(ended));
                let same = known.is_some_and(|known| known.version == ended.version);
                (same, "SaveEndedPrincipal")
            }
            Change::AddReloginLock(lock) => (!self.locks.contains_key(&lock.leg), "AddReloginLock"),
            Change::AskLogout { .. }
            | Change::PutOffDeadline { .. }
            | Change::PutOffLeg { .. }
            | Change::HandOverReloginLocks { .. }
            | Change::LiftReloginLock { .. }
            | Change::SaveEndedSubject(_)
            | Change::SaveIdpSession { .. }
            | Change::AddAppSession { .. }
            | Change::RevokeAccessTokensOf { .. }
            | Change::Record(_) => return None,
            // Settings do not change in a run.
            other => panic!("no run should write {other:?}"),
        };
        (!holds).then_some(what)
    }

    fn is_at(&self, id: BrowserSessionId, version: i64) -> bool {
        self.sessions
            .get(&id)
            .is_some_and(|known| known.session.version == version && known.ended.is_none())
    }

    /// Writes what was found to be no conflict.
    pub(super) fn write(&mut self, changes: &[Change], now: Timestamp, step: u64) {
        // An assertion belongs to the session that the same transaction writes of.
        let of_session = changes.iter().find_map(|change| match change {
            Change::SaveIdpSession { browser_session, .. } => Some(*browser_session),
            _ => None,
        });
        for change in changes {
            self.write_one(change, of_session, now, step);
        }
    }

    fn write_one(
        &mut self,
        change: &Change,
        of_session: Option<BrowserSessionId>,
        now: Timestamp,
        step: u64,
    ) {
        match change {
            Change::AddAuthnRequest(request) => {
                let authn_not_before = request.wanted.authn_not_before;
                self.authn_requests.insert(request.id.clone(), AskedIdp { step, authn_not_before });
            }
            Change::TakeAuthnRequest { id } => {
                self.authn_requests.remove(id);
            }
            Change::RememberAssertion { idp, assertion_id, .. } => {
                self.assertions.insert((idp.clone(), assertion_id.clone()));
                if let Some(known) = of_session.and_then(|id| self.sessions.get_mut(&id)) {
                    known.assertions.push(assertion_id.clone());
                }
            }
            Change::HoldSignIn { handle, .. } => {
                self.held.insert(*handle);
            }
            Change::TakeHeldSignIn { handle } => {
                self.held.remove(handle);
            }
            Change::BeginBrowserSession { session, cookie } => {
                // Its sign-ins and apps are changes of their own.
                let session = BrowserSession {
                    idp_sessions: Vec::new(),
                    app_sessions: Vec::new(),
                    ..(**session).clone()
                };
                let id = session.id;
                let known = Session {
                    session,
                    cookie: *cookie,
                    former: None,
                    begun: step,
                    ended: None,
                    assertions: Vec::new(),
                    joined: Vec::new(),
                };
                self.sessions.insert(id, known);
            }
            Change::AdvanceBrowserSession { id, idle_until, expires_at, cookie, .. } => {
                let known = self.session(*id);
                known.session.version += 1;
                known.session.idle_until = *idle_until;
                known.session.expires_at = *expires_at;
                if let Some(cookie) = cookie {
                    known.former = Some(std::mem::replace(&mut known.cookie, *cookie));
                }
            }
            Change::EndBrowserSession { id, .. } => {
                let known = self.session(*id);
                known.session.version += 1;
                known.session.ended_at = Some(now);
                known.ended = Some(step);
            }
            Change::SaveIdpSession { browser_session, session } => {
                let held = &mut self.session(*browser_session).session.idp_sessions;
                held.retain(|other| other.id != session.id);
                held.push((**session).clone());
                held.sort_by_key(|session| session.id);
            }
            Change::AddAppSession { browser_session, app } => {
                let known = self.session(*browser_session);
                let apps = &mut known.session.app_sessions;
                if !apps.iter().any(|other| other.client == app.client) {
                    apps.push(app.clone());
                    apps.sort_by_key(|app| app.id);
                    known.joined.push((app.client.clone(), step));
                }
            }
            Change::EndAppSession { browser_session, app, codes } => {
                let apps = &mut self.session(*browser_session).session.app_sessions;
                apps.retain(|held| held.id != app.id);
                let own = |access: &Access| {
                    access.session == *browser_session && access.client == app.client
                };
                self.tokens.retain(|_, access| !own(access));
                for hash in codes {
                    self.codes.get_mut(hash).expect("a code that was read").ended = Some(step);
                }
            }
            Change::AddCode(code) => {
                let (session, client) =
                    (code.browser_session, code.grant.binding.client_id.clone());
                let known = Code { session, client, redeemed: false, ended: None };
                self.codes.insert(code.hash, known);
            }
            Change::RedeemCode { hash } => {
                self.codes.get_mut(hash).expect("a code that can be redeemed").redeemed = true;
            }
            Change::AddAccessToken(token) => {
                let (session, code) = (token.browser_session, token.code);
                let access = Access { session, code, client: token.client.clone() };
                self.tokens.insert(token.hash, access);
            }
            Change::RevokeAccessTokensOf { code } => {
                self.tokens.retain(|_, access| access.code != *code);
            }
            Change::AskLogout { handle, question, .. } => {
                self.questions.insert(*handle, (**question).clone());
            }
            Change::TakeLogoutQuestion { handle } => {
                self.questions.remove(handle);
            }
            Change::BeginLogout { logout, handle } => {
                let (logout, handle) = ((**logout).clone(), *handle);
                let known = KnownLogout { logout, handle, begun: step };
                self.logouts.insert(known.logout.id, known);
            }
            Change::AdvanceLogout { id, answered_at, settled_at, .. } => {
                let logout = &mut self.logouts.get_mut(id).expect("a known logout").logout;
                logout.version += 1;
                (logout.answered_at, logout.settled_at) = (*answered_at, *settled_at);
            }
            Change::SaveLeg { leg } => {
                let mut legs =
                    self.logouts.values_mut().flat_map(|known| known.logout.legs.iter_mut());
                let known = legs.find(|known| known.id == leg.id).expect("a known leg");
                // Whom it names was written when the logout began, and is never written again.
                let principal = known.principal.take();
                *known = crate::logout::Leg { principal, ..(**leg).clone() };
            }
            Change::AddEndedPrincipal(ended) => {
                self.ended.insert(key(ended), (**ended).clone());
            }
            Change::SaveEndedPrincipal(ended) => {
                let version = ended.version + 1;
                self.ended.insert(key(ended), EndedPrincipal { version, ..(**ended).clone() });
            }
            Change::AddReloginLock(lock) => {
                self.locks.insert(lock.leg, ((**lock).clone(), step));
            }
            Change::HandOverReloginLocks { from, to } => {
                let moved = self.locks.values_mut().map(|(lock, _)| lock);
                moved.filter(|lock| lock.browser == *from).for_each(|lock| lock.browser = *to);
            }
            // When a person was signed out of everything is held against answers, not against rows.
            Change::SaveEndedSubject(_) => {}
            Change::LiftReloginLock { leg, event } => {
                if let Some((lock, _)) = self.locks.remove(leg) {
                    self.events.entry(lock.logout).or_default().push(event.clone());
                }
            }
            Change::Record(event) => {
                if let Some(logout) = event.logout {
                    self.events.entry(logout).or_default().push(event.clone());
                }
            }
            other => panic!("no run should write {other:?}"),
        }
    }

    fn session(&mut self, id: BrowserSessionId) -> &mut Session {
        self.sessions.get_mut(&id).expect("a known session")
    }

    pub(super) fn by_cookie(&self, cookie: TokenHash) -> Option<&Session> {
        self.sessions.values().find(|known| known.has_cookie(cookie))
    }

    pub(super) fn by_sid(&self, sid: &str) -> Option<&Session> {
        self.sessions.values().find(|known| known.session.sid == sid)
    }

    pub(super) fn by_handle(&self, handle: TokenHash) -> Option<&KnownLogout> {
        self.logouts.values().find(|known| known.handle == handle)
    }

    /// The logout that ended the session.
    pub(super) fn of_session(&self, id: BrowserSessionId) -> Option<&KnownLogout> {
        self.logouts.values().find(|known| {
            let document = &known.logout.document;
            document.browser_session == id && document.ends == Ends::Session
        })
    }
}

impl Session {
    /// A request may have been under way with the cookie before the newest.
    pub(super) fn has_cookie(&self, cookie: TokenHash) -> bool {
        self.cookie == cookie || self.former == Some(cookie)
    }

    /// Whether it is wrong to tell this app of its end: the app takes part, and did not come in again
    /// only since this step.
    pub(super) fn is_alive_for(&self, app: &ClientId, step: u64) -> bool {
        self.ended.is_none() && self.holds(app) && !self.has_joined_since(app, step)
    }

    /// Whether this app has come in since this step.
    pub(super) fn has_joined_since(&self, app: &ClientId, step: u64) -> bool {
        self.joined.iter().any(|(joined, at)| joined == app && *at >= step)
    }

    pub(super) fn was_joined_by(&self, app: &ClientId) -> bool {
        self.has_joined_since(app, 0)
    }

    pub(super) fn holds(&self, app: &ClientId) -> bool {
        self.session.app_sessions.iter().any(|held| held.client == *app)
    }
}

fn key(ended: &EndedPrincipal) -> (IdpId, String) {
    (ended.idp.clone(), ended.request_id.clone())
}
