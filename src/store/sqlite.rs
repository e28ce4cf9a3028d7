//! SQLite: one writer thread that groups waiting commits, readers beside it.
//!
//! A durable commit costs one `fsync`, whatever is in it. So the writer takes all jobs that wait,
//! puts each in a savepoint of one transaction, and answers none of them before that transaction is
//! committed. While it waits for the disk, the next group gathers.

mod connection;
#[cfg(test)]
pub(crate) mod in_memory;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::{mpsc, oneshot};

use super::statement::numbered_for_sqlite;
use super::{CommitError, Counters, Expect, Query, Row, Snapshot, Statement, StoreError, Value};
use crate::clock::Clock;
use connection::{open_reader, open_writer};

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

#[cfg(test)]
mod tests;
