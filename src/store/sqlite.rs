//! SQLite: one writer thread that groups waiting commits, readers beside it.
//!
//! A durable commit costs one `fsync`, whatever is in it. So the writer takes all jobs that wait,
//! puts each in a savepoint of one transaction, and answers none of them before that transaction is
//! committed. While it waits for the disk, the next group gathers.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi};
use tokio::sync::{mpsc, oneshot};

use super::statement::numbered_for_sqlite;
use super::{
    CommitError, Counters, Expect, Kind, Query, Row, Snapshot, Statement, StoreError, Value,
    migrations,
};
use crate::clock::Clock;

/// How long another process may hold the write lock before we give up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a place in a queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
const QUEUE_LIMIT: usize = 1024;
/// Commits in one transaction. More would save little and make the first one wait.
const GROUP_LIMIT: usize = 256;
const READERS: usize = 3;
/// More than the statements of this program, so that each is compiled once for a connection.
const STATEMENT_CACHE: usize = 512;

#[derive(Clone)]
pub(super) struct Sqlite {
    writes: mpsc::Sender<Write>,
    reads: mpsc::Sender<Read>,
}

enum Write {
    Apply(Commit),
    Close(oneshot::Sender<()>),
}

struct Commit {
    statements: Vec<Statement>,
    reply: oneshot::Sender<Result<(), CommitError>>,
}

enum Read {
    Select { queries: Vec<Query>, reply: oneshot::Sender<Result<Snapshot, StoreError>> },
    Close(oneshot::Sender<()>),
}

impl Sqlite {
    pub(super) async fn open(
        path: PathBuf,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let opening = tokio::task::spawn_blocking(move || {
            let writer = open_writer(&path)?;
            let readers =
                (0..READERS).map(|_| open_reader(&path)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, StoreError>((writer, readers))
        });
        let opened = opening.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (writer, readers) = opened?;

        let (writes, jobs) = mpsc::channel(QUEUE_LIMIT);
        let writer = Writer { connection: Compiled::new(writer), counters };
        spawn("sloop-writer", move || writer.run(jobs))?;

        let (reads, jobs) = mpsc::channel(QUEUE_LIMIT);
        let jobs = Arc::new(Mutex::new(jobs));
        for connection in readers {
            let reader = Reader { connection: Compiled::new(connection), clock: clock.clone() };
            let jobs = jobs.clone();
            spawn("sloop-reader", move || reader.run(&jobs))?;
        }
        Ok(Self { writes, reads })
    }

    pub(super) async fn apply(&self, statements: Vec<Statement>) -> Result<(), CommitError> {
        let (reply, answer) = oneshot::channel();
        enqueue(&self.writes, Write::Apply(Commit { statements, reply })).await?;
        // The writer answers every job, also those that it refuses. Silence is its sudden end.
        answer.await.unwrap_or(Err(CommitError::Unknown))
    }

    pub(super) async fn select(&self, queries: Vec<Query>) -> Result<Snapshot, StoreError> {
        let (reply, answer) = oneshot::channel();
        enqueue(&self.reads, Read::Select { queries, reply }).await?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Readers first: the last connection to close is the one that can fold the WAL into the file.
    pub(super) async fn close(self) {
        for _ in 0..READERS {
            let (reply, closed) = oneshot::channel();
            if self.reads.send(Read::Close(reply)).await.is_ok() {
                closed.await.unwrap_or(());
            }
        }
        let (reply, closed) = oneshot::channel();
        if self.writes.send(Write::Close(reply)).await.is_ok() {
            closed.await.unwrap_or(());
        }
    }
}

async fn enqueue<T>(queue: &mpsc::Sender<T>, job: T) -> Result<(), StoreError> {
    match queue.send_timeout(job, QUEUE_TIMEOUT).await {
        Ok(()) => Ok(()),
        Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(StoreError::Closed),
        Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(StoreError::Busy(format!(
            "{QUEUE_LIMIT} callers are waiting, for {} s already",
            QUEUE_TIMEOUT.as_secs()
        ))),
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(drop).map_err(|error| StoreError::Unavailable(error.to_string()))
}

struct Writer {
    connection: Compiled,
    counters: Arc<Counters>,
}

impl Writer {
    fn run(mut self, mut jobs: mpsc::Receiver<Write>) {
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = jobs.blocking_recv() else { return };
            let mut group = Vec::new();
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Write::Apply(commit) => group.push(commit),
                    Write::Close(reply) => closing = Some(reply),
                }
                let room = group.len() < GROUP_LIMIT && closing.is_none();
                next = if room { jobs.try_recv().ok() } else { None };
            }
            self.serve(group);
        }
        jobs.close();
        while let Ok(job) = jobs.try_recv() {
            if let Write::Apply(commit) = job {
                answer(commit.reply, Err(StoreError::Closed.into()));
            }
        }
        drop(self.connection);
        if let Some(reply) = closing {
            answer(reply, ());
        }
    }

    /// Answers are sent after COMMIT and not before: nobody hears of a change that can still be
    /// lost.
    fn serve(&mut self, group: Vec<Commit>) {
        if group.is_empty() {
            return;
        }
        let results = self.commit(&group);
        for (commit, result) in group.into_iter().zip(results) {
            answer(commit.reply, result);
        }
    }

    fn commit(&mut self, group: &[Commit]) -> Vec<Result<(), CommitError>> {
        let results = match self.transaction(group) {
            Ok(results) => results,
            Err(error) => {
                self.roll_back();
                return group.iter().map(|_| Err(error.clone())).collect();
            }
        };
        Counters::add(&self.counters.groups, 1);
        Counters::add(&self.counters.commits, results.iter().filter(|r| r.is_ok()).count());
        results
    }

    /// One result for each job, all of them committed; or the error that undid the whole group.
    fn transaction(
        &mut self,
        group: &[Commit],
    ) -> Result<Vec<Result<(), CommitError>>, CommitError> {
        // IMMEDIATE, because a transaction that turns from reading to writing cannot wait its turn.
        self.connection.command("BEGIN IMMEDIATE")?;
        let mut results = Vec::with_capacity(group.len());
        for commit in group {
            self.connection.command("SAVEPOINT job")?;
            let result = self.execute_all(&commit.statements);
            if let Err(error) = &result {
                // After a full disk or an I/O error SQLite has undone the transaction by itself.
                if self.connection.inner.is_autocommit() {
                    return Err(error.clone());
                }
                self.connection.command("ROLLBACK TO job")?;
            }
            self.connection.command("RELEASE job")?;
            results.push(result);
        }
        match self.connection.execute("COMMIT", &[]) {
            Ok(_) => Ok(results),
            // The commit record may be in the WAL, and a restart may find it there.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => {
                Err(CommitError::Unknown)
            }
            Err(error) => Err(store_error("COMMIT", &error).into()),
        }
    }

    fn execute_all(&mut self, statements: &[Statement]) -> Result<(), CommitError> {
        for statement in statements {
            Counters::add(&self.counters.statements, 1);
            let done = self.connection.execute(statement.sql, &statement.params);
            let expects_one = statement.expect == Expect::ExactlyOne;
            let conflict = CommitError::Conflict { what: statement.what };
            match done {
                Ok(count) if expects_one && count != 1 => return Err(conflict),
                Ok(_) => {}
                Err(error) if expects_one && is_unique_violation(&error) => return Err(conflict),
                Err(error) => return Err(store_error(statement.what, &error).into()),
            }
        }
        Ok(())
    }

    fn roll_back(&mut self) {
        // It fails only if SQLite has done it by itself, and then there is nothing left to do.
        if !self.connection.inner.is_autocommit() {
            self.connection.command("ROLLBACK").unwrap_or(());
        }
    }
}

struct Reader {
    connection: Compiled,
    clock: Clock,
}

impl Reader {
    fn run(mut self, jobs: &Mutex<mpsc::Receiver<Read>>) {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            match job {
                Some(Read::Select { reply, .. }) if reply.is_closed() => {}
                Some(Read::Select { queries, reply }) => answer(reply, self.snapshot(&queries)),
                Some(Read::Close(reply)) => {
                    drop(self.connection);
                    return answer(reply, ());
                }
                None => return,
            }
        }
    }

    fn snapshot(&mut self, queries: &[Query]) -> Result<Snapshot, StoreError> {
        self.connection.command("BEGIN DEFERRED")?;
        let tables =
            queries.iter().map(|query| self.connection.rows(query)).collect::<Result<_, _>>();
        let ended = self.connection.command("COMMIT");
        // Asked after the first row was read: what the snapshot shows was written before `now`.
        let snapshot = Snapshot { now: self.clock.now(), tables: tables? };
        ended.map(|()| snapshot)
    }
}

/// Who went away while waiting needs no answer.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    reply.send(value).unwrap_or(());
}

/// A connection that keeps its statements compiled.
struct Compiled {
    inner: Connection,
    numbered: HashMap<&'static str, Box<str>>,
}

impl Compiled {
    fn new(connection: Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        Self { inner: connection, numbered: HashMap::new() }
    }

    fn command(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.execute(sql, &[]).map(drop).map_err(|error| store_error(sql, &error))
    }

    fn execute(&mut self, sql: &'static str, params: &[Value]) -> rusqlite::Result<usize> {
        self.prepare(sql, params)?.raw_execute()
    }

    fn rows(&mut self, query: &Query) -> Result<Vec<Row>, StoreError> {
        let refused = |error: rusqlite::Error| store_error("SELECT", &error);
        let mut statement = self.prepare(query.sql, &query.params).map_err(refused)?;
        let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
        let mut table = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(refused)? {
            let values = (0..columns.len()).map(|at| value(row.get_ref(at).map_err(refused)?));
            let values = values.collect::<Result<_, _>>()?;
            table.push(Row::new(columns.clone(), values));
        }
        Ok(table)
    }

    fn prepare(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> rusqlite::Result<rusqlite::CachedStatement<'_>> {
        let numbered = self.numbered.entry(sql).or_insert_with(|| numbered_for_sqlite(sql).into());
        let mut statement = self.inner.prepare_cached(numbered)?;
        // SQLite itself reads a parameter that nobody bound as NULL.
        if statement.parameter_count() != params.len() {
            return Err(rusqlite::Error::InvalidParameterCount(
                params.len(),
                statement.parameter_count(),
            ));
        }
        for (position, param) in (1..).zip(params) {
            let position: usize = position;
            statement.raw_bind_parameter(position, param)?;
        }
        Ok(statement)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(int) => ValueRef::Integer(*int),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(column: ValueRef<'_>) -> Result<Value, StoreError> {
    match column {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(int) => Ok(Value::Int(int)),
        ValueRef::Text(text) => String::from_utf8(text.to_vec())
            .map(Value::Text)
            .map_err(|_| StoreError::Corrupt("a text that is not UTF-8".to_owned())),
        ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
        ValueRef::Real(_) => Err(StoreError::Corrupt("a floating-point number".to_owned())),
    }
}

fn is_unique_violation(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        matches!(
            error.extended_code,
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        )
    })
}

fn store_error(what: &'static str, error: &rusqlite::Error) -> StoreError {
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(reason),
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::DiskFull
            | ErrorCode::NotADatabase
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure,
        ) => StoreError::Unavailable(reason),
        _ => StoreError::Refused { what, reason },
    }
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    // Made by us and not by SQLite, so that it is private from its first moment; its WAL inherits
    // the mode.
    let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let unusable = |reason: String| {
        StoreError::Unavailable(format!("the SQLite file {}: {reason}", path.display()))
    };
    made.map_err(|error| unusable(error.to_string()))?;
    let mut connection = connect(path).map_err(|error| unusable(error.to_string()))?;
    enter_wal(&connection).map_err(|error| unusable(error.to_string()))?;
    migrate(&mut connection)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = connect(path)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| store_error("open", &error))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Without SQLITE_OPEN_URI: a path is a path, also if it begins with `file:`.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// SQLite does not wait where two openers of a new file switch it to WAL at the same moment.
fn enter_wal(connection: &Connection) -> Result<(), StoreError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode.map_err(|error| store_error("journal_mode", &error)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let reason = format!("its file system offers journal mode {mode}, and not WAL");
                return Err(StoreError::Unavailable(reason));
            }
            Err(StoreError::Busy(_)) if waited < BUSY_TIMEOUT => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Two programs may find the same migrations pending. All of them are one immediate transaction, so
/// the slower one waits for the faster one, fails on what it made, and at a second look finds
/// nothing to do.
fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let runner = migrations::runner(Kind::Sqlite)?;
    let applied = runner.run(connection).or_else(|_| runner.run(connection));
    applied.map(drop).map_err(|error| StoreError::Migration(super::open::with_causes(&error)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::tests::{Scratch, add, conflict, one, query, value_of};
    use super::super::{DatabaseUrl, Store};
    use super::*;

    fn path(scratch: &Scratch) -> PathBuf {
        match &scratch.url {
            DatabaseUrl::Sqlite(path) => path.clone(),
            DatabaseUrl::Postgres(_) => panic!("this is SQLite"),
        }
    }

    /// Everybody waits while another process holds the write lock, and then shares few commits.
    #[tokio::test(flavor = "multi_thread")]
    async fn waiting_commits_share_a_transaction_and_a_failed_one_harms_nobody() {
        let scratch = Scratch::open(Kind::Sqlite).await;
        let before = scratch.store.statistics();
        let other = connect(&path(&scratch)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();

        let commits = (0..40).map(|number| {
            let store = scratch.store.clone();
            let id = format!("row {number}");
            tokio::spawn(async move {
                let bump = "UPDATE counter SET value = value + $2 WHERE id = $1";
                let wrong = if number % 10 == 3 { "gone" } else { &id };
                let bump = one("Bump", bump, vec![wrong.into(), Value::Int(number)]);
                (number, store.apply(vec![add(&id), bump]).await)
            })
        });
        let commits: Vec<_> = commits.collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(commits.iter().all(|commit| !commit.is_finished()), "nobody is told too early");
        other.execute_batch("COMMIT").unwrap();

        for commit in commits {
            let (number, result) = commit.await.unwrap();
            let expected = if number % 10 == 3 { conflict("Bump") } else { Ok(()) };
            assert_eq!(result, expected, "{number}");
        }
        let all = query("SELECT COUNT(*) AS rows, SUM(value) AS total FROM counter", vec![]);
        let rows = scratch.store.select(vec![all]).await.unwrap().tables.remove(0);
        assert_eq!(rows[0].int("rows"), Ok(36));
        assert_eq!(rows[0].int("total"), Ok((0..40).sum::<i64>() - (3 + 13 + 23 + 33)));
        let after = scratch.store.statistics();
        assert_eq!(after.commits - before.commits, 36);
        let groups = after.groups - before.groups;
        assert!((1..=3).contains(&groups), "{groups} transactions");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_programs_write_to_one_file() {
        let scratch = Scratch::open(Kind::Sqlite).await;
        let command = Store::open(&scratch.url, Clock::system()).await.unwrap();
        scratch.store.apply(vec![add("a")]).await.unwrap();
        let writers = (0..60).map(|number| {
            let store = if number % 2 == 0 { &scratch.store } else { &command }.clone();
            tokio::spawn(async move {
                let bump = "UPDATE counter SET value = value + 1 WHERE id = 'a'";
                store.apply(vec![one("Bump", bump, vec![])]).await
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            assert_eq!(writer.await.unwrap(), Ok(()));
        }
        assert_eq!(value_of(&command, "a").await, Some(60));
    }

    #[test]
    fn a_new_file_may_be_opened_by_several_at_the_same_moment() {
        for _ in 0..15 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("sloop.db");
            let start = std::sync::Barrier::new(6);
            std::thread::scope(|scope| {
                let open = || {
                    start.wait();
                    open_writer(&path).map(drop)
                };
                let openings: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
                for opening in openings {
                    assert_eq!(opening.join().unwrap(), Ok(()));
                }
            });
        }
    }

    /// A disk that is full undoes the whole group; the next one is served when there is room.
    #[test]
    fn a_full_disk_fails_the_group_and_heals() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("sloop.db")).unwrap();
        connection.execute_batch("CREATE TABLE pile (t TEXT)").unwrap();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
        let counters = Arc::new(Counters::default());
        let mut writer = Writer { connection: Compiled::new(connection), counters };
        let job = |size: usize| {
            let put = "INSERT INTO pile (t) VALUES ($1)";
            let (reply, _) = oneshot::channel();
            Commit { statements: vec![one("Put", put, vec!["x".repeat(size).into()])], reply }
        };

        for result in writer.commit(&[job(10), job(100_000), job(10)]) {
            let full = matches!(result, Err(CommitError::Store(StoreError::Unavailable(_))));
            assert!(full, "{result:?}");
        }
        assert_eq!(writer.commit(&[job(10)]), [Ok(())]);
        let count = "SELECT COUNT(*) FROM pile";
        let rows: i64 = writer.connection.inner.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn connections_are_durable_and_strict_and_the_file_is_private() {
        let scratch = Scratch::open(Kind::Sqlite).await;
        let connection = connect(&path(&scratch)).unwrap();
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(pragma("synchronous"), Ok(2), "FULL");
        assert_eq!(pragma("foreign_keys"), Ok(1));
        assert_eq!(pragma("trusted_schema"), Ok(0));
        assert_eq!(pragma("busy_timeout"), Ok(5000));
        let mode: String =
            connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        for suffix in ["", "-wal"] {
            let file = format!("{}{suffix}", path(&scratch).display());
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let write = query("UPDATE counter SET value = 1", vec![]);
        assert!(scratch.store.select(vec![write]).await.is_err(), "readers do not write");
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_used_is_named() {
        let url = DatabaseUrl::Sqlite("/nowhere/sloop.db".into());
        let error = Store::open(&url, Clock::system()).await.err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|text| text.contains("/nowhere/sloop.db")), "{error:?}");
    }
}
