//! The shape of encrypted content: what is in it and what must not be (XML-Enc 1.1 3, SAML Core
//! 2.2.4 and 2.3.4). Everything here is read before anything is decrypted, and depends on no secret.

use super::decrypt::{Cbc, DecryptError};
use super::document::Element;
use super::encryption_algorithm::{ContentAlgorithm, KeyTransport, OaepDigest};
use super::{ns, signature};

/// Whole elements are encrypted, never only what is in them.
const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
/// Keys that one content may be encrypted under: each costs a private operation per key of ours. An
/// IdP that follows our roll-over writes two.
pub const MAX_ENCRYPTED_KEYS: usize = 4;
/// An algorithm's name is repeated to the operator up to this length, in characters.
const SHOWN: usize = 100;

/// One encrypted element with the keys that came with it.
pub(super) struct EncryptedElement {
    pub(super) algorithm: ContentAlgorithm,
    pub(super) keys: Vec<EncryptedKey>,
    pub(super) value: Vec<u8>,
}

pub(super) struct EncryptedKey {
    pub(super) transport: KeyTransport,
    pub(super) value: Vec<u8>,
}

impl EncryptedElement {
    /// Reads `saml:EncryptedAssertion` or an element like it: one `xenc:EncryptedData`, whose keys
    /// stand in its `ds:KeyInfo` or beside it. A `ds:RetrievalMethod` is not followed, wherever it
    /// points: the keys beside are all tried. What else is said of keys (`Recipient`, `KeyName`,
    /// certificates) are hints of an unknown author; our keys either open one or they do not.
    pub(super) fn read(holder: Element<'_>, cbc: Cbc) -> Result<Self, DecryptError> {
        let known = |e: &Element<'_>| e.is(ns::XENC, "EncryptedData") || is_key(e);
        if !holder.elements().all(|child| known(&child)) {
            return Err(DecryptError::Structure);
        }
        let data = holder.required(ns::XENC, "EncryptedData")?;
        if data.attribute("Type").is_some_and(|kind| kind != ELEMENT) {
            return Err(DecryptError::Type);
        }
        let inside = data.optional(ns::DS, "KeyInfo")?;
        let inside = inside.into_iter().flat_map(Element::elements);
        let keys: Vec<Element<'_>> =
            inside.chain(holder.elements()).filter(is_key).take(MAX_ENCRYPTED_KEYS + 1).collect();
        if !(1..=MAX_ENCRYPTED_KEYS).contains(&keys.len()) {
            return Err(DecryptError::KeyCount);
        }
        Ok(Self {
            algorithm: content_algorithm(data, cbc)?,
            keys: keys.into_iter().map(EncryptedKey::read).collect::<Result<_, _>>()?,
            value: cipher_value(data)?,
        })
    }
}

impl EncryptedKey {
    fn read(element: Element<'_>) -> Result<Self, DecryptError> {
        let method = element.required(ns::XENC, "EncryptionMethod")?;
        let name = method.required_attribute("Algorithm")?;
        let digest = algorithm_of(method, ns::DS, "DigestMethod", OaepDigest::from_uri)?;
        let mask = algorithm_of(method, ns::XENC11, "MGF", OaepDigest::from_mask_uri)?;
        if name != KeyTransport::OAEP_MGF1P && name != KeyTransport::OAEP {
            return Err(DecryptError::KeyTransport { found: shown(name) });
        }
        // The older name stands for one mask, whatever a parameter may say.
        if name == KeyTransport::OAEP_MGF1P && mask != OaepDigest::Sha1 {
            return Err(DecryptError::KeyParameters);
        }
        let label = method.optional(ns::XENC, "OAEPparams")?;
        if label.is_some_and(|label| label.text() != Ok("")) {
            return Err(DecryptError::KeyParameters);
        }
        Ok(Self { transport: KeyTransport { digest, mask }, value: cipher_value(element)? })
    }
}

fn is_key(element: &Element<'_>) -> bool {
    element.is(ns::XENC, "EncryptedKey")
}

fn content_algorithm(data: Element<'_>, cbc: Cbc) -> Result<ContentAlgorithm, DecryptError> {
    let name = data.required(ns::XENC, "EncryptionMethod")?.required_attribute("Algorithm")?;
    let algorithm = ContentAlgorithm::from_uri(name)
        .ok_or_else(|| DecryptError::ContentAlgorithm { found: shown(name) })?;
    if !algorithm.is_authenticated() && cbc == Cbc::Refused {
        return Err(DecryptError::Cbc);
    }
    Ok(algorithm)
}

/// A parameter of RSA-OAEP; both default to SHA-1 (XML-Enc 1.1 5.5.2).
fn algorithm_of(
    method: Element<'_>,
    namespace: &str,
    local: &str,
    read: fn(&str) -> Option<OaepDigest>,
) -> Result<OaepDigest, DecryptError> {
    match method.optional(namespace, local)? {
        None => Ok(OaepDigest::Sha1),
        Some(parameter) => {
            let name = parameter.required_attribute("Algorithm")?;
            read(name).ok_or(DecryptError::KeyParameters)
        }
    }
}

/// The octets of `xenc:CipherData`. A reference to octets elsewhere is never followed.
fn cipher_value(encrypted: Element<'_>) -> Result<Vec<u8>, DecryptError> {
    let data = encrypted.required(ns::XENC, "CipherData")?;
    if data.optional(ns::XENC, "CipherReference")?.is_some() {
        return Err(DecryptError::Reference);
    }
    let value = data.required(ns::XENC, "CipherValue")?;
    signature::base64_text(value).map_err(|_| DecryptError::Base64)
}

fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}
