use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, Source};
use crate::id::ClientId;
use crate::oidc::{Client, ClientSettings};
use crate::secret::Token;
use crate::store::{CommitError, FoundClient};
use crate::use_cases::{Failure, UseCases};

/// A client that was saved. The secret is shown this once.
#[derive(Debug)]
pub struct SavedClient {
    pub client: Client,
    pub secret: Option<Token>,
}

/// What to do when there is a client of that id already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    Refuse,
    /// Its settings change, its secret stays.
    Update,
}

impl UseCases {
    /// Registers a client, or changes the settings of one that exists. A confidential client that
    /// has no secret yet gets one; `given` imports one instead.
    ///
    /// # Errors
    /// [`Failure::Admin`] names the key, the value and the mend.
    pub async fn save_client(
        &self,
        settings: ClientSettings,
        given: Option<Token>,
        source: Source,
        existing_client: Existing,
    ) -> Result<SavedClient, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::Admin {
            code: "invalid_client_metadata",
            detail: format!("client {:?}: {error}", settings.id),
        };
        let client = Client::parse(settings.clone()).map_err(|error| wrong(&error))?;
        let id = client.id.clone();
        let text = serde_json::to_string(&settings).map_err(|error| wrong(&error))?;
        let existing = self.store().client(&id).await?;
        if existing.is_some() && existing_client == Existing::Refuse {
            return Err(exists(&id));
        }
        let is_new = existing.is_none();
        let has_secret = existing.as_ref().is_some_and(|found| found.secret.is_some());
        let secret = match given {
            _ if client.public => None,
            Some(given) => Some(given),
            None => (!has_secret).then(|| self.rng().token()),
        };
        let unchanged = secret.is_none()
            && existing
                .is_some_and(|found| found.settings == text && found.source == source.as_str());
        if !unchanged {
            let hash = secret.as_ref().map(Token::hash);
            let save = match is_new {
                true => Change::AddClient { id: id.clone(), settings: text, secret: hash, source },
                false => {
                    Change::SaveClient { id: id.clone(), settings: text, secret: hash, source }
                }
            };
            let record = Change::Record(AuditEvent::new(AuditKind::ClientSaved).client(&id));
            let now = self.now().await?;
            match self.store().commit(now, vec![save, record]).await {
                Ok(()) => {}
                Err(CommitError::Conflict { what: "AddClient" }) => return Err(exists(&id)),
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Ok(SavedClient { client, secret })
    }

    pub async fn clients(&self) -> Result<Vec<FoundClient>, Failure> {
        Ok(self.store().clients().await?)
    }

    /// # Errors
    /// [`Failure::NotFound`]
    pub async fn client(&self, id: &ClientId) -> Result<FoundClient, Failure> {
        let found = self.store().client(id).await?;
        found.ok_or_else(|| Failure::NotFound { what: format!("client {id}") })
    }
}

fn exists(id: &ClientId) -> Failure {
    Failure::Admin { code: "client_exists", detail: format!("there is a client {id} already") }
}
