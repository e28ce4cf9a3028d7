//! The keys of this installation: one that signs per algorithm, and those that still verify.

use super::jwk::JwkSet;
use super::key::{KeyAlgorithm, SigningKey, VerifyingKey};

/// Where a key stands in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Is published and does not sign yet.
    Next,
    /// Signs, and is published.
    Active,
    /// Has just been replaced, and is still published.
    Previous,
    /// Verifies ID token hints only. It is not published any more, but people still come to log
    /// out with tokens it signed (RP-Initiated Logout 1.0 2).
    Retired,
}

/// All keys for one purpose. OIDC and SAML have sets of their own.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    active: Vec<SigningKey>,
    verifying: Vec<VerifyingKey>,
    jwks: JwkSet,
}

impl KeySet {
    /// Builds the set. There is at most one active key per algorithm, and each key is named once.
    pub fn new(keys: impl IntoIterator<Item = (SigningKey, Stage)>) -> Result<Self, KeySetError> {
        let mut set = Self::default();
        for (key, stage) in keys {
            if set.verifying(key.kid()).is_some() {
                return Err(KeySetError::Twice { kid: key.kid().to_owned() });
            }
            if stage != Stage::Retired {
                set.jwks.keys.push(key.public_jwk().clone());
            }
            set.verifying.push(key.verifying_key().clone());
            if stage == Stage::Active {
                if set.signing(key.algorithm()).is_some() {
                    return Err(KeySetError::TwoActive { algorithm: key.algorithm() });
                }
                set.active.push(key);
            }
        }
        Ok(set)
    }

    /// The key that signs with this algorithm now.
    pub fn signing(&self, algorithm: KeyAlgorithm) -> Option<&SigningKey> {
        self.active.iter().find(|key| key.algorithm() == algorithm)
    }

    /// The key of that name, retired ones included.
    pub fn verifying(&self, kid: &str) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.kid() == kid)
    }

    /// What `/jwks.json` shows.
    pub fn jwks(&self) -> &JwkSet {
        &self.jwks
    }

    /// The algorithms that can be signed with now, for discovery.
    pub fn algorithms(&self) -> impl Iterator<Item = KeyAlgorithm> {
        self.active.iter().map(SigningKey::algorithm)
    }
}

/// Why keys do not make a set. The store is at fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeySetError {
    #[error("key {kid} stands twice in the set")]
    Twice { kid: String },
    #[error("two active keys for {algorithm}")]
    TwoActive { algorithm: KeyAlgorithm },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: KeyAlgorithm) -> SigningKey {
        SigningKey::generate(algorithm, 2048).unwrap()
    }

    #[test]
    fn each_stage_signs_publishes_and_verifies_as_it_should() {
        let [active, next, old] = [(); 3].map(|()| key(KeyAlgorithm::EdDsa));
        let set = KeySet::new([
            (active.clone(), Stage::Active),
            (next.clone(), Stage::Next),
            (old.clone(), Stage::Retired),
        ])
        .unwrap();
        assert_eq!(set.signing(KeyAlgorithm::EdDsa).unwrap().kid(), active.kid());
        assert!(set.signing(KeyAlgorithm::Rs256).is_none());
        assert_eq!(set.algorithms().collect::<Vec<_>>(), [KeyAlgorithm::EdDsa]);
        let published: Vec<_> = set.jwks().keys.iter().map(|jwk| jwk.kid()).collect();
        assert_eq!(published, [active.kid(), next.kid()]);
        for key in [&active, &next, &old] {
            assert!(set.verifying(key.kid()).is_some());
        }
        assert!(set.verifying("unknown").is_none());
    }

    #[test]
    fn refuses_two_active_keys_and_repeated_ones() {
        let (a, b) = (key(KeyAlgorithm::Es256), key(KeyAlgorithm::Es256));
        assert!(KeySet::new([(a.clone(), Stage::Active), (b.clone(), Stage::Previous)]).is_ok());
        let two = KeySet::new([(a.clone(), Stage::Active), (b, Stage::Active)]);
        assert_eq!(two.unwrap_err(), KeySetError::TwoActive { algorithm: KeyAlgorithm::Es256 });
        let kid = a.kid().to_owned();
        let twice = KeySet::new([(a.clone(), Stage::Active), (a, Stage::Retired)]);
        assert_eq!(twice.unwrap_err(), KeySetError::Twice { kid });
    }
}
