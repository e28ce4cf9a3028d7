//! ID tokens as we issue them, and as they come back as hints.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::id::{ClientId, IdpId};
use crate::keys::{JwsError, KeyAlgorithm, SigningKey, VerifyingKey, jws};
use crate::secret::Token;

use super::issuer::Issuer;
use super::subject::Subject;

/// The claims of an ID token (OpenID Connect Core 2). Those about the person come from userinfo:
/// the token travels in URLs at logout and has to stay small.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct IdTokenClaims<'a> {
    #[serde(serialize_with = "issuer")]
    pub iss: &'a Issuer,
    pub sub: &'a Subject,
    pub aud: &'a ClientId,
    #[serde(serialize_with = "numeric_date")]
    pub exp: Timestamp,
    #[serde(serialize_with = "numeric_date")]
    pub iat: Timestamp,
    /// When the person really signed in at the IdP: the AuthnInstant, not the hop through us.
    #[serde(serialize_with = "numeric_date")]
    pub auth_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// The AuthnContextClassRef as the IdP wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<&'a str>,
    /// See [`methods_of`].
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub amr: &'a [&'static str],
    pub sid: &'a str,
    pub idp: &'a IdpId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
}

impl IdTokenClaims<'_> {
    pub fn sign(&self, key: &SigningKey) -> String {
        jws::sign(key, "JWT", self)
    }
}

/// `at_hash`: the left half of the access token's hash, with the hash of the signature's algorithm
/// (OpenID Connect Core 3.1.3.6). Ed25519 uses SHA-512.
pub fn at_hash(algorithm: KeyAlgorithm, access_token: &Token) -> String {
    let token = access_token.expose().as_bytes();
    match algorithm {
        KeyAlgorithm::Rs256 | KeyAlgorithm::Es256 => {
            URL_SAFE_NO_PAD.encode(openssl::sha::sha256(token).split_at(16).0)
        }
        KeyAlgorithm::EdDsa => URL_SAFE_NO_PAD.encode(openssl::sha::sha512(token).split_at(32).0),
    }
}

/// The `amr` values (RFC 8176) that an authentication context says plainly; none for all others.
pub fn methods_of(acr: &str) -> &'static [&'static str] {
    const CLASSES: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:";
    match acr {
        "https://refeds.org/profile/mfa"
        | "http://schemas.microsoft.com/claims/multipleauthn"
        | "http://id.incommon.org/assurance/mfa" => &["mfa"],
        _ => match acr.strip_prefix(CLASSES) {
            Some("Password" | "PasswordProtectedTransport") => &["pwd"],
            Some("Smartcard" | "SmartcardPKI") => &["sc"],
            Some("TimeSyncToken") => &["otp"],
            _ => &[],
        },
    }
}

/// An ID token of ours that an app sends back. It proves which app speaks and about which session;
/// it may have expired long ago (RP-Initiated Logout 1.0 2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdTokenHint {
    pub sub: Subject,
    pub sid: Option<String>,
    pub client: ClientId,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

impl IdTokenHint {
    /// Verifies a hint with any key that we ever signed with; `find` gives it by `kid`.
    pub fn parse<'k>(
        token: &str,
        find: impl FnOnce(&str) -> Option<&'k VerifyingKey>,
        our_issuer: &Issuer,
    ) -> Result<Self, HintError> {
        let verified = jws::verify(token, find)?;
        let claims = verified.claims;
        // Other tokens of ours are signed with the same keys and mean other things (RFC 8725 3.11).
        if !matches!(verified.typ.as_deref(), None | Some("jwt")) || claims.contains_key("events") {
            return Err(HintError::NotAnIdToken);
        }
        if text(&claims, "iss")? != our_issuer.as_str() {
            return Err(HintError::OtherIssuer);
        }
        Ok(Self {
            sub: Subject::stored(text(&claims, "sub")?.to_owned()),
            sid: claims
                .contains_key("sid")
                .then(|| text(&claims, "sid"))
                .transpose()?
                .map(Into::into),
            client: text(&claims, "aud")?.parse().map_err(|_| HintError::NotAnIdToken)?,
            issued_at: date(&claims, "iat")?,
            expires_at: date(&claims, "exp")?,
        })
    }
}

/// Why a hint proves nothing. Whoever sent it is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HintError {
    #[error(transparent)]
    Unverified(#[from] JwsError),
    #[error("the hint was issued by another provider")]
    OtherIssuer,
    #[error("the hint is signed by us and is no ID token")]
    NotAnIdToken,
}

impl HintError {
    /// A stable name for logs and pages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unverified(error) => error.code(),
            Self::OtherIssuer => "hint_other_issuer",
            Self::NotAnIdToken => "hint_not_an_id_token",
        }
    }
}

/// A claim of the wrong type is as bad as a missing one.
fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<&'c str, HintError> {
    claims.get(name).and_then(Value::as_str).ok_or(HintError::NotAnIdToken)
}

fn date(claims: &Map<String, Value>, name: &str) -> Result<Timestamp, HintError> {
    let seconds = claims.get(name).and_then(Value::as_i64).ok_or(HintError::NotAnIdToken)?;
    Ok(Timestamp::from_seconds(seconds))
}

pub(super) fn numeric_date<S: serde::Serializer>(
    time: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.as_seconds())
}

pub(super) fn issuer<S: serde::Serializer>(
    issuer: &&Issuer,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(issuer.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::{KeySet, Stage};

    const ISSUER: &str = "https://login.example.com";

    fn key() -> SigningKey {
        SigningKey::generate(KeyAlgorithm::EdDsa, 0).unwrap()
    }

    fn parse(token: &str, key: &SigningKey) -> Result<IdTokenHint, HintError> {
        let set = KeySet::new([(key.clone(), Stage::Retired)]).unwrap();
        IdTokenHint::parse(token, |kid| set.verifying(kid), &Issuer::parse(ISSUER).unwrap())
    }

    fn signed(key: &SigningKey, typ: &str, change: Value) -> String {
        let mut claims = json!({"iss": ISSUER, "sub": "u", "aud": "app", "sid": "s", "iat": 1,
                                "exp": 2, "nonce": "n"});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let claims = claims.as_object().unwrap();
        let present: Map<_, _> =
            claims.clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
        jws::sign(key, typ, &present)
    }

    #[test]
    fn what_we_issue_comes_back_as_a_hint() {
        let issuer = Issuer::parse(ISSUER).unwrap();
        let (sub, aud, idp) =
            (Subject::stored("u".into()), "app".parse().unwrap(), "acme".parse().unwrap());
        let claims = IdTokenClaims {
            iss: &issuer,
            sub: &sub,
            aud: &aud,
            exp: Timestamp::from_micros(301_900_000),
            iat: Timestamp::from_micros(1_900_000),
            auth_time: Timestamp::from_seconds(0),
            nonce: None,
            acr: Some("urn:x"),
            amr: &[],
            sid: "s1d",
            idp: &idp,
            at_hash: None,
        };
        assert_eq!(
            serde_json::to_value(&claims).unwrap(),
            json!({"iss": ISSUER, "sub": "u", "aud": "app", "exp": 301, "iat": 1, "auth_time": 0,
                   "acr": "urn:x", "sid": "s1d", "idp": "acme"})
        );
        let key = key();
        let hint = parse(&claims.sign(&key), &key).unwrap();
        assert_eq!((hint.sub, hint.client, hint.sid.as_deref()), (sub, aud, Some("s1d")));
        assert_eq!(hint.expires_at, Timestamp::from_seconds(301));
    }

    #[test]
    fn a_hint_may_be_expired_and_its_key_retired() {
        let key = key();
        let hint = parse(&signed(&key, "JWT", json!({})), &key).unwrap();
        assert_eq!(hint.expires_at, Timestamp::from_seconds(2));
        let without_sid = parse(&signed(&key, "JWT", json!({"sid": null})), &key).unwrap();
        assert_eq!(without_sid.sid, None);
    }

    #[test]
    fn other_tokens_and_other_issuers_are_refused() {
        let key = key();
        for (typ, change, error) in [
            ("logout+jwt", json!({}), HintError::NotAnIdToken),
            ("at+jwt", json!({}), HintError::NotAnIdToken),
            ("JWT", json!({"events": {}}), HintError::NotAnIdToken),
            ("JWT", json!({"iss": "https://login.example.com/"}), HintError::OtherIssuer),
            ("JWT", json!({"iss": "https://evil.test"}), HintError::OtherIssuer),
            ("JWT", json!({"iss": null}), HintError::NotAnIdToken),
            ("JWT", json!({"iss": [ISSUER]}), HintError::NotAnIdToken),
            ("JWT", json!({"sub": null}), HintError::NotAnIdToken),
            ("JWT", json!({"sub": 1}), HintError::NotAnIdToken),
            ("JWT", json!({"aud": null}), HintError::NotAnIdToken),
            ("JWT", json!({"aud": ["app", "other"]}), HintError::NotAnIdToken),
            ("JWT", json!({"aud": "a b"}), HintError::NotAnIdToken),
            ("JWT", json!({"sid": 7}), HintError::NotAnIdToken),
            ("JWT", json!({"exp": "never"}), HintError::NotAnIdToken),
            ("JWT", json!({"exp": 1.5}), HintError::NotAnIdToken),
            ("JWT", json!({"exp": u64::MAX}), HintError::NotAnIdToken),
            ("JWT", json!({"iat": null}), HintError::NotAnIdToken),
        ] {
            let token = signed(&key, typ, change.clone());
            assert_eq!(parse(&token, &key), Err(error), "{typ} {change}");
        }
        let foreign = signed(&self::key(), "JWT", json!({}));
        assert_eq!(parse(&foreign, &key), Err(JwsError::UnknownKey.into()));
        assert_eq!(parse("x", &key), Err(JwsError::Malformed.into()));
    }

    #[test]
    fn at_hash_is_the_left_half_of_the_algorithms_hash() {
        // OpenID Connect Core A.4: the access token and the at_hash of its ID token.
        let token = Token::received("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
        assert_eq!(at_hash(KeyAlgorithm::Rs256, &token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(at_hash(KeyAlgorithm::Es256, &token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(at_hash(KeyAlgorithm::EdDsa, &token).len(), 43);
    }

    #[test]
    fn methods_are_named_only_where_the_context_says_them() {
        let class = |name: &str| format!("urn:oasis:names:tc:SAML:2.0:ac:classes:{name}");
        assert_eq!(methods_of(&class("PasswordProtectedTransport")), ["pwd"]);
        assert_eq!(methods_of("https://refeds.org/profile/mfa"), ["mfa"]);
        assert!(methods_of(&class("unspecified")).is_empty());
        assert!(methods_of("PasswordProtectedTransport").is_empty());
    }
}
