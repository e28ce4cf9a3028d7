//! Looking for new metadata at the URL that an IdP was connected by.

use std::time::Duration;

use serde::Serialize;

use super::idp_save::Brought;
use super::idps::wrong;
use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, MetadataSource, Source};
use crate::clock::Timestamp;
use crate::connection::SettingsChange;
use crate::id::IdpId;
use crate::outbound::{Fetched, Request, Validators};
use crate::saml::metadata::{MetadataUrl, redacted};
use crate::saml::{EntityId, IdpMetadata};
use crate::store::CommitError;
use crate::use_cases::{Failure, SaveIdp, UseCases, registry};
use crate::xml;

/// How long to wait where the metadata has no `cacheDuration`.
const USUAL_WAIT: Duration = Duration::from_secs(6 * 3600);
/// Whatever the metadata says, its server is asked no more often than this, and no less often.
const SHORTEST_WAIT: Duration = Duration::from_secs(5 * 60);
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// After a look that brought nothing, and how long one may take before another node tries.
const RETRY: Duration = Duration::from_secs(15 * 60);
/// How many a worker takes at one look.
const AT_ONCE: i64 = 16;

/// What a look brought.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Refreshed {
    /// What we have is the newest.
    Unchanged,
    /// New metadata counts from now on.
    Updated { changes: String },
}

impl UseCases {
    /// Looks for new metadata at the IdP's URL, now.
    ///
    /// # Errors
    /// [`Failure::NotFound`]; [`Failure::Admin`]: it was not connected by a URL or is disabled,
    /// nothing usable is there, or what is there may not replace what we have without somebody's
    /// say-so. What we have goes on to count until its `validUntil`; the reason is kept, logged and
    /// in the audit log.
    pub async fn refresh_idp(&self, id: &IdpId) -> Result<Refreshed, Failure> {
        let found = self.store().idp(id).await?;
        let found = found.ok_or_else(|| Failure::NotFound { what: format!("IdP {id}") })?;
        let Some(origin) = self.store().metadata_source(id).await? else {
            let detail = format!(
                "IdP {id} was not connected by a URL; give its metadata again with `sloop idp add`"
            );
            return Err(wrong("no_metadata_url", detail));
        };
        if found.disabled {
            return Err(wrong("idp_disabled", format!("IdP {id} is disabled")));
        }
        let looked = self.look(id, &origin).await;
        if let Err(failure) = &looked {
            self.note_failed_refresh(id, origin, failure).await?;
        }
        looked
    }

    /// The ids of all IdPs that were connected by a URL.
    pub async fn refreshable_idps(&self) -> Result<Vec<IdpId>, Failure> {
        let sources = self.store().metadata_sources().await?;
        Ok(sources.into_iter().map(|(id, _)| id).collect())
    }

    /// Looks for new metadata of every IdP whose time has come. Any node may do it at any time: the
    /// store gives each turn to one of them.
    ///
    /// # Errors
    /// Of the store. What is wrong with one IdP's metadata is noted with it.
    pub async fn refresh_due_idps(&self) -> Result<(), Failure> {
        let now = self.now().await?;
        for (idp, due) in self.store().due_refreshes(now, AT_ONCE).await? {
            let claim = Change::ClaimRefresh { idp: idp.clone(), due, until: now.plus(RETRY) };
            match self.store().commit(now, vec![claim]).await {
                Ok(()) => {}
                Err(CommitError::Conflict { .. }) => continue,
                Err(other) => return Err(Failure::commit(other)),
            }
            match self.refresh_idp(&idp).await {
                Ok(_) => {}
                Err(Failure::Store(error)) => return Err(error.into()),
                // It has been logged where it was noted.
                Err(_) => {}
            }
        }
        Ok(())
    }

    async fn look(&self, id: &IdpId, origin: &MetadataSource) -> Result<Refreshed, Failure> {
        let url: MetadataUrl = origin.url.parse().map_err(|error| {
            let detail = format!(
                "metadata URL of IdP {id}: {error}. Give its metadata again with `sloop idp add`"
            );
            wrong("metadata_url_unusable", detail)
        })?;
        let entity_id = self.idp_settings(id).await?.and_then(|settings| settings.entity_id);
        let (etag, last_modified) = (origin.etag.clone(), origin.last_modified.clone());
        let known = Validators { etag, last_modified };
        let fetched = self.fetch_metadata(&url, entity_id.as_ref(), &known).await?;
        // Settings may have changed while that took its time.
        let found = self.store().idp(id).await?;
        let found = found.ok_or_else(|| Failure::NotFound { what: format!("IdP {id}") })?;
        let now = self.now().await?;
        let last_checked_at = origin.checked_at;
        let origin = MetadataSource { checked_at: now, failure: None, ..origin.clone() };
        if fetched.status == 304 || fetched.body == found.metadata.as_bytes() {
            // The same document can have expired by now, and that is not "unchanged".
            let connection = registry::parse(found, self.settings().metadata_max_validity, now)
                .map_err(|detail| Failure::Connection { idp: id.clone(), detail })?;
            let next_at = next_look(&connection.metadata, now);
            let source = Box::new(MetadataSource { next_at, ..origin });
            let idp = id.clone();
            self.note(now, vec![Change::NoteRefresh { idp, last_checked_at, source }]).await?;
            return Ok(Refreshed::Unchanged);
        }
        let origin = MetadataSource {
            etag: fetched.validators.etag,
            last_modified: fetched.validators.last_modified,
            ..origin
        };
        let settings = SettingsChange::default().into();
        let (id, metadata) = (id.clone(), fetched.body);
        let wanted = SaveIdp { id, settings, metadata, source: Source::Admin };
        let (_, difference) =
            self.write_idp(wanted, Brought::Refresh { origin, last_checked_at }).await?;
        Ok(Refreshed::Updated { changes: difference.to_string() })
    }

    async fn note_failed_refresh(
        &self,
        id: &IdpId,
        origin: MetadataSource,
        failure: &Failure,
    ) -> Result<(), Failure> {
        tracing::error!(
            idp.id = %id,
            code = failure.code(),
            "no new metadata from {}; what we have goes on to count: {failure}",
            redacted(&origin.url)
        );
        let now = self.now().await?;
        let next_at = now.plus(RETRY);
        let failed = Some(failure.to_string());
        let last_checked_at = origin.checked_at;
        let source =
            Box::new(MetadataSource { checked_at: now, next_at, failure: failed, ..origin });
        let event = AuditEvent::new(AuditKind::IdpRefreshFailed).idp(id).detail(failure.code());
        let idp = id.clone();
        let note = Change::NoteRefresh { idp, last_checked_at, source };
        self.note(now, vec![note, Change::Record(event)]).await
    }

    /// Writes what came of a look, unless the metadata comes from elsewhere or from a later look by now.
    async fn note(&self, now: Timestamp, changes: Vec<Change>) -> Result<(), Failure> {
        match self.store().commit(now, changes).await {
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(other) => Err(Failure::commit(other)),
        }
    }

    /// The document at a URL, or what a query service says of this entity, through the egress guard;
    /// 304 without one if it is not newer.
    ///
    /// # Errors
    /// [`Failure::Admin`]: nothing usable is there, the guard does not allow the address, or there is no
    /// entity to ask for.
    pub(super) async fn fetch_metadata(
        &self,
        place: &MetadataUrl,
        entity_id: Option<&EntityId>,
        known: &Validators,
    ) -> Result<Fetched, Failure> {
        let unreachable = |detail: String| wrong("metadata_unreachable", detail);
        let url = place
            .for_entity(entity_id)
            .map_err(|error| wrong("entity_id_missing", error.to_string()))?;
        let request = Request { url: &url, accept: place.accept(), newer_than: known };
        let fetched = self.0.outbound.get_newer(request, xml::Limits::METADATA.bytes).await;
        let fetched = fetched.map_err(|error| unreachable(format!("{url}: {error}")))?;
        match fetched.status {
            200 => Ok(fetched),
            304 if *known != Validators::default() => Ok(fetched),
            status => Err(unreachable(format!("{url} answered {status}"))),
        }
    }
}

/// When to look again: after the `cacheDuration` (SAML Metadata 2.3.1), and well before what we have
/// expires.
pub(super) fn next_look(metadata: &IdpMetadata, now: Timestamp) -> Timestamp {
    let wait = metadata.cache_duration.unwrap_or(USUAL_WAIT);
    let left = metadata.valid_until.map_or(LONGEST_WAIT, |end| end.since(now) / 2);
    now.plus(wait.min(left).clamp(SHORTEST_WAIT, LONGEST_WAIT))
}
