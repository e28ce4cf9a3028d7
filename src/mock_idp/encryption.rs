//! Encrypting to a service provider's key (XML-Enc 1.1), as IdPs do it in all the ways that are met:
//! as this program does it itself, and those that nobody should accept beside, because what refuses
//! them needs something to refuse.

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm::{self, Cipher};
use openssl::x509::X509;

use crate::rng::Rng;
use crate::xml::encrypt::{
    self, Ciphertext, EncryptError, EncryptionKey, Gcm, Oaep, TransportMethod,
};
use crate::xml::encryption_algorithm::{ContentAlgorithm, OaepDigest};
use crate::xml::verify::PublicKey;
use crate::xml::write::{WriteError, Writer};
use crate::xml::{Limits, ParseError, c14n, ns, parse};

/// How something is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encryption {
    pub content: Content,
    pub transport: Transport,
    pub place: KeyPlace,
}

impl Encryption {
    /// What most products do when they are told to use GCM.
    pub const COMMON: Self = Self {
        content: Content::Accepted(ContentAlgorithm::Aes256Gcm),
        transport: Transport::OaepMgf1p { digest: OaepDigest::Sha1 },
        place: KeyPlace::Inside,
    };
}

/// What the element itself is encrypted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    Accepted(ContentAlgorithm),
    TripleDesCbc,
}

/// What the content's key is encrypted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    OaepMgf1p { digest: OaepDigest },
    Oaep { digest: OaepDigest, mask: OaepDigest },
    RsaV15,
}

/// Where the encrypted key stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyPlace {
    /// In the `ds:KeyInfo` of the content, as of Entra and AD FS.
    Inside,
    /// Beside the content, which points at it by a `ds:RetrievalMethod`, as of Shibboleth.
    Beside,
}

/// Why nothing was encrypted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncryptionError {
    #[error("the service provider's metadata has no key to encrypt to")]
    NoKey,
    #[error("there is no {0} to encrypt")]
    Nothing(String),
    #[error(transparent)]
    Document(#[from] ParseError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("OpenSSL could not encrypt")]
    Crypto,
}

impl EncryptionError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "encryption.no_key",
            Self::Nothing(_) => "encryption.nothing",
            Self::Document(_) => "encryption.document",
            Self::Write(_) => "encryption.write",
            Self::Crypto => "encryption.crypto",
        }
    }
}

impl From<EncryptError> for EncryptionError {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::Write(error) => Self::Write(error),
            EncryptError::Crypto => Self::Crypto,
        }
    }
}

impl From<ErrorStack> for EncryptionError {
    fn from(_: ErrorStack) -> Self {
        Self::Crypto
    }
}

impl Encryption {
    /// Puts `saml:{holder}` in the place of the first `saml:{local}` of a document that our writer
    /// wrote. What is encrypted is its canonical form, which stands for itself and is what a
    /// signature in it was made over.
    ///
    /// # Errors
    /// If there is no such element, or `certificate_der` holds no RSA key.
    pub fn replace(
        self,
        xml: &str,
        (local, holder): (&str, &str),
        certificate_der: &[u8],
        rng: &Rng,
    ) -> Result<String, EncryptionError> {
        let nothing = || EncryptionError::Nothing(local.to_owned());
        let document = parse(xml.as_bytes(), &Limits::METADATA)?;
        let element = document.elements().find(|element| element.is(ns::SAML, local));
        let content = c14n::exclusive(element.ok_or_else(nothing)?, None, &[]);
        let content = content.map_err(|_| nothing())?;
        let start = xml.find(&format!("<saml:{local}")).ok_or_else(nothing)?;
        let end = format!("</saml:{local}>");
        let (before, rest) = xml.split_at(start);
        let (_, after) = rest.split_once(&end).ok_or_else(nothing)?;
        let encrypted = self.element(&content, holder, certificate_der, rng)?;
        Ok(format!("{before}{encrypted}{after}"))
    }

    /// `saml:{holder}` with these octets encrypted in it, whatever they are.
    ///
    /// # Errors
    /// If `certificate_der` holds no RSA key.
    pub fn element(
        self,
        content: &[u8],
        holder: &str,
        certificate_der: &[u8],
        rng: &Rng,
    ) -> Result<String, EncryptionError> {
        let key = rng.bytes::<32>();
        let key = key.get(..self.content.key_bytes()).ok_or(EncryptionError::Crypto)?;
        let octets = self.content.encrypt(key, content, rng)?;
        let to = X509::from_der(certificate_der).and_then(|found| found.public_key())?;
        let wrapped = self.transport.encrypt(key, &to)?;
        self.write(holder, &octets, &[wrapped], &rng.saml_id())
    }

    /// The element around octets that are encrypted already, with these encrypted keys.
    ///
    /// # Errors
    /// If `holder` is no name.
    pub fn write(
        self,
        holder: &str,
        octets: &[u8],
        keys: &[Vec<u8>],
        key_id: &str,
    ) -> Result<String, EncryptionError> {
        let ciphertext = Ciphertext {
            content: self.content.uri(),
            octets,
            transport: self.transport.method(),
            keys,
            place: match self.place {
                KeyPlace::Inside => encrypt::KeyPlace::Inside,
                KeyPlace::Beside => encrypt::KeyPlace::Beside { id: key_id },
            },
        };
        let mut writer = Writer::new();
        ciphertext.write(holder, &mut writer);
        Ok(writer.finish()?)
    }
}

impl Content {
    fn uri(self) -> &'static str {
        match self {
            Self::Accepted(algorithm) => algorithm.uri(),
            Self::TripleDesCbc => "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
        }
    }

    fn key_bytes(self) -> usize {
        match self {
            Self::Accepted(algorithm) => algorithm.key_bytes(),
            Self::TripleDesCbc => Cipher::des_ede3_cbc().key_len(),
        }
    }

    /// IV and ciphertext, and the tag where there is one. PKCS#7 pads in a way that is good for
    /// XML, too (XML-Enc 1.1 5.2.2).
    ///
    /// # Errors
    /// If the key has another length than the algorithm's.
    pub fn encrypt(
        self,
        key: &[u8],
        content: &[u8],
        rng: &Rng,
    ) -> Result<Vec<u8>, EncryptionError> {
        let cipher = match self {
            Self::Accepted(algorithm) => match Gcm::of(algorithm) {
                Some(gcm) => return Ok(gcm.encrypt(key, content, rng)?),
                None if algorithm.key_bytes() == 16 => Cipher::aes_128_cbc(),
                None => Cipher::aes_256_cbc(),
            },
            Self::TripleDesCbc => Cipher::des_ede3_cbc(),
        };
        let random = rng.bytes::<16>();
        let iv = cipher.iv_len().and_then(|length| random.get(..length));
        let iv = iv.ok_or(EncryptionError::Crypto)?;
        if key.len() != cipher.key_len() {
            return Err(EncryptionError::Crypto);
        }
        Ok([iv, &symm::encrypt(cipher, key, Some(iv), content)?].concat())
    }
}

impl Transport {
    /// `None` for the one that nobody should use.
    fn oaep(self) -> Option<Oaep> {
        match self {
            Self::OaepMgf1p { digest } => Some(Oaep::Mgf1p { digest }),
            Self::Oaep { digest, mask } => Some(Oaep::Named { digest, mask }),
            Self::RsaV15 => None,
        }
    }

    fn method(self) -> TransportMethod<'static> {
        let uri = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";
        let rsa_v15 = TransportMethod { uri, digest: None, mask: None };
        self.oaep().map_or(rsa_v15, Oaep::method)
    }

    /// # Errors
    /// If it is no RSA key, or one too short for this.
    pub fn encrypt(self, key: &[u8], to: &PKey<Public>) -> Result<Vec<u8>, EncryptionError> {
        if let Some(oaep) = self.oaep() {
            let to = PublicKey::from_spki_der(&to.public_key_to_der()?).ok();
            let to = to.as_ref().and_then(EncryptionKey::of).ok_or(EncryptionError::Crypto)?;
            return Ok(oaep.encrypt(key, &to)?);
        }
        let mut context = PkeyCtx::new(to)?;
        context.encrypt_init()?;
        context.set_rsa_padding(Padding::PKCS1)?;
        let mut encrypted = Vec::new();
        context.encrypt_to_vec(key, &mut encrypted)?;
        Ok(encrypted)
    }
}

#[cfg(test)]
mod tests;
