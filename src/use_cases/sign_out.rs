//! What every logout has in common: it begins in one transaction, and then goes from party to party.

use std::time::Duration;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::connection::BrowserBinding;
use crate::id::{ClientId, IdpId, LegId, LogoutId};
use crate::keys::keyed_hash;
use crate::language::Language;
use crate::logout::plan::{self, IdpLegs};
use crate::logout::relogin_lock::ReloginLock;
use crate::logout::{
    Asked, Ends, Event, Logout, LogoutDocument, Next as Step, OwedAnswer, Party, PartyId,
    Principal, Reason, Rung,
};
use crate::oidc::LogoutScope;
use crate::saml::{LogoutReason, LogoutRequest};
use crate::secret::{Token, TokenHash};
use crate::session::BrowserSession;
use crate::store::{CommitError, LogoutKey};
use crate::use_cases::idp_request::{IdpRequest, is_too_long, post_location};
use crate::use_cases::{
    CookieChange, Failure, Next, Page, REQUEST_LIFETIME, Reply, TRIES, UseCases, transaction_name,
};

/// What is asked for, once it is known whose session it ends.
pub(super) struct SignOut {
    pub reason: Reason,
    pub scope: LogoutScope,
    /// Who is not told although the scope reaches that far.
    pub left: Vec<PartyId>,
    pub idps: IdpLegs,
    pub initiator: Option<ClientId>,
    pub target: Option<String>,
    pub result_wanted: bool,
    pub language: Option<Language>,
    /// The browser that is kept from being signed in again by IdPs that do not confirm, by its
    /// re-login cookie. `None` where no browser asked, or the IdPs were not to be reached.
    pub lock: Option<TokenHash>,
    /// Makes the handle of its page; see [`UseCases::page_handle`].
    pub page_seed: String,
    /// What the browser takes back to the IdP that asks, if apps are told through the browser first.
    pub owed_answer: Option<OwedAnswer>,
}

impl SignOut {
    /// Nobody's browser is there: who can be told without one is told.
    pub(super) fn without_browser(reason: Reason, scope: LogoutScope, page_seed: String) -> Self {
        Self {
            reason,
            scope,
            left: Vec::new(),
            idps: IdpLegs::AskDirectly,
            initiator: None,
            target: None,
            result_wanted: false,
            language: None,
            lock: None,
            page_seed,
            owed_answer: None,
        }
    }
}

/// The changes that begin a logout, and what they begin.
pub(super) struct Begun {
    pub changes: Vec<Change>,
    pub logout: Logout,
    pub handle: Token,
    /// The browser gets the re-login cookie.
    pub locked: bool,
}

impl UseCases {
    /// Plans the logout of a session: one list of changes that ends it and writes down whom to tell.
    /// From its commit on, nothing of the session is accepted, and nobody is forgotten.
    pub(super) async fn plan_sign_out(
        &self,
        session: &BrowserSession,
        wanted: SignOut,
        now: Timestamp,
    ) -> Result<Begun, Failure> {
        let lock = wanted.lock;
        let handle = self.page_handle(&wanted.page_seed);
        let mut logout = self.new_logout(session, wanted, Ends::Session, now).await?;
        let ended = AuditEvent::new(AuditKind::SessionEnded).session(session.id).logout(logout.id);
        let mut records = vec![Change::Record(ended), Change::Record(logout.begun())];
        records.extend(logout.mark_what_is_over(now).into_iter().map(Change::Record));
        let mut changes = vec![
            Change::EndBrowserSession { id: session.id, version: session.version },
            Change::BeginLogout { logout: Box::new(logout.clone()), handle: handle.hash() },
        ];
        changes.extend(records);
        let skew = self.settings().clock_skew;
        let locks = lock.map(|lock| ReloginLock::of(&logout, session, lock, skew));
        let locks = locks.unwrap_or_default();
        let locked = !locks.is_empty();
        for lock in locks {
            let set = AuditEvent::new(AuditKind::ReloginLockSet);
            changes.push(Change::Record(set.logout(logout.id).session(session.id).idp(&lock.idp)));
            changes.push(Change::AddReloginLock(Box::new(lock)));
        }
        Ok(Begun { changes, logout, handle, locked })
    }

    /// Sends a browser that is not at the page of its logout to the next party, or to the end. What is
    /// shown of the logout is shown at that page.
    pub(super) async fn send_on(
        &self,
        logout: Logout,
        handle: Option<&Token>,
        again: bool,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        match handle {
            // Frames count as shown when the page is, and not before.
            Some(handle) if logout.has_open_frame() => Ok(self.to_its_page(handle)),
            Some(handle) => {
                let reply = self.go_on(logout, Some(handle), Vec::new(), again, now).await?;
                Ok(self.at_its_page(reply, handle))
            }
            None => self.go_on(logout, None, Vec::new(), again, now).await,
        }
    }

    /// A logout with a leg for everybody who must be told. Nothing is written of it.
    pub(super) async fn new_logout(
        &self,
        session: &BrowserSession,
        wanted: SignOut,
        ends: Ends,
        now: Timestamp,
    ) -> Result<Logout, Failure> {
        let SignOut { scope, left, idps, .. } = &wanted;
        let parties = self.view().await?.parties(session, now).await?;
        let legs = plan::legs(session, *scope, left, idps, &parties, now, self.rng());
        let mut logout = Logout {
            id: LogoutId::new(now, self.rng()),
            version: 1,
            document: LogoutDocument {
                reason: wanted.reason,
                scope: wanted.scope,
                browser_session: session.id,
                sid: session.sid.clone(),
                subject: session.subject.clone(),
                initiator: wanted.initiator,
                target: wanted.target,
                result_wanted: wanted.result_wanted,
                language: wanted.language,
                page_seed: wanted.page_seed,
                owed_answer: None,
                ends,
                left: wanted.left,
            },
            created_at: now,
            deadline: now.plus(self.settings().logout_deadline),
            answered_at: None,
            settled_at: None,
            legs,
        };
        logout.document.owed_answer = wanted.owed_answer.filter(|_| logout.has_open_frame());
        Ok(logout)
    }

    /// Writes what was planned, tells the apps, and sends the browser on; `relogin` is the cookie of
    /// its locks, if there are any. `None` if somebody was faster: read and decide again.
    pub(super) async fn begin(
        &self,
        begun: Begun,
        relogin: &Token,
        now: Timestamp,
    ) -> Result<Option<Reply>, Failure> {
        let Begun { changes, logout, handle, locked } = begun;
        match self.store().commit(now, changes).await {
            Ok(()) => {}
            // The connection was lost during COMMIT: only what is stored tells what happened.
            Err(CommitError::Unknown) if self.has_begun(&handle).await? => {}
            Err(CommitError::Conflict { .. } | CommitError::Unknown) => return Ok(None),
            Err(other) => return Err(Failure::commit(other)),
        }
        self.tell_at_once(&logout);
        let reply = self.send_on(logout, Some(&handle), false, now).await?;
        let cookie = locked.then(|| CookieChange::SetRelogin(relogin.clone()));
        Ok(Some(reply.with_any(cookie)))
    }

    /// Whether the logout of this handle is written.
    pub(super) async fn has_begun(&self, handle: &Token) -> Result<bool, Failure> {
        Ok(self.store().logout(LogoutKey::Handle(handle.hash())).await?.found.is_some())
    }

    /// Sends the browser to the next party, or to the end. `events` happened on the way here;
    /// `again` has an IdP that was asked already asked once more.
    pub(super) async fn go_on(
        &self,
        logout: Logout,
        handle: Option<&Token>,
        mut events: Vec<Event>,
        again: bool,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        if let Some(owed) = logout.document.owed_answer.clone() {
            return self.go_on_to_answer(logout, &owed, events, now).await;
        }
        events.push(self.browser_here(again));
        let (logout, step, now) = self.advance(logout, events, now).await?;
        let language = logout.document.language;
        Ok(self.step(logout, step, handle, now).await?.in_language(language))
    }

    /// The browser is here, and a message to an IdP could be sent with it.
    pub(super) fn browser_here(&self, again: bool) -> Event {
        Event::BrowserHere { asked: self.fresh_request(), again }
    }

    /// Applies events, and writes down what follows from them.
    pub(super) async fn advance(
        &self,
        mut logout: Logout,
        events: Vec<Event>,
        mut now: Timestamp,
    ) -> Result<(Logout, Step, Timestamp), Failure> {
        for _ in 0..TRIES {
            let decision = logout.clone().on(events.iter().cloned(), now);
            match self.store().commit(now, decision.changes).await {
                Ok(()) => {
                    self.a_leg_closed(decision.logout.id);
                    return Ok((decision.logout, decision.next, now));
                }
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {
                    (logout, now) = self.read_again(logout.id).await?;
                }
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    pub(super) fn page_seed(&self) -> String {
        self.rng().handle().expose().to_owned()
    }

    /// The handle of a logout's page: nobody can guess it, and whoever goes on with the logout can be
    /// sent there again.
    pub(super) fn page_handle(&self, seed: &str) -> Token {
        let mac = keyed_hash(&self.keys().csrf, &[b"logout_page", seed.as_bytes()]);
        Token::from_bytes(mac.split_at(16).0)
    }

    /// What names a LogoutRequest that is yet to be written.
    pub(super) fn fresh_request(&self) -> Asked {
        let request_id = self.rng().saml_id();
        let relay_state = self.relay_state(&request_id).hash();
        Asked { request_id, relay_state }
    }

    /// The RelayState that goes with a request: nobody can guess it, and the same request always
    /// has the same one, so that it can be sent again.
    fn relay_state(&self, request_id: &str) -> Token {
        let mac = keyed_hash(&self.keys().csrf, &[b"relay_state", request_id.as_bytes()]);
        Token::from_bytes(mac.split_at(16).0)
    }

    /// Where this would show a page of the logout, sends the browser to that page's own address: it
    /// can be loaded again, and no message of an IdP stays in the address bar.
    pub(super) fn at_its_page(&self, reply: Reply, handle: &Token) -> Reply {
        let is_of_the_logout = match &reply.next {
            Next::Frames { .. } => true,
            Next::Page(page) => {
                matches!(**page, Page::LogoutEnd(_) | Page::LogoutWaiting { .. })
            }
            Next::Redirect(_) | Next::Post(_) => false,
        };
        match is_of_the_logout {
            true => Reply { next: self.to_its_page(handle).next, ..reply },
            false => reply,
        }
    }

    pub(super) fn to_its_page(&self, handle: &Token) -> Reply {
        Reply::redirect(self.settings().logout_page_url(handle.expose()))
    }

    /// A logout as it is now.
    pub(super) async fn read_again(&self, id: LogoutId) -> Result<(Logout, Timestamp), Failure> {
        let read = self.store().logout(LogoutKey::Id(id)).await?;
        let found = read.found.ok_or_else(|| Failure::NotFound { what: format!("logout {id}") })?;
        Ok((found.logout, read.now))
    }

    async fn step(
        &self,
        logout: Logout,
        step: Step,
        handle: Option<&Token>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        match step {
            Step::Frames(legs) => Ok(self.frames_page(self.frames_of(&logout, &legs), &logout)),
            Step::AskIdp(leg) => self.ask_idp(&logout, leg, handle, now).await,
            Step::Wait(leg) => self.waiting(&logout, leg, handle, now).await,
            Step::Finish => self.finish(logout, handle, now).await,
            Step::Continue | Step::Tell(_) => {
                Err(Failure::Internal(format!("logout {}: {step:?} with a browser", logout.id)))
            }
        }
    }

    /// The LogoutRequest of one leg, by its binding (SAML Profiles 4.4.4.1).
    pub(super) async fn ask_idp(
        &self,
        logout: &Logout,
        leg: LegId,
        handle: Option<&Token>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let broken = |what: &str| Failure::Internal(format!("logout {}: {what}", logout.id));
        let leg = logout.leg(leg).ok_or_else(|| broken("the leg is gone"))?;
        let Party::Idp { idp, rung, .. } = &leg.party else {
            return Err(broken("an app is not asked through the browser"));
        };
        let (binding, location) = match rung {
            Rung::SingleLogout { binding, location }
            | Rung::AsynchronousLogout { binding, location }
            | Rung::LoginUrl { binding, location } => (*binding, location),
            Rung::Url { location } => return Ok(Reply::redirect(location.clone())),
            Rung::Soap { .. } | Rung::Local { .. } => {
                return Err(broken("this leg is not asked through the browser"));
            }
        };
        let asked = leg.asked.as_ref().ok_or_else(|| broken("the leg was not asked"))?;
        let principal = leg.principal.as_ref().ok_or_else(|| broken("the leg has no principal"))?;
        let write = |destination: &str| {
            LogoutRequest {
                asynchronous: matches!(rung, Rung::AsynchronousLogout { .. }),
                ..self.logout_request(logout, principal, &asked.request_id, destination, now)
            }
            .to_xml()
        };
        let relay_state = self.relay_state(&asked.request_id);
        let request = IdpRequest { relay_state: relay_state.expose(), sign: true, write: &write };
        let mut next = self.send_by(binding, location, &request)?;
        if is_too_long(&next)
            && let Some(location) = self.form_instead(idp, rung, now).await?
        {
            next = self.send_by(BrowserBinding::Post, &location, &request)?;
        }
        // The answer may come back without RelayState; then this cookie tells whose logout it is.
        let cookie = handle.map(|handle| CookieChange::SetTransaction {
            name: transaction_name(&asked.request_id),
            value: handle.clone(),
        });
        let reply = Reply::of(next);
        Ok(match cookie {
            Some(cookie) => reply.with(cookie),
            None => reply,
        })
    }

    /// The request itself, whichever way it goes: the person as asserted (SAML Profiles 4.4.4.1).
    pub(super) fn logout_request(
        &self,
        logout: &Logout,
        principal: &Principal,
        id: &str,
        destination: &str,
        now: Timestamp,
    ) -> LogoutRequest {
        LogoutRequest {
            id: id.to_owned(),
            issue_instant: now,
            not_on_or_after: Some(now.plus(REQUEST_LIFETIME)),
            destination: Some(destination.to_owned()),
            issuer: self.settings().saml_entity_id.clone(),
            name_id: principal.name_id.clone(),
            session_indexes: principal.session_indexes.clone(),
            reason: Some(match logout.document.reason {
                Reason::Admin | Reason::Offboarded => LogoutReason::Admin,
                _ => LogoutReason::User,
            }),
            asynchronous: false,
        }
    }

    /// Where the same rung takes a form, for a message that is too long for a URL. `None`: there is no
    /// other way.
    async fn form_instead(
        &self,
        idp: &IdpId,
        rung: &Rung,
        now: Timestamp,
    ) -> Result<Option<String>, Failure> {
        let connection = match self.view().await?.connection(idp, now).await {
            Ok(connection) => connection,
            Err(Failure::Connection { .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        Ok(match rung {
            Rung::SingleLogout { .. } | Rung::AsynchronousLogout { .. } => {
                post_location(&connection.metadata.single_logout)
            }
            Rung::LoginUrl { .. } => post_location(&connection.metadata.single_sign_on),
            Rung::Soap { .. } | Rung::Url { .. } | Rung::Local { .. } => None,
        })
    }

    /// The end of the browser's way: who is told beside it is given a moment, then the person goes to the URL
    /// that was checked at the start, or reads what is known.
    async fn finish(
        &self,
        logout: Logout,
        handle: Option<&Token>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let until = logout.created_at.plus(self.settings().logout_wait);
        let logout = self.wait_for_told(logout, until, now).await?;
        match logout.onward() {
            Some(target) => Ok(Reply::redirect(target)),
            None => self.end_page(logout, handle, None, now).await,
        }
    }

    async fn waiting(
        &self,
        logout: &Logout,
        leg: LegId,
        handle: Option<&Token>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let idp = match logout.leg(leg).map(|leg| &leg.party) {
            Some(Party::Idp { idp, .. }) => self.view().await?.idp_name(idp, now).await?,
            _ => String::new(),
        };
        Ok(Reply::page(Page::LogoutWaiting { handle: handle.cloned(), leg, idp }))
    }

    /// Waits for the parties that we tell ourselves, at most until this time.
    pub(super) async fn wait_for_told(
        &self,
        mut logout: Logout,
        until: Timestamp,
        mut now: Timestamp,
    ) -> Result<Logout, Failure> {
        /// Another node may close a leg, and nothing wakes us then.
        const LOOK_AGAIN: Duration = Duration::from_millis(100);
        while logout.is_telling() && now < until {
            self.leg_closed_or(logout.id, until.since(now).min(LOOK_AGAIN)).await;
            (logout, now) = self.read_again(logout.id).await?;
        }
        Ok(logout)
    }
}
