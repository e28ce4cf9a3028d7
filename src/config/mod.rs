//! What an operator may settle: `sloop.toml` and the environment, checked before anything starts.
//!
//! A value in the environment wins over the file, the file over the default. What is wrong is named
//! with its place, its value and the mend. `example.toml` explains every key.

mod environment;
mod error;
mod example;
mod file;
mod keys;
mod value;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::connection::{IdpSettings, MaxValidity};
use crate::id::IdpId;
use crate::oidc::{AllowedLogoutUrl, Client, Issuer, LogoutScope};
use crate::outbound::{Cidr, GuardConfig};
use crate::paths;
use crate::saml::EntityId;
use crate::store::DatabaseUrl;

pub use environment::process_variable;
pub use error::{ConfigError, Place};
pub use example::EXAMPLE;

/// The file that is read from the working directory when no other is named.
const DEFAULT_FILE: &str = "sloop.toml";
/// Names the file where a command line does not.
const FILE_VARIABLE: &str = "SLOOP_CONFIG";

/// All settings. Relative paths count from the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our public base URL.
    pub issuer: Issuer,
    pub listen: SocketAddr,
    pub database: DatabaseUrl,
    /// Each `NAME.xml` in it is the metadata of the IdP with id `NAME`.
    pub metadata_dir: PathBuf,
    pub trusted_proxies: Vec<Cidr>,
    /// More roots for outgoing TLS, in PEM.
    pub ca_file: Option<PathBuf>,
    pub egress_allow: Vec<Cidr>,
    pub saml: Saml,
    pub session: Session,
    pub tokens: Tokens,
    pub keys: Keys,
    pub logout: Logout,
    pub clients: Vec<DeclaredClient>,
    pub identity_providers: Vec<DeclaredIdp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saml {
    /// Our SAML entity ID; the URL of our metadata where it is not set.
    pub entity_id: Option<EntityId>,
    /// How far clocks of IdPs may be off.
    pub clock_skew: Duration,
    /// Whether an Assertion that is not encrypted is refused, where the IdP has no setting of its own.
    pub require_encryption: bool,
    /// How far ahead the `validUntil` of metadata may be, where the IdP has no setting of its own.
    pub metadata_max_validity: MaxValidity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub idle: Duration,
    pub absolute: Duration,
    /// Whether apps hear of it by the back channel.
    pub notify_on_expiry: bool,
}

/// How long each kind of token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub code: Duration,
    pub access: Duration,
    pub id: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The key that seals private keys and NameIDs; beside the SQLite database where it is not set.
    pub kek_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Logout {
    /// After this the browser's part of a logout is closed.
    pub deadline: Duration,
    /// How long a browser waits for back-channel answers.
    pub wait: Duration,
    /// Where `/v2/logout` may send a person when the request names no client.
    pub allowed_urls: Vec<AllowedLogoutUrl>,
    /// How far a logout without a client may reach.
    pub scope: LogoutScope,
}

/// One `[[clients]]` entry.
#[derive(Clone, Debug)]
pub struct DeclaredClient {
    pub client: Client,
    /// The file with its secret. A public client has none.
    pub secret_file: Option<PathBuf>,
}

/// One `[[identity_providers]]` entry.
#[derive(Clone, Debug)]
pub struct DeclaredIdp {
    pub id: IdpId,
    /// The file with its metadata.
    pub metadata: PathBuf,
    /// The file with the key that must have signed it, if one is pinned.
    pub metadata_key: Option<PathBuf>,
    pub settings: IdpSettings,
}

/// What the browser's part of a logout is given beside `logout.wait`: the 5 seconds of a page with
/// frames, and some for the way.
const LEAST_BESIDES_WAIT: Duration = Duration::from_secs(10);

impl Config {
    /// Reads `path`, or else the file that `SLOOP_CONFIG` names, or else `sloop.toml` if there is
    /// one; then the environment.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(
        path: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let named = path
            .map(Path::to_owned)
            .or_else(|| env(FILE_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from));
        let mut config = Self::default();
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        match std::fs::read_to_string(&path) {
            Ok(text) => file::read(&mut config, &path, &text)?,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(ConfigError::Unreadable { path, reason: error.to_string() }),
        }
        environment::read(&mut config, &env)?;
        config.check()?;
        Ok(config)
    }

    /// Our SAML entity ID: the one that is set, else the URL of our metadata.
    ///
    /// # Errors
    /// [`ConfigError::EntityIdTooLong`]: the issuer makes that URL too long for an entity ID.
    pub fn saml_entity_id(&self) -> Result<EntityId, ConfigError> {
        if let Some(entity_id) = &self.saml.entity_id {
            return Ok(entity_id.clone());
        }
        let url = self.issuer.url(paths::SAML_METADATA);
        EntityId::parse_own(&url).map_err(|_| ConfigError::EntityIdTooLong { url })
    }

    /// What outgoing requests may reach.
    pub fn guard(&self) -> GuardConfig {
        GuardConfig {
            egress_allow: self.egress_allow.clone(),
            allow_loopback: self.issuer.is_loopback(),
        }
    }

    /// What only several keys together can get wrong.
    fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() && self.trusted_proxies.is_empty() {
            return Err(ConfigError::NoTrustedProxies { listen: self.listen });
        }
        if matches!(self.database, DatabaseUrl::Postgres(_)) && self.keys.kek_file.is_none() {
            return Err(ConfigError::NoKekFile);
        }
        self.saml_entity_id()?;
        if self.session.idle > self.session.absolute {
            return Err(ConfigError::IdleBeyondAbsolute);
        }
        if self.logout.deadline < self.logout.wait + LEAST_BESIDES_WAIT {
            return Err(ConfigError::WaitBeyondDeadline);
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: Issuer::parse("http://localhost:8080").expect("a loopback issuer"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            database: DatabaseUrl::Sqlite(PathBuf::from("sloop.db")),
            metadata_dir: PathBuf::from("metadata"),
            trusted_proxies: Vec::new(),
            ca_file: None,
            egress_allow: Vec::new(),
            saml: Saml {
                entity_id: None,
                clock_skew: Duration::from_secs(60),
                require_encryption: false,
                metadata_max_validity: MaxValidity::Unlimited,
            },
            session: Session {
                idle: Duration::from_secs(8 * 3600),
                absolute: Duration::from_secs(24 * 3600),
                notify_on_expiry: false,
            },
            tokens: Tokens {
                code: Duration::from_secs(60),
                access: Duration::from_secs(300),
                id: Duration::from_secs(300),
            },
            keys: Keys { kek_file: None },
            logout: Logout {
                deadline: Duration::from_secs(600),
                wait: Duration::from_secs(2),
                allowed_urls: Vec::new(),
                scope: LogoutScope::AllAppsAndIdp,
            },
            clients: Vec::new(),
            identity_providers: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
