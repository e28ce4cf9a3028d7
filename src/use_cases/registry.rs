//! Clients and IdP connections, parsed once per settings version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::clock::Timestamp;
use crate::connection::{Connection, IdpSettings, MaxValidity};
use crate::id::{ClientId, IdpId};
use crate::logout::PartyId;
use crate::logout::plan::Parties;
use crate::oidc::{Client, ClientSettings};
use crate::saml::EntityId;
use crate::secret::TokenHash;
use crate::session::BrowserSession;
use crate::store::{FoundIdp, SealedStore, StoreError};
use crate::use_cases::Failure;

/// What is stored, as it is used. Every read compares the settings version first, so a change counts
/// from the next request on, on every node.
pub struct Registry {
    store: SealedStore,
    /// For IdPs with no setting of their own.
    max_validity: MaxValidity,
    cache: Mutex<Cache>,
}

#[derive(Clone, Default)]
struct Cache {
    version: i64,
    clients: HashMap<ClientId, Arc<RegisteredClient>>,
    connections: HashMap<IdpId, Known>,
}

/// A connection that could be read, and whether new sign-ins may use it.
#[derive(Clone)]
struct Known {
    connection: Arc<Connection>,
    disabled: bool,
}

#[derive(Debug)]
pub struct RegisteredClient {
    pub client: Arc<Client>,
    pub secret: Option<TokenHash>,
}

/// The registry as it is at one settings version.
pub struct View<'r> {
    registry: &'r Registry,
    version: i64,
}

impl Registry {
    pub fn new(store: SealedStore, max_validity: MaxValidity) -> Self {
        Self { store, max_validity, cache: Mutex::default() }
    }

    /// One that has read the same, for another node.
    #[cfg(test)]
    pub(super) fn copy_for(&self, store: SealedStore) -> Self {
        let cache = self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Self { store, max_validity: self.max_validity, cache: Mutex::new(cache.clone()) }
    }

    /// Looks which settings count now.
    pub async fn view(&self) -> Result<View<'_>, StoreError> {
        let version = self.store.settings_version().await?.found;
        self.cached(version, |_| ());
        Ok(View { registry: self, version })
    }

    /// Works on the cache of one version; a cache of another version is emptied first.
    fn cached<T>(&self, version: i64, with: impl FnOnce(&mut Cache) -> T) -> T {
        let mut cache = self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if cache.version != version {
            *cache = Cache { version, ..Cache::default() };
        }
        with(&mut cache)
    }
}

impl View<'_> {
    pub async fn client(&self, id: &ClientId) -> Result<Option<Arc<RegisteredClient>>, StoreError> {
        let registry = self.registry;
        if let Some(known) = registry.cached(self.version, |cache| cache.clients.get(id).cloned()) {
            return Ok(Some(known));
        }
        let Some(found) = registry.store.client(id).await? else { return Ok(None) };
        let damaged = |error: String| StoreError::Corrupt(format!("client {id}: {error}"));
        let settings: ClientSettings =
            serde_json::from_str(&found.settings).map_err(|error| damaged(error.to_string()))?;
        let client = Client::parse(settings).map_err(|error| damaged(error.to_string()))?;
        let client = Arc::new(RegisteredClient { client: Arc::new(client), secret: found.secret });
        registry.cached(self.version, |cache| {
            cache.clients.insert(id.clone(), client.clone());
        });
        Ok(Some(client))
    }

    /// A connection that can be used now, for sign-in and for logout.
    ///
    /// # Errors
    /// [`Failure::Connection`] says why it cannot: unknown, disabled, or metadata that has expired.
    pub async fn connection(&self, id: &IdpId, now: Timestamp) -> Result<Arc<Connection>, Failure> {
        let known = self.known(id, now).await?;
        if known.disabled {
            return Err(unusable(id, "it is disabled"));
        }
        Ok(known.connection)
    }

    /// The same, disabled or not: whoever may not sign people in may still hear of a logout.
    ///
    /// # Errors
    /// As above.
    pub async fn known_connection(
        &self,
        id: &IdpId,
        now: Timestamp,
    ) -> Result<Arc<Connection>, Failure> {
        Ok(self.known(id, now).await?.connection)
    }

    /// The connection that a message's Issuer names, disabled or not: whoever may not sign people in
    /// may still sign them out. With it every id under which this IdP has been known, because people
    /// may have signed in under another.
    ///
    /// # Errors
    /// [`Failure::Idp`] if no IdP of ours has this entity ID, or its metadata cannot be used any more.
    pub async fn of_entity(
        &self,
        entity_id: &EntityId,
        now: Timestamp,
    ) -> Result<(Arc<Connection>, Vec<IdpId>), Failure> {
        let refused = |code, detail: &str| Failure::Idp {
            code,
            idp: entity_id.to_string(),
            detail: detail.to_owned(),
        };
        let ids = self.registry.store.idps_of_entity(entity_id.as_str()).await?;
        let Some(id) = ids.first() else {
            return Err(refused("saml.unknown_issuer", "no connection has this entity ID"));
        };
        match self.known(id, now).await {
            Ok(known) => Ok((known.connection, ids)),
            Err(Failure::Connection { detail, .. }) => Err(refused("connection_unusable", &detail)),
            Err(other) => Err(other),
        }
    }

    /// A connection that exists, whose metadata has not expired.
    async fn known(&self, id: &IdpId, now: Timestamp) -> Result<Known, Failure> {
        let registry = self.registry;
        let known = registry.cached(self.version, |cache| cache.connections.get(id).cloned());
        if let Some(known) = known {
            return match known.connection.metadata.valid_until {
                Some(end) if end <= now => {
                    Err(unusable(id, "the validUntil of its metadata has passed"))
                }
                _ => Ok(known),
            };
        }
        let found = registry.store.idp(id).await?;
        let found = found.ok_or_else(|| unusable(id, "there is no such IdP"))?;
        let disabled = found.disabled;
        let connection = Arc::new(
            parse(found, registry.max_validity, now).map_err(|error| unusable(id, &error))?,
        );
        let known = Known { connection, disabled };
        registry.cached(self.version, |cache| {
            cache.connections.insert(id.clone(), known.clone());
        });
        Ok(known)
    }

    /// What people call this client: its id where it has no name, or cannot be read.
    pub async fn client_name(&self, id: &ClientId) -> Result<String, StoreError> {
        let name = match self.client(id).await {
            Ok(found) => found.and_then(|found| found.client.name.clone()),
            Err(StoreError::Corrupt(_)) => None,
            Err(other) => return Err(other),
        };
        Ok(name.map_or_else(|| id.to_string(), String::from))
    }

    /// What people call this IdP, disabled or not: its id where its metadata cannot be used.
    pub async fn idp_name(&self, id: &IdpId, now: Timestamp) -> Result<String, Failure> {
        match self.known(id, now).await {
            Ok(known) => Ok(known.connection.name()),
            Err(Failure::Connection { .. }) => Ok(id.to_string()),
            Err(other) => Err(other),
        }
    }

    /// Whether this connection can be used now.
    pub async fn is_usable(&self, id: &IdpId, now: Timestamp) -> Result<bool, Failure> {
        match self.connection(id, now).await {
            Ok(_) => Ok(true),
            Err(Failure::Connection { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Everybody who takes part in a session, and the apps that are told of its end again, as far as
    /// they can still be told.
    pub async fn parties(
        &self,
        session: &BrowserSession,
        told_again: Vec<ClientId>,
        now: Timestamp,
    ) -> Result<KnownParties, Failure> {
        let mut parties = KnownParties { told_again, ..KnownParties::default() };
        let apps = session.app_sessions.iter().map(|app| &app.client);
        for app in apps.chain(&parties.told_again) {
            match self.client(app).await {
                Ok(Some(found)) => {
                    parties.clients.insert(app.clone(), found.client.clone());
                }
                Ok(None) => {}
                // It cannot be told, and that must not keep our side from ending.
                Err(StoreError::Corrupt(detail)) => tracing::error!("{detail}"),
                Err(other) => return Err(other.into()),
            }
        }
        for idp in &session.idp_sessions {
            match self.connection(&idp.idp, now).await {
                Ok(connection) => {
                    parties.connections.insert(idp.idp.clone(), connection);
                }
                Err(Failure::Connection { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(parties)
    }
}

/// The parties of one session.
#[derive(Default)]
pub struct KnownParties {
    clients: HashMap<ClientId, Arc<Client>>,
    connections: HashMap<IdpId, Arc<Connection>>,
    told_again: Vec<ClientId>,
}

impl KnownParties {
    /// What people call it; our own id of it where nobody has said.
    pub fn name(&self, party: &PartyId) -> String {
        match party {
            PartyId::App { client } => {
                let name = self.clients.get(client).and_then(|known| known.name.clone());
                name.map_or_else(|| client.to_string(), String::from)
            }
            PartyId::Idp { idp } => {
                self.connections.get(idp).map_or_else(|| idp.to_string(), |known| known.name())
            }
        }
    }
}

impl Parties for KnownParties {
    fn client(&self, id: &ClientId) -> Option<Arc<Client>> {
        self.clients.get(id).cloned()
    }

    fn connection(&self, id: &IdpId) -> Option<Arc<Connection>> {
        self.connections.get(id).cloned()
    }

    fn told_again(&self) -> &[ClientId] {
        &self.told_again
    }
}

fn unusable(id: &IdpId, detail: &str) -> Failure {
    Failure::Connection { idp: id.clone(), detail: detail.to_owned() }
}

/// Reads a stored IdP again. It was understood when it was saved, so what fails here is time,
/// or a limit of its validity that was set since.
pub(super) fn parse(
    found: FoundIdp,
    max_validity: MaxValidity,
    now: Timestamp,
) -> Result<Connection, String> {
    let settings: IdpSettings =
        serde_json::from_str(&found.settings).map_err(|error| error.to_string())?;
    Connection::parse(found.id, settings, found.metadata.as_bytes(), max_validity, now)
        .map_err(|error| error.to_string())
}
