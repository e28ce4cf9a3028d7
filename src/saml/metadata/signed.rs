//! Metadata that must be signed by a key which an administrator has pinned.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::xml::verify::{
    self, KeyError, PublicKey, SignatureError, SignedElement, Thumbprint, TrustedKeys,
};
use crate::xml::{Document, Element, ns};

/// Where SAML Metadata 3.1 lets a signature stand.
const SIGNABLE: [&str; 9] = [
    "EntitiesDescriptor",
    "EntityDescriptor",
    "RoleDescriptor",
    "IDPSSODescriptor",
    "SPSSODescriptor",
    "AuthnAuthorityDescriptor",
    "AttributeAuthorityDescriptor",
    "PDPDescriptor",
    "AffiliationDescriptor",
];

/// The key that signs an IdP's metadata. A certificate is only its wrapping: dates and names in it
/// do not matter (SAML V2.0 Metadata Interoperability Profile 2.6.1).
///
/// Text is PEM of a certificate or a public key, or the base64 of a SubjectPublicKeyInfo; it is kept
/// and shown as the latter, on one line.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetadataKey {
    key: PublicKey,
    spki: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidMetadataKey {
    #[error("this is neither the PEM of a certificate or of a public key, nor base64 of a key")]
    Malformed,
    #[error("this is a private key; give the public one, or the certificate")]
    Private,
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The document is not what the holder of the pinned key has signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignedMetadataFault {
    #[error(
        "line {line}: the document is not signed, and a key is pinned for it; the signature must \
         be that of the root element"
    )]
    Missing { line: u32 },
    #[error("line {line}: the signature does not hold for the pinned key: {fault}")]
    Invalid { line: u32, fault: SignatureError },
}

impl SignedMetadataFault {
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing { .. } => "metadata.not_signed",
            Self::Invalid { .. } => "metadata.signature",
        }
    }
}

impl MetadataKey {
    pub fn thumbprint(&self) -> Thumbprint {
        self.key.thumbprint()
    }

    /// The root element, once the pinned key is found to have signed it: whole, with the times that
    /// bound everything in it. A signature further in would leave those outside (SAML Metadata 3.1;
    /// SAML V2.0 Implementation Profile, IIP-MD03, asks for the root's).
    pub(super) fn verify<'d>(
        &self,
        document: &'d Document<'d>,
    ) -> Result<Element<'d>, SignedMetadataFault> {
        let root = document.root();
        let signature = root.children(ns::DS, "Signature").next();
        let signature = signature.ok_or(SignedMetadataFault::Missing { line: root.line() })?;
        let signed = self.signed(document, signature);
        let invalid = |fault| SignedMetadataFault::Invalid { line: signature.line(), fault };
        signed.map(|signed| signed.element()).map_err(invalid)
    }

    fn signed<'d>(
        &self,
        document: &'d Document<'d>,
        signature: Element<'d>,
    ) -> Result<SignedElement<'d>, SignatureError> {
        verify::check_ids(document)?;
        // Signatures of others further in are content here; but one in an odd place is how
        // wrapping is done.
        let signatures = document.elements().filter(|element| element.is(ns::DS, "Signature"));
        if !signatures.filter_map(Element::parent).all(is_signable) {
            return Err(SignatureError::Misplaced);
        }
        let keys = TrustedKeys::new(vec![self.key.clone()]).map_err(|_| SignatureError::Invalid)?;
        verify::verify(document.root(), signature, &keys)
    }
}

fn is_signable(element: Element<'_>) -> bool {
    element.namespace() == ns::MD && SIGNABLE.contains(&element.local_name())
}

impl FromStr for MetadataKey {
    type Err = InvalidMetadataKey;
    fn from_str(text: &str) -> Result<Self, InvalidMetadataKey> {
        let malformed = |_| InvalidMetadataKey::Malformed;
        let text = text.trim();
        if text.contains("PRIVATE KEY-----") {
            return Err(InvalidMetadataKey::Private);
        }
        let spki = if text.contains("-----BEGIN CERTIFICATE-----") {
            let key = X509::from_pem(text.as_bytes()).and_then(|found| found.public_key());
            key.and_then(|key| key.public_key_to_der()).map_err(malformed)?
        } else if text.contains("-----BEGIN") {
            let key = PKey::public_key_from_pem(text.as_bytes());
            key.and_then(|key| key.public_key_to_der()).map_err(malformed)?
        } else {
            let text: String = text.split_ascii_whitespace().collect();
            let bytes = STANDARD.decode(text).map_err(|_| InvalidMetadataKey::Malformed)?;
            // A bare certificate in DER is what `.cer` files hold.
            let certificate = X509::from_der(&bytes).and_then(|found| found.public_key());
            match certificate.and_then(|key| key.public_key_to_der()) {
                Ok(spki) => spki,
                Err(_) => bytes,
            }
        };
        let key = PublicKey::from_spki_der(&spki)?;
        Ok(Self { key, spki })
    }
}

impl fmt::Display for MetadataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.spki))
    }
}

impl fmt::Debug for MetadataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.key, f)
    }
}

impl TryFrom<String> for MetadataKey {
    type Error = InvalidMetadataKey;
    fn try_from(text: String) -> Result<Self, InvalidMetadataKey> {
        text.parse()
    }
}

impl From<MetadataKey> for String {
    fn from(key: MetadataKey) -> String {
        key.to_string()
    }
}

#[cfg(test)]
mod tests;
