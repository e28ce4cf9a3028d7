//! Telling an app by the back channel (Back-Channel Logout 1.0).

use crate::clock::Timestamp;
use crate::id::{ClientId, LegId};
use crate::logout::{Attempt, Ends, Event, Logout, Reason, explain};
use crate::oidc::{Client, Ended, LogoutTokenClaims};
use crate::outbound::{Answer, SendError};
use crate::session::BrowserSession;
use crate::store::{SessionKey, StoreError};
use crate::use_cases::{Failure, UseCases};

impl UseCases {
    pub(super) async fn tell_app(&self, logout: &Logout, leg: LegId, client: &ClientId) -> Event {
        let attempt = self.attempt(logout, client).await.unwrap_or_else(|attempt| attempt);
        self.tried(leg, attempt)
    }

    /// One try. `Err` is a result too; it only comes earlier.
    async fn attempt(&self, logout: &Logout, client: &ClientId) -> Result<Attempt, Attempt> {
        let not_sent = |error: &dyn std::fmt::Display| Attempt::NotSent(error.to_string());
        let view = self.view().await.map_err(|error| not_sent(&error))?;
        let registered = view.client(client).await.map_err(|error| not_sent(&error))?;
        let registered =
            registered.ok_or_else(|| Attempt::Gone("the app is not registered any more".into()))?;
        let app = &registered.client;
        let uri = app.backchannel_logout_uri.as_ref().ok_or_else(|| {
            Attempt::Gone("the app has no back-channel logout URI any more".into())
        })?;
        let session = self.session_that_lives_on(logout).await.map_err(|error| not_sent(&error))?;
        if session.is_some_and(|session| session.has_app(client)) {
            return Err(Attempt::Gone(explain::JOINED_AGAIN.into()));
        }
        let now = self.now().await.map_err(|error| not_sent(&error))?;
        let everywhere = self.has_ended_everywhere(logout, app).await;
        let everywhere = everywhere.map_err(|error| not_sent(&error))?;
        let token = self.logout_token(logout, app, everywhere, now).map_err(Attempt::Failed)?;
        // 2.5: the form holds the logout token and nothing else.
        match self.0.outbound.post_form(uri, &[("logout_token", token.as_str())]).await {
            Ok(answer) => Ok(judge(answer, now)),
            Err(SendError::Busy) => Ok(not_sent(&SendError::Busy)),
            // Whatever kept the token from arriving may be mended within the three days: the
            // network, the app's certificate, or our own egress settings.
            Err(error) => Ok(Attempt::Failed(error.to_string())),
        }
    }

    /// Whether the app may be told that all sessions of the person are over (2.4: `sub` without
    /// `sid`, which 2.2 keeps from apps that need it). It stays true until it arrives only as long
    /// as the person has not signed in to the app anew; then this session is named like any other.
    /// That a new one has lapsed changes nothing: nobody has ended it.
    async fn has_ended_everywhere(&self, logout: &Logout, app: &Client) -> Result<bool, Failure> {
        let needs_sid = app.backchannel_logout_session_required;
        if logout.document.reason != Reason::Offboarded || needs_sid {
            return Ok(false);
        }
        Ok(!self.store().takes_part(&app.id, &logout.document.subject).await?)
    }

    /// The session of a logout that ended apps of it alone. An app that takes part in it again has the
    /// same `sid` as before: to be told of its former session would end the new one.
    pub(super) async fn session_that_lives_on(
        &self,
        logout: &Logout,
    ) -> Result<Option<BrowserSession>, StoreError> {
        if logout.document.ends != Ends::Apps {
            return Ok(None);
        }
        let session = SessionKey::Id(logout.document.browser_session);
        Ok(self.store().session_to_end(session).await?.found)
    }

    /// A fresh token for each attempt: new `iat`, `exp` and `jti` (2.4).
    fn logout_token(
        &self,
        logout: &Logout,
        app: &Client,
        everywhere: bool,
        now: Timestamp,
    ) -> Result<String, String> {
        let keys = self.keys();
        let key = keys.oidc.signing(app.id_token_alg);
        let key = key.ok_or_else(|| format!("no key for {}", app.id_token_alg.as_str()))?;
        let (sub, sid) = (&logout.document.subject, &logout.document.sid);
        let claims = LogoutTokenClaims {
            iss: &self.settings().issuer,
            aud: &app.id,
            iat: now,
            jti: &self.rng().handle(),
            ended: match everywhere {
                true => Ended::EverySession { sub },
                false => Ended::Session { sub, sid },
            },
        };
        Ok(claims.sign(key))
    }
}

/// What an app's status means (2.8: 200 is success; 204 is used for it too; 400 is an answer that
/// says no, and is not to be repeated). Another 2xx says that something else was done than asked.
fn judge(answer: Answer, now: Timestamp) -> Attempt {
    let why = format!("it answered {}", answer.status);
    match (answer.status, answer.retry_after) {
        (200 | 204, _) => Attempt::Confirmed,
        (429 | 503, Some(after)) => Attempt::Later { why, pause: after.from(now) },
        (408 | 425 | 429 | 500..=599, _) => Attempt::Failed(why),
        // A deployment, or a proxy whose app is not there at the moment.
        (404 | 410, _) => Attempt::NotFound(why),
        _ => Attempt::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outbound::RetryAfter;

    #[test]
    fn what_may_pass_is_tried_again_and_what_will_not_is_final() {
        let now = Timestamp::from_seconds(1_000_000);
        let judged = |status| judge(Answer { status, retry_after: None }, now);
        assert_eq!(judged(200), Attempt::Confirmed);
        assert_eq!(judged(204), Attempt::Confirmed);
        for passing in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(judged(passing), Attempt::Failed(_)), "{passing}");
        }
        for missing in [404, 410] {
            assert!(matches!(judged(missing), Attempt::NotFound(_)), "{missing}");
        }
        for last in [201, 202, 301, 302, 400, 401, 403, 405, 422] {
            assert!(matches!(judged(last), Attempt::Refused(_)), "{last}");
        }
    }

    #[test]
    fn who_is_overloaded_says_when_to_come_again() {
        let now = Timestamp::from_seconds(1_000_000);
        let judged = |status, after| judge(Answer { status, retry_after: Some(after) }, now);
        let in_a_minute = now.plus(Duration::from_secs(60));
        for after in [RetryAfter::Pause(Duration::from_secs(60)), RetryAfter::At(in_a_minute)] {
            for status in [429, 503] {
                let Attempt::Later { pause, .. } = judged(status, after) else { panic!() };
                assert_eq!(pause, Duration::from_secs(60), "{status}");
            }
            assert!(matches!(judged(500, after), Attempt::Failed(_)));
            assert_eq!(judged(200, after), Attempt::Confirmed);
        }
        let over = judged(503, RetryAfter::At(now.minus(Duration::from_secs(60))));
        assert!(matches!(over, Attempt::Later { pause: Duration::ZERO, .. }), "{over:?}");
    }
}
