//! Encrypting for whoever holds a private key (XML-Enc 1.1): AES-GCM and RSA-OAEP, and nothing that
//! is weaker.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm;
use serde::{Deserialize, Serialize};

use super::encryption_algorithm::{ContentAlgorithm, KeyTransport, OaepDigest};
use super::ns;
use super::public_key::{KeyError, PublicKey, Thumbprint};
use super::write::{WriteError, Writer};
use crate::rng::Rng;

const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
const ENCRYPTED_KEY: &str = "http://www.w3.org/2001/04/xmlenc#EncryptedKey";
/// XML-Enc 1.1 5.2.4.
const IV_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// How an element is encrypted: it by a fresh key, and that by the public key of whoever may read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Encryption {
    pub content: Gcm,
    pub transport: Oaep,
}

/// AES-GCM: a changed ciphertext is found out (XML-Enc 1.1 5.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gcm {
    Aes128,
    Aes256,
}

/// RSA-OAEP by either of its names (XML-Enc 1.1 5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oaep {
    /// The older one, whose mask is made with SHA-1 always.
    Mgf1p { digest: OaepDigest },
    /// The newer one, which names the digest of its mask.
    Named { digest: OaepDigest, mask: OaepDigest },
}

/// A public RSA key of 2048 to 8192 bits that something is encrypted for.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EncryptionKey {
    key: PKey<Public>,
    thumbprint: Thumbprint,
    /// SubjectPublicKeyInfo in DER.
    spki: Vec<u8>,
}

/// What is encrypted already, on its way into a document (XML-Enc 1.1 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Ciphertext<'c> {
    /// By which algorithm.
    pub content: &'c str,
    /// IV, ciphertext, and the tag where there is one.
    pub octets: &'c [u8],
    pub transport: TransportMethod<'c>,
    /// The content's key, encrypted to one or several public keys.
    pub keys: &'c [Vec<u8>],
    pub place: KeyPlace<'c>,
}

/// By what the content's key is encrypted.
#[derive(Clone, Copy, Debug)]
pub struct TransportMethod<'c> {
    pub uri: &'c str,
    pub digest: Option<OaepDigest>,
    pub mask: Option<OaepDigest>,
}

/// Where the encrypted key stands.
#[derive(Clone, Copy, Debug)]
pub enum KeyPlace<'c> {
    /// In the `ds:KeyInfo` of the content.
    Inside,
    /// Beside the content, which points at it by a `ds:RetrievalMethod`.
    Beside { id: &'c str },
}

/// Why nothing was encrypted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncryptError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("OpenSSL could not encrypt")]
    Crypto,
}

impl EncryptError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Write(error) => error.code(),
            Self::Crypto => "encrypt.crypto",
        }
    }
}

impl From<ErrorStack> for EncryptError {
    fn from(_: ErrorStack) -> Self {
        Self::Crypto
    }
}

impl Encryption {
    /// AES-256-GCM, and RSA-OAEP as everybody knows it.
    pub const USUAL: Self =
        Self { content: Gcm::Aes256, transport: Oaep::Mgf1p { digest: OaepDigest::Sha1 } };

    /// Writes the element `holder` with one element encrypted in it, which must stand for itself: what
    /// its prefixes mean is declared in it.
    ///
    /// # Errors
    /// [`EncryptError::Crypto`]; what is malformed is reported by the writer.
    pub fn write(
        self,
        element: &str,
        holder: &str,
        to: &EncryptionKey,
        rng: &Rng,
        writer: &mut Writer,
    ) -> Result<(), EncryptError> {
        let key = rng.bytes::<32>();
        let key = key.get(..self.content.algorithm().key_bytes()).ok_or(EncryptError::Crypto)?;
        let octets = self.content.encrypt(key, element.as_bytes(), rng)?;
        let ciphertext = Ciphertext {
            content: self.content.algorithm().uri(),
            octets: &octets,
            transport: self.transport.method(),
            keys: &[self.transport.encrypt(key, to)?],
            place: KeyPlace::Inside,
        };
        ciphertext.write(holder, writer);
        Ok(())
    }
}

impl Gcm {
    /// `None` for what is weaker.
    pub fn of(algorithm: ContentAlgorithm) -> Option<Self> {
        match algorithm {
            ContentAlgorithm::Aes128Gcm => Some(Self::Aes128),
            ContentAlgorithm::Aes256Gcm => Some(Self::Aes256),
            ContentAlgorithm::Aes128Cbc | ContentAlgorithm::Aes256Cbc => None,
        }
    }

    pub fn algorithm(self) -> ContentAlgorithm {
        match self {
            Self::Aes128 => ContentAlgorithm::Aes128Gcm,
            Self::Aes256 => ContentAlgorithm::Aes256Gcm,
        }
    }

    /// IV, ciphertext and tag.
    ///
    /// # Errors
    /// If the key has another length than the algorithm's.
    pub fn encrypt(self, key: &[u8], content: &[u8], rng: &Rng) -> Result<Vec<u8>, EncryptError> {
        let algorithm = self.algorithm();
        if key.len() != algorithm.key_bytes() {
            return Err(EncryptError::Crypto);
        }
        let (iv, mut tag) = (rng.bytes::<IV_BYTES>(), [0; TAG_BYTES]);
        let cipher = algorithm.cipher();
        let octets = symm::encrypt_aead(cipher, key, Some(&iv), &[], content, &mut tag)?;
        Ok([&iv[..], &octets, &tag].concat())
    }
}

impl Oaep {
    /// # Errors
    /// If the content's key is too long for this key.
    pub fn encrypt(self, content_key: &[u8], to: &EncryptionKey) -> Result<Vec<u8>, EncryptError> {
        let (digest, mask) = match self {
            Self::Mgf1p { digest } => (digest, OaepDigest::Sha1),
            Self::Named { digest, mask } => (digest, mask),
        };
        let mut context = PkeyCtx::new(&to.key)?;
        context.encrypt_init()?;
        context.set_rsa_padding(Padding::PKCS1_OAEP)?;
        context.set_rsa_oaep_md(digest.digest())?;
        context.set_rsa_mgf1_md(mask.digest())?;
        let mut encrypted = Vec::new();
        context.encrypt_to_vec(content_key, &mut encrypted)?;
        Ok(encrypted)
    }

    pub fn method(self) -> TransportMethod<'static> {
        match self {
            Self::Mgf1p { digest } => {
                TransportMethod { uri: KeyTransport::OAEP_MGF1P, digest: Some(digest), mask: None }
            }
            Self::Named { digest, mask } => {
                TransportMethod { uri: KeyTransport::OAEP, digest: Some(digest), mask: Some(mask) }
            }
        }
    }
}

impl EncryptionKey {
    /// `None`: with another key than an RSA key nothing is encrypted here.
    pub fn of(key: &PublicKey) -> Option<Self> {
        let rsa = key.as_rsa()?;
        let spki = rsa.public_key_to_der().ok()?;
        Some(Self { key: rsa.clone(), thumbprint: key.thumbprint(), spki })
    }

    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }
}

impl PartialEq for EncryptionKey {
    fn eq(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey({})", self.thumbprint)
    }
}

impl From<EncryptionKey> for String {
    fn from(key: EncryptionKey) -> Self {
        STANDARD.encode(key.spki)
    }
}

impl TryFrom<String> for EncryptionKey {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        let spki = STANDARD.decode(text).map_err(|_| KeyError::Malformed)?;
        Self::of(&PublicKey::from_spki_der(&spki)?).ok_or(KeyError::Kind)
    }
}

impl Ciphertext<'_> {
    /// Writes the element `saml:{holder}` around it.
    pub fn write(&self, holder: &str, w: &mut Writer) {
        w.open(&format!("saml:{holder}"), &[("xmlns:saml", ns::SAML)]);
        let declared = [("xmlns:xenc", ns::XENC), ("xmlns:ds", ns::DS), ("Type", ELEMENT)];
        w.open("xenc:EncryptedData", &declared);
        w.leaf("xenc:EncryptionMethod", &[("Algorithm", self.content)], "");
        w.open("ds:KeyInfo", &[]);
        match self.place {
            KeyPlace::Inside => self.keys.iter().for_each(|key| self.write_key(w, key, &[])),
            KeyPlace::Beside { id } => {
                let target = format!("#{id}");
                w.leaf("ds:RetrievalMethod", &[("Type", ENCRYPTED_KEY), ("URI", &target)], "");
            }
        }
        w.close();
        write_octets(w, self.octets);
        w.close();
        if let KeyPlace::Beside { id } = self.place {
            let declared = [("xmlns:xenc", ns::XENC), ("xmlns:ds", ns::DS), ("Id", id)];
            self.keys.iter().for_each(|key| self.write_key(w, key, &declared));
        }
        w.close();
    }

    fn write_key(&self, w: &mut Writer, key: &[u8], attributes: &[(&str, &str)]) {
        let TransportMethod { uri, digest, mask } = self.transport;
        w.open("xenc:EncryptedKey", attributes);
        w.open("xenc:EncryptionMethod", &[("Algorithm", uri)]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyAlgorithm, SigningKey};
    use crate::xml::decrypt::{Cbc, DecryptionKey, decrypt};
    use crate::xml::{Limits, parse};

    #[test]
    fn whoever_has_the_key_reads_the_element_byte_for_byte_and_nobody_else() {
        let pair = || SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap();
        let (ours, other) = (pair(), pair());
        let opening =
            |pair: &SigningKey| DecryptionKey::from_pkcs8_der(&pair.to_pkcs8_der().unwrap());
        let keys = [opening(&ours).unwrap()];
        let to = ours.private_key().public_key_to_der().unwrap();
        let to = EncryptionKey::of(&PublicKey::from_spki_der(&to).unwrap()).unwrap();
        // As it is kept with a leg.
        let kept = serde_json::to_string(&to).unwrap();
        assert_eq!(serde_json::from_str::<EncryptionKey>(&kept).unwrap(), to);
        let element = format!("<a:b xmlns:a=\"urn:a\" c=\" d &amp; \">{} é</a:b>", "x".repeat(300));
        let rng = Rng::system();
        let digests = [OaepDigest::Sha1, OaepDigest::Sha256];
        let older = digests.map(|digest| Oaep::Mgf1p { digest });
        let newer = digests.map(|digest| digests.map(|mask| Oaep::Named { digest, mask }));
        for content in [Gcm::Aes128, Gcm::Aes256] {
            for transport in older.into_iter().chain(newer.into_iter().flatten()) {
                let mut writer = Writer::new();
                let how = Encryption { content, transport };
                how.write(&element, "EncryptedID", &to, &rng, &mut writer).unwrap();
                let xml = writer.finish().unwrap();
                assert!(!xml.contains("xxxx"), "{xml}");
                let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
                let open = |keys| {
                    decrypt(document.root(), keys, Cbc::Refused, |found| {
                        let read = (found.attribute("c"), found.text().unwrap());
                        assert_eq!(read, (Some(" d & "), &*format!("{} é", "x".repeat(300))));
                    })
                };
                assert_eq!(open(&keys), Ok(()), "{how:?}");
                assert!(open(&[opening(&other).unwrap()]).is_err());
            }
        }
        assert!(Gcm::Aes256.encrypt(&[0; 16], b"x", &rng).is_err());
    }

    #[test]
    fn a_key_that_is_no_rsa_key_encrypts_nothing() {
        let elliptic = SigningKey::generate(KeyAlgorithm::Es256, 0).unwrap();
        let spki = elliptic.private_key().public_key_to_der().unwrap();
        assert!(EncryptionKey::of(&PublicKey::from_spki_der(&spki).unwrap()).is_none());
        for bad in [STANDARD.encode(spki), "!".to_owned(), String::new()] {
            assert!(serde_json::from_value::<EncryptionKey>(bad.into()).is_err());
        }
    }
}
