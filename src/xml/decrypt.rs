//! Opening what an IdP encrypted for us. Encryption proves nothing of who wrote it: our public key
//! is in our metadata, and anybody can encrypt with it. What comes out of here is to be verified.

use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm::{self, Crypter, Mode};
use zeroize::Zeroizing;

use super::document::{Element, ShapeError};
pub use super::encrypted_data::MAX_ENCRYPTED_KEYS;
use super::encrypted_data::{EncryptedElement, EncryptedKey};
use super::encryption_algorithm::ContentAlgorithm;
use super::fault::{ParseError, ParseFault};
use super::limits::Limits;
use super::parse::parse;
use super::public_key::{KeyError, PublicKey, Thumbprint};

/// GCM in XML has an IV of 96 bits and a tag of 128 bits, never less (XML-Enc 1.1 5.2.4). A shorter
/// tag is guessed.
const GCM_IV: usize = 12;
const GCM_TAG: usize = 16;
/// Block of AES, and so the IV and the longest padding of CBC, in bytes.
const BLOCK: usize = 16;

/// What may stand around an encrypted element. Some encrypt it as it is written (`xmlsec1`, and
/// goauthentik/authentik#19586), and the declarations of its prefixes stay behind. These are
/// constants: what the document around the ciphertext declares is not always signed, and could be
/// changed.
const AROUND: [&str; 2] = [
    concat!(
        r#"<around xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion""#,
        r#" xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion""#,
        r#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#""#,
        r#" xmlns:xs="http://www.w3.org/2001/XMLSchema""#,
        r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">"#,
    ),
    "</around>",
];

/// A private RSA key of 2048 to 8192 bits that decrypts. Parsed once, and cheap to clone.
#[derive(Clone)]
pub struct DecryptionKey {
    key: PKey<Private>,
    public: PublicKey,
}

/// Whether AES-CBC is decrypted. Its ciphertext can be changed unseen, and whoever learns what
/// becomes of enough changed ones can read the content (Jager, Somorovsky: How to Break XML
/// Encryption). So it is refused unless a verified signature covers the ciphertext, or an
/// administrator wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cbc {
    Refused,
    Accepted,
}

/// Why encrypted content is not opened. Only [`DecryptError::Failed`] depends on a key or on the
/// content, and it does not tell on what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error("there are other elements beside the encrypted one than its keys")]
    Structure,
    #[error("what is encrypted is not said to be one element")]
    Type,
    #[error("the content is encrypted by {found:?}; use AES-256-GCM or AES-128-GCM at the IdP")]
    ContentAlgorithm { found: String },
    #[error(
        "the content is encrypted by AES-CBC and no signature covers the ciphertext: use AES-GCM \
         at the IdP, or have it sign the whole Response, or set `allow_cbc` here"
    )]
    Cbc,
    #[error("the content's key is encrypted by {found:?}; use RSA-OAEP at the IdP")]
    KeyTransport { found: String },
    #[error("RSA-OAEP is used with other parameters than SHA-1 or SHA-256 and no label")]
    KeyParameters,
    #[error("there is no EncryptedKey, or more than {MAX_ENCRYPTED_KEYS}")]
    KeyCount,
    #[error("the encrypted octets are to be fetched from elsewhere")]
    Reference,
    #[error("the encrypted octets are not Base64")]
    Base64,
    /// None of our keys fits, or the content was changed, or it is not one document that is
    /// accepted here. One answer for all of them.
    #[error("it cannot be decrypted; compare the IdP's copy of our metadata with ours")]
    Failed,
}

impl DecryptError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shape(error) => error.code(),
            Self::Structure => "enc.structure",
            Self::Type => "enc.type",
            Self::ContentAlgorithm { .. } => "enc.content_algorithm",
            Self::Cbc => "enc.cbc",
            Self::KeyTransport { .. } => "enc.key_transport",
            Self::KeyParameters => "enc.key_parameters",
            Self::KeyCount => "enc.key_count",
            Self::Reference => "enc.reference",
            Self::Base64 => "enc.base64",
            Self::Failed => "enc.failed",
        }
    }
}

impl DecryptionKey {
    /// # Errors
    /// If it is not an RSA key of an accepted size.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = PKey::private_key_from_pkcs8(der).map_err(|_| KeyError::Malformed)?;
        if key.id() != Id::RSA {
            return Err(KeyError::Kind);
        }
        let spki = key.public_key_to_der().map_err(|_| KeyError::Malformed)?;
        Ok(Self { public: PublicKey::from_spki_der(&spki)?, key })
    }

    /// Of its public half.
    pub fn thumbprint(&self) -> Thumbprint {
        self.public.thumbprint()
    }

    /// The content's key, if this key opens it and it has the length that the content needs.
    ///
    /// A failure ends the work right away, without going on with a random key. That defence is for
    /// RSA PKCS#1 v1.5, where one ciphertext in some thousands opens by chance and the difference
    /// is the oracle; it is not accepted here. A changed OAEP ciphertext opens by chance with a
    /// probability of 2^-160 at most, OpenSSL checks its padding in constant time and reports one
    /// error, and that none of our keys fits is what the sender knows already.
    fn open(&self, encrypted: &EncryptedKey, bytes: usize) -> Option<Zeroizing<Vec<u8>>> {
        let opened = self.decrypt_oaep(encrypted).ok()?;
        (opened.len() == bytes).then_some(opened)
    }

    fn decrypt_oaep(&self, encrypted: &EncryptedKey) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        let mut context = PkeyCtx::new(&self.key)?;
        context.decrypt_init()?;
        context.set_rsa_padding(Padding::PKCS1_OAEP)?;
        context.set_rsa_oaep_md(encrypted.transport.digest.digest())?;
        context.set_rsa_mgf1_md(encrypted.transport.mask.digest())?;
        let mut opened = Zeroizing::new(Vec::new());
        context.decrypt_to_vec(&encrypted.value, &mut opened)?;
        Ok(opened)
    }
}

/// Shows which key it is, never the key.
impl std::fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DecryptionKey({})", self.thumbprint())
    }
}

/// Decrypts the one element in `holder`, a `saml:EncryptedAssertion` or an element like it, and has
/// `read` read it while it exists. Every key is tried on every encrypted key. The content is parsed
/// as messages are, with the same limits, and nothing in it is decrypted further.
///
/// # Errors
/// [`DecryptError::Failed`] for everything that depends on keys or content, up to and including its
/// parse; the others for what `holder` says in the clear.
pub fn decrypt<T>(
    holder: Element<'_>,
    keys: &[DecryptionKey],
    cbc: Cbc,
    read: impl FnOnce(Element<'_>) -> T,
) -> Result<T, DecryptError> {
    let encrypted = EncryptedElement::read(holder, cbc)?;
    let bytes = encrypted.algorithm.key_bytes();
    let mut tries = encrypted.keys.iter().flat_map(|one| keys.iter().map(move |key| (key, one)));
    let key = tries.find_map(|(key, one)| key.open(one, bytes)).ok_or(DecryptError::Failed)?;
    let content = decrypt_content(encrypted.algorithm, &key, &encrypted.value);
    let content = content.ok_or(DecryptError::Failed)?;

    let surrounded;
    let mut only_child = false;
    let document = match parse(&content, &Limits::MESSAGE) {
        Err(ParseError { fault: ParseFault::UndeclaredPrefix, .. }) => {
            let [before, after] = AROUND.map(str::as_bytes);
            surrounded = [before, &content, after].concat();
            only_child = true;
            parse(&surrounded, &Limits::MESSAGE)
        }
        parsed => parsed,
    };
    let document = document.map_err(|_| DecryptError::Failed)?;
    let root = document.root();
    let element = if only_child { root.only_element() } else { Some(root) };
    Ok(read(element.ok_or(DecryptError::Failed)?))
}

fn decrypt_content(algorithm: ContentAlgorithm, key: &[u8], octets: &[u8]) -> Option<Vec<u8>> {
    if algorithm.is_authenticated() {
        let (iv, rest) = octets.split_at_checked(GCM_IV)?;
        let (content, tag) = rest.split_at_checked(rest.len().checked_sub(GCM_TAG)?)?;
        symm::decrypt_aead(algorithm.cipher(), key, Some(iv), &[], content, tag).ok()
    } else {
        let (iv, content) = octets.split_at_checked(BLOCK)?;
        if content.is_empty() || !content.len().is_multiple_of(BLOCK) {
            return None;
        }
        let mut padded = decrypt_cbc(algorithm, key, iv, content).ok()?;
        // Only the last octet counts; what is before it is arbitrary (XML-Enc 1.1 5.2.2).
        let padding = usize::from(*padded.last()?);
        if !(1..=BLOCK).contains(&padding) {
            return None;
        }
        padded.truncate(padded.len().checked_sub(padding)?);
        Some(padded)
    }
}

fn decrypt_cbc(
    algorithm: ContentAlgorithm,
    key: &[u8],
    iv: &[u8],
    content: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let mut crypter = Crypter::new(algorithm.cipher(), Mode::Decrypt, key, Some(iv))?;
    // OpenSSL would look for the padding of PKCS#7, which is another.
    crypter.pad(false);
    let mut padded = vec![0; content.len() + BLOCK];
    let mut length = crypter.update(content, &mut padded)?;
    length += crypter.finalize(padded.get_mut(length..).unwrap_or_default())?;
    padded.truncate(length);
    Ok(padded)
}

#[cfg(test)]
mod tests;
