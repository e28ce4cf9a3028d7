//! The keys of this installation, made at the first start.

use std::time::Duration;

use crate::change::{Change, KeyPurpose, StoredSigningKey};
use crate::clock::Timestamp;
use crate::keys::certificate;
use crate::keys::{KeyAlgorithm, KeySet, SigningKey, Stage};
use crate::rng::Rng;
use crate::store::{CommitError, SealedStore};
use crate::use_cases::Failure;
use crate::use_cases::decryption_keys::{self, DecryptionKeys};
use crate::xml;

/// Keys, parsed once. OIDC and SAML never share one.
pub struct Keys {
    pub oidc: KeySet,
    pub saml: SamlKey,
    pub decryption: DecryptionKeys,
    /// Makes `sub` from what an IdP asserts.
    pub subject: [u8; 32],
    /// Binds a form to the browser that it was shown to.
    pub csrf: [u8; 32],
}

pub struct SamlKey {
    pub signing: xml::sign::SigningKey,
    /// DER.
    pub certificate: Vec<u8>,
}

const RSA_BITS: u32 = 2048;
/// IdPs compare the key and ignore the date, but some warn when it passes.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

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
                vec![decryption_key(common_name, now, rng)?]
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
        let mut oidc = Vec::new();
        let mut saml = None;
        let mut decryption = DecryptionKeys::default();
        for found in store.signing_keys().await? {
            let broken =
                |error: String| Failure::Internal(format!("key {}: {error}", found.key.id));
            match found.key.purpose {
                KeyPurpose::Oidc => {
                    let key = SigningKey::from_pkcs8_der(&found.key.private)
                        .map_err(|error| broken(error.to_string()))?;
                    let stage = if found.retired { Stage::Retired } else { Stage::Active };
                    oidc.push((key, stage));
                }
                KeyPurpose::Saml if saml.is_none() && !found.retired => {
                    let signing = xml::sign::SigningKey::from_pkcs8_der(&found.key.private)
                        .map_err(|error| broken(error.to_string()))?;
                    let certificate = found.key.certificate.unwrap_or_default();
                    saml = Some(SamlKey { signing, certificate });
                }
                KeyPurpose::Saml => {}
                KeyPurpose::SamlEncryption => decryption.add(found.key, found.retired)?,
            }
        }
        let oidc = KeySet::new(oidc).map_err(|error| Failure::Internal(error.to_string()))?;
        let saml = saml.ok_or_else(|| Failure::Internal("there is no SAML signing key".into()))?;
        Ok(Some(Self { oidc, saml, decryption, subject, csrf }))
    }
}

fn first_keys(common_name: &str, now: Timestamp, rng: &Rng) -> Result<Vec<Change>, Failure> {
    let mut changes = vec![
        Change::AddSecretKey { name: "subject", key: rng.bytes() },
        Change::AddSecretKey { name: "csrf", key: rng.bytes() },
    ];
    for algorithm in KeyAlgorithm::ALL {
        let key = make_key(KeyPurpose::Oidc, algorithm, None, now, rng)?;
        changes.push(Change::AddSigningKey(Box::new(key)));
    }
    let saml = make_key(KeyPurpose::Saml, KeyAlgorithm::Rs256, Some(common_name), now, rng)?;
    changes.push(Change::AddSigningKey(Box::new(saml)));
    changes.push(decryption_key(common_name, now, rng)?);
    Ok(changes)
}

fn decryption_key(common_name: &str, now: Timestamp, rng: &Rng) -> Result<Change, Failure> {
    let (purpose, algorithm) = (KeyPurpose::SamlEncryption, KeyAlgorithm::Rs256);
    let key = make_key(purpose, algorithm, Some(common_name), now, rng)?;
    let key = StoredSigningKey { id: decryption_keys::FIRST.to_owned(), ..key };
    Ok(Change::AddSigningKey(Box::new(key)))
}

fn make_key(
    purpose: KeyPurpose,
    algorithm: KeyAlgorithm,
    common_name: Option<&str>,
    now: Timestamp,
    rng: &Rng,
) -> Result<StoredSigningKey, Failure> {
    let broken =
        |error: &dyn std::fmt::Display| Failure::Internal(format!("making a key: {error}"));
    let key = SigningKey::generate(algorithm, RSA_BITS).map_err(|error| broken(&error))?;
    let certificate = common_name
        .map(|name| {
            certificate::self_signed(
                key.private_key(),
                name,
                now,
                CERTIFICATE_LIFETIME,
                rng.bytes(),
            )
        })
        .transpose()
        .map_err(|error| broken(&error))?;
    Ok(StoredSigningKey {
        id: key.kid().to_owned(),
        purpose,
        algorithm: algorithm.as_str().to_owned(),
        certificate,
        private: key.to_pkcs8_der().map_err(|error| broken(&error))?,
    })
}
