use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::xml::encrypt::{EncryptError, Encryption, EncryptionKey};
use crate::xml::verify::Thumbprint;
use crate::xml::write::Writer;

/// For whom something is encrypted: a key of their metadata, and how they want it done.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recipient {
    pub(super) key: EncryptionKey,
    pub(super) encryption: Encryption,
}

/// Why nothing can be encrypted for an IdP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoRecipient {
    #[error("its metadata has no RSA key for encryption")]
    NoKey,
    #[error(
        "the keys for encryption in its metadata are for other algorithms than AES-GCM and RSA-OAEP"
    )]
    Algorithms,
}

impl NoRecipient {
    pub fn code(self) -> &'static str {
        match self {
            Self::NoKey => "recipient.no_key",
            Self::Algorithms => "recipient.algorithms",
        }
    }
}

impl Recipient {
    pub fn encryption(&self) -> Encryption {
        self.encryption
    }

    pub fn thumbprint(&self) -> Thumbprint {
        self.key.thumbprint()
    }

    /// Writes `saml:{holder}` with this element encrypted in it. The element stands for itself: what
    /// its prefixes mean is declared in it.
    ///
    /// # Errors
    /// If OpenSSL cannot encrypt.
    pub(super) fn write(
        &self,
        element: &str,
        holder: &str,
        rng: &Rng,
        writer: &mut Writer,
    ) -> Result<(), EncryptError> {
        self.encryption.write(element, holder, &self.key, rng, writer)
    }
}
