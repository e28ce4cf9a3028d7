//! Apps hear of sessions whose time is over (`session.notify_on_expiry`). The IdP never does: nobody
//! wanted its session to end (SDP-SP35).

use crate::clock::Timestamp;
use crate::logout::{Logout, Reason};
use crate::oidc::LogoutScope;
use crate::session::BrowserSession;
use crate::store::CommitError;
use crate::use_cases::sign_out::SignOut;
use crate::use_cases::{Failure, UseCases};

/// How many sessions are ended at one call.
const BATCH: i64 = 64;

impl UseCases {
    /// Ends a batch of what has expired and not been ended, if apps are to hear of it. Any node may do
    /// it at any time; the version of a session decides who does. Returns how many were ended here: as
    /// long as it is not 0 there may be more.
    pub async fn end_expired_sessions(&self) -> Result<usize, Failure> {
        let mut ended = 0;
        if !self.settings().notify_on_expiry {
            return Ok(ended);
        }
        let lapsed = self.store().lapsed_sessions(BATCH).await?;
        for session in &lapsed.found.sessions {
            match self.expire(session, lapsed.now).await {
                Ok(Some(logout)) => {
                    self.tell_if_there_is_a_place(logout);
                    ended += 1;
                }
                // Used at this moment, or another node was faster.
                Ok(None) => {}
                // One that cannot be ended must not keep the others from it.
                Err(error) => {
                    tracing::error!(session.id = %session.id, code = error.code(), "{error}");
                }
            }
        }
        Ok(ended)
    }

    async fn expire(
        &self,
        session: &BrowserSession,
        now: Timestamp,
    ) -> Result<Option<Logout>, Failure> {
        let seed = self.page_seed();
        let wanted = SignOut::without_browser(Reason::Expired, LogoutScope::AllApps, seed);
        let begun = self.plan_sign_out(session, wanted, now).await?;
        match self.store().commit(now, begun.changes).await {
            Ok(()) => Ok(Some(begun.logout)),
            Err(CommitError::Conflict { .. } | CommitError::Unknown) => Ok(None),
            Err(other) => Err(Failure::commit(other)),
        }
    }

    /// Many sessions may expire at once. Whoever finds no place is told when the lease is over.
    fn tell_if_there_is_a_place(&self, logout: Logout) {
        if let Some(place) = self.0.deliveries.take_for_any() {
            let use_cases = self.clone();
            tokio::spawn(async move {
                use_cases.tell_now(&[logout], |_, _| ()).await;
                drop(place);
            });
        }
    }
}
