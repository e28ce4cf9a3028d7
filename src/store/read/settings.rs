use zeroize::Zeroizing;

use super::{At, query, table};
use crate::change::{KeyPurpose, StoredSigningKey};
use crate::clock::Timestamp;
use crate::id::{ClientId, IdpId};
use crate::secret::TokenHash;
use crate::store::sealed::{SealedStore, place};
use crate::store::{Row, StoreError};

/// A client as it is stored; its settings are JSON that was checked when it was saved.
#[derive(Clone, Debug)]
pub struct FoundClient {
    pub id: ClientId,
    pub settings: String,
    pub secret: Option<TokenHash>,
    pub source: String,
}

/// An IdP as it is stored.
#[derive(Clone, Debug)]
pub struct FoundIdp {
    pub id: IdpId,
    pub entity_id: String,
    pub settings: String,
    pub metadata: String,
    pub source: String,
    pub disabled: bool,
    /// Its version: no two writes have the same.
    pub updated_at: Timestamp,
}

/// A signing key with its private half opened.
#[derive(Clone, Debug)]
pub struct FoundSigningKey {
    pub key: StoredSigningKey,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl SealedStore {
    /// Grows with every settings write.
    pub async fn settings_version(&self) -> Result<At<i64>, StoreError> {
        let sql = "SELECT value FROM setting WHERE name = 'settings_version'";
        let snapshot = self.engine.select(vec![query(sql, vec![])]).await?;
        let row = table(&snapshot, 0).first();
        let row = row.ok_or_else(|| StoreError::Corrupt("settings_version is missing".into()))?;
        Ok(At { now: snapshot.now, found: row.int("value")? })
    }

    /// A client that is not disabled.
    pub async fn client(&self, id: &ClientId) -> Result<Option<FoundClient>, StoreError> {
        let sql = "SELECT id, settings, secret_hash, source FROM client \
                   WHERE id = $1 AND disabled_at IS NULL";
        let snapshot = self.engine.select(vec![query(sql, vec![id.as_str().into()])]).await?;
        table(&snapshot, 0).first().map(client).transpose()
    }

    pub async fn clients(&self) -> Result<Vec<FoundClient>, StoreError> {
        let sql = "SELECT id, settings, secret_hash, source FROM client \
                   WHERE disabled_at IS NULL ORDER BY id";
        let snapshot = self.engine.select(vec![query(sql, vec![])]).await?;
        table(&snapshot, 0).iter().map(client).collect()
    }

    pub async fn idp(&self, id: &IdpId) -> Result<Option<FoundIdp>, StoreError> {
        let sql = "SELECT id, entity_id, settings, metadata, source, disabled_at, \
                   updated_at \
                   FROM identity_provider WHERE id = $1";
        let snapshot = self.engine.select(vec![query(sql, vec![id.as_str().into()])]).await?;
        table(&snapshot, 0).first().map(idp).transpose()
    }

    /// Every id of this entity ID; an enabled one before those that are disabled.
    pub async fn idps_of_entity(&self, entity_id: &str) -> Result<Vec<IdpId>, StoreError> {
        let sql = "SELECT id FROM identity_provider WHERE entity_id = $1 \
                   ORDER BY disabled_at IS NOT NULL, updated_at DESC, id";
        let snapshot = self.engine.select(vec![query(sql, vec![entity_id.into()])]).await?;
        table(&snapshot, 0).iter().map(|row| row.parse("id")).collect()
    }

    pub async fn idps(&self) -> Result<Vec<FoundIdp>, StoreError> {
        let sql = "SELECT id, entity_id, settings, metadata, source, disabled_at, \
                   updated_at \
                   FROM identity_provider ORDER BY id";
        let snapshot = self.engine.select(vec![query(sql, vec![])]).await?;
        table(&snapshot, 0).iter().map(idp).collect()
    }

    /// The ids of all IdPs that are not disabled.
    pub async fn enabled_idps(&self) -> Result<Vec<IdpId>, StoreError> {
        let sql = "SELECT id FROM identity_provider WHERE disabled_at IS NULL ORDER BY id";
        let snapshot = self.engine.select(vec![query(sql, vec![])]).await?;
        table(&snapshot, 0).iter().map(|row| row.parse("id")).collect()
    }

    /// The IdP that people of an e-mail domain belong to.
    pub async fn idp_of_domain(&self, domain: &str) -> Result<Option<IdpId>, StoreError> {
        let sql = "SELECT idp_id FROM identity_provider_domain WHERE domain = $1";
        let snapshot = self.engine.select(vec![query(sql, vec![domain.into()])]).await?;
        let row = table(&snapshot, 0).first();
        row.map(|row| row.parse("idp_id")).transpose()
    }

    pub async fn is_admin_token(&self, hash: TokenHash) -> Result<bool, StoreError> {
        let sql = "SELECT name FROM admin_token WHERE hash = $1";
        let snapshot = self.engine.select(vec![query(sql, vec![hash.into()])]).await?;
        Ok(!table(&snapshot, 0).is_empty())
    }

    pub async fn secret_key(&self, name: &str) -> Result<Option<[u8; 32]>, StoreError> {
        let sql = "SELECT sealed FROM secret_key WHERE name = $1";
        let snapshot = self.engine.select(vec![query(sql, vec![name.into()])]).await?;
        let row = table(&snapshot, 0).first();
        row.map(|row| self.unseal(&place::secret_key(name), row.bytes("sealed")?)).transpose()
    }

    /// Every signing key, in the order in which they were made.
    pub async fn signing_keys(&self) -> Result<Vec<FoundSigningKey>, StoreError> {
        let sql = "SELECT id, purpose, algorithm, certificate, sealed, created_at, active_from, \
                   revoked_at FROM signing_key ORDER BY created_at, id";
        let snapshot = self.engine.select(vec![query(sql, vec![])]).await?;
        table(&snapshot, 0).iter().map(|row| self.signing_key(row)).collect()
    }

    fn signing_key(&self, row: &Row) -> Result<FoundSigningKey, StoreError> {
        let id = row.text("id")?.to_owned();
        let place = place::signing_key(&id);
        let private: Zeroizing<Vec<u8>> = self
            .kek
            .open(&place, row.bytes("sealed")?)
            .map_err(|_| StoreError::Corrupt(format!("{place} does not open with this key")))?;
        let purpose = row.text("purpose")?;
        let known = KeyPurpose::ALL.into_iter().find(|known| known.as_str() == purpose);
        let purpose =
            known.ok_or_else(|| StoreError::Corrupt(format!("key purpose {purpose:?}")))?;
        let key = StoredSigningKey {
            id,
            purpose,
            algorithm: row.text("algorithm")?.to_owned(),
            certificate: row.optional_bytes("certificate")?.map(<[u8]>::to_vec),
            active_from: row.timestamp("active_from")?,
            private,
        };
        Ok(FoundSigningKey {
            key,
            created_at: row.timestamp("created_at")?,
            revoked_at: row.optional_int("revoked_at")?.map(Timestamp::from_micros),
        })
    }
}

fn client(row: &Row) -> Result<FoundClient, StoreError> {
    let secret = row.optional_bytes("secret_hash")?;
    Ok(FoundClient {
        id: row.parse("id")?,
        settings: row.text("settings")?.to_owned(),
        secret: secret.and_then(TokenHash::from_slice),
        source: row.text("source")?.to_owned(),
    })
}

fn idp(row: &Row) -> Result<FoundIdp, StoreError> {
    Ok(FoundIdp {
        id: row.parse("id")?,
        entity_id: row.text("entity_id")?.to_owned(),
        settings: row.text("settings")?.to_owned(),
        metadata: row.text("metadata")?.to_owned(),
        source: row.text("source")?.to_owned(),
        disabled: row.optional_int("disabled_at")?.is_some(),
        updated_at: row.timestamp("updated_at")?,
    })
}
