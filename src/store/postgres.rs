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
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(10);
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
mod tests {
    use super::super::Store;
    use super::super::tests::{Scratch, add, any, one, query, value_of};
    use super::*;

    async fn rows(store: &Store, sql: &'static str) -> Vec<Row> {
        store.select(vec![query(sql, vec![])]).await.unwrap().tables.remove(0)
    }

    const OTHERS: &str = "SELECT pid::bigint AS pid, state FROM pg_stat_activity \
                          WHERE application_name = current_setting('application_name') \
                          AND pid <> pg_backend_pid()";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_caller_leaves_no_connection_in_mid_transaction() {
        let scratch = Scratch::open(Kind::Postgres).await;
        scratch.store.apply(vec![add("a")]).await.unwrap();
        for round in 0..300_u64 {
            let store = scratch.store.clone();
            let patience = Duration::from_micros(round * 20);
            let bump = any("UPDATE counter SET value = value + 1 WHERE id = 'a'", vec![]);
            drop(timeout(patience, store.apply(vec![bump])).await);
            let slow = query("SELECT value, pg_sleep(0.002)::text FROM counter", vec![]);
            drop(timeout(patience, store.select(vec![slow])).await);
        }
        // Given up between the first flight and COMMIT: it is finished all the same.
        let slow = vec![add("slow"), any("SELECT pg_sleep(0.2)", vec![])];
        assert!(timeout(Duration::from_millis(100), scratch.store.apply(slow)).await.is_err());
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(scratch.counter("slow").await, Some(0));
        // Forty at a time is more than there are connections: one that is stuck would show.
        let readers = (0..40).map(|_| {
            let store = scratch.store.clone();
            tokio::spawn(async move { value_of(&store, "a").await })
        });
        for reader in readers.collect::<Vec<_>>() {
            assert!(reader.await.unwrap().is_some());
        }
        for row in rows(&scratch.store, OTHERS).await {
            assert_eq!(row.text("state"), Ok("idle"));
        }
    }

    /// The deferred trigger runs inside COMMIT and cuts the connection there.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_cut_in_commit_is_unknown_and_never_success() {
        let scratch = Scratch::open(Kind::Postgres).await;
        let cut = [
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $cut$ BEGIN \
             PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); \
             RETURN NULL; END $cut$",
            "CREATE CONSTRAINT TRIGGER cut AFTER UPDATE ON counter DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW WHEN (NEW.value = 13) EXECUTE FUNCTION cut()",
        ];
        scratch.store.apply(vec![any(cut[0], vec![]), any(cut[1], vec![])]).await.unwrap();
        scratch.store.apply(vec![add("a")]).await.unwrap();
        let set = |value| {
            let sql = "UPDATE counter SET value = $1 WHERE id = 'a'";
            scratch.store.apply(vec![one("Set", sql, vec![Value::Int(value)])])
        };
        assert_eq!(set(12).await, Ok(()));
        assert_eq!(set(13).await, Err(CommitError::Unknown));
        assert_eq!(set(14).await, Ok(()));
        assert_eq!(scratch.counter("a").await, Some(14));
    }

    /// Passes everything on until it has seen a COMMIT; then it passes that on and hangs up.
    fn proxy_that_cuts_after_commit(port: u16) -> u16 {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let own_port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let mut server = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (mut answers, mut to) =
                    (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut answers, &mut to));
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    let mut writes = false;
                    while let Ok(length @ 1..) = client.read(&mut buffer) {
                        let sent = &buffer[..length];
                        let has = |word: &[u8]| sent.windows(word.len()).any(|part| part == word);
                        writes |= has(b"UPDATE counter");
                        if writes && has(b"COMMIT") {
                            client.shutdown(std::net::Shutdown::Both).unwrap();
                        }
                        server.write_all(sent).unwrap();
                    }
                });
            }
        });
        own_port
    }

    /// The other half of not knowing: here the change has been written.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_to_commit_that_is_lost_is_unknown() {
        let scratch = Scratch::open(Kind::Postgres).await;
        scratch.store.apply(vec![add("a")]).await.unwrap();
        let mut url = url::Url::parse(&scratch.text).unwrap();
        url.set_port(Some(proxy_that_cuts_after_commit(url.port().unwrap()))).unwrap();
        let store = Store::open(&url.as_str().parse().unwrap(), Clock::system()).await.unwrap();
        assert_eq!(value_of(&store, "a").await, Some(0));

        let bump = "UPDATE counter SET value = value + 1 WHERE id = 'a'";
        let result = store.apply(vec![one("Bump", bump, vec![])]).await;
        assert_eq!(result, Err(CommitError::Unknown));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(scratch.counter("a").await, Some(1));
        assert_eq!(value_of(&store, "a").await, Some(1), "the store goes on");
    }

    /// A constraint that is checked at COMMIT is an answer: nothing was written.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_error_of_commit_is_known() {
        let scratch = Scratch::open(Kind::Postgres).await;
        let late = "ALTER TABLE counter ADD CONSTRAINT late UNIQUE (value) DEFERRABLE INITIALLY \
                    DEFERRED";
        scratch.store.apply(vec![any(late, vec![]), add("a")]).await.unwrap();
        let twice = scratch.store.apply(vec![add("b")]).await;
        let refused =
            matches!(&twice, Err(CommitError::Store(StoreError::Refused { what: "COMMIT", .. })));
        assert!(refused, "{twice:?}");
        assert_eq!(scratch.counter("b").await, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_lost_before_commit_is_replaced() {
        let scratch = Scratch::open(Kind::Postgres).await;
        scratch.store.apply(vec![add("a")]).await.unwrap();
        for _ in 0..5 {
            let warm = (0..6).map(|_| {
                let store = scratch.store.clone();
                tokio::spawn(async move { rows(&store, "SELECT pg_sleep(0.05)::text").await })
            });
            for reader in warm.collect::<Vec<_>>() {
                reader.await.unwrap();
            }
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE \
                       application_name = current_setting('application_name') \
                       AND pid <> pg_backend_pid()";
            assert!(!rows(&scratch.store, cut).await.is_empty());
            let bump = "UPDATE counter SET value = value + 1 WHERE id = 'a'";
            assert_eq!(scratch.store.apply(vec![one("Bump", bump, vec![])]).await, Ok(()));
        }
        assert_eq!(scratch.counter("a").await, Some(5));

        let end = "SELECT pg_terminate_backend(pg_backend_pid())";
        let never = scratch.store.apply(vec![any(end, vec![])]).await;
        let unavailable = matches!(never, Err(CommitError::Store(StoreError::Unavailable(_))));
        assert!(unavailable, "{never:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_loser_of_a_deadlock_tries_again() {
        let scratch = Scratch::open(Kind::Postgres).await;
        scratch.store.apply(vec![add("a"), add("b")]).await.unwrap();
        let bump = |id: &str| {
            one("Bump", "UPDATE counter SET value = value + 1 WHERE id = $1", vec![id.into()])
        };
        let pause = || any("SELECT pg_sleep(0.3)", vec![]);
        // On a busy machine one may be done before the other begins: then once more.
        for round in 1..=5 {
            let before = scratch.store.statistics().statements;
            let (one, other) = tokio::join!(
                scratch.store.apply(vec![bump("a"), pause(), bump("b")]),
                scratch.store.apply(vec![bump("b"), pause(), bump("a")]),
            );
            assert_eq!((one, other), (Ok(()), Ok(())));
            assert_eq!(scratch.counter("a").await, Some(2 * round));
            assert_eq!(scratch.counter("b").await, Some(2 * round));
            if scratch.store.statistics().statements - before == 9 {
                return;
            }
        }
        panic!("no deadlock in five rounds: nothing was tried again");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lock_held_for_too_long_is_busy() {
        let scratch = Scratch::open(Kind::Postgres).await;
        scratch.store.apply(vec![add("a")]).await.unwrap();
        let bump = || one("Bump", "UPDATE counter SET value = value + 1 WHERE id = 'a'", vec![]);
        let holder = scratch.store.clone();
        let held = tokio::spawn(async move {
            holder.apply(vec![bump(), any("SELECT pg_sleep(3)", vec![])]).await
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let busy = scratch.store.apply(vec![bump()]).await;
        assert!(matches!(busy, Err(CommitError::Store(StoreError::Busy(_)))), "{busy:?}");
        assert_eq!(held.await.unwrap(), Ok(()));
        assert_eq!(scratch.counter("a").await, Some(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_long_list_of_statements_is_one_transaction() {
        let scratch = Scratch::open(Kind::Postgres).await;
        let ids: Vec<String> = (0..200).map(|number| format!("row {number}")).collect();
        let mut statements: Vec<Statement> = ids.iter().map(|id| add(id)).collect();
        scratch.store.apply(statements.clone()).await.unwrap();
        let count = "SELECT COUNT(*) AS rows FROM counter";
        assert_eq!(rows(&scratch.store, count).await[0].int("rows"), Ok(200));
        statements.insert(0, add("new"));
        assert!(scratch.store.apply(statements).await.is_err());
        assert_eq!(rows(&scratch.store, count).await[0].int("rows"), Ok(200));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_connection_has_our_limits_beside_the_options_of_the_url() {
        let scratch = Scratch::open(Kind::Postgres).await;
        let settings = "SELECT current_setting('statement_timeout') AS statement, \
                        current_setting('lock_timeout') AS lock, \
                        current_setting('idle_in_transaction_session_timeout') AS idle, \
                        current_setting('search_path') AS path";
        let table = rows(&scratch.store, settings).await;
        assert_eq!(table[0].text("statement"), Ok("5s"));
        assert_eq!(table[0].text("lock"), Ok("2s"));
        assert_eq!(table[0].text("idle"), Ok("10s"));
        assert!(table[0].text("path").is_ok_and(|path| path.starts_with("test_")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_snapshot_cannot_write() {
        let scratch = Scratch::open(Kind::Postgres).await;
        scratch.store.apply(vec![add("a")]).await.unwrap();
        let write = query("UPDATE counter SET value = 1 RETURNING value", vec![]);
        assert!(scratch.store.select(vec![write]).await.is_err());
        assert_eq!(scratch.counter("a").await, Some(0));
    }

    #[tokio::test]
    async fn requests_of_a_flight_are_first_polled_in_order() {
        let order = std::sync::Mutex::new(Vec::new());
        let futures = (0..100).map(|number| {
            let order = &order;
            boxed(async move {
                order.lock().unwrap().push(number);
                tokio::task::yield_now().await;
                number
            })
        });
        let results = in_one_flight(futures.collect()).await;
        assert_eq!(results, (0..100).collect::<Vec<_>>());
        assert_eq!(*order.lock().unwrap(), results);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        let url = "postgres://sloop@127.0.0.1:1/sloop?sslmode=disable".parse().unwrap();
        let error = Store::open(&url, Clock::system()).await.err();
        assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
    }
}
