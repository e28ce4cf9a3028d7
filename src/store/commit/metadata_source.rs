use super::{any, one};
use crate::change::MetadataSource;
use crate::clock::Timestamp;
use crate::id::IdpId;
use crate::store::{Statement, Value};

pub(super) fn save(idp: &IdpId, source: MetadataSource) -> Statement {
    one(
        "SaveMetadataSource",
        "INSERT INTO metadata_source \
         (idp_id, url, etag, last_modified, checked_at, next_at, failure) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (idp_id) DO UPDATE SET \
         url = excluded.url, etag = excluded.etag, last_modified = excluded.last_modified, \
         checked_at = excluded.checked_at, next_at = excluded.next_at, failure = excluded.failure",
        values(idp, source),
    )
}

pub(super) fn note(idp: &IdpId, last_checked_at: Timestamp, source: MetadataSource) -> Statement {
    let mut values = values(idp, source);
    values.push(last_checked_at.into());
    one(
        "NoteRefresh",
        "UPDATE metadata_source SET etag = $3, last_modified = $4, checked_at = $5, next_at = $6, \
         failure = $7 WHERE idp_id = $1 AND url = $2 AND checked_at = $8",
        values,
    )
}

pub(super) fn forget(idp: &IdpId) -> Statement {
    any(
        "ForgetMetadataSource",
        "DELETE FROM metadata_source WHERE idp_id = $1",
        vec![idp.as_str().into()],
    )
}

pub(super) fn claim(idp: &IdpId, due: Timestamp, until: Timestamp) -> Statement {
    one(
        "ClaimRefresh",
        "UPDATE metadata_source SET next_at = $3 WHERE idp_id = $1 AND next_at = $2",
        vec![idp.as_str().into(), due.into(), until.into()],
    )
}

/// In the order of the columns.
fn values(idp: &IdpId, source: MetadataSource) -> Vec<Value> {
    vec![
        idp.as_str().into(),
        source.url.into(),
        source.etag.into(),
        source.last_modified.into(),
        source.checked_at.into(),
        source.next_at.into(),
        source.failure.into(),
    ]
}
