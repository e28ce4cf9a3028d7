//! What every logout has in common: it begins in one transaction, which ends our side and writes down
//! whom to tell.

use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::id::{ClientId, LogoutId};
use crate::language::Language;
use crate::logout::plan::{self, IdpLegs};
use crate::logout::relogin_lock::ReloginLock;
use crate::logout::{Ends, Logout, LogoutDocument, OwedAnswer, PartyId, Reason};
use crate::oidc::LogoutScope;
use crate::secret::{Token, TokenHash};
use crate::session::BrowserSession;
use crate::store::{CommitError, LogoutKey};
use crate::use_cases::{CookieChange, Failure, Reply, UseCases, transaction_name};

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
    /// Whoever asks has not shown the cookie of the session that ends.
    pub without_cookie: bool,
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
            without_cookie: false,
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
        let mut ended =
            AuditEvent::new(AuditKind::SessionEnded).session(session.id).logout(logout.id);
        if logout.document.somebody_lost {
            tracing::error!(session.id = %session.id, "somebody took part who cannot be told");
            ended = ended.detail("a part of it cannot be read: whoever that was is not told");
        }
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
            // Frames count as shown when the page is, and not before. Who does not get there is known by
            // this cookie, as by that of a request to an IdP.
            Some(handle) if logout.has_open_frame() => {
                let (name, value) = (transaction_name(&logout.id.to_string()), handle.clone());
                Ok(self.to_its_page(handle).with(CookieChange::SetTransaction { name, value }))
            }
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
        let (told_again, somebody_lost) = match ends {
            Ends::Session => {
                let (alone, all_read) = self.store().legs_of_apps_alone(session.id).await?;
                let lost = session.has_lost_somebody() || !all_read;
                (plan::still_to_confirm(session, &alone), lost)
            }
            Ends::Apps => (Vec::new(), false),
        };
        let parties = self.view().await?.parties(session, told_again, now).await?;
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
                without_cookie: wanted.without_cookie,
                owed_answer: None,
                ends,
                left: wanted.left,
                somebody_lost,
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
            Err(CommitError::Unknown) if self.is_written(logout.id).await? => {}
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

    /// Whether this very logout stands in the store. Another one may have the same page: a form that was
    /// sent twice, with other ticks.
    pub(super) async fn is_written(&self, id: LogoutId) -> Result<bool, Failure> {
        Ok(self.store().logout(LogoutKey::Id(id)).await?.found.is_some())
    }
}
