//! Everything put together: one running service, as `sloop serve`, the demo and the tests start it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::declared;
use crate::http::{self, Edge};
use crate::keys::Kek;
use crate::lifecycle::{self, Limits, Shutdown};
use crate::outbound::{self, ClientError, Roots, Timeouts};
use crate::rng::Rng;
use crate::session::Lifetime;
use crate::store::{DatabaseUrl, NodeLock, SealedStore, Store, StoreError};
use crate::use_cases::{Failure, Keys, Settings, UseCases};
use crate::worker;

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the key-encryption key {path}: {reason}")]
    Kek { path: PathBuf, reason: String },
    #[error("ca_file {path}: {reason}")]
    Roots { path: PathBuf, reason: String },
    #[error(transparent)]
    Outbound(#[from] ClientError),
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: SocketAddr, reason: String },
}

/// Opens the store and the keys: what the commands need, with or without a running service beside
/// them. Makes the keys at the first start.
pub async fn open(config: &Config, clock: &Clock) -> Result<UseCases, ServerError> {
    let rng = Rng::system();
    let kek = kek(config, &rng)?;
    let engine = Store::open(&config.database, clock.clone()).await?;
    let store = SealedStore::new(engine, kek, rng.clone());
    let settings = settings(config)?;
    let now = store.now().await?;
    let common_name = settings.issuer.as_str();
    let keys = Keys::load_or_make(&store, common_name, now, &rng).await?;
    let roots = match &config.ca_file {
        Some(path) => Roots(Some(std::fs::read(path).map_err(|error| ServerError::Roots {
            path: path.clone(),
            reason: error.to_string(),
        })?)),
        None => Roots(None),
    };
    let outbound = outbound::Client::new(config.guard(), &roots, Timeouts::default())?;
    Ok(UseCases::new(settings, store, keys, outbound, rng))
}

/// A service that answers requests.
pub struct Server {
    use_cases: UseCases,
    address: SocketAddr,
    shutdown: Shutdown,
    tasks: Vec<JoinHandle<()>>,
    _lock: NodeLock,
}

impl Server {
    /// Opens, binds `config.listen`, and begins to answer.
    pub async fn start(
        config: &Config,
        clock: &Clock,
        shutdown: Shutdown,
    ) -> Result<Self, ServerError> {
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| ServerError::Listen { address, reason: error.to_string() })?;
        Self::start_on(listener, config, clock, shutdown).await
    }

    /// As above, on a listener that is bound already.
    pub async fn start_on(
        listener: TcpListener,
        config: &Config,
        clock: &Clock,
        shutdown: Shutdown,
    ) -> Result<Self, ServerError> {
        let lock = NodeLock::acquire(&config.database)?;
        let use_cases = open(config, clock).await?;
        declare(config, &use_cases, &shutdown).await;
        let address = listener.local_addr().map_err(|error| ServerError::Listen {
            address: config.listen,
            reason: error.to_string(),
        })?;
        let edge = Edge {
            https: config.issuer.is_secure(),
            trusted_proxies: Arc::from(config.trusted_proxies.as_slice()),
            rng: Rng::system(),
        };
        let router = http::router(use_cases.clone(), &edge);
        let serving = {
            let shutdown = shutdown.clone();
            async move {
                let ended = lifecycle::serve(listener, router, Limits::default(), shutdown).await;
                tracing::info!(?ended, "no more requests are answered");
            }
        };
        let working = worker::run(use_cases.clone(), shutdown.clone());
        let tasks = vec![tokio::spawn(serving), tokio::spawn(working)];
        Ok(Self { use_cases, address, shutdown, tasks, _lock: lock })
    }

    pub fn use_cases(&self) -> &UseCases {
        &self.use_cases
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the shutdown begins and what was begun is done.
    pub async fn run(self) {
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the service ended early");
            }
        }
        self.use_cases.store().clone().close().await;
    }

    /// Ends it now: no new requests, and those that run are finished.
    pub async fn shutdown(self) {
        self.shutdown.begin();
        self.run().await;
    }
}

/// On SQLite this node is the only one, so it writes what files declare before it answers, and
/// follows changes. On PostgreSQL `sloop config apply` does, once for all nodes.
async fn declare(config: &Config, use_cases: &UseCases, shutdown: &Shutdown) {
    if matches!(config.database, DatabaseUrl::Sqlite(_)) {
        for error in declared::sync(config, use_cases).await {
            tracing::error!("{error}");
        }
        let watching = declared::watch(config.clone(), use_cases.clone(), shutdown.clone());
        tokio::spawn(watching);
    } else if declared::is_anything(config) {
        tracing::warn!(
            "on PostgreSQL the clients and IdPs that files declare are written by \
             `sloop config apply`, not by `sloop serve`"
        );
    }
}

fn settings(config: &Config) -> Result<Settings, ConfigError> {
    Ok(Settings {
        saml_entity_id: config.saml_entity_id()?,
        clock_skew: config.saml.clock_skew,
        require_encryption: config.saml.require_encryption,
        metadata_max_validity: config.saml.metadata_max_validity,
        session: Lifetime { idle: config.session.idle, absolute: config.session.absolute },
        notify_on_expiry: config.session.notify_on_expiry,
        code_lifetime: config.tokens.code,
        access_token_lifetime: config.tokens.access,
        id_token_lifetime: config.tokens.id,
        logout_deadline: config.logout.deadline,
        logout_wait: config.logout.wait,
        logout_scope: config.logout.scope,
        allowed_logout_urls: config.logout.allowed_urls.clone(),
        issuer: config.issuer.clone(),
    })
}

/// The key that seals what is stored: the configured file, or one beside the SQLite database, which
/// is made at the first start for its owner's eyes only.
fn kek(config: &Config, rng: &Rng) -> Result<Kek, ServerError> {
    let path = match (&config.keys.kek_file, &config.database) {
        (Some(path), _) => path.clone(),
        (None, DatabaseUrl::Sqlite(database)) => {
            let mut path = database.clone().into_os_string();
            path.push(".kek");
            let path = PathBuf::from(path);
            if database.exists() && !path.exists() {
                let reason = "it is missing, and the database beside it is sealed with it; \
                              restore it, or name it in [keys] kek_file";
                return Err(ServerError::Kek { path, reason: reason.to_owned() });
            }
            make_kek(&path, rng)?;
            path
        }
        (None, DatabaseUrl::Postgres(_)) => {
            let reason = "PostgreSQL needs [keys] kek_file".to_owned();
            return Err(ServerError::Kek { path: PathBuf::new(), reason });
        }
    };
    read_kek(&path)
}

fn read_kek(path: &Path) -> Result<Kek, ServerError> {
    let refuse = |reason: String| ServerError::Kek { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let bytes = zeroize::Zeroizing::new(bytes);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(refuse("others can read it; `chmod 0400` it".into()));
        }
    }
    let key: [u8; 32] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| refuse(format!("it holds {} bytes, a key has 32", bytes.len())))?;
    Ok(Kek::from_bytes(key))
}

/// Makes the file unless it is there. Two programs that start at once agree on one key.
fn make_kek(path: &Path, rng: &Rng) -> Result<(), ServerError> {
    use std::io::Write as _;
    let refuse = |reason: String| ServerError::Kek { path: path.to_owned(), reason };
    if path.exists() {
        return Ok(());
    }
    let mut unfinished = path.to_owned().into_os_string();
    unfinished.push(format!(".{}", rng.handle().expose()));
    let unfinished = PathBuf::from(unfinished);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o400);
    }
    let mut file = options.open(&unfinished).map_err(|error| refuse(error.to_string()))?;
    let key = zeroize::Zeroizing::new(rng.bytes::<32>());
    let written = file.write_all(key.as_slice()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| std::fs::hard_link(&unfinished, path));
    let removed = std::fs::remove_file(&unfinished);
    match linked {
        Ok(()) => removed.map_err(|error| refuse(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(refuse(error.to_string())),
    }
}
