//! Signed JSON in compact form (RFC 7515), as ID tokens and logout tokens are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::key::{SigningKey, VerifyingKey};

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Headers that would let a token bring its own key, or change how it is to be read (RFC 7515 4.1,
/// RFC 7797). `crit` names extensions; there are none here, so any of them is unknown.
const REFUSED_HEADERS: [&str; 6] = ["crit", "jku", "jwk", "x5u", "x5c", "b64"];

/// Signs `claims` with the key's own algorithm; `typ` is `JWT` or `logout+jwt`.
pub fn sign(key: &SigningKey, typ: &str, claims: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Header<'a> {
        alg: &'static str,
        kid: &'a str,
        typ: &'a str,
    }
    let header = Header { alg: key.algorithm().as_str(), kid: key.kid(), typ };
    let header = serde_json::to_vec(&header).expect("strings serialise");
    let claims = serde_json::to_vec(claims).expect("claims are structs and maps with text keys");
    // One buffer with room for the largest signature of 4096-bit keys: tokens are made often.
    let mut token = String::with_capacity((header.len() + claims.len() + 512) * 4 / 3 + 8);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes()).expect("a key that was parsed or made can sign");
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// What a key of ours or a peer's has signed. Whether it is meant for us is for the caller to see.
#[derive(Clone, PartialEq, Debug)]
pub struct VerifiedJws {
    /// The media type in lower case, without `application/` (RFC 7515 4.1.9).
    pub typ: Option<String>,
    pub claims: Map<String, Value>,
}

/// Verifies a token of at most 16 KiB with the key that `find` gives for its `kid`.
///
/// The algorithm is the key's. A token that names another one, `none` included, is refused, and so
/// is one that brings a key along or demands extensions.
pub fn verify<'k>(
    token: &str,
    find: impl FnOnce(&str) -> Option<&'k VerifyingKey>,
) -> Result<VerifiedJws, JwsError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JwsError::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(JwsError::Malformed)?;
    let header = object(header)?;
    if REFUSED_HEADERS.iter().any(|name| header.contains_key(*name)) {
        return Err(JwsError::RefusedHeader);
    }
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let alg = text("alg").ok_or(JwsError::Malformed)?;
    let key = text("kid").and_then(find).ok_or(JwsError::UnknownKey)?;
    if alg != key.algorithm().as_str() {
        return Err(JwsError::WrongAlgorithm);
    }
    if !key.verifies(signed.as_bytes(), &decode(signature)?) {
        return Err(JwsError::BadSignature);
    }
    let typ = match header.get("typ") {
        None => None,
        Some(Value::String(typ)) => {
            let typ = typ.to_ascii_lowercase();
            Some(typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ))
        }
        Some(_) => return Err(JwsError::Malformed),
    };
    Ok(VerifiedJws { typ, claims: object(claims)? })
}

/// Why a token is not believed. Its sender is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JwsError {
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    #[error("not a signed token in compact form")]
    Malformed,
    #[error("the token's header brings a key or demands an extension")]
    RefusedHeader,
    #[error("no key of that kid")]
    UnknownKey,
    #[error("the token's algorithm is not that of its key")]
    WrongAlgorithm,
    #[error("the signature does not verify")]
    BadSignature,
}

impl JwsError {
    /// A stable name for logs and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::RefusedHeader => "token_header_refused",
            Self::UnknownKey => "token_key_unknown",
            Self::WrongAlgorithm => "token_algorithm_wrong",
            Self::BadSignature => "token_signature_bad",
        }
    }
}

fn object(part: &str) -> Result<Map<String, Value>, JwsError> {
    serde_json::from_slice(&decode(part)?).map_err(|_| JwsError::Malformed)
}

/// Strict base64url: no padding, no other alphabet, no stray bits at the end.
fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Malformed)
}

#[cfg(test)]
mod tests {
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::sign::Signer;
    use serde_json::json;

    use super::*;
    use crate::keys::KeyAlgorithm;

    fn key() -> SigningKey {
        SigningKey::generate(KeyAlgorithm::EdDsa, 0).unwrap()
    }

    fn check(token: &str, key: &SigningKey) -> Result<VerifiedJws, JwsError> {
        verify(token, |kid| (kid == key.kid()).then(|| key.verifying_key()))
    }

    /// A token with any header, really signed by the key.
    fn forge(key: &SigningKey, header: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(&json!({"sub": "u"})));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap());
        format!("{signed}.{signature}")
    }

    #[test]
    fn what_is_signed_verifies_with_every_algorithm() {
        for algorithm in KeyAlgorithm::ALL {
            let key = SigningKey::generate(algorithm, 2048).unwrap();
            let token = sign(&key, "logout+jwt", &json!({"sub": "é", "n": 1}));
            let verified = check(&token, &key).unwrap();
            assert_eq!(verified.typ.as_deref(), Some("logout+jwt"));
            assert_eq!(Value::from(verified.claims), json!({"sub": "é", "n": 1}));
        }
    }

    #[test]
    fn every_changed_part_is_noticed() {
        let key = key();
        let token = sign(&key, "JWT", &json!({"sub": "alice"}));
        assert!(check(&token, &key).is_ok());
        let parts: Vec<&str> = token.split('.').collect();
        let other = sign(&key, "JWT", &json!({"sub": "mallory"}));
        let other: Vec<&str> = other.split('.').collect();
        for (mixed, error) in [
            (format!("{}.{}.{}", parts[0], other[1], parts[2]), JwsError::BadSignature),
            (format!("{}.{}.{}", parts[0], parts[1], other[2]), JwsError::BadSignature),
            (format!("{}.{}.", parts[0], parts[1]), JwsError::BadSignature),
            (format!("{}.{}", parts[0], parts[1]), JwsError::Malformed),
            (format!("{token}.x"), JwsError::Malformed),
            (format!("{token}="), JwsError::Malformed),
            (format!(" {token}"), JwsError::Malformed),
            (
                format!("{}.{}.{}.{}.{}", parts[0], "", "", parts[1], parts[2]),
                JwsError::BadSignature,
            ),
            (String::new(), JwsError::Malformed),
            ("..".to_owned(), JwsError::Malformed),
            ("é.é.é".to_owned(), JwsError::Malformed),
        ] {
            assert_eq!(check(&mixed, &key).unwrap_err(), error, "{mixed}");
        }
        let stranger = self::key();
        assert_eq!(check(&token, &stranger).unwrap_err(), JwsError::UnknownKey);
        let misled = verify(&token, |_| Some(stranger.verifying_key()));
        assert_eq!(misled.unwrap_err(), JwsError::BadSignature);
    }

    #[test]
    fn the_algorithm_is_the_keys() {
        let key = SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap();
        let good = json!({"alg": "RS256", "kid": key.kid()});
        assert!(check(&forge(&key, &good), &key).is_ok());
        for alg in ["none", "None", "nOnE", "", "HS256", "RS384", "PS256", "ES256", "rs256"] {
            let token = forge(&key, &json!({"alg": alg, "kid": key.kid()}));
            assert_eq!(check(&token, &key).unwrap_err(), JwsError::WrongAlgorithm, "{alg}");
        }
        let unsigned = forge(&key, &json!({"alg": "none", "kid": key.kid()}));
        let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        assert_eq!(check(&unsigned, &key).unwrap_err(), JwsError::WrongAlgorithm);
        for header in [json!({"kid": key.kid()}), json!({"alg": 1, "kid": key.kid()})] {
            assert_eq!(check(&forge(&key, &header), &key).unwrap_err(), JwsError::Malformed);
        }
    }

    #[test]
    fn a_public_key_is_no_hmac_secret() {
        let key = SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap();
        let header = json!({"alg": "HS256", "kid": key.kid()}).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"));
        let der = key.verifying_key().to_spki_der().unwrap();
        let secret = PKey::hmac(&der).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &secret).unwrap();
        let mac = signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
        assert_eq!(check(&token, &key).unwrap_err(), JwsError::WrongAlgorithm);
    }

    #[test]
    fn headers_cannot_bring_keys_or_extensions() {
        let key = key();
        let harmless = json!({"alg": "EdDSA", "kid": key.kid(), "typ": "JWT", "cty": "x"});
        assert!(check(&forge(&key, &harmless), &key).is_ok());
        for name in REFUSED_HEADERS {
            let mut header = harmless.clone();
            header[name] = json!("https://evil.test");
            let error = check(&forge(&key, &header), &key).unwrap_err();
            assert_eq!(error, JwsError::RefusedHeader, "{name}");
        }
        for kid in [json!("../../key"), json!("' OR 1=1"), json!(["a"]), Value::Null] {
            let token = forge(&key, &json!({"alg": "EdDSA", "kid": kid}));
            assert_eq!(check(&token, &key).unwrap_err(), JwsError::UnknownKey, "{kid}");
        }
    }

    #[test]
    fn long_tokens_are_not_looked_at() {
        let key = key();
        let fits = sign(&key, "JWT", &json!({"pad": "x".repeat(12_000)}));
        assert!(check(&fits, &key).is_ok());
        let long = sign(&key, "JWT", &json!({"pad": "x".repeat(13_000)}));
        assert_eq!(check(&long, &key).unwrap_err(), JwsError::TooLong);
    }

    #[test]
    fn the_media_type_is_compared_in_its_short_form() {
        let key = key();
        let header = json!({"alg": "EdDSA", "kid": key.kid(), "typ": "application/LOGOUT+jwt"});
        let verified = check(&forge(&key, &header), &key).unwrap();
        assert_eq!(verified.typ.as_deref(), Some("logout+jwt"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_taken_for_a_token(token in "[A-Za-z0-9_.-]{0,200}", any: String) {
            let key = key();
            proptest::prop_assert!(check(&token, &key).is_err());
            proptest::prop_assert!(check(&any, &key).is_err());
        }
    }
}
