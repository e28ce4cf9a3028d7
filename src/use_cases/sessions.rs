//! Who is signed in, for an administrator, and the end of a session by an administrator.

use serde::Serialize;

use crate::id::{BrowserSessionId, ClientId, IdpId};
use crate::logout::{Logout, Reason};
use crate::oidc::LogoutScope;
use crate::session::BrowserSession;
use crate::store::{CommitError, SessionFilter, SessionKey};
use crate::use_cases::sign_out::SignOut;
use crate::use_cases::{Failure, TRIES, UseCases};

/// A live session. It names the person by `sub` only.
#[derive(Clone, Debug, Serialize)]
pub struct LiveSession {
    pub id: BrowserSessionId,
    pub sub: String,
    pub idps: Vec<IdpId>,
    pub apps: Vec<ClientId>,
    pub begun_at: String,
    /// Unless it is used before.
    pub idle_until: String,
    /// Whether it is used or not.
    pub expires_at: String,
}

/// Some live sessions, the oldest first.
#[derive(Clone, Debug, Serialize)]
pub struct SessionListing {
    pub items: Vec<LiveSession>,
    /// There may be more `after` this one.
    pub next: Option<BrowserSessionId>,
}

impl UseCases {
    pub async fn live_sessions(
        &self,
        filter: &SessionFilter,
        after: Option<BrowserSessionId>,
        limit: i64,
    ) -> Result<SessionListing, Failure> {
        let page = self.store().live_sessions(filter, after, limit).await?.found;
        let items = page.sessions.into_iter().map(LiveSession::of).collect();
        Ok(SessionListing { items, next: page.more_after })
    }

    /// Ends a session as a whole logout, without its browser. Its parties are not told here: that is
    /// for [`UseCases::tell_now`] or [`UseCases::tell_soon`].
    ///
    /// # Errors
    /// [`Failure::NotFound`] if there is none, or it has ended.
    pub async fn end_session_of_id(&self, id: BrowserSessionId) -> Result<Logout, Failure> {
        let ended = self.end_without_browser(id, Reason::Admin).await?;
        ended
            .ok_or_else(|| Failure::NotFound { what: format!("a session {id} that has not ended") })
    }

    /// Has the parties of these logouts told, and waits at most `logout.wait` for them. Returns the
    /// logouts as they are then.
    pub async fn tell_soon(&self, logouts: Vec<Logout>) -> Result<Vec<Logout>, Failure> {
        logouts.iter().for_each(|logout| self.tell_at_once(logout));
        self.wait_for_all_told(logouts).await
    }

    /// `None`: it has ended.
    pub(super) async fn end_without_browser(
        &self,
        id: BrowserSessionId,
        reason: Reason,
    ) -> Result<Option<Logout>, Failure> {
        for _ in 0..TRIES {
            let read = self.store().session_to_end(SessionKey::Id(id)).await?;
            let Some(session) = read.found else { return Ok(None) };
            let seed = self.page_seed();
            let handle = self.page_handle(&seed);
            let wanted = SignOut {
                // No browser gets the cookie now, but the IdP's own session brings nobody back.
                lock: Some(self.relogin_cookie(&handle.hash()).hash()),
                ..SignOut::without_browser(reason, LogoutScope::AllAppsAndIdp, seed)
            };
            let begun = self.plan_sign_out(&session, wanted, read.now).await?;
            match self.store().commit(read.now, begun.changes).await {
                Ok(()) => return Ok(Some(begun.logout)),
                // The connection was lost during COMMIT: only what is stored tells what happened.
                Err(CommitError::Unknown) if self.is_written(begun.logout.id).await? => {
                    return Ok(Some(begun.logout));
                }
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {}
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }
}

impl LiveSession {
    fn of(session: BrowserSession) -> Self {
        let held = session.idp_sessions.iter().map(|held| &held.idp);
        let mut idps: Vec<IdpId> = held.chain(session.unreadable_idps()).cloned().collect();
        idps.sort_unstable();
        idps.dedup();
        Self {
            id: session.id,
            sub: session.subject.as_str().to_owned(),
            idps,
            apps: session.app_sessions.into_iter().map(|app| app.client).collect(),
            begun_at: session.created_at.to_string(),
            idle_until: session.idle_until.to_string(),
            expires_at: session.expires_at.to_string(),
        }
    }
}
