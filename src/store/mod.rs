//! The durable state: read, decide, commit.
//!
//! [`Store`] is the engine. It knows transactions, snapshots and two databases, and nothing of
//! sign-ins and logouts: those are `commit` (changes to statements) and `read` (rows to
//! aggregates). A read gives a [`Snapshot`] of one moment with the database's own time; a write is
//! a list of [`Statement`]s that all happen or none, each saying how many rows it expects.

mod cleanup;
mod commit;
mod migrations;
mod open;
mod postgres;
mod read;
mod sealed;
#[cfg(test)]
pub(crate) mod simulated;
mod sqlite;
mod statement;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use open::{DatabaseUrl, DatabaseUrlError, NodeLock};
pub use read::{
    At, DUE_PER_RECEIVER, Due, DueLeg, EARLIER_LOGOUTS, FoundClient, FoundIdp, FoundLogout,
    FoundSigningKey, LogoutKey, LogoutSummary, RecordedEvent, RedeemableCode, SessionFilter,
    SessionKey, SessionPage, UsableToken,
};
pub use sealed::SealedStore;
pub use statement::{Expect, Query, Row, Snapshot, Statement, Value};

use crate::clock::Clock;
use postgres::Postgres;
use sqlite::Sqlite;

/// A handle on the database; clones share it.
#[derive(Clone)]
pub struct Store {
    database: Database,
    counters: Arc<Counters>,
}

#[derive(Clone)]
enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
    /// Whoever simulates the world carries everything out.
    #[cfg(test)]
    Simulated(simulated::Simulated),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// What has been done since the store was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Calls of [`Store::apply`] that were committed.
    pub commits: u64,
    /// Transactions that carried them; fewer than `commits` where SQLite grouped some.
    pub groups: u64,
    /// Statements executed by [`Store::apply`], the failed ones included.
    pub statements: u64,
    /// Calls of [`Store::select`].
    pub selects: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// Too many callers, or another writer held a lock for too long. Trying later may work.
    #[error("the database is busy: {0}")]
    Busy(String),
    #[error("the store has been closed")]
    Closed,
    /// What is stored is not what this program stores.
    #[error("a stored row is damaged: {0}")]
    Corrupt(String),
    #[error("the schema of the database cannot be brought up to date: {0}")]
    Migration(String),
    #[error("another `sloop serve` is using this database: it holds {0}")]
    NodeLocked(String),
    /// A fault of ours: the database does not take this statement.
    #[error("the database refused `{what}`: {reason}")]
    Refused { what: &'static str, reason: String },
    #[error("the database cannot be used: {0}")]
    Unavailable(String),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was written: the named change did not find what it expects. Read and decide again.
    #[error("`{what}` did not find what it expects")]
    Conflict { what: &'static str },
    /// The connection was lost after COMMIT was sent. Only reading again tells what happened.
    #[error("the connection to the database was lost during COMMIT")]
    Unknown,
    /// Nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Opens the database, makes it if it is an SQLite file that is not there, and brings its
    /// schema up to date. Several programs may open one database at once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be reached, [`StoreError::Migration`] if its schema
    /// was made by a newer or another program.
    pub async fn open(database: &DatabaseUrl, clock: Clock) -> Result<Self, StoreError> {
        let counters = Arc::new(Counters::default());
        let database = match database {
            DatabaseUrl::Sqlite(path) => {
                Database::Sqlite(Sqlite::open(path.clone(), clock, counters.clone()).await?)
            }
            DatabaseUrl::Postgres(server) => {
                Database::Postgres(Postgres::open(server, clock, counters.clone()).await?)
            }
        };
        Ok(Self { database, counters })
    }

    /// Runs all queries on one snapshot.
    ///
    /// # Errors
    /// Never a partial answer: the first query that fails decides.
    pub async fn select(&self, queries: Vec<Query>) -> Result<Snapshot, StoreError> {
        Counters::add(&self.counters.selects, 1);
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.select(queries).await,
            Database::Postgres(postgres) => postgres.select(queries).await,
            #[cfg(test)]
            Database::Simulated(simulated) => simulated.select(queries).await,
        }
    }

    /// Executes all statements in one durable transaction. `Ok` means that it has been committed.
    /// A caller that goes away while it waits does not stop a transaction that has begun.
    ///
    /// # Errors
    /// [`CommitError::Unknown`] is the only one after which something may have been written.
    pub async fn apply(&self, statements: Vec<Statement>) -> Result<(), CommitError> {
        if statements.is_empty() {
            return Ok(());
        }
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.apply(statements).await,
            Database::Postgres(postgres) => postgres.apply(statements).await,
            #[cfg(test)]
            Database::Simulated(simulated) => simulated.apply(statements).await,
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let query = Query { sql: "SELECT 1 AS one", params: Vec::new() };
        self.select(vec![query]).await.map(drop)
    }

    pub fn kind(&self) -> Kind {
        match self.database {
            Database::Sqlite(_) => Kind::Sqlite,
            Database::Postgres(_) => Kind::Postgres,
            #[cfg(test)]
            Database::Simulated(_) => Kind::Sqlite,
        }
    }

    pub fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// Finishes what has been accepted and closes the database. Other clones get
    /// [`StoreError::Closed`] from now on.
    pub async fn close(self) {
        match self.database {
            Database::Sqlite(sqlite) => sqlite.close().await,
            Database::Postgres(postgres) => postgres.close(),
            #[cfg(test)]
            Database::Simulated(_) => {}
        }
    }
}

impl StoreError {
    /// A stable name for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy(_) => "store_busy",
            Self::Closed => "store_closed",
            Self::Corrupt(_) => "store_corrupt",
            Self::Migration(_) => "store_migration",
            Self::NodeLocked(_) => "store_node_locked",
            Self::Refused { .. } => "store_refused",
            Self::Unavailable(_) => "store_unavailable",
        }
    }

    /// What an operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Busy(_) => "Try again; if it stays, look for a long transaction or a slow disk.",
            Self::Closed => "The program is stopping.",
            Self::Corrupt(_) => {
                "Check the key-encryption key, and whether something else writes to the database."
            }
            Self::Migration(_) => {
                "Run the version of Sloop that last used this database, or a newer one."
            }
            Self::NodeLocked(_) => "Stop the other `sloop serve`, or give this one its own file.",
            Self::Refused { .. } => "This is a fault of Sloop. Please report it with this message.",
            Self::Unavailable(_) => "Check `database` in sloop.toml, the server and the disk.",
        }
    }
}

impl CommitError {
    /// A stable name for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "store_conflict",
            Self::Unknown => "store_commit_unknown",
            Self::Store(error) => error.code(),
        }
    }
}

#[derive(Default)]
struct Counters {
    commits: AtomicU64,
    groups: AtomicU64,
    statements: AtomicU64,
    selects: AtomicU64,
}

impl Counters {
    fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn read(&self) -> Statistics {
        Statistics {
            commits: self.commits.load(Ordering::Relaxed),
            groups: self.groups.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
            selects: self.selects.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
