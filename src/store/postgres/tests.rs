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
            let (mut answers, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
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
    let held =
        tokio::spawn(
            async move { holder.apply(vec![bump(), any("SELECT pg_sleep(3)", vec![])]).await },
        );
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
