use super::{query, table};
use crate::change::MetadataSource;
use crate::clock::Timestamp;
use crate::id::IdpId;
use crate::store::sealed::SealedStore;
use crate::store::{Row, StoreError};

impl SealedStore {
    /// Where the metadata of each IdP is looked for again, of those that have such a place.
    pub async fn metadata_sources(&self) -> Result<Vec<(IdpId, MetadataSource)>, StoreError> {
        let sql = "SELECT idp_id, url, etag, last_modified, checked_at, next_at, failure \
                   FROM metadata_source ORDER BY idp_id";
        let snapshot = self.engine.select(vec![query(sql, vec![])]).await?;
        table(&snapshot, 0).iter().map(source).collect()
    }

    pub async fn metadata_source(&self, id: &IdpId) -> Result<Option<MetadataSource>, StoreError> {
        let sql = "SELECT idp_id, url, etag, last_modified, checked_at, next_at, failure \
                   FROM metadata_source WHERE idp_id = $1";
        let snapshot = self.engine.select(vec![query(sql, vec![id.as_str().into()])]).await?;
        let row = table(&snapshot, 0).first();
        row.map(|row| source(row).map(|(_, found)| found)).transpose()
    }

    /// The IdPs whose metadata is to be looked for again by `now`, with the time that was set, at
    /// most `limit`. Disabled ones rest.
    pub async fn due_refreshes(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(IdpId, Timestamp)>, StoreError> {
        let sql = "SELECT s.idp_id, s.next_at FROM metadata_source s \
                   JOIN identity_provider i ON i.id = s.idp_id \
                   WHERE s.next_at <= $1 AND i.disabled_at IS NULL ORDER BY s.next_at LIMIT $2";
        let snapshot = self.engine.select(vec![query(sql, vec![now.into(), limit.into()])]).await?;
        let due = |row: &Row| Ok((row.parse("idp_id")?, row.timestamp("next_at")?));
        table(&snapshot, 0).iter().map(due).collect()
    }
}

fn source(row: &Row) -> Result<(IdpId, MetadataSource), StoreError> {
    let optional = |column| row.optional_text(column).map(|text| text.map(str::to_owned));
    let found = MetadataSource {
        url: row.text("url")?.to_owned(),
        etag: optional("etag")?,
        last_modified: optional("last_modified")?,
        checked_at: row.timestamp("checked_at")?,
        next_at: row.timestamp("next_at")?,
        failure: optional("failure")?,
    };
    Ok((row.parse("idp_id")?, found))
}
