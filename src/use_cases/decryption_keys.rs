//! The keys that IdPs encrypt to. They are never the keys that we sign with: whoever can have us
//! decrypt must not be able to have us sign.

use super::Failure;
use crate::change::StoredSigningKey;
use crate::xml::decrypt::DecryptionKey;

/// In the store, the first key bears this name, not that of its public half: of two nodes that start
/// at once only one makes it, and both decrypt with it.
pub(super) const FIRST: &str = "saml-encryption-1";

/// Parsed once, the newest first.
#[derive(Default)]
pub struct DecryptionKeys {
    keys: Vec<DecryptionKey>,
    published: Vec<Vec<u8>>,
}

impl DecryptionKeys {
    /// All keys. A retired one decrypts, because an IdP keeps our metadata for a while.
    pub fn all(&self) -> &[DecryptionKey] {
        &self.keys
    }

    /// The certificates in DER of those that IdPs are told to encrypt to.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.published
    }

    /// To be called for the newest key first.
    pub(super) fn add(&mut self, found: StoredSigningKey, retired: bool) -> Result<(), Failure> {
        let key = DecryptionKey::from_pkcs8_der(&found.private)
            .map_err(|error| Failure::Internal(format!("key {}: {error}", found.id)))?;
        self.keys.push(key);
        if !retired {
            self.published.extend(found.certificate);
        }
        Ok(())
    }
}
