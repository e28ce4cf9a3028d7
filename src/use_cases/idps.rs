use serde::Serialize;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, Source};
use crate::clock::Timestamp;
use crate::connection::{Connection, EmailDomain, Fallback, IdpSettings};
use crate::id::IdpId;
use crate::logout::ladder::browser_endpoint;
use crate::saml::{Binding, KeyInfo, Product};
use crate::store::CommitError;
use crate::use_cases::{Failure, UseCases, registry};
use crate::xml;

/// IdP metadata with the settings that shall go with it.
#[derive(Clone, Debug)]
pub struct SaveIdp {
    pub id: IdpId,
    pub settings: IdpSettings,
    /// The metadata document, as it was uploaded.
    pub metadata: Vec<u8>,
    pub source: Source,
}

/// What we understood of an IdP, and what logout will do there.
#[derive(Clone, Debug, Serialize)]
pub struct IdpReport {
    pub id: IdpId,
    pub entity_id: String,
    pub display_name: Option<String>,
    pub product: Option<String>,
    pub disabled: bool,
    pub source: String,
    pub sign_in: Vec<String>,
    pub single_logout: Vec<String>,
    pub keys: Vec<String>,
    pub valid_until: Option<String>,
    pub settings: IdpSettings,
    /// What happens at the IdP when somebody signs out.
    pub logout: String,
    /// What an administrator should know or change.
    pub advice: Vec<String>,
}

impl UseCases {
    /// Saves an IdP connection: a new one, or new metadata for one that exists.
    ///
    /// # Errors
    /// [`Failure::Admin`]: the metadata is not understood whole, with element, line and reason; or
    /// another connection has the same entity ID or e-mail domain.
    pub async fn save_idp(&self, wanted: SaveIdp) -> Result<IdpReport, Failure> {
        let SaveIdp { id, settings, metadata, source } = wanted;
        let wrong = |code, detail: String| Failure::Admin { code, detail };
        let now = self.now().await?;
        let connection = Connection::parse(id.clone(), settings.clone(), &metadata, now)
            .map_err(|error| wrong(error.code(), error.to_string()))?;
        let metadata = String::from_utf8(metadata)
            .map_err(|_| wrong("metadata_not_utf8", "the metadata is not UTF-8".into()))?;
        let text = serde_json::to_string(&settings)
            .map_err(|error| Failure::Internal(error.to_string()))?;
        let unchanged = self.store().idp(&id).await?.is_some_and(|found| {
            found.settings == text
                && found.metadata == metadata
                && found.source == source.as_str()
                && !found.disabled
        });
        if !unchanged {
            let changes = vec![
                Change::SaveIdp {
                    id: id.clone(),
                    entity_id: connection.metadata.entity_id.as_str().to_owned(),
                    settings: text,
                    metadata,
                    domains: settings.domains.iter().map(EmailDomain::to_string).collect(),
                    source,
                },
                Change::Record(AuditEvent::new(AuditKind::IdpSaved).idp(&id)),
            ];
            match self.store().commit(now, changes).await {
                Ok(()) => {}
                Err(CommitError::Conflict { what: "SaveIdpDomain" }) => {
                    return Err(wrong("domain_taken", "another IdP has this e-mail domain".into()));
                }
                Err(CommitError::Conflict { .. }) => {
                    let entity_id = &connection.metadata.entity_id;
                    let detail = format!("another connection has the entity ID {entity_id}");
                    return Err(wrong("entity_id_taken", detail));
                }
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Ok(report(&connection, false, source.as_str()))
    }

    /// The metadata document at a URL, through the egress guard.
    ///
    /// # Errors
    /// [`Failure::Admin`]: nothing usable is there, or the guard does not allow the address.
    pub async fn fetch_metadata(&self, url: &url::Url) -> Result<Vec<u8>, Failure> {
        let wrong = |detail: String| Failure::Admin { code: "metadata_unreachable", detail };
        let fetched = self.0.outbound.get(url, xml::Limits::METADATA.bytes).await;
        let fetched = fetched.map_err(|error| wrong(format!("{url}: {error}")))?;
        match fetched.status {
            200 => Ok(fetched.body.to_vec()),
            status => Err(wrong(format!("{url} answered {status}"))),
        }
    }

    /// The settings of a connection, usable or not. New metadata for it keeps them: a renewed
    /// certificate must not change who people are.
    pub async fn idp_settings(&self, id: &IdpId) -> Result<Option<IdpSettings>, Failure> {
        let Some(found) = self.store().idp(id).await? else { return Ok(None) };
        serde_json::from_str(&found.settings)
            .map(Some)
            .map_err(|error| Failure::Internal(format!("settings of IdP {id}: {error}")))
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
        let found = self.store().idps().await?;
        Ok(found.into_iter().map(|idp| (idp.id.clone(), reported(idp, now))).collect())
    }

    /// # Errors
    /// [`Failure::NotFound`], or [`Failure::Connection`] if its metadata cannot be used any more.
    pub async fn idp(&self, id: &IdpId) -> Result<IdpReport, Failure> {
        let now = self.now().await?;
        let found = self.store().idp(id).await?;
        let found = found.ok_or_else(|| Failure::NotFound { what: format!("IdP {id}") })?;
        reported(found, now).map_err(|detail| Failure::Connection { idp: id.clone(), detail })
    }
}

impl IdpReport {
    /// What is understood of a document that has not been saved.
    ///
    /// # Errors
    /// Element, line and reason.
    pub fn of_document(
        id: IdpId,
        settings: IdpSettings,
        metadata: &[u8],
        now: Timestamp,
    ) -> Result<Self, String> {
        let connection = Connection::parse(id, settings, metadata, now);
        Ok(report(&connection.map_err(|error| error.to_string())?, false, "not saved"))
    }
}

fn reported(found: crate::store::FoundIdp, now: Timestamp) -> Result<IdpReport, String> {
    let (disabled, source) = (found.disabled, found.source.clone());
    Ok(report(&registry::parse(found, now)?, disabled, &source))
}

fn report(connection: &Connection, disabled: bool, source: &str) -> IdpReport {
    let metadata = &connection.metadata;
    let endpoint = |endpoint: &crate::saml::Endpoint| {
        let returns = endpoint.response_location.as_ref();
        let returns = returns.map(|url| format!(" (responses to {url})")).unwrap_or_default();
        format!("{:?} {}{returns}", endpoint.binding, endpoint.location)
    };
    IdpReport {
        id: connection.id.clone(),
        entity_id: metadata.entity_id.as_str().to_owned(),
        display_name: metadata.display_name.clone(),
        product: metadata.product().map(|product| format!("{product:?}")),
        disabled,
        source: source.to_owned(),
        sign_in: metadata.single_sign_on.iter().map(endpoint).collect(),
        single_logout: metadata.single_logout.iter().map(endpoint).collect(),
        keys: metadata.key_info.iter().map(key).collect(),
        valid_until: metadata.valid_until.map(|end| end.to_string()),
        settings: connection.settings.clone(),
        logout: logout_sentence(connection),
        advice: advice(connection),
    }
}

fn key(info: &KeyInfo) -> String {
    let certificate = match &info.certificate {
        Some(found) => format!(", certificate {:?} until {}", found.subject, found.not_after),
        None => ", no certificate".to_owned(),
    };
    format!("{:?} {} bits {}{certificate}", info.kind, info.bits, info.thumbprint)
}

/// What logout will do at this IdP.
fn logout_sentence(connection: &Connection) -> String {
    let settings = &connection.settings;
    let offered = browser_endpoint(&connection.metadata.single_logout, settings.slo_binding);
    match (offered, &settings.fallback) {
        (Some((binding, location)), _) => {
            format!("A signed LogoutRequest goes by {binding:?} to {location}.")
        }
        (None, Fallback::LoginUrl) => {
            let login = browser_endpoint(&connection.metadata.single_sign_on, settings.sso_binding);
            match login {
                Some((_, location)) => format!(
                    "There is no logout URL: the LogoutRequest goes to the login URL {location}, \
                     and without an answer the outcome is `unconfirmed`."
                ),
                None => "There is no URL to send a browser to: only our side ends.".to_owned(),
            }
        }
        (None, Fallback::Url(url)) => {
            format!("There is no logout URL: the browser is sent to {url}; nothing confirms it.")
        }
        (None, Fallback::Local) => {
            "There is no logout URL: only our side ends, and the end page says so.".to_owned()
        }
    }
}

fn advice(connection: &Connection) -> Vec<String> {
    let metadata = &connection.metadata;
    let mut advice: Vec<String> = metadata.warnings.iter().map(ToString::to_string).collect();
    let browser_slo = metadata
        .single_logout
        .iter()
        .any(|endpoint| matches!(endpoint.binding, Binding::Redirect | Binding::Post));
    let refuses = matches!(metadata.product(), Some(Product::Google | Product::Entra));
    if !browser_slo && refuses && connection.settings.fallback == Fallback::LoginUrl {
        advice.push(
            "This product answers a LogoutRequest at its login URL with an error page. \
             `--fallback local` ends our side and says so."
                .to_owned(),
        );
    } else if !browser_slo {
        advice.push(
            "Ask the IdP's administrator whether single logout can be switched on, and load the \
             metadata again."
                .to_owned(),
        );
    }
    advice
}
