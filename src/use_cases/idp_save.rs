//! A connection is written: from an upload, a file, or a URL, by hand or at a refresh.

use super::idp_difference::Difference;
use super::idp_refresh::next_look;
use super::idps::{settings_of, wrong};
use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, MetadataSource, Source};
use crate::clock::Timestamp;
use crate::connection::{Connection, EmailDomain, IdpSettings, SettingsChange};
use crate::id::IdpId;
use crate::outbound::Validators;
use crate::saml::metadata::MetadataUrl;
use crate::store::{CommitError, FoundIdp};
use crate::use_cases::{Failure, IdpReport, TRIES, UseCases};

/// IdP metadata with the settings that shall go with it.
#[derive(Clone, Debug)]
pub struct SaveIdp {
    pub id: IdpId,
    pub settings: NewSettings,
    /// The metadata document, as it was uploaded.
    pub metadata: Vec<u8>,
    pub source: Source,
}

/// Where the settings of a connection come from.
#[derive(Clone, Debug)]
pub enum NewSettings {
    /// These, whatever was there.
    Exactly(Box<IdpSettings>),
    /// Those that are there when it is written, with this change.
    Changed(Box<SettingsChange>),
}

impl NewSettings {
    fn over(&self, there: IdpSettings) -> IdpSettings {
        match self {
            Self::Exactly(settings) => (**settings).clone(),
            Self::Changed(change) => (**change).clone().apply(there),
        }
    }
}

impl From<IdpSettings> for NewSettings {
    fn from(settings: IdpSettings) -> Self {
        Self::Exactly(Box::new(settings))
    }
}

impl From<SettingsChange> for NewSettings {
    fn from(change: SettingsChange) -> Self {
        Self::Changed(Box::new(change))
    }
}

/// How a document came here, and so what it may change.
pub(super) enum Brought {
    /// Somebody who administers this installation gave it.
    Upload,
    /// As above, by naming a URL.
    Url(MetadataSource),
    /// Nobody looked at it: it was at the URL when its time had come. What was loaded after
    /// `last_checked_at` is newer.
    Refresh { origin: MetadataSource, last_checked_at: Timestamp },
}

impl Brought {
    fn is_refresh(&self) -> bool {
        matches!(self, Self::Refresh { .. })
    }
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

    /// Saves an IdP connection by where its metadata is, and will be looked for again.
    ///
    /// # Errors
    /// As [`UseCases::save_idp`], and when nothing usable is there, the egress guard does not allow the
    /// address, or a query service is named and no entity.
    pub async fn connect_idp(
        &self,
        id: IdpId,
        settings: NewSettings,
        url: &MetadataUrl,
    ) -> Result<IdpReport, Failure> {
        let there = self.idp_settings(&id).await?.unwrap_or_default();
        let entity_id = settings.over(there).entity_id;
        let fetched = self.fetch_metadata(url, entity_id.as_ref(), &Validators::default()).await?;
        let now = self.now().await?;
        let source = MetadataSource {
            url: url.to_string(),
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

    /// Writes a connection, and says what is different from the one that was there. Settings that
    /// somebody else writes at the same time are not lost: it is read and decided again.
    pub(super) async fn write_idp(
        &self,
        wanted: SaveIdp,
        brought: Brought,
    ) -> Result<(IdpReport, Difference), Failure> {
        for _ in 0..TRIES {
            if let Some(written) = self.write_idp_once(&wanted, &brought).await? {
                return Ok(written);
            }
        }
        Err(Failure::Contended)
    }

    /// `None`: somebody else was faster.
    async fn write_idp_once(
        &self,
        wanted: &SaveIdp,
        brought: &Brought,
    ) -> Result<Option<(IdpReport, Difference)>, Failure> {
        let SaveIdp { id, metadata, source, .. } = wanted;
        let found = self.store().idp(id).await?;
        let now = self.now().await?;
        if brought.is_refresh() && found.as_ref().is_none_or(|found| found.disabled) {
            return Err(wrong("idp_disabled", format!("IdP {id} is disabled")));
        }
        let there = found.as_ref().map(settings_of).transpose()?.unwrap_or_default();
        let settings = wanted.settings.over(there);
        let max_validity = self.settings().metadata_max_validity;
        let connection =
            Connection::parse(id.clone(), settings.clone(), metadata, max_validity, now)
                .map_err(|error| wrong(error.code(), error.to_string()))?;
        // At a refresh nobody could answer: then the keys that verify must not be held up by it.
        if let (false, Err(why)) = (brought.is_refresh(), connection.recipient()) {
            let detail = format!(
                "encrypt_name_id: for IdP {id} no NameID can be encrypted, because {why}; load \
                 metadata with such a key, or leave the setting out"
            );
            return Err(wrong("no_encryption_key", detail));
        }
        let metadata = String::from_utf8(metadata.clone())
            .map_err(|_| wrong("metadata_not_utf8", "the metadata is not UTF-8"))?;
        let text = serde_json::to_string(&settings)
            .map_err(|error| Failure::Internal(error.to_string()))?;
        let difference = Difference::between(found.as_ref(), &connection);
        difference.check(&connection, brought.is_refresh())?;

        let unchanged = found.as_ref().is_some_and(|found| {
            found.settings == text
                && found.metadata == metadata
                && found.source == source.as_str()
                && !found.disabled
        });
        let mut changes = Vec::new();
        if !unchanged {
            let kind =
                if brought.is_refresh() { AuditKind::IdpRefreshed } else { AuditKind::IdpSaved };
            changes.push(Change::SaveIdp {
                id: id.clone(),
                entity_id: connection.metadata.entity_id.as_str().to_owned(),
                settings: text,
                metadata,
                domains: settings.domains.iter().map(EmailDomain::to_string).collect(),
                source: *source,
                replaces: found.as_ref().map(|found| found.updated_at),
            });
            let event = AuditEvent::new(kind).idp(id).detail(difference.to_string());
            changes.push(Change::Record(event));
        }
        let origin = match brought {
            Brought::Upload => None,
            Brought::Url(origin) | Brought::Refresh { origin, .. } => {
                let next_at = next_look(&connection.metadata, now);
                Some(MetadataSource { next_at, ..origin.clone() })
            }
        };
        match &origin {
            Some(origin) => {
                let (idp, source) = (id.clone(), Box::new(origin.clone()));
                changes.push(match brought {
                    Brought::Refresh { last_checked_at, .. } => {
                        let last_checked_at = *last_checked_at;
                        Change::NoteRefresh { idp, last_checked_at, source }
                    }
                    _ => Change::SaveMetadataSource { idp, source },
                });
            }
            None if self.store().metadata_source(id).await?.is_some() => {
                changes.push(Change::ForgetMetadataSource { idp: id.clone() });
            }
            None => {}
        }
        if !changes.is_empty()
            && !self.commit_idp(&connection, found.as_ref(), now, changes).await?
        {
            return Ok(None);
        }
        if found.is_some() && difference.is_notable() {
            tracing::warn!(idp.id = %id, "its metadata has changed: {difference}");
        }
        let report = IdpReport::of(&connection, false, source.as_str(), origin.as_ref());
        Ok(Some((report, difference)))
    }

    /// Whether it is written; if not, somebody else has written the connection since `found` was read.
    async fn commit_idp(
        &self,
        connection: &Connection,
        found: Option<&FoundIdp>,
        now: Timestamp,
        changes: Vec<Change>,
    ) -> Result<bool, Failure> {
        match self.store().commit(now, changes).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict { what: "SaveIdpDomain" }) => {
                Err(wrong("domain_taken", "another IdP has this e-mail domain"))
            }
            // Somebody gave it other metadata while this was fetched, and that counts.
            Err(CommitError::Conflict { what: "NoteRefresh" }) => Err(Failure::Contended),
            Err(CommitError::Conflict { .. }) => {
                let is_now = self.store().idp(&connection.id).await?;
                if is_now.map(|idp| idp.updated_at) != found.map(|idp| idp.updated_at) {
                    return Ok(false);
                }
                let entity_id = &connection.metadata.entity_id;
                let detail = format!("another connection has the entity ID {entity_id}");
                Err(wrong("entity_id_taken", detail))
            }
            Err(other) => Err(Failure::commit(other)),
        }
    }
}
