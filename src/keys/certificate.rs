//! X.509 certificates, as SAML metadata carries them: wrappings of keys, not a chain of trust.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::{Asn1Integer, Asn1Time, Asn1TimeRef};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, PKeyRef, Private, Public};
use openssl::x509::{X509, X509NameBuilder};

use crate::clock::Timestamp;

/// Longest certificate that is read, in bytes of DER.
const MAX_DER_BYTES: usize = 64 * 1024;
/// Longest common name (RFC 5280 A.1, ub-common-name), in characters.
const MAX_COMMON_NAME: usize = 64;

/// A certificate signed by its own key, in DER.
///
/// `common_name` is cut to 64 characters. `serial` is 16 random bytes (RFC 5280 4.1.2.2 allows
/// 20). Peers of SAML compare the key and ignore the rest; the dates are for those that do not.
pub fn self_signed(
    key: &PKeyRef<Private>,
    common_name: &str,
    not_before: Timestamp,
    valid: Duration,
    serial: [u8; 16],
) -> Result<Vec<u8>, CertificateError> {
    let common_name: String = common_name.chars().take(MAX_COMMON_NAME).collect();
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, &common_name)?;
    let name = name.build();

    let mut serial = BigNum::from_slice(&serial)?;
    // A serial number is positive, and one of fixed length tells nothing about the counter.
    serial.set_bit(126)?;
    serial.mask_bits(127)?;

    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(&*Asn1Integer::from_bn(&serial)?)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    certificate.set_not_before(&*Asn1Time::from_unix(not_before.as_seconds())?)?;
    certificate.set_not_after(&*Asn1Time::from_unix(not_before.plus(valid).as_seconds())?)?;
    certificate.set_pubkey(key)?;
    let digest =
        if key.id() == Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
    certificate.sign(key, digest)?;
    Ok(certificate.build().to_der()?)
}

/// A parsed certificate. Trust comes from where it was found, never from who signed it.
#[derive(Clone)]
pub struct Certificate {
    x509: X509,
    der: Vec<u8>,
}

impl Certificate {
    /// Reads one certificate of at most 64 KiB of DER; bytes after it are refused.
    pub fn parse_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_DER_BYTES {
            return Err(CertificateError::TooLong);
        }
        let x509 = X509::from_der(der).map_err(|_| CertificateError::Malformed)?;
        if x509.to_der()?.len() != der.len() {
            return Err(CertificateError::Malformed);
        }
        Ok(Self { x509, der: der.to_owned() })
    }

    /// Reads the content of a `ds:X509Certificate`: base64 with any XML white space, and also with
    /// PEM lines around it, because people paste those into metadata.
    pub fn parse_base64(text: &str) -> Result<Self, CertificateError> {
        if text.len() > 2 * MAX_DER_BYTES {
            return Err(CertificateError::TooLong);
        }
        let text = text.trim();
        let inner = text
            .strip_prefix("-----BEGIN CERTIFICATE-----")
            .and_then(|rest| rest.strip_suffix("-----END CERTIFICATE-----"))
            .unwrap_or(text);
        let compact: String =
            inner.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).collect();
        let der = STANDARD.decode(compact).map_err(|_| CertificateError::Malformed)?;
        Self::parse_der(&der)
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The DER in base64 on one line, for metadata.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.der)
    }

    pub fn public_key(&self) -> Result<PKey<Public>, CertificateError> {
        self.x509.public_key().map_err(|_| CertificateError::UnsupportedKey)
    }

    /// The subject for people to read, as `CN=…, O=…`.
    pub fn subject(&self) -> String {
        let entries = self.x509.subject_name().entries().map(|entry| {
            let name = entry.object().nid().short_name().unwrap_or("?");
            let value = entry.data().to_string().unwrap_or_default();
            format!("{name}={value}")
        });
        entries.collect::<Vec<_>>().join(", ")
    }

    pub fn not_before(&self) -> Result<Timestamp, CertificateError> {
        timestamp(self.x509.not_before())
    }

    /// The end of validity. An expired certificate in metadata is a warning, not an error: the key
    /// is what counts (SAML V2.0 Metadata Interoperability Profile 2.6.1).
    pub fn not_after(&self) -> Result<Timestamp, CertificateError> {
        timestamp(self.x509.not_after())
    }

    /// SHA-256 over the DER in lower-case hexadecimal, to compare with what consoles show.
    pub fn fingerprint(&self) -> String {
        openssl::sha::sha256(&self.der).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({} {})", self.subject(), self.fingerprint())
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("not an X.509 certificate")]
    Malformed,
    #[error("the certificate is longer than {MAX_DER_BYTES} bytes")]
    TooLong,
    #[error("the certificate's key cannot be read")]
    UnsupportedKey,
    #[error("OpenSSL failed: {0}")]
    Internal(String),
}

impl From<ErrorStack> for CertificateError {
    fn from(errors: ErrorStack) -> Self {
        Self::Internal(errors.to_string())
    }
}

fn timestamp(time: &Asn1TimeRef) -> Result<Timestamp, CertificateError> {
    let since_epoch =
        Asn1Time::from_unix(0)?.diff(time).map_err(|_| CertificateError::Malformed)?;
    Ok(Timestamp::from_seconds(i64::from(since_epoch.days) * 86_400 + i64::from(since_epoch.secs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyAlgorithm, SigningKey};

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);
    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    #[test]
    fn a_made_certificate_reads_back_and_carries_its_key() {
        for algorithm in KeyAlgorithm::ALL {
            let key = SigningKey::generate(algorithm, 2048).unwrap();
            let der =
                self_signed(key.private_key(), "sso.example.com", NOW, YEAR, [0xff; 16]).unwrap();
            let certificate = Certificate::parse_der(&der).unwrap();
            assert_eq!(certificate.subject(), "CN=sso.example.com");
            assert_eq!(certificate.not_before(), Ok(NOW));
            assert_eq!(certificate.not_after(), Ok(NOW.plus(YEAR)));
            let public = certificate.public_key().unwrap();
            assert!(public.public_eq(key.private_key()));
            assert!(certificate.x509.verify(&public).unwrap(), "{algorithm}");
        }
    }

    #[test]
    fn serial_numbers_are_positive_and_differ() {
        let key = SigningKey::generate(KeyAlgorithm::Es256, 0).unwrap();
        let serial = |bytes| {
            let der = self_signed(key.private_key(), "a", NOW, YEAR, bytes).unwrap();
            let certificate = Certificate::parse_der(&der).unwrap();
            certificate.x509.serial_number().to_bn().unwrap()
        };
        assert!(!serial([0xff; 16]).is_negative());
        assert_eq!(serial([0; 16]).num_bits(), 127);
        assert_ne!(serial([1; 16]), serial([2; 16]));
    }

    #[test]
    fn reads_the_base64_of_metadata_in_its_forms() {
        let key = SigningKey::generate(KeyAlgorithm::Es256, 0).unwrap();
        let long_name = "x".repeat(100);
        let der = self_signed(key.private_key(), &long_name, NOW, YEAR, [1; 16]).unwrap();
        let certificate = Certificate::parse_der(&der).unwrap();
        let base64 = certificate.to_base64();
        let (head, tail) = base64.split_at(64);
        for text in [
            base64.clone(),
            format!("\n  {head}\r\n\t{tail}\n"),
            format!("-----BEGIN CERTIFICATE-----\n{head}\n{tail}\n-----END CERTIFICATE-----\n"),
        ] {
            assert_eq!(Certificate::parse_base64(&text).unwrap(), certificate, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_single_certificate() {
        let key = SigningKey::generate(KeyAlgorithm::Es256, 0).unwrap();
        let mut der = self_signed(key.private_key(), "a", NOW, YEAR, [1; 16]).unwrap();
        assert!(Certificate::parse_der(&der).is_ok());
        der.push(0);
        assert_eq!(Certificate::parse_der(&der), Err(CertificateError::Malformed));
        for bad in ["", "AAAA", "not base64!", "MIIB"] {
            assert_eq!(Certificate::parse_base64(bad), Err(CertificateError::Malformed), "{bad}");
        }
        let long = "A".repeat(2 * MAX_DER_BYTES + 1);
        assert_eq!(Certificate::parse_base64(&long), Err(CertificateError::TooLong));
    }
}
