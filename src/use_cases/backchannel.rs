//! Telling apps by the back channel (Back-Channel Logout 1.0), and everything else that a worker does
//! for a logout when no browser is there.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::clock::Timestamp;
use crate::id::{LegId, LogoutId};
use crate::logout::{Attempt, Event, Leg, Logout, Next as Step, Party};
use crate::oidc::{Client, Ended, LogoutTokenClaims};
use crate::store::{CommitError, LogoutKey};
use crate::use_cases::{DELIVERIES, Failure, TRIES, UseCases};

/// The most logouts that one look at the store takes on.
const BATCH: i64 = 64;

impl UseCases {
    /// Takes on what is due: logouts whose deadline has passed, and apps to be told again. Any node
    /// may do it; the version of a logout decides who does. Returns how many were advanced; the
    /// deliveries themselves go on behind, so that nobody waits for an app that hangs.
    pub async fn work_due(&self) -> Result<usize, Failure> {
        let due = self.store().due_logouts(BATCH).await?;
        let mut advanced = 0;
        for id in due.found {
            match self.work_on(id).await {
                Ok(true) => advanced += 1,
                Ok(false) => {}
                // One that is damaged must not keep the others from being worked on.
                Err(error) => tracing::error!(logout.id = %id, code = error.code(), "{error}"),
            }
        }
        Ok(advanced)
    }

    /// Returns when nothing that the worker took on is under way any more.
    pub async fn deliveries_done(&self) {
        let all = u32::try_from(DELIVERIES).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _ = self.0.deliveries.acquire_many(all).await;
    }

    async fn work_on(&self, id: LogoutId) -> Result<bool, Failure> {
        let read = self.store().logout(LogoutKey::Id(id)).await?;
        let Some(found) = read.found else { return Ok(false) };
        let (logout, now) = (found.logout, read.now);
        let late = logout.answered_at.is_none() && logout.deadline <= now;
        // Without a free place the apps stay due, and the deadline is dealt with all the same.
        let place = self.0.deliveries.clone().try_acquire_owned().ok();
        let events = late.then_some(Event::DeadlinePassed).into_iter();
        let events = events.chain(place.is_some().then_some(Event::Leased));
        let decision = logout.on(events, now);
        if decision.changes.is_empty() {
            return Ok(false);
        }
        match self.store().commit(now, decision.changes).await {
            Ok(()) => {}
            // Another node was faster.
            Err(CommitError::Conflict { .. } | CommitError::Unknown) => return Ok(false),
            Err(other) => return Err(Failure::commit(other)),
        }
        self.a_leg_closed(id);
        if let Step::Tell(legs) = decision.next
            && !legs.is_empty()
        {
            let (use_cases, logout) = (self.clone(), decision.logout);
            tokio::spawn(async move {
                use_cases.deliver(logout, legs).await;
                drop(place);
            });
        }
        Ok(true)
    }

    /// Tells these apps in parallel, and writes each result down as it comes. A result that cannot
    /// be written is not lost: the lease runs out, and the app is told again.
    pub(super) async fn deliver(&self, logout: Logout, legs: Vec<LegId>) {
        let mut attempts: FuturesUnordered<_> = legs
            .iter()
            .filter_map(|id| logout.leg(*id))
            .map(|leg| self.tell(&logout, leg))
            .collect();
        while let Some((leg, attempt)) = attempts.next().await {
            if let Err(error) = self.write_down(logout.id, leg, attempt).await {
                tracing::error!(logout.id = %logout.id, %error, "an attempt could not be recorded");
            }
        }
    }

    async fn tell(&self, logout: &Logout, leg: &Leg) -> (LegId, Attempt) {
        (leg.id, self.attempt(logout, leg).await.unwrap_or_else(|attempt| attempt))
    }

    /// One try. `Err` is a result too; it only comes earlier.
    async fn attempt(&self, logout: &Logout, leg: &Leg) -> Result<Attempt, Attempt> {
        let Party::App { client } = &leg.party else {
            return Err(Attempt::Gone("an IdP is asked through the browser".into()));
        };
        let failed = |error: &dyn std::fmt::Display| Attempt::Failed(error.to_string());
        let view = self.view().await.map_err(|error| failed(&error))?;
        let registered = view.client(client).await.map_err(|error| failed(&error))?;
        let registered =
            registered.ok_or_else(|| Attempt::Gone("the app is not registered any more".into()))?;
        let app = &registered.client;
        let uri = app.backchannel_logout_uri.as_ref().ok_or_else(|| {
            Attempt::Gone("the app has no back-channel logout URI any more".into())
        })?;
        let now = self.now().await.map_err(|error| failed(&error))?;
        let token = self.logout_token(logout, app, now).map_err(Attempt::Failed)?;
        // 2.5: the form holds the logout token and nothing else.
        match self.0.outbound.post_form(uri, &[("logout_token", token.as_str())]).await {
            Ok(answer) => Ok(judge(answer.status)),
            // Whatever kept the token from arriving may be mended within the three days: the
            // network, the app's certificate, or our own egress settings.
            Err(error) => Ok(failed(&error)),
        }
    }

    /// A fresh token for each attempt: new `iat`, `exp` and `jti` (2.4).
    fn logout_token(
        &self,
        logout: &Logout,
        app: &Client,
        now: Timestamp,
    ) -> Result<String, String> {
        let keys = self.keys();
        let key = keys.oidc.signing(app.id_token_alg);
        let key = key.ok_or_else(|| format!("no key for {}", app.id_token_alg.as_str()))?;
        let claims = LogoutTokenClaims {
            iss: &self.settings().issuer,
            aud: &app.id,
            iat: now,
            jti: &self.rng().handle(),
            ended: Ended::Session { sub: &logout.document.subject, sid: &logout.document.sid },
        };
        Ok(claims.sign(key))
    }

    async fn write_down(&self, id: LogoutId, leg: LegId, attempt: Attempt) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let (logout, now) = self.read_again(id).await?;
            let tried = Event::Tried { leg, attempt: attempt.clone() };
            let decision = logout.on([tried], now);
            match self.store().commit(now, decision.changes).await {
                Ok(()) => {
                    self.a_leg_closed(id);
                    return Ok(());
                }
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {}
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    /// The store's time.
    pub(super) async fn now(&self) -> Result<Timestamp, Failure> {
        Ok(self.store().now().await?)
    }
}

/// What an app's status means (2.8: 200 is success; 204 is used for it too; 400 is an answer that
/// says no, and is not to be repeated).
fn judge(status: u16) -> Attempt {
    match status {
        200 | 204 => Attempt::Confirmed,
        408 | 425 | 429 | 500..=599 => Attempt::Failed(format!("it answered {status}")),
        _ => Attempt::Refused(format!("it answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_what_will_not_is_final() {
        assert_eq!(judge(200), Attempt::Confirmed);
        assert_eq!(judge(204), Attempt::Confirmed);
        for passing in [408, 429, 500, 502, 503] {
            assert!(matches!(judge(passing), Attempt::Failed(_)), "{passing}");
        }
        for last in [201, 301, 302, 400, 401, 403, 404, 501 - 100] {
            assert!(matches!(judge(last), Attempt::Refused(_)), "{last}");
        }
    }
}
