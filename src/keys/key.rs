//! Key pairs for signing, and the public halves that verify.

use std::fmt;
use std::str::FromStr;

use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::rsa::Rsa;
use openssl::sign::{Signer, Verifier};
use zeroize::Zeroizing;

use super::jwk::Jwk;

/// Smallest RSA modulus that is used or trusted, in bits (RFC 7518 3.3).
pub const MIN_RSA_BITS: u32 = 2048;
/// Largest RSA modulus, in bits: verification time grows with it.
pub const MAX_RSA_BITS: u32 = 8192;
/// Bytes of each of `r` and `s` in an ES256 signature (RFC 7518 3.4).
const P256_BYTES: i32 = 32;

/// The JWS algorithms of this service (RFC 7518 3.1, RFC 8037 3.1). No symmetric ones, no `none`.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "&'static str")]
pub enum KeyAlgorithm {
    /// What every relying party can verify (OpenID Connect Core 15.1).
    #[default]
    Rs256,
    Es256,
    EdDsa,
}

impl KeyAlgorithm {
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The registered name: `RS256`, `ES256` or `EdDSA`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyAlgorithm {
    type Err = KeyError;
    fn from_str(name: &str) -> Result<Self, KeyError> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name).ok_or(KeyError::UnknownAlgorithm)
    }
}

impl TryFrom<String> for KeyAlgorithm {
    type Error = KeyError;
    fn try_from(name: String) -> Result<Self, KeyError> {
        name.parse()
    }
}

impl From<KeyAlgorithm> for &'static str {
    fn from(algorithm: KeyAlgorithm) -> Self {
        algorithm.as_str()
    }
}

/// A private key that signs, with the one algorithm it is for.
#[derive(Clone)]
pub struct SigningKey {
    key: PKey<Private>,
    public: VerifyingKey,
}

impl SigningKey {
    /// A new key. `rsa_bits` is 2048, 3072 or 4096 and counts only for RS256.
    pub fn generate(algorithm: KeyAlgorithm, rsa_bits: u32) -> Result<Self, KeyError> {
        let key = match algorithm {
            KeyAlgorithm::Rs256 if !matches!(rsa_bits, 2048 | 3072 | 4096) => {
                return Err(KeyError::RsaSize { bits: rsa_bits });
            }
            KeyAlgorithm::Rs256 => PKey::from_rsa(Rsa::generate(rsa_bits)?)?,
            KeyAlgorithm::Es256 => PKey::from_ec_key(EcKey::generate(&*p256()?)?)?,
            KeyAlgorithm::EdDsa => PKey::generate_ed25519()?,
        };
        Self::from_pkey(key)
    }

    /// Reads a PKCS #8 key. Its type decides the algorithm: RSA of at least 2048 bits, P-256 or
    /// Ed25519.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_pkey(PKey::private_key_from_pkcs8(der).map_err(|_| KeyError::Malformed)?)
    }

    /// The key as PKCS #8, to be sealed.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Ok(Zeroizing::new(self.key.private_key_to_pkcs8()?))
    }

    /// The RFC 7638 thumbprint (SHA-256, base64url) of the public key.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    pub fn algorithm(&self) -> KeyAlgorithm {
        self.public.algorithm
    }

    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    pub fn public_jwk(&self) -> &Jwk {
        self.public.jwk()
    }

    /// The parsed key, for signing XML and certificates.
    pub fn private_key(&self) -> &PKeyRef<Private> {
        &self.key
    }

    /// Signs with this key's algorithm; the result is in JWS form (RFC 7518 3.3 and 3.4).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        match self.algorithm() {
            KeyAlgorithm::Rs256 => {
                Signer::new(MessageDigest::sha256(), &self.key)?.sign_oneshot_to_vec(message)
            }
            KeyAlgorithm::Es256 => {
                let der = Signer::new(MessageDigest::sha256(), &self.key)?
                    .sign_oneshot_to_vec(message)?;
                let signature = EcdsaSig::from_der(&der)?;
                let mut raw = signature.r().to_vec_padded(P256_BYTES)?;
                raw.extend(signature.s().to_vec_padded(P256_BYTES)?);
                Ok(raw)
            }
            KeyAlgorithm::EdDsa => {
                Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(message)
            }
        }
    }

    fn from_pkey(key: PKey<Private>) -> Result<Self, KeyError> {
        let der = key.public_key_to_der()?;
        let public = VerifyingKey::from_pkey(PKey::public_key_from_der(&der)?)?;
        Ok(Self { key, public })
    }
}

/// Names the key and shows nothing of it.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm(), self.kid())
    }
}

/// A public key with the one algorithm it verifies. A token cannot choose another.
#[derive(Clone)]
pub struct VerifyingKey {
    key: PKey<Public>,
    algorithm: KeyAlgorithm,
    jwk: Jwk,
}

impl VerifyingKey {
    /// Takes a public key whose type has an algorithm here; see [`KeyError`] for what is refused.
    pub fn from_pkey(key: PKey<Public>) -> Result<Self, KeyError> {
        let algorithm = algorithm_of(&key)?;
        let jwk = Jwk::of(&key, algorithm)?;
        Ok(Self { key, algorithm, jwk })
    }

    /// Reads a SubjectPublicKeyInfo, the form in which retired keys are kept.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_pkey(PKey::public_key_from_der(der).map_err(|_| KeyError::Malformed)?)
    }

    pub fn to_spki_der(&self) -> Result<Vec<u8>, KeyError> {
        Ok(self.key.public_key_to_der()?)
    }

    pub fn kid(&self) -> &str {
        self.jwk.kid()
    }

    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Gives the key another name, for keys of other people's JWK sets.
    pub(super) fn with_kid(mut self, kid: &str) -> Self {
        self.jwk.rename(kid);
        self
    }

    /// Whether `signature`, in JWS form, is this key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let checked = match self.algorithm {
            KeyAlgorithm::Rs256 => Verifier::new(MessageDigest::sha256(), &self.key)
                .and_then(|mut verifier| verifier.verify_oneshot(signature, message)),
            KeyAlgorithm::Es256 => ecdsa_der(signature).and_then(|der| {
                Verifier::new(MessageDigest::sha256(), &self.key)?.verify_oneshot(&der, message)
            }),
            KeyAlgorithm::EdDsa => Verifier::new_without_digest(&self.key)
                .and_then(|mut verifier| verifier.verify_oneshot(signature, message)),
        };
        // OpenSSL reports some malformed signatures as errors: they are no signatures either.
        checked.unwrap_or(false)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm, self.kid())
    }
}

/// Why a key cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    #[error("not a readable key")]
    Malformed,
    #[error("unknown algorithm; use RS256, ES256 or EdDSA")]
    UnknownAlgorithm,
    #[error("only RSA, P-256 and Ed25519 keys are supported")]
    UnsupportedType,
    #[error("{bits} bits are no size for an RSA key here; new ones have 2048, 3072 or 4096 bits")]
    RsaSize { bits: u32 },
    #[error("OpenSSL failed: {0}")]
    Internal(String),
}

impl From<ErrorStack> for KeyError {
    fn from(errors: ErrorStack) -> Self {
        Self::Internal(errors.to_string())
    }
}

fn algorithm_of<T: HasPublic>(key: &PKeyRef<T>) -> Result<KeyAlgorithm, KeyError> {
    match key.id() {
        Id::RSA if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&key.bits()) => Ok(KeyAlgorithm::Rs256),
        Id::RSA => Err(KeyError::RsaSize { bits: key.bits() }),
        Id::EC if key.ec_key()?.group().curve_name() == Some(Nid::X9_62_PRIME256V1) => {
            Ok(KeyAlgorithm::Es256)
        }
        Id::ED25519 => Ok(KeyAlgorithm::EdDsa),
        _ => Err(KeyError::UnsupportedType),
    }
}

pub(super) fn p256() -> Result<EcGroup, ErrorStack> {
    EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)
}

/// `r ‖ s` as the DER that OpenSSL wants. Another length than 64 bytes gives an empty signature,
/// which verifies nothing.
fn ecdsa_der(raw: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let half = P256_BYTES.unsigned_abs() as usize;
    match raw.split_at_checked(half) {
        Some((r, s)) if s.len() == half => {
            EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?
                .to_der()
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_signs_and_verifies_only_its_own() {
        for algorithm in KeyAlgorithm::ALL {
            let key = SigningKey::generate(algorithm, 2048).unwrap();
            let other = SigningKey::generate(algorithm, 2048).unwrap();
            let signature = key.sign(b"message").unwrap();
            assert!(key.verifying_key().verifies(b"message", &signature), "{algorithm}");
            assert!(!key.verifying_key().verifies(b"massage", &signature), "{algorithm}");
            assert!(!other.verifying_key().verifies(b"message", &signature), "{algorithm}");
            assert!(!key.verifying_key().verifies(b"message", b""), "{algorithm}");
            assert!(!key.verifying_key().verifies(b"message", &signature[1..]), "{algorithm}");
        }
    }

    #[test]
    fn a_key_survives_being_stored() {
        for algorithm in KeyAlgorithm::ALL {
            let key = SigningKey::generate(algorithm, 2048).unwrap();
            let again = SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
            assert_eq!((again.kid(), again.algorithm()), (key.kid(), algorithm));
            let signature = again.sign(b"x").unwrap();
            let der = key.verifying_key().to_spki_der().unwrap();
            assert!(VerifyingKey::from_spki_der(&der).unwrap().verifies(b"x", &signature));
        }
    }

    #[test]
    fn weak_and_foreign_keys_are_refused() {
        let too_short = KeyError::RsaSize { bits: 1024 };
        assert_eq!(SigningKey::generate(KeyAlgorithm::Rs256, 1024).unwrap_err(), too_short);
        let short = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let refused = SigningKey::from_pkcs8_der(&short.private_key_to_pkcs8().unwrap());
        assert_eq!(refused.unwrap_err(), too_short);
        let p384 = EcGroup::from_curve_name(Nid::SECP384R1).unwrap();
        let p384 = PKey::from_ec_key(EcKey::generate(&p384).unwrap()).unwrap();
        let refused = SigningKey::from_pkcs8_der(&p384.private_key_to_pkcs8().unwrap());
        assert_eq!(refused.unwrap_err(), KeyError::UnsupportedType);
        assert_eq!(SigningKey::from_pkcs8_der(b"no key").unwrap_err(), KeyError::Malformed);
    }

    #[test]
    fn debug_output_shows_no_key() {
        let key = SigningKey::generate(KeyAlgorithm::EdDsa, 0).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey(EdDSA {})", key.kid()));
    }
}
