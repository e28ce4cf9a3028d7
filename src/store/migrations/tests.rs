use refinery::Target;

use super::*;
use crate::clock::Clock;
use crate::store::tests::{conflict, new_schema, one, query};
use crate::store::{CommitError, DatabaseUrl, Store, Value};

#[test]
fn every_text_is_free_of_dialect() {
    for (name, text) in ALL {
        let Text::Both(sql) = text else { continue };
        let code = sql.lines().filter(|line| !line.starts_with("--")).collect::<String>();
        for dialect in ["BLOB", "BYTEA", "AUTOINCREMENT", "SERIAL", "TIMESTAMP", "BOOLEAN"] {
            assert!(!code.to_uppercase().contains(dialect), "{dialect} in {name}");
        }
    }
}

#[test]
fn the_byte_type_is_filled_in() {
    for (kind, word) in [(Kind::Sqlite, "BLOB"), (Kind::Postgres, "BYTEA")] {
        let runner = runner(kind).unwrap();
        let sql = |migration: &Migration| migration.sql().unwrap().to_owned();
        let texts: Vec<_> = runner.get_migrations().iter().map(sql).collect();
        assert!(texts.iter().all(|text| !text.contains("{BYTES}")), "{texts:?}");
        assert!(texts.iter().any(|text| text.contains(word)), "{word}");
    }
}

#[test]
fn a_text_of_its_own_goes_to_its_database() {
    let text = Text::Each { sqlite: "a {BYTES}", postgres: "b {BYTES}" };
    assert_eq!(
        (text.of(Kind::Sqlite), text.of(Kind::Postgres)),
        ("a BLOB".into(), "b BYTEA".into())
    );
}

/// What the version before had, filled: the upgrade loses nothing and keeps every rule but the one
/// that it lifts.
async fn a_logout_may_leave_its_session_alive_after_the_upgrade(kind: Kind) {
    let (_folder, url) = new_database(kind).await;
    let fill: Vec<String> = (1..=3)
        .flat_map(|n| {
            [
                format!(
                    "INSERT INTO logout (id, version, handle_hash, browser_session_id, document, \
                     created_at, deadline, answered_at) VALUES ('logout-{n}', {n}, \
                     CAST('handle-{n}' AS {bytes}), 'session-{n}', 'document', 10, 20, 15);",
                    bytes = bytes(kind)
                ),
                format!(
                    "INSERT INTO leg (id, logout_id, position, document, sealed, request_id, \
                     relay_state_hash, due_at) VALUES ('leg-{n}', 'logout-{n}', 0, 'leg', \
                     CAST('sealed' AS {bytes}), 'request-{n}', CAST('state' AS {bytes}), 30);",
                    bytes = bytes(kind)
                ),
            ]
        })
        .collect();
    migrate_and_run(&url, 3, &fill.concat()).await;

    let store = Store::open(&url, Clock::system()).await.unwrap();

    let tables = store
        .select(vec![
            query("SELECT * FROM logout ORDER BY id", vec![]),
            query("SELECT * FROM leg ORDER BY id", vec![]),
        ])
        .await
        .unwrap()
        .tables;
    assert_eq!((tables[0].len(), tables[1].len()), (3, 3));
    let (logout, leg) = (&tables[0][2], &tables[1][2]);
    assert_eq!((logout.text("id"), logout.int("version")), (Ok("logout-3"), Ok(3)));
    assert_eq!(logout.bytes("handle_hash"), Ok(b"handle-3".as_slice()));
    assert_eq!(logout.text("browser_session_id"), Ok("session-3"));
    assert_eq!((logout.int("created_at"), logout.int("deadline")), (Ok(10), Ok(20)));
    assert_eq!((logout.int("answered_at"), logout.optional_int("settled_at")), (Ok(15), Ok(None)));
    assert_eq!((leg.text("logout_id"), leg.text("request_id")), (Ok("logout-3"), Ok("request-3")));
    assert_eq!((leg.bytes("sealed"), leg.int("due_at")), (Ok(b"sealed".as_slice()), Ok(30)));
    assert_eq!(leg.bytes("relay_state_hash"), Ok(b"state".as_slice()));

    // Several logouts may leave their session alive, and a session is ended by one.
    let add = |what, id: &str, ended: Option<&str>| {
        let sql = "INSERT INTO logout (id, version, handle_hash, browser_session_id, document, \
                   created_at, deadline) VALUES ($1, 1, $2, $3, 'document', 10, 20)";
        let hash = Value::from(id.as_bytes().to_vec());
        one(what, sql, vec![id.into(), hash, ended.map(str::to_owned).into()])
    };
    store.apply(vec![add("Add", "a", None), add("Add", "b", None)]).await.unwrap();
    let twice = store.apply(vec![add("Twice", "c", Some("session-1"))]).await;
    assert_eq!(twice, conflict("Twice"));
    // Legs belong to their logout as before.
    let orphan = "INSERT INTO leg (id, logout_id, position, document) VALUES ('x', 'none', 0, '')";
    let orphan = store.apply(vec![one("Orphan", orphan, vec![])]).await;
    assert!(matches!(orphan, Err(CommitError::Store(StoreError::Refused { .. }))), "{orphan:?}");
    let delete = "DELETE FROM logout WHERE id = 'logout-1'";
    store.apply(vec![one("Delete", delete, vec![])]).await.unwrap();
    let legs = query("SELECT id FROM leg ORDER BY id", vec![]);
    let legs = store.select(vec![legs]).await.unwrap().tables.remove(0);
    assert_eq!(
        legs.iter().map(|row| row.text("id").unwrap()).collect::<Vec<_>>(),
        ["leg-2", "leg-3"]
    );
    // And are found by the same ways.
    let indexes = query(
        match kind {
            Kind::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL \
                 AND tbl_name IN ('logout', 'leg') ORDER BY name"
            }
            Kind::Postgres => {
                "SELECT indexname::text AS name FROM pg_indexes WHERE schemaname = current_schema() \
                 AND tablename IN ('logout', 'leg') AND indexname NOT LIKE '%key' ORDER BY name"
            }
        },
        vec![],
    );
    let indexes = store.select(vec![indexes]).await.unwrap().tables.remove(0);
    let names: Vec<_> = indexes.iter().map(|row| row.text("name").unwrap()).collect();
    let wanted = [
        "leg_due",
        "leg_relay_state",
        "leg_request",
        "logout_apps_of_session",
        "logout_created",
        "logout_open",
        "logout_settled",
    ];
    assert_eq!(names, wanted);
}

/// Logouts of single apps that were written before find their session.
async fn a_logout_of_apps_knows_its_session_after_the_upgrade(kind: Kind) {
    let (_folder, url) = new_database(kind).await;
    let session = |id: &str| {
        format!(
            "INSERT INTO browser_session (id, version, cookie_hash, sid, subject, created_at, \
             idle_until, expires_at) VALUES ('{id}', 1, CAST('{id}' AS {bytes}), '{id}', 'sub', 1, \
             2, 3);",
            bytes = bytes(kind)
        )
    };
    let logout = |id: &str, ended: &str, of: &str| {
        format!(
            "INSERT INTO logout (id, version, handle_hash, browser_session_id, document, \
             created_at, deadline) VALUES ('{id}', 1, CAST('{id}' AS {bytes}), {ended}, \
             '{{\"reason\":\"person\",\"browser_session\":\"{of}\",\"sid\":\"two\"}}', 10, 20);",
            bytes = bytes(kind)
        )
    };
    let fill = [
        session("one"),
        session("two"),
        logout("a", "NULL", "one"),
        logout("b", "'one'", "one"),
        logout("c", "NULL", "gone"),
    ];
    migrate_and_run(&url, 7, &fill.concat()).await;

    let store = Store::open(&url, Clock::system()).await.unwrap();

    let sql = "SELECT id, apps_of_session_id FROM logout ORDER BY id";
    let rows = store.select(vec![query(sql, vec![])]).await.unwrap().tables.remove(0);
    let of: Vec<_> =
        rows.iter().map(|row| row.optional_text("apps_of_session_id").unwrap()).collect();
    assert_eq!(of, [Some("one"), None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_knows_the_session_of_a_logout_of_apps() {
    a_logout_of_apps_knows_its_session_after_the_upgrade(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_knows_the_session_of_a_logout_of_apps() {
    a_logout_of_apps_knows_its_session_after_the_upgrade(Kind::Postgres).await;
}

/// Locks that were left before know the cookies of their sessions, as long as these are kept.
async fn a_lock_knows_the_cookies_of_its_session_after_the_upgrade(kind: Kind) {
    let (_folder, url) = new_database(kind).await;
    let bytes = bytes(kind);
    let left = |id: &str, session: &str, former: &str| {
        format!(
            "INSERT INTO logout (id, version, handle_hash, browser_session_id, document, created_at, \
             deadline) VALUES ('{id}', 1, CAST('{id}' AS {bytes}), '{session}', 'document', 10, 20);\
             INSERT INTO relogin_lock (leg_id, logout_id, browser_hash, idp_id, subject, sealed, \
             fresh_after, expires_at) VALUES ('{id}', '{id}', CAST('browser' AS {bytes}), 'corp', \
             'sub', CAST('sealed' AS {bytes}), 1, 2);\
             INSERT INTO browser_session (id, version, cookie_hash, sid, subject, created_at, \
             idle_until, expires_at, ended_at, former_cookie_hash) VALUES ('of-{id}', 1, \
             CAST('cookie-{id}' AS {bytes}), 'of-{id}', 'sub', 1, 2, 3, 4, {former});"
        )
    };
    let fill = [
        left("a", "of-a", &format!("CAST('former-a' AS {bytes})")),
        left("b", "of-b", "NULL"),
        left("c", "gone", "NULL"),
    ];
    migrate_and_run(&url, 12, &fill.concat()).await;

    let store = Store::open(&url, Clock::system()).await.unwrap();

    let sql = "SELECT session_cookie_hash, former_session_cookie_hash FROM relogin_lock \
               ORDER BY leg_id";
    let rows = store.select(vec![query(sql, vec![])]).await.unwrap().tables.remove(0);
    let of = |row: &crate::store::Row| {
        ["session_cookie_hash", "former_session_cookie_hash"].map(|column| {
            let hash = row.optional_bytes(column).unwrap();
            hash.map(|hash| String::from_utf8_lossy(hash).into_owned())
        })
    };
    let cookie = |text: &str| Some(text.to_owned());
    let wanted = [
        [cookie("cookie-a"), cookie("former-a")],
        [cookie("cookie-b"), None],
        // Of a session that is kept no more.
        [None, None],
    ];
    assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_knows_the_cookies_of_a_lock() {
    a_lock_knows_the_cookies_of_its_session_after_the_upgrade(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_knows_the_cookies_of_a_lock() {
    a_lock_knows_the_cookies_of_its_session_after_the_upgrade(Kind::Postgres).await;
}

/// One without a table. It goes away with the folder.
async fn new_database(kind: Kind) -> (tempfile::TempDir, DatabaseUrl) {
    let folder = tempfile::tempdir().unwrap();
    let url = match kind {
        Kind::Sqlite => format!("sqlite:{}", folder.path().join("old.db").display()),
        Kind::Postgres => new_schema().await,
    };
    (folder, url.parse().unwrap())
}

/// Brings a new database to this version and runs SQL on it.
async fn migrate_and_run(url: &DatabaseUrl, version: i32, sql: &str) {
    match url {
        DatabaseUrl::Sqlite(path) => {
            let mut connection = rusqlite::Connection::open(path).unwrap();
            let target = Target::Version(version);
            runner(Kind::Sqlite).unwrap().set_target(target).run(&mut connection).unwrap();
            connection.execute_batch(sql).unwrap();
        }
        DatabaseUrl::Postgres(server) => {
            let (mut client, connection) =
                server.config.connect(tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let target = Target::Version(version);
            let runner = runner(Kind::Postgres).unwrap().set_target(target);
            runner.run_async(&mut client).await.unwrap();
            client.batch_execute(sql).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_its_logouts_at_the_upgrade() {
    a_logout_may_leave_its_session_alive_after_the_upgrade(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_its_logouts_at_the_upgrade() {
    a_logout_may_leave_its_session_alive_after_the_upgrade(Kind::Postgres).await;
}
