use url::Url;

use super::idp_difference::Difference;
use super::idp_refresh::next_look;
use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, MetadataSource, Source};
use crate::clock::Timestamp;
use crate::connection::{Connection, EmailDomain, IdpSettings};
use crate::id::IdpId;
use crate::outbound::Validators;
use crate::store::{CommitError, FoundIdp};
use crate::use_cases::{Failure, IdpReport, UseCases, registry};

/// IdP metadata with the settings that shall go with it.
#[derive(Clone, Debug)]
pub struct SaveIdp {
    pub id: IdpId,
    pub settings: IdpSettings,
    /// The metadata document, as it was uploaded.
    pub metadata: Vec<u8>,
    pub source: Source,
}

/// How a document came here, and so what it may change.
pub(super) enum Brought {
    /// Somebody who administers this installation gave it.
    Upload,
    /// As above, by naming a URL.
    Url(MetadataSource),
    /// Nobody looked at it: it was at the URL when its time had come.
    Refresh(MetadataSource),
}

impl UseCases {
    /// Saves an IdP connection: a new one, or new metadata for one that exists.
    ///
    /// # Errors
    /// [`Failure::Admin`]: the metadata is not understood whole, with element, line and reason;
    /// another connection has the same entity ID or e-mail domain; or it is another entity than
    /// the one that is connected, and `entity_id` does not name it.
    pub async fn save_idp(&self, wanted: SaveIdp) -> Result<IdpReport, Failure> {
        self.write_idp(wanted, Brought::Upload).await.map(|(report, _)| report)
    }

    /// Saves an IdP connection by the URL of its metadata, where new metadata will be looked for.
    ///
    /// # Errors
    /// As [`UseCases::save_idp`], and when nothing usable is at the URL or the egress guard does not
    /// allow the address.
    pub async fn connect_idp(
        &self,
        id: IdpId,
        settings: IdpSettings,
        url: &Url,
    ) -> Result<IdpReport, Failure> {
        let fetched = self.fetch_metadata(url, &Validators::default()).await?;
        let now = self.now().await?;
        let source = MetadataSource {
            url: url.as_str().to_owned(),
            etag: fetched.validators.etag,
            last_modified: fetched.validators.last_modified,
            checked_at: now,
            next_at: now,
            failure: None,
        };
        let metadata = fetched.body;
        let wanted = SaveIdp { id, settings, metadata, source: Source::Admin };
        self.write_idp(wanted, Brought::Url(source)).await.map(|(report, _)| report)
    }

    /// Writes a connection, and says what is different from the one that was there.
    pub(super) async fn write_idp(
        &self,
        wanted: SaveIdp,
        brought: Brought,
    ) -> Result<(IdpReport, Difference), Failure> {
        let SaveIdp { id, settings, metadata, source } = wanted;
        let now = self.now().await?;
        let connection = Connection::parse(id.clone(), settings.clone(), &metadata, now)
            .map_err(|error| wrong(error.code(), error.to_string()))?;
        let metadata = String::from_utf8(metadata)
            .map_err(|_| wrong("metadata_not_utf8", "the metadata is not UTF-8"))?;
        let text = serde_json::to_string(&settings)
            .map_err(|error| Failure::Internal(error.to_string()))?;
        let found = self.store().idp(&id).await?;
        let difference = Difference::between(found.as_ref(), &connection);
        let is_refresh = matches!(brought, Brought::Refresh(_));
        difference.check(&connection, is_refresh)?;

        let unchanged = found.as_ref().is_some_and(|found| {
            found.settings == text
                && found.metadata == metadata
                && found.source == source.as_str()
                && !found.disabled
        });
        let mut changes = Vec::new();
        if !unchanged {
            let kind = if is_refresh { AuditKind::IdpRefreshed } else { AuditKind::IdpSaved };
            changes.push(Change::SaveIdp {
                id: id.clone(),
                entity_id: connection.metadata.entity_id.as_str().to_owned(),
                settings: text,
                metadata,
                domains: settings.domains.iter().map(EmailDomain::to_string).collect(),
                source,
            });
            let event = AuditEvent::new(kind).idp(&id).detail(difference.to_string());
            changes.push(Change::Record(event));
        }
        let origin = match brought {
            Brought::Upload => None,
            Brought::Url(origin) | Brought::Refresh(origin) => {
                Some(MetadataSource { next_at: next_look(&connection.metadata, now), ..origin })
            }
        };
        match &origin {
            Some(origin) => {
                let (idp, source) = (id.clone(), Box::new(origin.clone()));
                changes.push(match is_refresh {
                    true => Change::NoteRefresh { idp, source },
                    false => Change::SaveMetadataSource { idp, source },
                });
            }
            None if self.store().metadata_source(&id).await?.is_some() => {
                changes.push(Change::ForgetMetadataSource { idp: id.clone() });
            }
            None => {}
        }
        if !changes.is_empty() {
            self.commit_idp(&connection, now, changes).await?;
        }
        if found.is_some() && difference.is_notable() {
            tracing::warn!(idp.id = %id, "its metadata has changed: {difference}");
        }
        Ok((IdpReport::of(&connection, false, source.as_str(), origin.as_ref()), difference))
    }

    async fn commit_idp(
        &self,
        connection: &Connection,
        now: Timestamp,
        changes: Vec<Change>,
    ) -> Result<(), Failure> {
        match self.store().commit(now, changes).await {
            Ok(()) => Ok(()),
            Err(CommitError::Conflict { what: "SaveIdpDomain" }) => {
                Err(wrong("domain_taken", "another IdP has this e-mail domain"))
            }
            // Somebody gave it other metadata while this was fetched, and that counts.
            Err(CommitError::Conflict { what: "NoteRefresh" }) => Err(Failure::Contended),
            Err(CommitError::Conflict { .. }) => {
                let entity_id = &connection.metadata.entity_id;
                let detail = format!("another connection has the entity ID {entity_id}");
                Err(wrong("entity_id_taken", detail))
            }
            Err(other) => Err(Failure::commit(other)),
        }
    }

    /// The settings of a connection, usable or not. New metadata for it keeps them: a renewed
    /// certificate must not change who people are.
    pub async fn idp_settings(&self, id: &IdpId) -> Result<Option<IdpSettings>, Failure> {
        let Some(found) = self.store().idp(id).await? else { return Ok(None) };
        settings_of(&found).map(Some)
    }

    /// Id, source and whether it is disabled, of every connection.
    pub async fn idp_sources(&self) -> Result<Vec<(IdpId, String, bool)>, Failure> {
        let found = self.store().idps().await?;
        Ok(found.into_iter().map(|idp| (idp.id, idp.source, idp.disabled)).collect())
    }

    /// Disables an IdP whose metadata file has vanished. Nothing is deleted.
    pub async fn disable_idp(&self, id: &IdpId) -> Result<(), Failure> {
        let changes = vec![
            Change::DisableIdp { id: id.clone() },
            Change::Record(AuditEvent::new(AuditKind::IdpDisabled).idp(id)),
        ];
        let now = self.now().await?;
        self.store().commit(now, changes).await.map_err(Failure::commit)
    }

    /// Every connection; one whose metadata cannot be used any more is `Err` with the reason.
    pub async fn idps(&self) -> Result<Vec<(IdpId, Result<IdpReport, String>)>, Failure> {
        let now = self.now().await?;
        let (found, sources) = (self.store().idps().await?, self.store().metadata_sources().await?);
        let source_of =
            |id: &IdpId| sources.iter().find(|(known, _)| known == id).map(|(_, source)| source);
        let rows = found.into_iter().map(|idp| {
            let id = idp.id.clone();
            let source = source_of(&id);
            (id, reported(idp, source, now))
        });
        Ok(rows.collect())
    }

    /// # Errors
    /// [`Failure::NotFound`], or [`Failure::Connection`] if its metadata cannot be used any more.
    pub async fn idp(&self, id: &IdpId) -> Result<IdpReport, Failure> {
        let now = self.now().await?;
        let found = self.store().idp(id).await?;
        let found = found.ok_or_else(|| Failure::NotFound { what: format!("IdP {id}") })?;
        let source = self.store().metadata_source(id).await?;
        reported(found, source.as_ref(), now)
            .map_err(|detail| Failure::Connection { idp: id.clone(), detail })
    }
}

pub(super) fn settings_of(found: &FoundIdp) -> Result<IdpSettings, Failure> {
    serde_json::from_str(&found.settings)
        .map_err(|error| Failure::Internal(format!("settings of IdP {}: {error}", found.id)))
}

fn reported(
    found: FoundIdp,
    origin: Option<&MetadataSource>,
    now: Timestamp,
) -> Result<IdpReport, String> {
    let (disabled, source) = (found.disabled, found.source.clone());
    Ok(IdpReport::of(&registry::parse(found, now)?, disabled, &source, origin))
}

pub(super) fn wrong(code: &'static str, detail: impl Into<String>) -> Failure {
    Failure::Admin { code, detail: detail.into() }
}
