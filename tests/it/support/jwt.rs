//! JWTs verified against a JWK set with OpenSSL alone (RFC 7515 5.2, RFC 7518 3 and 6, RFC 8037), and
//! what their claims must say.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;
use serde_json::{Map, Value};

/// The event of a logout token (OpenID Connect Back-Channel Logout 1.0, 2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

pub type Claims = Map<String, Value>;

#[derive(Clone, Debug)]
pub struct Jwt {
    pub header: Claims,
    pub claims: Claims,
}

/// The name of the key that a token says it was signed with.
pub fn kid(token: &str) -> String {
    let header = object(token.split('.').next().unwrap_or_default()).expect("a JWT");
    header["kid"].as_str().expect("a kid").to_owned()
}

/// Verifies a compact JWS with the key of the set that its `kid` names. The error says what failed.
pub fn verify(token: &str, jwks: &Value) -> Result<Jwt, String> {
    let (signed, signature) = token.rsplit_once('.').ok_or("not a compact JWS")?;
    let (header, claims) = signed.split_once('.').ok_or("not a compact JWS")?;
    let (header, claims) = (object(header)?, object(claims)?);
    let kid = header.get("kid").ok_or("no kid")?;
    let keys = jwks["keys"].as_array().ok_or("no keys")?;
    let mut named = keys.iter().filter(|key| &key["kid"] == kid);
    let key = named.next().ok_or_else(|| format!("no key {kid} in the set"))?;
    if named.next().is_some() {
        return Err(format!("two keys {kid} in the set"));
    }
    if key.get("d").is_some() {
        return Err("the set publishes a private key".to_owned());
    }
    if key.get("alg").is_some_and(|alg| Some(alg) != header.get("alg")) {
        return Err("the header's alg is not the key's".to_owned());
    }
    let alg = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    match is_signed(alg, key, signed.as_bytes(), &decode(signature)?) {
        Ok(true) => Ok(Jwt { header, claims }),
        Ok(false) => Err("the signature does not hold".to_owned()),
        Err(error) => Err(error),
    }
}

/// OpenID Connect Core 1.0, 3.1.3.7. The error names the claim.
pub fn check_id_token(
    claims: &Claims,
    issuer: &str,
    client_id: &str,
    nonce: &str,
    now: i64,
) -> Result<(), &'static str> {
    let is = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    all(&[
        (is("iss", issuer), "iss"),
        (is("aud", client_id), "aud"),
        (is("nonce", nonce), "nonce"),
        (claims.get("sub").is_some_and(Value::is_string), "sub"),
        (number("exp").is_some_and(|exp| exp > now), "exp"),
        (number("iat").is_some_and(|iat| (iat - now).abs() <= 120), "iat"),
    ])
}

/// Back-Channel Logout 1.0, 2.4 and 2.6. The error names the claim.
pub fn check_logout_token(
    jwt: &Jwt,
    issuer: &str,
    client_id: &str,
    now: i64,
) -> Result<(), &'static str> {
    let Jwt { header, claims } = jwt;
    let is = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let lifetime = number("exp").zip(number("iat")).map(|(exp, iat)| exp - iat);
    let event = claims.get("events").and_then(|events| events.get(LOGOUT_EVENT));
    all(&[
        (header.get("typ").and_then(Value::as_str) == Some("logout+jwt"), "typ"),
        (is("iss", issuer), "iss"),
        (is("aud", client_id), "aud"),
        (event.is_some_and(|event| event == &Value::Object(Map::new())), "events"),
        (claims.contains_key("sid") || claims.contains_key("sub"), "sid"),
        (claims.get("jti").is_some_and(Value::is_string), "jti"),
        (!claims.contains_key("nonce"), "nonce"),
        (lifetime.is_some_and(|seconds| (1..=120).contains(&seconds)), "exp"),
        (number("iat").is_some_and(|iat| iat <= now + 5), "iat"),
    ])
}

fn all(checks: &[(bool, &'static str)]) -> Result<(), &'static str> {
    checks.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
}

fn is_signed(alg: &str, key: &Value, signed: &[u8], signature: &[u8]) -> Result<bool, String> {
    let member = |name: &str| decode(key[name].as_str().ok_or(format!("no {name} in the key"))?);
    let number = |name: &str| BigNum::from_slice(&member(name)?).map_err(display);
    let kty = key["kty"].as_str().unwrap_or_default();
    match (alg, kty) {
        ("RS256", "RSA") => {
            let rsa = Rsa::from_public_components(number("n")?, number("e")?).map_err(display)?;
            digest_verify(&PKey::from_rsa(rsa).map_err(display)?, signed, signature)
        }
        ("ES256", "EC") => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).map_err(display)?;
            let (x, y) = (number("x")?, number("y")?);
            let ec = EcKey::from_public_key_affine_coordinates(&group, &x, &y).map_err(display)?;
            // RFC 7518 3.4: R and S, 32 octets each.
            if signature.len() != 64 {
                return Err("an ES256 signature has 64 octets".to_owned());
            }
            let half = |octets: &[u8]| BigNum::from_slice(octets).map_err(display);
            let (r, s) = (half(&signature[..32])?, half(&signature[32..])?);
            let der = EcdsaSig::from_private_components(r, s).and_then(|sig| sig.to_der());
            digest_verify(&PKey::from_ec_key(ec).map_err(display)?, signed, &der.map_err(display)?)
        }
        ("EdDSA", "OKP") => {
            let key =
                PKey::public_key_from_raw_bytes(&member("x")?, Id::ED25519).map_err(display)?;
            let mut verifier = Verifier::new_without_digest(&key).map_err(display)?;
            verifier.verify_oneshot(signature, signed).map_err(display)
        }
        _ => Err(format!("alg {alg} with a {kty} key")),
    }
}

fn digest_verify(key: &PKey<Public>, signed: &[u8], signature: &[u8]) -> Result<bool, String> {
    let mut verifier = Verifier::new(MessageDigest::sha256(), key).map_err(display)?;
    verifier.verify_oneshot(signature, signed).map_err(display)
}

fn object(part: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(&decode(part)?).map_err(display)
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(display)
}

fn display(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_000_000;

    /// Each change is a claim with another value; `null` takes it away.
    fn with(mut claims: Value, (name, value): (&str, Value)) -> Claims {
        claims[name] = value;
        let claims = claims.as_object_mut().unwrap();
        claims.retain(|_, value| !value.is_null());
        claims.clone()
    }

    #[test]
    fn believes_a_good_id_token_and_nothing_short_of_it() {
        let good = json!({"iss": "https://op.test", "aud": "app", "sub": "s", "nonce": "n",
            "exp": NOW + 60, "iat": NOW});
        let check = |claims: &Claims| check_id_token(claims, "https://op.test", "app", "n", NOW);
        assert_eq!(check(&with(good.clone(), ("extra", json!(1)))), Ok(()));
        for (name, value) in [
            ("iss", json!("https://op.test/")),
            ("aud", json!("other")),
            ("nonce", Value::Null),
            ("sub", Value::Null),
            ("exp", json!(NOW)),
            ("iat", json!(NOW - 600)),
        ] {
            assert_eq!(check(&with(good.clone(), (name, value))), Err(name));
        }
    }

    #[test]
    fn believes_a_good_logout_token_and_nothing_short_of_it() {
        let good = json!({"iss": "https://op.test", "aud": "app", "sid": "s", "jti": "j",
            "exp": NOW + 120, "iat": NOW, "events": {LOGOUT_EVENT: {}}});
        let check = |claims: Claims, typ: &str| {
            let header = with(json!({}), ("typ", json!(typ)));
            check_logout_token(&Jwt { header, claims }, "https://op.test", "app", NOW)
        };
        assert_eq!(check(with(good.clone(), ("sub", json!("x"))), "logout+jwt"), Ok(()));
        assert_eq!(check(with(good.clone(), ("sub", json!("x"))), "JWT"), Err("typ"));
        for (name, value) in [
            ("iss", json!("https://other.test")),
            ("aud", json!(["app", "other"])),
            ("events", json!({})),
            ("events", json!({LOGOUT_EVENT: {"x": 1}})),
            ("sid", Value::Null),
            ("jti", Value::Null),
            ("nonce", json!("n")),
            ("exp", json!(NOW + 121)),
            ("iat", json!(NOW + 60)),
        ] {
            let claims = with(good.clone(), (name, value));
            assert_eq!(check(claims, "logout+jwt"), Err(name), "{name}");
        }
    }

    /// RFC 7515 A.3: ES256 over the claims of `joe`. It has no `kid`, so the check is of the parts.
    const ES256_KEY: &str = r#"{"kty":"EC","crv":"P-256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const ES256_SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs\
        DQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const ES256_SIGNATURE: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA\
        pmWQxfKTUJqPP3-Kg6NU1Q";

    /// RFC 8037 A.1 and A.4.
    const ED25519_KEY: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const ED25519_SIGNED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const ED25519_SIGNATURE: &str = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsP\
        t9g7sVvpAr_MuM0KAg";

    #[test]
    fn holds_the_vectors_of_the_rfcs_and_nothing_else() {
        for (alg, key, signed, signature) in [
            ("ES256", ES256_KEY, ES256_SIGNED, ES256_SIGNATURE),
            ("EdDSA", ED25519_KEY, ED25519_SIGNED, ED25519_SIGNATURE),
        ] {
            let key = serde_json::from_str(key).unwrap();
            let mut signature = decode(signature).unwrap();
            assert_eq!(is_signed(alg, &key, signed.as_bytes(), &signature), Ok(true), "{alg}");
            assert!(is_signed("RS256", &key, signed.as_bytes(), &signature).is_err(), "{alg}");
            signature[5] ^= 1;
            assert_ne!(is_signed(alg, &key, signed.as_bytes(), &signature), Ok(true), "{alg}");
        }
    }

    #[test]
    fn an_rs256_token_holds_with_its_key_only() {
        let sign = |kid: &str, key: &PKey<openssl::pkey::Private>| {
            let encode = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
            let header = serde_json::json!({"alg": "RS256", "kid": kid});
            let signed = format!("{}.{}", encode(header), encode(serde_json::json!({"sub": "a"})));
            let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), key).unwrap();
            let signature = signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        };
        let rsa = Rsa::generate(2048).unwrap();
        let encode = |number: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
        let jwk = serde_json::json!({
            "kty": "RSA", "kid": "one", "alg": "RS256", "n": encode(rsa.n()), "e": encode(rsa.e()),
        });
        let jwks = serde_json::json!({ "keys": [jwk] });
        let key = PKey::from_rsa(rsa).unwrap();
        assert_eq!(verify(&sign("one", &key), &jwks).unwrap().claims["sub"], "a");
        assert!(verify(&sign("two", &key), &jwks).is_err());
        let foreign = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        assert!(verify(&sign("one", &foreign), &jwks).is_err());
        let none = sign("one", &key).replacen("eyJhbGciOiJSUzI1NiIs", "eyJhbGciOiJub25lIiwg", 1);
        assert!(verify(&none, &jwks).is_err());
    }
}
