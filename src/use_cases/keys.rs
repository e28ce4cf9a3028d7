//! The keys of this installation: made at the first start, and from then on used, replaced and put
//! away as their moments say.

use std::sync::Arc;
use std::time::Duration;

use crate::change::{Change, KeyPurpose, StoredSigningKey};
use crate::clock::Timestamp;
use crate::keys::schedule::{Life, Schedule, next_change, stages};
use crate::keys::{KeyAlgorithm, KeySet, SigningKey, Stage, certificate};
use crate::rng::Rng;
use crate::store::{CommitError, FoundSigningKey, SealedStore};
use crate::use_cases::decryption_keys::DecryptionKeys;
use crate::use_cases::{Failure, UseCases};
use crate::xml;

/// Keys, parsed once, as they count at one moment. OIDC and SAML never share one.
pub struct Keys {
    pub oidc: KeySet,
    pub saml: SamlKeys,
    pub decryption: DecryptionKeys,
    /// Makes `sub` from what an IdP asserts.
    pub subject: [u8; 32],
    /// Binds a form to the browser that it was shown to.
    pub csrf: [u8; 32],
    settings_version: i64,
    /// When another key is used or published than now.
    next_change: Option<Timestamp>,
}

pub struct SamlKeys {
    pub signing: xml::sign::SigningKey,
    /// Of the key that signs; DER.
    pub certificate: Vec<u8>,
    /// Of every key that signs, is about to, or did until recently; DER.
    pub published: Vec<Vec<u8>>,
}

/// A key with its place in its life.
pub(super) struct StagedKey {
    pub(super) found: FoundSigningKey,
    /// `None`: it was revoked.
    pub(super) stage: Option<Stage>,
}

const RSA_BITS: u32 = 2048;
/// IdPs compare the key and ignore the date, but some warn when it passes.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl UseCases {
    pub fn keys(&self) -> Arc<Keys> {
        self.0.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Reads the keys again if somebody wrote settings, or if a key's moment has come. Every node
    /// does so about once a second.
    pub async fn refresh_keys(&self) -> Result<(), Failure> {
        let version = self.store().settings_version().await?;
        let known = self.keys();
        let is_current = known.settings_version == version.found
            && known.next_change.is_none_or(|moment| version.now < moment);
        if !is_current && let Some(keys) = Keys::load(self.store()).await? {
            *self.0.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
                Arc::new(keys);
        }
        Ok(())
    }
}

impl Keys {
    /// Reads the keys, or makes them. When two nodes start at once, one makes them and the other
    /// reads what it made.
    pub async fn load_or_make(
        store: &SealedStore,
        common_name: &str,
        now: Timestamp,
        rng: &Rng,
    ) -> Result<Self, Failure> {
        let missing = match Self::load(store).await? {
            // An installation from before there was a key of this kind.
            Some(keys) if keys.decryption.all().is_empty() => {
                new_keys(KeyPurpose::SamlDecryption, common_name, now, rng)?
            }
            Some(keys) => return Ok(keys),
            None => first_keys(common_name, now, rng)?,
        };
        match store.commit(now, missing).await {
            Ok(()) | Err(CommitError::Conflict { .. }) => {}
            Err(other) => return Err(Failure::commit(other)),
        }
        let made = Self::load(store).await?;
        made.ok_or_else(|| Failure::Internal("the keys were made and are not there".into()))
    }

    async fn load(store: &SealedStore) -> Result<Option<Self>, Failure> {
        let (subject, csrf) = (store.secret_key("subject").await?, store.secret_key("csrf").await?);
        let (Some(subject), Some(csrf)) = (subject, csrf) else { return Ok(None) };
        // The version first: what is written meanwhile is then read again.
        let version = store.settings_version().await?;
        let found = store.signing_keys().await?;
        let changes = KeyPurpose::ALL.into_iter().flat_map(|purpose| {
            lines(purpose, &found)
                .into_iter()
                .filter_map(move |line| next_change(&lives(&line), schedule(purpose), version.now))
        });
        let next_change = changes.min();
        let (mut oidc, mut saml, mut decryption) = (Vec::new(), Vec::new(), Vec::new());
        for StagedKey { found, stage } in staged(found, version.now) {
            let Some(stage) = stage else { continue };
            match found.key.purpose {
                KeyPurpose::Oidc => oidc.push((oidc_key(&found.key)?, stage)),
                KeyPurpose::SamlSigning => saml.push((found.key, stage)),
                KeyPurpose::SamlDecryption => decryption.push((found.key, stage)),
            }
        }
        let oidc = KeySet::new(oidc).map_err(|error| Failure::Internal(error.to_string()))?;
        let (saml, decryption) = (SamlKeys::new(saml)?, DecryptionKeys::new(decryption)?);
        let settings_version = version.found;
        Ok(Some(Self { oidc, saml, decryption, subject, csrf, settings_version, next_change }))
    }
}

impl SamlKeys {
    fn new(keys: Vec<(StoredSigningKey, Stage)>) -> Result<Self, Failure> {
        let certificate = |key: &StoredSigningKey| key.certificate.clone().unwrap_or_default();
        let is_published = |stage: Stage| stage != Stage::Retired;
        let published =
            keys.iter().filter(|(_, stage)| is_published(*stage)).map(|(key, _)| certificate(key));
        let published = published.collect();
        let active = keys.iter().find(|(_, stage)| *stage == Stage::Active);
        let (active, _) =
            active.ok_or_else(|| Failure::Internal("there is no SAML signing key".into()))?;
        let signing = xml::sign::SigningKey::from_pkcs8_der(&active.private)
            .map_err(|error| broken(active.purpose, &active.id, &error))?;
        Ok(Self { signing, certificate: certificate(active), published })
    }
}

/// Every key with its stage; each purpose and algorithm has a line of succession of its own.
pub(super) fn staged(keys: Vec<FoundSigningKey>, now: Timestamp) -> Vec<StagedKey> {
    let stage_of = |key: &FoundSigningKey| {
        let purpose = key.key.purpose;
        let line = lines(purpose, &keys)
            .into_iter()
            .find(|line| line.iter().any(|other| other.key.id == key.key.id))?;
        let place = line.iter().position(|other| other.key.id == key.key.id)?;
        stages(&lives(&line), schedule(purpose), now).get(place).copied().flatten()
    };
    let stages: Vec<_> = keys.iter().map(stage_of).collect();
    keys.into_iter().zip(stages).map(|(found, stage)| StagedKey { found, stage }).collect()
}

fn lines(purpose: KeyPurpose, keys: &[FoundSigningKey]) -> Vec<Vec<&FoundSigningKey>> {
    let line = |algorithm: KeyAlgorithm| {
        let of_line = |found: &&FoundSigningKey| {
            found.key.purpose == purpose && found.key.algorithm == algorithm.as_str()
        };
        keys.iter().filter(of_line).collect()
    };
    KeyAlgorithm::ALL.into_iter().map(line).collect()
}

fn lives(line: &[&FoundSigningKey]) -> Vec<Life> {
    let life = |found: &&FoundSigningKey| Life {
        active_from: found.key.active_from,
        revoked_at: found.revoked_at,
    };
    line.iter().map(life).collect()
}

pub(super) fn schedule(purpose: KeyPurpose) -> Schedule {
    match purpose {
        KeyPurpose::Oidc => Schedule::OIDC,
        KeyPurpose::SamlSigning | KeyPurpose::SamlDecryption => Schedule::SAML,
    }
}

/// The algorithms of which there is a key for this purpose at any time.
pub(super) fn algorithms(purpose: KeyPurpose) -> &'static [KeyAlgorithm] {
    match purpose {
        KeyPurpose::Oidc => &KeyAlgorithm::ALL,
        // What every IdP can verify with, and encrypt to.
        KeyPurpose::SamlSigning | KeyPurpose::SamlDecryption => &[KeyAlgorithm::Rs256],
    }
}

fn first_keys(common_name: &str, now: Timestamp, rng: &Rng) -> Result<Vec<Change>, Failure> {
    let mut changes = vec![
        Change::AddSecretKey { name: "subject", key: rng.bytes() },
        Change::AddSecretKey { name: "csrf", key: rng.bytes() },
    ];
    for purpose in KeyPurpose::ALL {
        changes.extend(new_keys(purpose, common_name, now, rng)?);
    }
    Ok(changes)
}

/// One key for each algorithm of the purpose, in use from now on.
fn new_keys(
    purpose: KeyPurpose,
    common_name: &str,
    now: Timestamp,
    rng: &Rng,
) -> Result<Vec<Change>, Failure> {
    let add = |algorithm: &KeyAlgorithm| {
        let key = new_key(purpose, *algorithm, common_name, now, now, rng)?;
        Ok(Change::AddSigningKey(Box::new(key)))
    };
    algorithms(purpose).iter().map(add).collect()
}

/// A fresh key, with a certificate where peers want one.
pub(super) fn new_key(
    purpose: KeyPurpose,
    algorithm: KeyAlgorithm,
    common_name: &str,
    now: Timestamp,
    active_from: Timestamp,
    rng: &Rng,
) -> Result<StoredSigningKey, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::Internal(format!("making a key: {error}"));
    let key = SigningKey::generate(algorithm, RSA_BITS).map_err(|error| failed(&error))?;
    let certificate = match purpose {
        KeyPurpose::Oidc => None,
        KeyPurpose::SamlSigning | KeyPurpose::SamlDecryption => {
            let (private, serial) = (key.private_key(), rng.bytes());
            let made =
                certificate::self_signed(private, common_name, now, CERTIFICATE_LIFETIME, serial);
            Some(made.map_err(|error| failed(&error))?)
        }
    };
    Ok(StoredSigningKey {
        id: key.kid().to_owned(),
        purpose,
        algorithm: algorithm.as_str().to_owned(),
        certificate,
        active_from,
        private: key.to_pkcs8_der().map_err(|error| failed(&error))?,
    })
}

fn oidc_key(key: &StoredSigningKey) -> Result<SigningKey, Failure> {
    SigningKey::from_pkcs8_der(&key.private).map_err(|error| broken(key.purpose, &key.id, &error))
}

/// A key of ours that is too weak or damaged. Every command says so before it does anything
/// (SAML2int SDP-MD07).
pub(super) fn broken(purpose: KeyPurpose, id: &str, error: &dyn std::fmt::Display) -> Failure {
    let purpose = purpose.as_str();
    let detail = format!(
        "the {purpose} key {id} of this installation cannot be used: {error}; put back the backup \
         that has a usable one"
    );
    Failure::Admin { code: "key_unusable", detail }
}
