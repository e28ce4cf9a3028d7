//! Public keys as JSON (RFC 7517). Private members are never written and never read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::EcKey;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use serde_json::{Map, Value, json};

use super::key::{KeyAlgorithm, KeyError, VerifyingKey, p256};

/// Longest JWK set that is read, in bytes.
const MAX_SET_BYTES: usize = 64 * 1024;
/// Most keys of one set.
const MAX_KEYS: usize = 64;
/// Members of private and symmetric keys (RFC 7518 6.2.2, 6.3.2, 6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// One public key as it stands in `/jwks.json`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Jwk {
    kid: String,
    algorithm: KeyAlgorithm,
    material: Material,
}

/// The members that make the key, base64url, as the thumbprint needs them.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Material {
    Rsa { n: String, e: String },
    P256 { x: String, y: String },
    Ed25519 { x: String },
}

impl Jwk {
    /// The JWK of a public key; its `kid` is the RFC 7638 thumbprint.
    pub(super) fn of(key: &PKey<Public>, algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let material = match algorithm {
            KeyAlgorithm::Rs256 => {
                let rsa = key.rsa()?;
                Material::Rsa { n: encode(&rsa.n().to_vec()), e: encode(&rsa.e().to_vec()) }
            }
            KeyAlgorithm::Es256 => {
                let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
                let ec = key.ec_key()?;
                let mut context = BigNumContext::new()?;
                ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context)?;
                let (x, y) = (x.to_vec_padded(32)?, y.to_vec_padded(32)?);
                Material::P256 { x: encode(&x), y: encode(&y) }
            }
            KeyAlgorithm::EdDsa => Material::Ed25519 { x: encode(&key.raw_public_key()?) },
        };
        let kid = material.thumbprint();
        Ok(Self { kid, algorithm, material })
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The RFC 7638 thumbprint: SHA-256 over the required members, base64url.
    pub fn thumbprint(&self) -> String {
        self.material.thumbprint()
    }

    /// The key with `kid`, `use` and `alg`.
    pub fn to_json(&self) -> Value {
        let mut json = match &self.material {
            Material::Rsa { n, e } => json!({"kty": "RSA", "n": n, "e": e}),
            Material::P256 { x, y } => json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
            Material::Ed25519 { x } => json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
        };
        json["kid"] = json!(self.kid);
        json["use"] = json!("sig");
        json["alg"] = json!(self.algorithm.as_str());
        json
    }

    pub(super) fn rename(&mut self, kid: &str) {
        kid.clone_into(&mut self.kid);
    }
}

impl Material {
    fn thumbprint(&self) -> String {
        // RFC 7638 3: members in this order, no spaces. The values are base64url, so they need no
        // escaping.
        let canonical = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
        };
        encode(&openssl::sha::sha256(canonical.as_bytes()))
    }
}

impl VerifyingKey {
    /// Reads a public signature key. One with a private member is refused, because whoever sent it
    /// has given the key away.
    pub fn from_jwk(jwk: &Value) -> Result<Self, JwkError> {
        let jwk = jwk.as_object().ok_or(JwkError::Malformed)?;
        if PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member)) {
            return Err(JwkError::Private);
        }
        if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
            return Err(JwkError::Unsupported);
        }
        let key = public_key(jwk)?;
        let key = Self::from_pkey(key).map_err(|_| JwkError::Unsupported)?;
        if jwk.get("alg").is_some_and(|alg| alg != key.algorithm().as_str()) {
            return Err(JwkError::Unsupported);
        }
        match jwk.get("kid") {
            None => Ok(key),
            Some(Value::String(kid)) => Ok(key.with_kid(kid)),
            Some(_) => Err(JwkError::Malformed),
        }
    }
}

/// A set of public keys, in the order they are published.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JwkSet {
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// The document for `/jwks.json`.
    pub fn to_json(&self) -> Value {
        json!({"keys": self.keys.iter().map(Jwk::to_json).collect::<Vec<_>>()})
    }

    /// Reads a published set of at most 64 KiB and 64 keys. Keys that this service cannot use are
    /// left out (RFC 7517 5); a private one spoils the whole set.
    pub fn parse(json: &[u8]) -> Result<Vec<VerifyingKey>, JwkError> {
        if json.len() > MAX_SET_BYTES {
            return Err(JwkError::TooLong);
        }
        let set: Value = serde_json::from_slice(json).map_err(|_| JwkError::Malformed)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(JwkError::Malformed)?;
        if keys.len() > MAX_KEYS {
            return Err(JwkError::TooLong);
        }
        let mut usable = Vec::with_capacity(keys.len());
        for key in keys {
            match VerifyingKey::from_jwk(key) {
                Ok(key) => usable.push(key),
                Err(JwkError::Unsupported) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(usable)
    }
}

/// Why a JWK or a set of them cannot be read. Its publisher is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JwkError {
    #[error("not a JWK")]
    Malformed,
    #[error("the JWK holds a private or symmetric key")]
    Private,
    #[error("no signature key of a supported type")]
    Unsupported,
    #[error("the JWK set is too long")]
    TooLong,
}

fn public_key(jwk: &Map<String, Value>) -> Result<PKey<Public>, JwkError> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    let bytes = |member: &str| {
        let value = text(member).ok_or(JwkError::Malformed)?;
        URL_SAFE_NO_PAD.decode(value).map_err(|_| JwkError::Malformed)
    };
    let number =
        |member: &str| BigNum::from_slice(&bytes(member)?).map_err(|_| JwkError::Malformed);
    let key = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => {
            Rsa::from_public_components(number("n")?, number("e")?).and_then(PKey::from_rsa)
        }
        (Some("EC"), Some("P-256")) => {
            let (x, y) = (number("x")?, number("y")?);
            // OpenSSL refuses a point that is not on the curve.
            p256()
                .and_then(|group| EcKey::from_public_key_affine_coordinates(&group, &x, &y))
                .and_then(PKey::from_ec_key)
        }
        (Some("OKP"), Some("Ed25519")) => {
            PKey::public_key_from_raw_bytes(&bytes("x")?, Id::ED25519)
        }
        (Some(_), _) => return Err(JwkError::Unsupported),
        (None, _) => return Err(JwkError::Malformed),
    };
    key.map_err(|_| JwkError::Malformed)
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;

    /// RFC 7638 3.1.
    const RFC_7638: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
    /// RFC 8037 A.2 and A.3.
    const RFC_8037: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn parse(json: &str) -> Result<VerifyingKey, JwkError> {
        VerifyingKey::from_jwk(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        let rsa = parse(RFC_7638).unwrap();
        assert_eq!(rsa.kid(), "2011-04-29");
        assert_eq!(rsa.jwk().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let ed = parse(RFC_8037).unwrap();
        assert_eq!(ed.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_set_holds_public_members_only_and_reads_back() {
        let keys = KeyAlgorithm::ALL.map(|alg| SigningKey::generate(alg, 2048).unwrap());
        let set = JwkSet { keys: keys.iter().map(|key| key.public_jwk().clone()).collect() };
        let json = set.to_json();
        for key in json["keys"].as_array().unwrap() {
            for member in ["kid", "use", "alg", "kty"] {
                assert!(key[member].is_string(), "{key} lacks {member}");
            }
            for member in PRIVATE_MEMBERS {
                assert!(key.get(member).is_none(), "{key} has {member}");
            }
        }
        let read = JwkSet::parse(json.to_string().as_bytes()).unwrap();
        let read: Vec<_> = read.iter().map(VerifyingKey::jwk).collect();
        assert_eq!(read, keys.iter().map(SigningKey::public_jwk).collect::<Vec<_>>());
    }

    #[test]
    fn private_symmetric_and_broken_keys_are_refused() {
        for (json, error) in [
            (r#"{"kty":"oct","k":"AAAA"}"#, JwkError::Private),
            (&RFC_8037.replace("}", r#","d":"AAAA"}"#), JwkError::Private),
            (&RFC_8037.replace("Ed25519", "X25519"), JwkError::Unsupported),
            (&RFC_8037.replace("}", r#","use":"enc"}"#), JwkError::Unsupported),
            (&RFC_8037.replace("}", r#","alg":"RS256"}"#), JwkError::Unsupported),
            (&RFC_8037.replace("}", r#","kid":1}"#), JwkError::Malformed),
            (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, JwkError::Unsupported),
            (r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#, JwkError::Malformed),
            (r#"{"kty":"RSA","n":"AQ==","e":"AQAB"}"#, JwkError::Malformed),
            ("{}", JwkError::Malformed),
            ("[]", JwkError::Malformed),
        ] {
            assert_eq!(parse(json).unwrap_err(), error, "{json}");
        }
    }

    #[test]
    fn a_set_skips_what_it_does_not_know_but_not_a_leaked_key() {
        let set = format!(r#"{{"keys":[{{"kty":"future"}},{RFC_8037}]}}"#);
        assert_eq!(JwkSet::parse(set.as_bytes()).unwrap().len(), 1);
        let leaked = format!(r#"{{"keys":[{{"kty":"oct","k":"AAAA"}},{RFC_8037}]}}"#);
        assert_eq!(JwkSet::parse(leaked.as_bytes()).unwrap_err(), JwkError::Private);
        assert_eq!(JwkSet::parse(b"{}").unwrap_err(), JwkError::Malformed);
        assert_eq!(JwkSet::parse(&[b' '; MAX_SET_BYTES + 1]).unwrap_err(), JwkError::TooLong);
    }
}
