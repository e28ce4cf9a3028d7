//! Logout tokens: how an app is told that a session has ended (Back-Channel Logout 1.0 2.4).

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::keys::{SigningKey, jws};
use crate::secret::Token;

use super::issuer::Issuer;
use super::subject::Subject;

/// How long a logout token can be used: two minutes at most (Back-Channel Logout 1.0 4).
pub const LIFETIME: Duration = Duration::from_secs(120);

/// The one event of a logout token. It has no `nonce`, so that it can never pass as an ID token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The content of one logout token. It is made anew for every attempt to deliver it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogoutTokenClaims<'a> {
    pub iss: &'a Issuer,
    /// The app that is told, and no other.
    pub aud: &'a ClientId,
    pub iat: Timestamp,
    /// Fresh in every attempt.
    pub jti: &'a Token,
    pub ended: Ended<'a>,
}

/// What has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended<'a> {
    /// One session of the person.
    Session { sub: &'a Subject, sid: &'a str },
    /// All sessions of the person: without a `sid`.
    EverySession { sub: &'a Subject },
}

impl LogoutTokenClaims<'_> {
    /// The token, of type `logout+jwt`, that expires [`LIFETIME`] after `iat`.
    pub fn sign(&self, key: &SigningKey) -> String {
        jws::sign(key, "logout+jwt", &self.to_json())
    }

    fn to_json(&self) -> Value {
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", json!(self.iss.as_str()));
        put("aud", json!(self.aud.as_str()));
        put("iat", json!(self.iat.as_seconds()));
        put("exp", json!(self.iat.plus(LIFETIME).as_seconds()));
        put("jti", json!(self.jti.expose()));
        put("events", json!({ EVENT: {} }));
        match self.ended {
            Ended::Session { sub, sid } => {
                put("sub", json!(sub.as_str()));
                put("sid", json!(sid));
            }
            Ended::EverySession { sub } => {
                put("sub", json!(sub.as_str()));
            }
        }
        Value::Object(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyAlgorithm;

    fn claims(algorithm: KeyAlgorithm, whole_person: bool) -> (Option<String>, Value) {
        let issuer = Issuer::parse("https://login.example.com").unwrap();
        let (aud, sub) = ("app".parse().unwrap(), Subject::stored("u".into()));
        let ended = match whole_person {
            true => Ended::EverySession { sub: &sub },
            false => Ended::Session { sub: &sub, sid: "s" },
        };
        let token = LogoutTokenClaims {
            iss: &issuer,
            aud: &aud,
            iat: Timestamp::from_micros(1_900_000),
            jti: &Token::received("j"),
            ended,
        };
        let key = SigningKey::generate(algorithm, 2048).unwrap();
        let verified = jws::verify(&token.sign(&key), |_| Some(key.verifying_key())).unwrap();
        (verified.typ, Value::Object(verified.claims))
    }

    #[test]
    fn a_token_has_exactly_the_claims_of_the_specification() {
        for algorithm in KeyAlgorithm::ALL {
            let (typ, claims) = claims(algorithm, false);
            assert_eq!(typ.as_deref(), Some("logout+jwt"));
            assert_eq!(
                claims,
                json!({
                    "iss": "https://login.example.com", "aud": "app", "iat": 1, "exp": 121,
                    "jti": "j", "sub": "u", "sid": "s",
                    "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
                })
            );
        }
    }

    #[test]
    fn the_end_of_every_session_names_no_sid() {
        let (_, claims) = claims(KeyAlgorithm::EdDsa, true);
        assert_eq!((claims.get("sid"), &claims["sub"]), (None, &json!("u")));
    }
}
