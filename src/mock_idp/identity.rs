//! The keys with which the IdP signs, and the certificates around them.

use std::sync::OnceLock;
use std::time::Duration;

use super::fault::{Fault, RolledKey};
use super::plan::Faults;
use crate::clock::Timestamp;
use crate::keys;
use crate::rng::Rng;
use crate::xml::decrypt::DecryptionKey;
use crate::xml::sign::SigningKey;

/// The certificate counts from an hour ago, for clocks that go behind.
const EARLIER: Duration = Duration::from_secs(3_600);
const LIFETIME: Duration = Duration::from_secs(365 * 86_400);

/// A key and its certificate in DER.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) key: SigningKey,
    pub(super) certificate: Vec<u8>,
}

/// Every identity that it may take on.
pub(super) struct Identities {
    usual: Identity,
    /// The same key in a certificate whose time is over.
    expired: Identity,
    /// Made when it is first needed.
    rolled: OnceLock<Identity>,
    /// The usual key once more: what a service provider encrypts for the IdP is opened with it.
    decryption: DecryptionKey,
}

/// With what is signed, and what the metadata says of it.
pub(super) struct Keys {
    pub(super) signing: Identity,
    /// Certificates, the best first.
    pub(super) published: Vec<Vec<u8>>,
    /// The certificate to encrypt to.
    pub(super) recipient: Vec<u8>,
}

impl Identities {
    /// # Errors
    /// If no certificate can be made around the key.
    pub(super) fn of(
        pair: &keys::SigningKey,
        now: Timestamp,
        rng: &Rng,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let usual = identity(pair, now.minus(EARLIER), LIFETIME, rng)?;
        let begin = now.minus(LIFETIME).minus(EARLIER);
        let expired = identity(pair, begin, LIFETIME, rng)?;
        let decryption = DecryptionKey::from_pkcs8_der(&pair.to_pkcs8_der()?)?;
        Ok(Self { usual, expired, rolled: OnceLock::new(), decryption })
    }

    pub(super) fn decryption(&self) -> &DecryptionKey {
        &self.decryption
    }

    /// Makes what these faults need.
    ///
    /// # Errors
    /// If OpenSSL cannot make a key.
    pub(super) fn prepare(
        &self,
        faults: &[Fault],
        now: Timestamp,
        rng: &Rng,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let wanted = faults.iter().any(|fault| matches!(fault, Fault::RolledKey(_)));
        if wanted && self.rolled.get().is_none() {
            let pair = keys::SigningKey::generate(keys::KeyAlgorithm::Rs256, 2048)?;
            let made = identity(&pair, now.minus(EARLIER), LIFETIME, rng)?;
            // If somebody else was faster, theirs counts.
            let _ = self.rolled.set(made);
        }
        Ok(())
    }

    /// What counts under these faults, which were prepared.
    pub(super) fn under(&self, faults: &Faults) -> Keys {
        let usual = match faults.has(Fault::ExpiredCertificate) {
            true => &self.expired,
            false => &self.usual,
        };
        let own = usual.certificate.clone();
        let (signing, published) = match (faults.rolled_key(), self.rolled.get()) {
            (Some(RolledKey::Announced), Some(rolled)) => {
                (rolled.clone(), vec![rolled.certificate.clone(), own.clone()])
            }
            (Some(RolledKey::Unannounced), Some(rolled)) => (rolled.clone(), vec![own.clone()]),
            _ => (usual.clone(), vec![own.clone()]),
        };
        Keys { signing, published, recipient: own }
    }
}

fn identity(
    pair: &keys::SigningKey,
    begin: Timestamp,
    lifetime: Duration,
    rng: &Rng,
) -> Result<Identity, Box<dyn std::error::Error>> {
    let (key, name) = (pair.private_key(), "Sloop test IdP");
    let certificate = keys::certificate::self_signed(key, name, begin, lifetime, rng.bytes())?;
    Ok(Identity { key: SigningKey::from_pkcs8_der(&pair.to_pkcs8_der()?)?, certificate })
}
