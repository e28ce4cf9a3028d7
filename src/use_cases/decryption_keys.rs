//! The keys that IdPs encrypt to. They are never the keys that we sign with: whoever can have us
//! decrypt must not be able to have us sign.

use super::Failure;
use crate::change::StoredSigningKey;
use crate::keys::Stage;
use crate::use_cases::keys::broken;
use crate::xml::decrypt::DecryptionKey;

/// Parsed once.
pub struct DecryptionKeys {
    keys: Vec<DecryptionKey>,
    published: Vec<Vec<u8>>,
}

impl DecryptionKeys {
    /// Those that decrypt: a key that has been replaced still does for a while, because an IdP keeps
    /// our metadata.
    pub fn all(&self) -> &[DecryptionKey] {
        &self.keys
    }

    /// The certificates in DER of those that IdPs are told to encrypt to.
    pub fn published(&self) -> &[Vec<u8>] {
        &self.published
    }

    pub(super) fn new(found: Vec<(StoredSigningKey, Stage)>) -> Result<Self, Failure> {
        let (mut keys, mut published) = (Vec::new(), Vec::new());
        for (key, stage) in found.into_iter().filter(|(_, stage)| *stage != Stage::Retired) {
            let parsed = DecryptionKey::from_pkcs8_der(&key.private)
                .map_err(|error| broken(key.purpose, &key.id, &error))?;
            keys.push(parsed);
            // Nobody begins to encrypt to a key that is on its way out.
            if stage != Stage::Previous {
                published.extend(key.certificate);
            }
        }
        Ok(Self { keys, published })
    }
}
