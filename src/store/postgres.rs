//! PostgreSQL: a transaction in two round trips.
//!
//! Requests are pipelined: BEGIN and all statements go out before the first answer is read, and
//! after the row counts have been checked, COMMIT or ROLLBACK. A snapshot is a single flight.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use postgres_openssl::MakeTlsConnector;
use tokio::time::timeout;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, WrongType, to_sql_checked};

use super::open::{Server, with_causes};
use super::{
    CommitError, Counters, Expect, Kind, Query, Row, Snapshot, Statement, StoreError, Value,
    migrations,
};
use crate::clock::{Clock, Timestamp};

/// Set on every connection, so that one slow or lost transaction cannot hold up the others.
const LIMITS: &str = "-c statement_timeout=5s -c lock_timeout=2s \
                      -c idle_in_transaction_session_timeout=10s";
const CONNECTIONS: usize = 16;
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long we wait for the answers of one flight. The server's own limits are shorter; this one is
/// for a server that has vanished without closing the connection.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(6);
/// Tries of a transaction that lost a deadlock, or its connection before COMMIT was sent.
const ATTEMPTS: u32 = 5;
/// Names our migrations among the advisory locks of the database: "sloop" in ASCII.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_lock(495740481392)";
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now";

#[derive(Clone)]
pub(super) struct Postgres {
    pool: Pool,
    clock: Clock,
    counters: Arc<Counters>,
}

/// Why a flight came to nothing.
struct Failure {
    error: StoreError,
    /// A deadlock or a lost connection: the same again may well work.
    passing: bool,
}

/// Why an attempt at a transaction came to nothing.
enum Aborted {
    Conflict { what: &'static str },
    Failed(Failure),
    Unknown,
}

impl Postgres {
    pub(super) async fn open(
        server: &Server,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let tls = server.connector()?;
        let mut config = server.config.clone();
        config.connect_timeout(ACQUIRE_TIMEOUT);
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(FLIGHT_TIMEOUT);
        if config.get_application_name().is_none() {
            config.application_name("sloop");
        }
        migrate(&config, tls.clone()).await?;

        config.options(match config.get_options() {
            Some(options) => format!("{LIMITS} {options}"),
            None => LIMITS.to_owned(),
        });
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, tls, recycling))
            .max_size(CONNECTIONS)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .create_timeout(Some(ACQUIRE_TIMEOUT))
            .recycle_timeout(Some(ACQUIRE_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { pool, clock, counters })
    }

    /// In a task of its own: a caller that goes away must not leave a connection in mid-transaction.
    pub(super) async fn apply(&self, statements: Vec<Statement>) -> Result<(), CommitError> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.transact(&statements).await });
        // A task that ends without a result was torn down with the runtime, at a point unknown.
        task.await.unwrap_or(Err(CommitError::Unknown))
    }

    pub(super) async fn select(&self, queries: Vec<Query>) -> Result<Snapshot, StoreError> {
        let mut attempt = 1;
        loop {
            match self.read(&queries).await {
                Ok(snapshot) => return Ok(snapshot),
                Err(failure) if failure.passing && attempt < ATTEMPTS => attempt += 1,
                Err(failure) => return Err(failure.error),
            }
        }
    }

    pub(super) fn close(self) {
        self.pool.close();
    }

    async fn transact(&self, statements: &[Statement]) -> Result<(), CommitError> {
        let mut attempt = 1;
        loop {
            match self.attempt(statements).await {
                Ok(()) => break,
                Err(Aborted::Failed(failure)) if failure.passing && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(Aborted::Failed(failure)) => return Err(failure.error.into()),
                Err(Aborted::Conflict { what }) => return Err(CommitError::Conflict { what }),
                Err(Aborted::Unknown) => return Err(CommitError::Unknown),
            }
        }
        Counters::add(&self.counters.commits, 1);
        Counters::add(&self.counters.groups, 1);
        Ok(())
    }

    async fn attempt(&self, statements: &[Statement]) -> Result<(), Aborted> {
        let client = self.client().await.map_err(Aborted::Failed)?;
        Counters::add(&self.counters.statements, statements.len());
        let executed = timeout(FLIGHT_TIMEOUT, execute(&client, statements)).await;
        let aborted = match executed.unwrap_or_else(|_| Err(no_answer().into())) {
            Ok(()) => return commit(client).await,
            Err(aborted) => aborted,
        };
        let undone = timeout(FLIGHT_TIMEOUT, client.batch_execute("ROLLBACK")).await;
        if !matches!(undone, Ok(Ok(()))) {
            discard(client);
        }
        Err(aborted)
    }

    /// Nothing here needs a task: all requests, COMMIT included, are sent by the first poll, and a
    /// connection whose caller is gone just reads their answers.
    async fn read(&self, queries: &[Query]) -> Result<Snapshot, Failure> {
        let client = self.client().await?;
        match timeout(FLIGHT_TIMEOUT, snapshot(&client, queries, &self.clock)).await {
            Ok(result) => result,
            Err(_) => {
                discard(client);
                Err(no_answer())
            }
        }
    }

    async fn client(&self) -> Result<Object, Failure> {
        let error = match self.pool.get().await {
            Ok(client) => return Ok(client),
            Err(PoolError::Closed) => StoreError::Closed,
            Err(PoolError::Timeout(TimeoutType::Wait)) => {
                StoreError::Busy(format!("all {CONNECTIONS} connections are in use"))
            }
            Err(PoolError::Backend(error)) => StoreError::Unavailable(with_causes(&error)),
            Err(error) => StoreError::Unavailable(with_causes(&error)),
        };
        Err(Failure { error, passing: false })
    }
}

/// The first round trip: everything but COMMIT, with the counts checked.
async fn execute(client: &Object, statements: &[Statement]) -> Result<(), Aborted> {
    let mut prepared = Vec::with_capacity(statements.len());
    let preparing = statements.iter().map(|s| boxed(client.prepare_cached(s.sql))).collect();
    for (statement, result) in statements.iter().zip(in_one_flight(preparing).await) {
        prepared.push(result.map_err(|error| failure(statement.what, &error))?);
    }
    let begin = boxed(async { client.batch_execute("BEGIN").await.map(|()| 0) });
    let writes = statements
        .iter()
        .zip(&prepared)
        .map(|(statement, prepared)| boxed(client.execute_raw(prepared, statement.params.iter())));
    let mut results = in_one_flight([begin].into_iter().chain(writes).collect()).await.into_iter();
    if let Some(Err(error)) = results.next() {
        return Err(failure("BEGIN", &error).into());
    }
    // In the order of the statements: after the one that failed, all others only say so.
    for (statement, result) in statements.iter().zip(results) {
        let what = statement.what;
        let expects_one = statement.expect == Expect::ExactlyOne;
        match result {
            Ok(count) if expects_one && count != 1 => return Err(Aborted::Conflict { what }),
            Ok(_) => {}
            Err(error) if expects_one && error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                return Err(Aborted::Conflict { what });
            }
            Err(error) => return Err(failure(what, &error).into()),
        }
    }
    Ok(())
}

/// The second round trip. Only an ERROR of the server says that nothing was written; a FATAL one or
/// a connection that ends may come before or after the commit record.
async fn commit(client: Object) -> Result<(), Aborted> {
    match timeout(FLIGHT_TIMEOUT, client.batch_execute("COMMIT")).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if severity(&error) == Some(Severity::Error) => {
            Err(failure("COMMIT", &error).into())
        }
        Ok(Err(_)) | Err(_) => {
            discard(client);
            Err(Aborted::Unknown)
        }
    }
}

async fn snapshot(client: &Object, queries: &[Query], clock: &Clock) -> Result<Snapshot, Failure> {
    let refused = |error: &tokio_postgres::Error| failure("SELECT", error);
    let now = Query { sql: NOW, params: Vec::new() };
    let queries: Vec<&Query> = [&now].into_iter().chain(queries).collect();
    let preparing = queries.iter().map(|query| boxed(client.prepare_cached(query.sql))).collect();
    let prepared = in_one_flight(preparing).await.into_iter().collect::<Result<Vec<_>, _>>();
    let prepared = prepared.map_err(|error| refused(&error))?;

    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let begin = boxed(async { client.batch_execute(BEGIN).await.map(|()| Vec::new()) });
    let end = boxed(async { client.batch_execute("COMMIT").await.map(|()| Vec::new()) });
    let reads = queries.iter().zip(&prepared).map(|(query, prepared)| {
        boxed(async move {
            let params: Vec<&(dyn ToSql + Sync)> =
                query.params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
            client.query(prepared, &params).await
        })
    });
    let flight = [begin].into_iter().chain(reads).chain([end]).collect();
    let results = in_one_flight(flight).await.into_iter().collect::<Result<Vec<_>, _>>();
    let results = results.map_err(|error| refused(&error))?;

    let mut tables = results.into_iter().skip(1).zip(&prepared).map(|(rows, prepared)| {
        let columns: Arc<[String]> =
            prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        rows.iter().map(|row| read_row(row, &columns)).collect::<Result<Vec<Row>, Failure>>()
    });
    let clock_table = tables.next().transpose()?.unwrap_or_default();
    let tables = tables.collect::<Result<_, _>>()?;
    let missing = || StoreError::Corrupt("the server did not tell the time".to_owned());
    let now = clock_table.first().ok_or_else(missing).and_then(|row| row.int("now"));
    let now = now.map_err(|error| Failure { error, passing: false })?;
    Ok(Snapshot { now: Timestamp::from_micros(now).shifted(clock.offset()), tables })
}

fn read_row(row: &tokio_postgres::Row, columns: &Arc<[String]>) -> Result<Row, Failure> {
    let values = columns.iter().enumerate().map(|(at, name)| {
        row.try_get(at).map_err(|error| Failure {
            error: StoreError::Corrupt(format!("column {name}: {}", with_causes(&error))),
            passing: false,
        })
    });
    Ok(Row::new(columns.clone(), values.collect::<Result<_, _>>()?))
}

fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}

/// Awaits all futures and polls them in their order, always all of them: the driver sends a request
/// when it is first polled, so the requests go out in this order and at once.
async fn in_one_flight<T>(futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut flight: Vec<_> = futures.into_iter().map(maybe_done).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for future in &mut flight {
            pending |= Pin::new(future).poll(context).is_pending();
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    let outputs = flight.into_iter().filter_map(|done| match done {
        MaybeDone::Done(output) => Some(output),
        MaybeDone::Future(_) | MaybeDone::Gone => None,
    });
    outputs.collect()
}

/// Closes a connection of which nobody knows what it is in the middle of.
fn discard(client: Object) {
    drop(Object::take(client));
}

fn no_answer() -> Failure {
    let reason = format!("no answer from the server within {} s", FLIGHT_TIMEOUT.as_secs());
    Failure { error: StoreError::Unavailable(reason), passing: false }
}

fn failure(what: &'static str, error: &tokio_postgres::Error) -> Failure {
    // Its detail stays out: it quotes the row, and rows hold what belongs to people.
    let reason = match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => with_causes(error),
    };
    let Some(code) = error.code() else {
        // Without a code it comes from the driver: the connection, or a parameter of a wrong type.
        let source = std::error::Error::source(error);
        let lost = error.is_closed() || source.is_some_and(|cause| cause.is::<std::io::Error>());
        return if lost {
            Failure { error: StoreError::Unavailable(reason), passing: true }
        } else {
            Failure { error: StoreError::Refused { what, reason }, passing: false }
        };
    };
    let class = code.code().get(..2).unwrap_or_default();
    match (class, code) {
        (_, &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => {
            Failure { error: StoreError::Busy(reason), passing: true }
        }
        (_, &SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED) => {
            Failure { error: StoreError::Busy(reason), passing: false }
        }
        // 08: connection. 57: the server is going down or coming up.
        ("08" | "57", _) => Failure { error: StoreError::Unavailable(reason), passing: true },
        // 53: out of connections, memory or disk. 58: its disk. XX: it is broken.
        ("53" | "58" | "XX", _) | (_, &SqlState::READ_ONLY_SQL_TRANSACTION) => {
            Failure { error: StoreError::Unavailable(reason), passing: false }
        }
        _ => Failure { error: StoreError::Refused { what, reason }, passing: false },
    }
}

fn severity(error: &tokio_postgres::Error) -> Option<Severity> {
    error.as_db_error().and_then(tokio_postgres::error::DbError::parsed_severity)
}

impl From<Failure> for Aborted {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// On a connection of its own without our limits: a migration may take long, and so may waiting for
/// the node that is already at it. The lock goes with the connection.
async fn migrate(config: &tokio_postgres::Config, tls: MakeTlsConnector) -> Result<(), StoreError> {
    let unavailable = |error: tokio_postgres::Error| StoreError::Unavailable(with_causes(&error));
    let (mut client, connection) = config.connect(tls).await.map_err(unavailable)?;
    let connection = tokio::spawn(connection);
    client.batch_execute(MIGRATION_LOCK).await.map_err(unavailable)?;
    let applied = migrations::runner(Kind::Postgres)?.run_async(&mut client).await;
    drop(client);
    // Its end is the release of the lock; how it ended does not matter any more.
    connection.await.map(drop).unwrap_or(());
    applied.map(drop).map_err(|error| StoreError::Migration(with_causes(&error)))
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(int), &Type::INT8) => int.to_sql(ty, out),
            (Self::Text(text), &Type::TEXT) => text.to_sql(ty, out),
            (Self::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            // A column of another type is a fault of the schema, and a cast would hide it.
            (Self::Int(_), _) => Err(Box::new(WrongType::new::<i64>(ty.clone()))),
            (Self::Text(_), _) => Err(Box::new(WrongType::new::<String>(ty.clone()))),
            (Self::Bytes(_), _) => Err(Box::new(WrongType::new::<Vec<u8>>(ty.clone()))),
        }
    }

    /// Depends on the value: an integer in one row may be null in the next.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Self::Int),
            Type::INT4 => i32::from_sql(ty, raw).map(|int| Self::Int(int.into())),
            // SQLite has no booleans; a comparison is 0 or 1 there.
            Type::BOOL => bool::from_sql(ty, raw).map(|bool| Self::Int(bool.into())),
            Type::TEXT => String::from_sql(ty, raw).map(Self::Text),
            Type::BYTEA => Vec::from_sql(ty, raw).map(Self::Bytes),
            _ => Err(Box::new(WrongType::new::<Self>(ty.clone()))),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::BOOL | Type::TEXT | Type::BYTEA)
    }
}

#[cfg(test)]
mod tests;
