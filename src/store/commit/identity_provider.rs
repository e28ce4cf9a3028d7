use std::time::Duration;

use super::{any, bump_settings, one};
use crate::change::Source;
use crate::clock::Timestamp;
use crate::id::IdpId;
use crate::store::Statement;

/// A connection as it is to be written.
pub(super) struct Row {
    pub(super) id: IdpId,
    pub(super) entity_id: String,
    pub(super) settings: String,
    pub(super) metadata: String,
    pub(super) domains: Vec<String>,
    pub(super) source: Source,
}

/// `updated_at` is the version of the row, so it grows with every write, however the clock goes.
pub(super) fn save(row: Row, replaces: Option<Timestamp>, now: Timestamp) -> Vec<Statement> {
    let id = row.id.as_str().to_owned();
    let mut values = vec![
        id.clone().into(),
        row.entity_id.into(),
        row.settings.into(),
        row.metadata.into(),
        row.source.as_str().into(),
    ];
    let saved = match replaces {
        None => {
            values.push(now.into());
            one(
                "SaveIdp",
                "INSERT INTO identity_provider \
                 (id, entity_id, settings, metadata, source, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                values,
            )
        }
        Some(read) => {
            values.push(now.max(read.plus(Duration::from_micros(1))).into());
            values.push(read.into());
            one(
                "SaveIdp",
                "UPDATE identity_provider SET entity_id = $2, settings = $3, metadata = $4, \
                 source = $5, disabled_at = NULL, updated_at = $6 \
                 WHERE id = $1 AND updated_at = $7",
                values,
            )
        }
    };
    let mut statements = vec![bump_settings(), saved, forget_domains(&id)];
    statements.extend(row.domains.into_iter().map(|domain| {
        one(
            "SaveIdpDomain",
            "INSERT INTO identity_provider_domain (domain, idp_id) VALUES ($1, $2)",
            vec![domain.into(), id.clone().into()],
        )
    }));
    statements
}

pub(super) fn disable(id: &IdpId, now: Timestamp) -> Vec<Statement> {
    let disabled = any(
        "DisableIdp",
        "UPDATE identity_provider SET disabled_at = $2, \
         updated_at = CASE WHEN updated_at < $2 THEN $2 ELSE updated_at + 1 END \
         WHERE id = $1 AND disabled_at IS NULL",
        vec![id.as_str().into(), now.into()],
    );
    vec![bump_settings(), disabled, forget_domains(id.as_str())]
}

fn forget_domains(id: &str) -> Statement {
    any(
        "ForgetIdpDomains",
        "DELETE FROM identity_provider_domain WHERE idp_id = $1",
        vec![id.to_owned().into()],
    )
}
