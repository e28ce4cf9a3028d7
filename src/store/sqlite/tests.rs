use std::os::unix::fs::PermissionsExt as _;

use super::super::tests::{Scratch, add, conflict, one, query, value_of};
use super::super::{DatabaseUrl, Kind, Store};
use super::connection::connect;
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
