use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, MetadataSource};
use crate::clock::Timestamp;
use crate::connection::{IdpSettings, MaxValidity};
use crate::id::IdpId;
use crate::store::FoundIdp;
use crate::use_cases::{Failure, IdpReport, UseCases, registry};

impl UseCases {
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
            (id, reported(idp, source, self.settings().metadata_max_validity, now))
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
        reported(found, source.as_ref(), self.settings().metadata_max_validity, now)
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
    max_validity: MaxValidity,
    now: Timestamp,
) -> Result<IdpReport, String> {
    let (disabled, source) = (found.disabled, found.source.clone());
    Ok(IdpReport::of(&registry::parse(found, max_validity, now)?, disabled, &source, origin))
}

pub(super) fn wrong(code: &'static str, detail: impl Into<String>) -> Failure {
    Failure::Admin { code, detail: detail.into() }
}
