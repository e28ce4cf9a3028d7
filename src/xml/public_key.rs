//! Keys that verify: parsed and checked once, when an identity provider's metadata is read.

use std::fmt;

use openssl::bn::{BigNum, BigNumRef};
use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Verifier};
use openssl::x509::{X509, X509Ref};

use super::algorithm::SignatureAlgorithm;

const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    Rsa,
    Ec,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::Ec => "EC",
        })
    }
}

/// A public key that is fit to verify signatures: RSA of 2048 to 8192 bits with an odd exponent
/// from 3 to 2^32, or EC on P-256, P-384 or P-521.
#[derive(Clone)]
pub struct PublicKey {
    form: Form,
    bits: u32,
    thumbprint: Thumbprint,
}

/// SHA-256 of the key's SubjectPublicKeyInfo. Shows as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint([u8; 32]);

/// A key that is not used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key or certificate is malformed")]
    Malformed,
    #[error("the key is neither RSA nor EC")]
    Kind,
    #[error("the RSA key has {bits} bits; 2048 to 8192 are accepted")]
    RsaSize { bits: u32 },
    #[error("the RSA exponent is not an odd number from 3 to 2^32")]
    RsaExponent,
    #[error("the EC key is not on the curve P-256, P-384 or P-521")]
    Curve,
}

impl KeyError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "key.malformed",
            Self::Kind => "key.kind",
            Self::RsaSize { .. } => "key.rsa_size",
            Self::RsaExponent => "key.rsa_exponent",
            Self::Curve => "key.curve",
        }
    }
}

#[derive(Clone)]
enum Form {
    Rsa(PKey<Public>),
    Ec(EcKey<Public>),
}

impl PublicKey {
    /// The key of an X.509 certificate. Nothing else in it is looked at: trust comes from the
    /// metadata that holds it, not from a chain (SAML Metadata Interoperability Profile 2.0).
    pub fn from_certificate_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_certificate(&*X509::from_der(der).map_err(malformed)?)
    }

    /// As [`PublicKey::from_certificate_der`], of one that is parsed already: with OpenSSL 3 that
    /// takes as long as ten verifications.
    pub fn from_certificate(certificate: &X509Ref) -> Result<Self, KeyError> {
        Self::new(certificate.public_key().map_err(malformed)?)
    }

    /// A SubjectPublicKeyInfo (RFC 5280 4.1.2.7).
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::new(PKey::public_key_from_der(der).map_err(malformed)?)
    }

    /// Modulus and exponent, big-endian, as in `ds:RSAKeyValue`.
    pub fn from_rsa_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let number = |bytes| BigNum::from_slice(bytes).map_err(malformed);
        let (modulus, exponent) = (number(modulus)?, number(exponent)?);
        check_rsa(&modulus, &exponent)?;
        let key = Rsa::from_public_components(modulus, exponent).and_then(PKey::from_rsa);
        Self::new(key.map_err(malformed)?)
    }

    pub(super) fn new(key: PKey<Public>) -> Result<Self, KeyError> {
        // Written by the kind of key: OpenSSL 3 takes some fifty times as long to find the kind out.
        let (form, bits, spki) = match key.id() {
            Id::RSA => {
                let rsa = key.rsa().map_err(malformed)?;
                let bits = check_rsa(rsa.n(), rsa.e())?;
                (Form::Rsa(key), bits, rsa.public_key_to_der())
            }
            Id::EC => {
                let ec = key.ec_key().map_err(malformed)?;
                ec.check_key().map_err(malformed)?;
                let bits = match ec.group().curve_name() {
                    Some(Nid::X9_62_PRIME256V1) => 256,
                    Some(Nid::SECP384R1) => 384,
                    Some(Nid::SECP521R1) => 521,
                    _ => return Err(KeyError::Curve),
                };
                let spki = ec.public_key_to_der();
                (Form::Ec(ec), bits, spki)
            }
            _ => return Err(KeyError::Kind),
        };
        let thumbprint = Thumbprint(openssl::sha::sha256(&spki.map_err(malformed)?));
        Ok(Self { form, bits, thumbprint })
    }

    pub fn kind(&self) -> KeyKind {
        match self.form {
            Form::Rsa(_) => KeyKind::Rsa,
            Form::Ec(_) => KeyKind::Ec,
        }
    }

    /// Length of the RSA modulus or of the EC field.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    pub(super) fn as_rsa(&self) -> Option<&PKey<Public>> {
        match &self.form {
            Form::Rsa(key) => Some(key),
            Form::Ec(_) => None,
        }
    }

    /// Whether this key made `signature` over `data`. An ECDSA signature is `r` and `s`, each as
    /// long as the field (RFC 9231 2.3.6); an RSA signature is as long as the modulus. Whatever
    /// OpenSSL reports as an error is a signature that does not verify.
    pub(super) fn verifies(
        &self,
        algorithm: SignatureAlgorithm,
        data: &[u8],
        signature: &[u8],
    ) -> bool {
        let number_bytes = self.bits.div_ceil(8) as usize;
        let verified = match &self.form {
            Form::Rsa(key)
                if algorithm.key_kind() == KeyKind::Rsa && signature.len() == number_bytes =>
            {
                verify_rsa(key, algorithm, data, signature)
            }
            Form::Ec(key)
                if algorithm.key_kind() == KeyKind::Ec && signature.len() == 2 * number_bytes =>
            {
                verify_ecdsa(key, algorithm, data, signature.split_at(number_bytes))
            }
            _ => Ok(false),
        };
        verified.unwrap_or(false)
    }
}

fn verify_rsa(
    key: &PKey<Public>,
    algorithm: SignatureAlgorithm,
    data: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let mut verifier = Verifier::new(algorithm.digest(), key)?;
    if algorithm.is_pss() {
        verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
        verifier.set_rsa_mgf1_md(algorithm.digest())?;
        verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    verifier.verify_oneshot(signature, data)
}

fn verify_ecdsa(
    key: &EcKey<Public>,
    algorithm: SignatureAlgorithm,
    data: &[u8],
    (r, s): (&[u8], &[u8]),
) -> Result<bool, ErrorStack> {
    let signature =
        EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
    signature.verify(&openssl::hash::hash(algorithm.digest(), data)?, key)
}

/// Bits of the modulus. Checked before the key is used for anything: verification with a huge
/// modulus or exponent is a denial of service.
fn check_rsa(modulus: &BigNumRef, exponent: &BigNumRef) -> Result<u32, KeyError> {
    let bits = u32::try_from(modulus.num_bits()).unwrap_or(0);
    if !RSA_BITS.contains(&bits) {
        return Err(KeyError::RsaSize { bits });
    }
    // An odd number of at most 32 bits is below 2^32, and one of two bits or more is at least 3.
    if !exponent.is_bit_set(0) || !(2..=32).contains(&exponent.num_bits()) {
        return Err(KeyError::RsaExponent);
    }
    Ok(bits)
}

fn malformed(_: ErrorStack) -> KeyError {
    KeyError::Malformed
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {} bits, {})", self.kind(), self.bits, self.thumbprint)
    }
}

impl Thumbprint {
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
