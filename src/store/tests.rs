use std::time::Duration;

use super::*;
use crate::rng::Rng;

/// A store of its own for one test.
pub(crate) struct Scratch {
    pub(crate) store: Store,
    pub(super) url: DatabaseUrl,
    pub(super) text: String,
    pub(super) clock: Clock,
    folder: tempfile::TempDir,
}

impl Scratch {
    pub(crate) async fn open(kind: Kind) -> Self {
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
        Self { store, url, text, clock, folder }
    }

    pub(super) async fn counter(&self, id: &'static str) -> Option<i64> {
        value_of(&self.store, id).await
    }
}

/// A schema of its own in the database that `SLOOP_TEST_POSTGRES` names.
pub(super) async fn new_schema() -> String {
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
        Kind::Sqlite => DatabaseUrl::Sqlite(scratch.folder.path().join("fresh.db")),
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
        let counts: Vec<_> = snapshot.tables.iter().map(Vec::len).collect();
        assert_eq!(counts, [migrations::ALL.len(), 1]);
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
