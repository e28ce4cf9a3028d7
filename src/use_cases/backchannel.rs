//! Telling an app by the back channel (Back-Channel Logout 1.0).

use crate::clock::Timestamp;
use crate::id::{ClientId, LegId};
use crate::logout::{Attempt, Ends, Event, Logout, Reason, explain};
use crate::oidc::{Client, Ended, LogoutTokenClaims};
use crate::store::{SessionFilter, SessionKey, StoreError};
use crate::use_cases::{Failure, UseCases};

impl UseCases {
    pub(super) async fn tell_app(&self, logout: &Logout, leg: LegId, client: &ClientId) -> Event {
        let attempt = self.attempt(logout, client).await.unwrap_or_else(|attempt| attempt);
        Event::Tried { leg, attempt }
    }

    /// One try. `Err` is a result too; it only comes earlier.
    async fn attempt(&self, logout: &Logout, client: &ClientId) -> Result<Attempt, Attempt> {
        let failed = |error: &dyn std::fmt::Display| Attempt::Failed(error.to_string());
        let view = self.view().await.map_err(|error| failed(&error))?;
        let registered = view.client(client).await.map_err(|error| failed(&error))?;
        let registered =
            registered.ok_or_else(|| Attempt::Gone("the app is not registered any more".into()))?;
        let app = &registered.client;
        let uri = app.backchannel_logout_uri.as_ref().ok_or_else(|| {
            Attempt::Gone("the app has no back-channel logout URI any more".into())
        })?;
        if self.has_joined_again(logout, client).await.map_err(|error| failed(&error))? {
            return Err(Attempt::Gone(explain::JOINED_AGAIN.into()));
        }
        let now = self.now().await.map_err(|error| failed(&error))?;
        let everywhere = self.has_ended_everywhere(logout, app).await;
        let everywhere = everywhere.map_err(|error| failed(&error))?;
        let token = self.logout_token(logout, app, everywhere, now).map_err(Attempt::Failed)?;
        // 2.5: the form holds the logout token and nothing else.
        match self.0.outbound.post_form(uri, &[("logout_token", token.as_str())]).await {
            Ok(answer) => Ok(judge(answer.status)),
            // Whatever kept the token from arriving may be mended within the three days: the
            // network, the app's certificate, or our own egress settings.
            Err(error) => Ok(failed(&error)),
        }
    }

    /// Whether the app may be told that all sessions of the person are over (2.4: `sub` without
    /// `sid`, which 2.2 keeps from apps that need it). It stays true until it arrives only as long as the person has not signed in to the app
    /// anew; then this session is named like any other.
    async fn has_ended_everywhere(&self, logout: &Logout, app: &Client) -> Result<bool, Failure> {
        let needs_sid = app.backchannel_logout_session_required;
        if logout.document.reason != Reason::Offboarded || needs_sid {
            return Ok(false);
        }
        let filter = SessionFilter {
            subject: Some(logout.document.subject.clone()),
            client: Some(app.id.clone()),
            idp: None,
        };
        Ok(self.store().live_sessions(&filter, None, 1).await?.found.is_empty())
    }

    /// Whether an app that was ended alone takes part in the session again. Its new session has the
    /// same `sid`: to be told of the former one would end it.
    pub(super) async fn has_joined_again(
        &self,
        logout: &Logout,
        app: &ClientId,
    ) -> Result<bool, StoreError> {
        if logout.document.ends != Ends::Apps {
            return Ok(false);
        }
        let session = SessionKey::Id(logout.document.browser_session);
        let session = self.store().session_to_end(session).await?.found;
        Ok(session
            .is_some_and(|session| session.app_sessions.iter().any(|held| held.client == *app)))
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
