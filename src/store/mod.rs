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
mod sqlite;
mod statement;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use open::{DatabaseUrl, DatabaseUrlError, NodeLock};
pub use read::{
    At, FoundClient, FoundIdp, FoundLogout, FoundSigningKey, LogoutKey, LogoutSummary,
    RecordedEvent, RedeemableCode, SessionKey, UsableToken,
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rng::Rng;

    /// A store of its own for one test.
    pub(super) struct Scratch {
        pub(super) store: Store,
        pub(super) url: DatabaseUrl,
        pub(super) text: String,
        pub(super) clock: Clock,
        _folder: tempfile::TempDir,
    }

    impl Scratch {
        pub(super) async fn open(kind: Kind) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let text = match kind {
                Kind::Sqlite => format!("sqlite:{}", folder.path().join("sloop.db").display()),
                Kind::Postgres => new_schema().await,
            };
            let url: DatabaseUrl = text.parse().unwrap();
            let clock = Clock::system();
            let store = Store::open(&url, clock.clone()).await.unwrap();
            let bytes = if kind == Kind::Sqlite {
                "CREATE TABLE pile (n BIGINT, t TEXT, b BLOB)"
            } else {
                "CREATE TABLE pile (n BIGINT, t TEXT, b BYTEA)"
            };
            let counter = "CREATE TABLE counter (id TEXT PRIMARY KEY, value BIGINT NOT NULL)";
            store.apply(vec![any(bytes, vec![]), any(counter, vec![])]).await.unwrap();
            Self { store, url, text, clock, _folder: folder }
        }

        pub(super) async fn counter(&self, id: &'static str) -> Option<i64> {
            value_of(&self.store, id).await
        }
    }

    /// A schema of its own in the database that `SLOOP_TEST_POSTGRES` names.
    async fn new_schema() -> String {
        #[expect(clippy::disallowed_methods, reason = "the test run says where its server is")]
        let server = std::env::var("SLOOP_TEST_POSTGRES")
            .expect("SLOOP_TEST_POSTGRES is set; `tests/scratch-postgres start DIR` prints it");
        let schema = format!("test{}", Rng::system().saml_id());
        let config: tokio_postgres::Config = server.parse().unwrap();
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
        let and = if server.contains('?') { '&' } else { '?' };
        let own = format!("options=-c%20search_path%3D{schema}&application_name={schema}");
        format!("{server}{and}{own}")
    }

    pub(super) fn any(sql: &'static str, params: Vec<Value>) -> Statement {
        Statement { sql, params, expect: Expect::Any, what: "Any" }
    }

    pub(super) fn one(what: &'static str, sql: &'static str, params: Vec<Value>) -> Statement {
        Statement { sql, params, expect: Expect::ExactlyOne, what }
    }

    pub(super) fn add(id: &str) -> Statement {
        one("Add", "INSERT INTO counter (id, value) VALUES ($1, 0)", vec![id.into()])
    }

    pub(super) fn query(sql: &'static str, params: Vec<Value>) -> Query {
        Query { sql, params }
    }

    pub(super) async fn value_of(store: &Store, id: &'static str) -> Option<i64> {
        let read = query("SELECT value FROM counter WHERE id = $1", vec![id.into()]);
        let snapshot = store.select(vec![read]).await.unwrap();
        snapshot.tables[0].first().map(|row| row.int("value").unwrap())
    }

    pub(super) fn conflict<T>(what: &'static str) -> Result<T, CommitError> {
        Err(CommitError::Conflict { what })
    }

    async fn values_come_back_as_they_went_in(scratch: Scratch) {
        let store = &scratch.store;
        let put = "INSERT INTO pile (n, t, b) VALUES ($1, $2, $3)";
        let rows = [
            vec![Value::Int(i64::MAX), "ü'$1".into(), vec![0, 255].into()],
            vec![Value::Int(i64::MIN), "".into(), Vec::new().into()],
            vec![Value::Null, Value::Null, Value::Null],
        ];
        for row in &rows {
            store.apply(vec![any(put, row.clone())]).await.unwrap();
        }
        let read = query("SELECT b, t, n FROM pile ORDER BY n DESC", vec![]);
        let table = store.select(vec![read]).await.unwrap().tables.remove(0);
        let row = |n| table.iter().find(|row| row.optional_int("n") == Ok(n)).unwrap();
        assert_eq!(row(Some(i64::MAX)).text("t"), Ok("ü'$1"));
        assert_eq!(row(Some(i64::MAX)).bytes("b"), Ok([0, 255].as_slice()));
        assert_eq!(row(Some(i64::MIN)).optional_text("t"), Ok(Some("")));
        assert_eq!(row(Some(i64::MIN)).optional_bytes("b"), Ok(Some([].as_slice())));
        assert_eq!(row(None).optional_text("t"), Ok(None));
        assert_eq!(row(None).optional_bytes("b"), Ok(None));
    }

    async fn placeholders_bind_by_number_and_not_by_appearance(scratch: Scratch) {
        let store = &scratch.store;
        let put = "INSERT INTO pile (b, t, n) VALUES ($3, $2, $1)";
        let params = || vec![Value::Int(1), "two".into(), vec![3].into()];
        store.apply(vec![any(put, params())]).await.unwrap();
        let find = "SELECT n, t, b FROM pile WHERE t = $2 AND b = $3 AND n = $1 AND n = $1";
        let table = store.select(vec![query(find, params())]).await.unwrap().tables.remove(0);
        let row = table.first().expect("the row is found by the same numbers");
        assert_eq!((row.int("n"), row.text("t")), (Ok(1), Ok("two")));
        assert_eq!(row.bytes("b"), Ok([3].as_slice()));
    }

    async fn a_conflict_names_the_change_and_nothing_is_written(scratch: Scratch) {
        let store = &scratch.store;
        store.apply(vec![add("a"), add("b")]).await.unwrap();
        let bump = |what, id: &str| {
            one(what, "UPDATE counter SET value = value + 1 WHERE id = $1", vec![id.into()])
        };

        let missing = store.apply(vec![bump("First", "a"), bump("Second", "gone")]).await;
        assert_eq!(missing, conflict("Second"));
        let there = store.apply(vec![bump("First", "a"), add("b"), bump("Third", "gone")]).await;
        assert_eq!(there, conflict("Add"));
        let several = one("All", "UPDATE counter SET value = value + 1", vec![]);
        assert_eq!(store.apply(vec![bump("First", "a"), several]).await, conflict("All"));
        assert_eq!(scratch.counter("a").await, Some(0));
        assert_eq!(scratch.counter("b").await, Some(0));

        let all = any("UPDATE counter SET value = value + 1", vec![]);
        let none = any("DELETE FROM counter WHERE id = $1", vec!["gone".into()]);
        store.apply(vec![bump("First", "a"), all, none]).await.unwrap();
        assert_eq!(scratch.counter("a").await, Some(2));
        assert_eq!(scratch.counter("b").await, Some(1));
    }

    async fn a_faulty_statement_is_refused_and_the_store_goes_on(scratch: Scratch) {
        let store = &scratch.store;
        let faults = [
            one("NoTable", "UPDATE nowhere SET value = 1", vec![]),
            one("TooFew", "INSERT INTO counter (id, value) VALUES ($1, $2)", vec!["a".into()]),
            one("Null", "INSERT INTO counter (id) VALUES ($1)", vec!["ada".into()]),
        ];
        for fault in faults {
            let what = fault.what;
            match store.apply(vec![add("b"), fault]).await {
                Err(CommitError::Store(StoreError::Refused { what: named, reason })) => {
                    assert_eq!(named, what);
                    assert!(!reason.contains("ada"), "a row is quoted: {reason}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        let refused = store.select(vec![query("SELECT nothing FROM counter", vec![])]).await;
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        assert_eq!(scratch.counter("b").await, None);
        store.apply(vec![add("b")]).await.unwrap();
        assert_eq!(scratch.counter("b").await, Some(0));
    }

    async fn parallel_increments_with_a_version_check_lose_none(scratch: Scratch) {
        scratch.store.apply(vec![add("a")]).await.unwrap();
        let increments = (0..20).map(|_| {
            let store = scratch.store.clone();
            tokio::spawn(async move {
                loop {
                    let seen = value_of(&store, "a").await.unwrap();
                    let sql = "UPDATE counter SET value = value + 1 WHERE id = $1 AND value = $2";
                    let bump = one("Bump", sql, vec!["a".into(), seen.into()]);
                    match store.apply(vec![bump]).await {
                        Ok(()) => return,
                        Err(error) => assert_eq!(error, CommitError::Conflict { what: "Bump" }),
                    }
                }
            })
        });
        for increment in increments.collect::<Vec<_>>() {
            increment.await.unwrap();
        }
        assert_eq!(scratch.counter("a").await, Some(20));
    }

    async fn all_queries_of_a_select_see_one_moment(scratch: Scratch) {
        scratch.store.apply(vec![add("a"), add("b")]).await.unwrap();
        let store = scratch.store.clone();
        let writer = tokio::spawn(async move {
            for _ in 0..60 {
                let take = "UPDATE counter SET value = value - 1 WHERE id = 'a'";
                let give = "UPDATE counter SET value = value + 1 WHERE id = 'b'";
                store.apply(vec![any(take, vec![]), any(give, vec![])]).await.unwrap();
            }
        });
        let one = || query("SELECT value FROM counter WHERE id = 'a'", vec![]);
        let other = || query("SELECT value FROM counter WHERE id = 'b'", vec![]);
        while !writer.is_finished() {
            let snapshot = scratch.store.select(vec![one(), other()]).await.unwrap();
            let values = snapshot.tables.iter().map(|table| table[0].int("value").unwrap());
            assert_eq!(values.sum::<i64>(), 0);
        }
        writer.await.unwrap();
    }

    async fn an_answer_means_that_others_can_read_it(scratch: Scratch) {
        let other = Store::open(&scratch.url, Clock::system()).await.unwrap();
        for id in ["a", "b", "c", "d", "e"] {
            assert_eq!(value_of(&other, id).await, None);
            scratch.store.apply(vec![add(id)]).await.unwrap();
            assert_eq!(value_of(&other, id).await, Some(0));
        }
    }

    async fn the_time_of_a_snapshot_follows_the_clock(scratch: Scratch) {
        let before = scratch.store.select(vec![]).await.unwrap().now;
        scratch.clock.advance(Duration::from_secs(3600));
        let after = scratch.store.select(vec![]).await.unwrap().now;
        let passed = after.since(before).as_secs();
        assert!((3600..3660).contains(&passed), "{passed} s");
        assert!(scratch.clock.now().since(before) < Duration::from_secs(3660));
    }

    async fn opening_again_and_at_once_finds_one_schema(scratch: Scratch) {
        let fresh = match scratch.store.kind() {
            Kind::Sqlite => DatabaseUrl::Sqlite(scratch._folder.path().join("fresh.db")),
            Kind::Postgres => new_schema().await.parse().unwrap(),
        };
        let openings = (0..6).map(|_| {
            let fresh = fresh.clone();
            tokio::spawn(async move { Store::open(&fresh, Clock::system()).await })
        });
        for opening in openings.collect::<Vec<_>>() {
            let store = opening.await.unwrap().unwrap();
            let history = query("SELECT version FROM refinery_schema_history", vec![]);
            let settings = query("SELECT value FROM setting", vec![]);
            let snapshot = store.select(vec![history, settings]).await.unwrap();
            assert_eq!(snapshot.tables.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
        }
        Store::open(&fresh, Clock::system()).await.unwrap();
    }

    async fn a_schema_of_a_newer_program_is_refused(scratch: Scratch) {
        let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
                     VALUES (99, 'newer', '2026-11-21T00:00:00Z', '1')";
        scratch.store.apply(vec![any(newer, vec![])]).await.unwrap();
        let refused = Store::open(&scratch.url, Clock::system()).await.err();
        assert!(matches!(refused, Some(StoreError::Migration(_))), "{refused:?}");
    }

    async fn a_closed_store_says_so(scratch: Scratch) {
        let clone = scratch.store.clone();
        assert_eq!(clone.ping().await, Ok(()));
        scratch.store.close().await;
        assert_eq!(clone.ping().await, Err(StoreError::Closed));
        assert_eq!(clone.apply(vec![add("a")]).await, Err(StoreError::Closed.into()));
    }

    async fn statistics_count_what_was_done(scratch: Scratch) {
        let before = scratch.store.statistics();
        scratch.store.apply(vec![add("a"), add("b")]).await.unwrap();
        assert_eq!(scratch.store.apply(vec![add("a")]).await, conflict("Add"));
        scratch.counter("a").await;
        let after = scratch.store.statistics();
        assert_eq!(after.commits - before.commits, 1);
        assert_eq!(after.statements - before.statements, 3);
        assert_eq!(after.selects - before.selects, 1);
    }

    macro_rules! on_both {
        ($($test:ident,)*) => {
            mod sqlite {$(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(super::Scratch::open(super::Kind::Sqlite).await).await;
                }
            )*}
            mod postgres {$(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(super::Scratch::open(super::Kind::Postgres).await).await;
                }
            )*}
        };
    }

    on_both! {
        a_closed_store_says_so,
        a_conflict_names_the_change_and_nothing_is_written,
        a_faulty_statement_is_refused_and_the_store_goes_on,
        a_schema_of_a_newer_program_is_refused,
        all_queries_of_a_select_see_one_moment,
        an_answer_means_that_others_can_read_it,
        opening_again_and_at_once_finds_one_schema,
        parallel_increments_with_a_version_check_lose_none,
        placeholders_bind_by_number_and_not_by_appearance,
        statistics_count_what_was_done,
        the_time_of_a_snapshot_follows_the_clock,
        values_come_back_as_they_went_in,
    }
}
