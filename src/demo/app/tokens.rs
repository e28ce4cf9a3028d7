//! What a relying party checks in a token, without any I/O.

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::keys::{JwsError, VerifyingKey, jws};

/// The event of a logout token (Back-Channel Logout 1.0, 2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// By how many seconds a provider's clock may be ahead.
const SKEW_SECONDS: i64 = 60;

/// What every token must be: from whom, for whom, when, and with which keys.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) keys: &'a [VerifyingKey],
    pub(super) now: Timestamp,
}

/// Who signed in (OpenID Connect Core 2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct IdToken {
    pub(super) subject: String,
    pub(super) sid: String,
}

/// Whose session is over (Back-Channel Logout 1.0, 2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LogoutToken {
    pub(super) jti: String,
    pub(super) subject: Option<String>,
    pub(super) sid: Option<String>,
    /// Seconds from its issue to its end.
    pub(super) lifetime: i64,
}

/// Why a token counts for nothing. The provider is at fault, or somebody forged it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum TokenError {
    #[error(transparent)]
    Jws(#[from] JwsError),
    #[error("the token's type is not {0}")]
    Type(&'static str),
    #[error("the token has no usable {0}")]
    Missing(&'static str),
    #[error("the token's {0} is not as expected")]
    Wrong(&'static str),
    #[error("the token has expired")]
    Expired,
    #[error("a logout token must not hold {0}")]
    Forbidden(&'static str),
    #[error("the token was used before")]
    Replayed,
}

impl IdToken {
    /// OpenID Connect Core 3.1.3.7.
    pub(super) fn verify(
        token: &str,
        expected: &Expected<'_>,
        nonce: &str,
    ) -> Result<Self, TokenError> {
        let verified = jws::verify(token, |kid| find(expected.keys, kid))?;
        if !matches!(verified.typ.as_deref(), None | Some("jwt")) {
            return Err(TokenError::Type("JWT"));
        }
        let claims = Claims(&verified.claims);
        claims.check_common(expected)?;
        if claims.text("nonce")? != nonce {
            return Err(TokenError::Wrong("nonce"));
        }
        Ok(Self { subject: claims.text("sub")?.to_owned(), sid: claims.text("sid")?.to_owned() })
    }
}

impl LogoutToken {
    /// Back-Channel Logout 1.0, 2.6. That it is used once is for the caller to see.
    pub(super) fn verify(token: &str, expected: &Expected<'_>) -> Result<Self, TokenError> {
        let verified = jws::verify(token, |kid| find(expected.keys, kid))?;
        if verified.typ.as_deref() != Some("logout+jwt") {
            return Err(TokenError::Type("logout+jwt"));
        }
        let claims = Claims(&verified.claims);
        let (issued, ends) = claims.check_common(expected)?;
        let events = verified.claims.get("events").and_then(Value::as_object);
        if !events.and_then(|events| events.get(LOGOUT_EVENT)).is_some_and(Value::is_object) {
            return Err(TokenError::Missing("events"));
        }
        if verified.claims.contains_key("nonce") {
            return Err(TokenError::Forbidden("nonce"));
        }
        let (subject, sid) = (claims.text("sub").ok(), claims.text("sid").ok());
        if subject.is_none() && sid.is_none() {
            return Err(TokenError::Missing("sub or sid"));
        }
        Ok(Self {
            jti: claims.text("jti")?.to_owned(),
            subject: subject.map(str::to_owned),
            sid: sid.map(str::to_owned),
            lifetime: ends - issued,
        })
    }
}

fn find<'k>(keys: &'k [VerifyingKey], kid: &str) -> Option<&'k VerifyingKey> {
    keys.iter().find(|key| key.kid() == kid)
}

struct Claims<'c>(&'c Map<String, Value>);

impl<'c> Claims<'c> {
    fn text(&self, name: &'static str) -> Result<&'c str, TokenError> {
        let text = self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or(TokenError::Missing(name))
    }

    fn seconds(&self, name: &'static str) -> Result<i64, TokenError> {
        self.0.get(name).and_then(Value::as_i64).ok_or(TokenError::Missing(name))
    }

    /// Issuer, audience and times. Returns `iat` and `exp`.
    fn check_common(&self, expected: &Expected<'_>) -> Result<(i64, i64), TokenError> {
        if self.text("iss")? != expected.issuer {
            return Err(TokenError::Wrong("iss"));
        }
        let for_us = match self.0.get("aud") {
            Some(Value::String(only)) => only == expected.client_id,
            // A token for others as well would need azp; this provider makes none.
            Some(Value::Array(several)) => several.as_slice() == [expected.client_id],
            _ => return Err(TokenError::Missing("aud")),
        };
        if !for_us {
            return Err(TokenError::Wrong("aud"));
        }
        let (issued, ends) = (self.seconds("iat")?, self.seconds("exp")?);
        let now = expected.now.as_seconds();
        if ends <= now {
            return Err(TokenError::Expired);
        }
        if issued > now.saturating_add(SKEW_SECONDS) {
            return Err(TokenError::Wrong("iat"));
        }
        Ok((issued, ends))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::{KeyAlgorithm, SigningKey};

    const NOW: i64 = 1_795_000_000;

    struct Provider {
        key: SigningKey,
        keys: Vec<VerifyingKey>,
    }

    impl Provider {
        fn new() -> Self {
            let key = SigningKey::generate(KeyAlgorithm::Es256, 0).unwrap();
            let keys = vec![key.verifying_key().clone()];
            Self { key, keys }
        }

        fn expected(&self) -> Expected<'_> {
            let now = Timestamp::from_seconds(NOW);
            Expected { issuer: "http://op", client_id: "app", keys: &self.keys, now }
        }

        fn id_token(
            &self,
            typ: &str,
            change: impl FnOnce(&mut Value),
        ) -> Result<IdToken, TokenError> {
            let mut claims = json!({
                "iss": "http://op", "aud": "app", "iat": NOW, "exp": NOW + 300,
                "sub": "ada", "sid": "s", "nonce": "n",
            });
            change(&mut claims);
            IdToken::verify(&jws::sign(&self.key, typ, &claims), &self.expected(), "n")
        }

        fn logout(
            &self,
            typ: &str,
            change: impl FnOnce(&mut Value),
        ) -> Result<LogoutToken, TokenError> {
            let mut claims = json!({
                "iss": "http://op", "aud": ["app"], "iat": NOW, "exp": NOW + 120,
                "sub": "ada", "sid": "s", "jti": "j", "events": { LOGOUT_EVENT: {} },
            });
            change(&mut claims);
            LogoutToken::verify(&jws::sign(&self.key, typ, &claims), &self.expected())
        }
    }

    #[test]
    fn an_id_token_for_us_is_read() {
        let ada = IdToken { subject: "ada".into(), sid: "s".into() };
        assert_eq!(Provider::new().id_token("JWT", |_| {}), Ok(ada));
    }

    #[test]
    fn every_other_id_token_is_refused() {
        let provider = Provider::new();
        let refused = |change: fn(&mut Value)| provider.id_token("JWT", change).unwrap_err();
        assert_eq!(
            refused(|claims| claims["iss"] = json!("http://other")),
            TokenError::Wrong("iss")
        );
        assert_eq!(refused(|claims| claims["aud"] = json!("other")), TokenError::Wrong("aud"));
        assert_eq!(refused(|claims| claims["aud"] = json!(["app", "b"])), TokenError::Wrong("aud"));
        assert_eq!(refused(|claims| claims["exp"] = json!(NOW)), TokenError::Expired);
        assert_eq!(refused(|claims| claims["iat"] = json!(NOW + 61)), TokenError::Wrong("iat"));
        assert_eq!(refused(|claims| claims["nonce"] = json!("m")), TokenError::Wrong("nonce"));
        assert_eq!(refused(|claims| claims["sid"] = json!("")), TokenError::Missing("sid"));
        let wrong_type = provider.id_token("logout+jwt", |_| {});
        assert_eq!(wrong_type, Err(TokenError::Type("JWT")));
        let stranger = SigningKey::generate(KeyAlgorithm::Es256, 0).unwrap();
        let forged = jws::sign(&stranger, "JWT", &json!({}));
        let forged = IdToken::verify(&forged, &provider.expected(), "n");
        assert_eq!(forged, Err(TokenError::Jws(JwsError::UnknownKey)));
    }

    #[test]
    fn a_logout_token_names_a_session_and_lives_briefly() {
        let token = Provider::new().logout("logout+jwt", |_| {}).unwrap();
        assert_eq!(
            (token.sid.as_deref(), token.jti.as_str(), token.lifetime),
            (Some("s"), "j", 120)
        );
    }

    #[test]
    fn what_is_no_logout_token_ends_nothing() {
        let provider = Provider::new();
        let refused = |change: fn(&mut Value)| provider.logout("logout+jwt", change).unwrap_err();
        assert_eq!(provider.logout("JWT", |_| {}), Err(TokenError::Type("logout+jwt")));
        assert_eq!(refused(|claims| claims["nonce"] = json!("n")), TokenError::Forbidden("nonce"));
        assert_eq!(refused(|claims| claims["events"] = json!({})), TokenError::Missing("events"));
        assert_eq!(refused(|claims| claims["exp"] = json!(NOW - 1)), TokenError::Expired);
        assert_eq!(refused(|claims| claims["jti"] = json!(7)), TokenError::Missing("jti"));
        let nobody = refused(|claims| {
            claims["sub"] = Value::Null;
            claims["sid"] = Value::Null;
        });
        assert_eq!(nobody, TokenError::Missing("sub or sid"));
    }
}
