//! Encrypting to a service provider's key (XML-Enc 1.1), as IdPs do it in all the ways that are met,
//! those that nobody should accept among them: what refuses them needs something to refuse.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm::{self, Cipher};
use openssl::x509::X509;

use crate::rng::Rng;
use crate::xml::encryption_algorithm::{ContentAlgorithm, KeyTransport, OaepDigest};
use crate::xml::write::{WriteError, Writer};
use crate::xml::{Limits, ParseError, c14n, ns, parse};

const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
const ENCRYPTED_KEY: &str = "http://www.w3.org/2001/04/xmlenc#EncryptedKey";

/// How something is encrypted. The default is what most products do when they are told to use GCM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encryption {
    pub content: Content,
    pub transport: Transport,
    pub place: KeyPlace,
}

impl Default for Encryption {
    fn default() -> Self {
        Self {
            content: Content::Accepted(ContentAlgorithm::Aes256Gcm),
            transport: Transport::OaepMgf1p { digest: OaepDigest::Sha1 },
            place: KeyPlace::Inside,
        }
    }
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
        let key = key.get(..self.content.cipher().key_len()).ok_or(EncryptionError::Crypto)?;
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
        let mut w = Writer::new();
        w.open(&format!("saml:{holder}"), &[("xmlns:saml", ns::SAML)]);
        let declared = [("xmlns:xenc", ns::XENC), ("xmlns:ds", ns::DS), ("Type", ELEMENT)];
        w.open("xenc:EncryptedData", &declared);
        w.leaf("xenc:EncryptionMethod", &[("Algorithm", self.content.uri())], "");
        w.open("ds:KeyInfo", &[]);
        match self.place {
            KeyPlace::Inside => keys.iter().for_each(|key| self.write_key(&mut w, key, &[])),
            KeyPlace::Beside => {
                let target = format!("#{key_id}");
                w.leaf("ds:RetrievalMethod", &[("Type", ENCRYPTED_KEY), ("URI", &target)], "");
            }
        }
        w.close();
        write_octets(&mut w, octets);
        w.close();
        if self.place == KeyPlace::Beside {
            let declared = [("xmlns:xenc", ns::XENC), ("xmlns:ds", ns::DS), ("Id", key_id)];
            keys.iter().for_each(|key| self.write_key(&mut w, key, &declared));
        }
        w.close();
        Ok(w.finish()?)
    }

    fn write_key(self, w: &mut Writer, key: &[u8], attributes: &[(&str, &str)]) {
        w.open("xenc:EncryptedKey", attributes);
        w.open("xenc:EncryptionMethod", &[("Algorithm", self.transport.uri())]);
        let (digest, mask) = match self.transport {
            Transport::OaepMgf1p { digest } => (Some(digest), None),
            Transport::Oaep { digest, mask } => (Some(digest), Some(mask)),
            Transport::RsaV15 => (None, None),
        };
        if let Some(digest) = digest {
            w.leaf("ds:DigestMethod", &[("Algorithm", digest.uri())], "");
        }
        if let Some(mask) = mask {
            let declared = [("xmlns:xenc11", ns::XENC11), ("Algorithm", mask.mask_uri())];
            w.leaf("xenc11:MGF", &declared, "");
        }
        w.close();
        write_octets(w, key);
        w.close();
    }
}

fn write_octets(w: &mut Writer, octets: &[u8]) {
    w.open("xenc:CipherData", &[]);
    w.leaf("xenc:CipherValue", &[], &STANDARD.encode(octets)).close();
}

impl Content {
    fn uri(self) -> &'static str {
        match self {
            Self::Accepted(algorithm) => algorithm.uri(),
            Self::TripleDesCbc => "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
        }
    }

    fn cipher(self) -> Cipher {
        match self {
            Self::Accepted(ContentAlgorithm::Aes128Gcm) => Cipher::aes_128_gcm(),
            Self::Accepted(ContentAlgorithm::Aes256Gcm) => Cipher::aes_256_gcm(),
            Self::Accepted(ContentAlgorithm::Aes128Cbc) => Cipher::aes_128_cbc(),
            Self::Accepted(ContentAlgorithm::Aes256Cbc) => Cipher::aes_256_cbc(),
            Self::TripleDesCbc => Cipher::des_ede3_cbc(),
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
        let cipher = self.cipher();
        let random = rng.bytes::<16>();
        let iv = cipher.iv_len().and_then(|length| random.get(..length));
        let iv = iv.ok_or(EncryptionError::Crypto)?;
        if key.len() != cipher.key_len() {
            return Err(EncryptionError::Crypto);
        }
        let gcm = matches!(self, Self::Accepted(algorithm) if algorithm.is_authenticated());
        if !gcm {
            return Ok([iv, &symm::encrypt(cipher, key, Some(iv), content)?].concat());
        }
        let mut tag = [0; 16];
        let octets = symm::encrypt_aead(cipher, key, Some(iv), &[], content, &mut tag)?;
        Ok([iv, &octets, &tag].concat())
    }
}

impl Transport {
    fn uri(self) -> &'static str {
        match self {
            Self::OaepMgf1p { .. } => KeyTransport::OAEP_MGF1P,
            Self::Oaep { .. } => KeyTransport::OAEP,
            Self::RsaV15 => "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
        }
    }

    /// # Errors
    /// If it is no RSA key, or one too short for this.
    pub fn encrypt(self, key: &[u8], to: &PKey<Public>) -> Result<Vec<u8>, EncryptionError> {
        let mut context = PkeyCtx::new(to)?;
        context.encrypt_init()?;
        let (digest, mask) = match self {
            Self::OaepMgf1p { digest } => (digest, OaepDigest::Sha1),
            Self::Oaep { digest, mask } => (digest, mask),
            Self::RsaV15 => {
                context.set_rsa_padding(Padding::PKCS1)?;
                let mut encrypted = Vec::new();
                context.encrypt_to_vec(key, &mut encrypted)?;
                return Ok(encrypted);
            }
        };
        let md = |digest| match digest {
            OaepDigest::Sha1 => Md::sha1(),
            OaepDigest::Sha256 => Md::sha256(),
        };
        context.set_rsa_padding(Padding::PKCS1_OAEP)?;
        context.set_rsa_oaep_md(md(digest))?;
        context.set_rsa_mgf1_md(md(mask))?;
        let mut encrypted = Vec::new();
        context.encrypt_to_vec(key, &mut encrypted)?;
        Ok(encrypted)
    }
}

#[cfg(test)]
mod tests;
