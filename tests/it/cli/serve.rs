//! `sloop serve`: what files declare works, one node holds a SQLite database, and SIGTERM ends it.

use sloop::mock_idp::Options;

use super::connected::{Connected, SignedIn};
use super::{Place, SECRET, app, declared, idp, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_declared_signs_people_in_and_out() {
    let world = Connected::to(idp(Options::default()).await, &format!("{SECRET}\n")).await;
    let Connected { serving, idp, app, .. } = &world;

    let SignedIn { mut browser, tokens, .. } = world.sign_in("ada").await;

    assert_eq!(tokens.claims["idp"], "corp");
    assert_eq!(app.userinfo(&tokens.access_token).await.json()["email"], "ada@example.com");
    let url = app
        .logout_url(&[
            ("id_token_hint", &tokens.id_token),
            ("post_logout_redirect_uri", &app.post_logout_redirect_uri()),
        ])
        .await;
    let end = browser.open(url.as_str()).await;
    assert_eq!(end.url.as_str(), app.post_logout_redirect_uri(), "{}", end.summary());
    assert_eq!(app.logouts().await.unwrap().len(), 1);
    assert!(idp.sessions().is_empty());
    assert_eq!(serving.get("/healthz", &[]).await.status, 200);
    assert_eq!(serving.get("/readyz", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_of_a_file_is_the_one_that_counts() {
    let another = "another-secret-0123456789".repeat(2);
    let Connected { place, serving, app, idp: _running } =
        Connected::to(idp(Options::default()).await, &another).await;
    let (attempt, page) = open(&mut serving.browser(), &app, "ada").await;
    assert!(app.finish(&attempt, &page.url).await.is_err());
    drop(serving);

    // The file changes, and with the next start the secret.
    place.write("secret", SECRET);
    let serving = place.serve().await;
    let app = app.at(serving.provider());
    let (attempt, page) = open(&mut serving.browser(), &app, "ada").await;
    assert!(app.finish(&attempt, &page.url).await.is_ok(), "{}", page.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_or_missing_secret_is_told_and_its_client_does_not_work() {
    let app = app("wiki").await;
    for (file, says) in [(Some("short"), "32 characters"), (None, "secret: No such file")] {
        let place = Place::new(&declared(&app));
        if let Some(text) = file {
            place.write("secret", text);
        }
        let serving = place.serve().await;
        let line = serving.says("ERROR").await;
        assert!(line.contains(says), "{line}");
        assert!(!line.contains("short"), "{line}");
        place.fails(1, &["client", "show", "wiki"]);
        assert_eq!(serving.get("/readyz", &[]).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_on_the_same_sqlite_is_refused() {
    let place = Place::new("");
    let mut first = place.serve().await;

    let said = place.fails(1, &["serve"]);

    assert!(said.contains("another `sloop serve`") && said.contains("sloop.db.lock"), "{said}");
    assert_eq!(first.get("/readyz", &[]).await.status, 200);
    first.signal("TERM");
    assert!(first.ended().await.success());
    let next = place.serve().await;
    assert_eq!(next.get("/readyz", &[]).await.status, 200);
}

/// Killed without a word: the lock goes with the process, and the database opens again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_leaves_nothing_that_stops_the_next() {
    let place = Place::new("");
    let first = place.serve().await;
    let keys = first.get("/jwks.json", &[]).await.body;
    drop(first);
    let next = place.serve().await;
    assert_eq!(next.get("/jwks.json", &[]).await.body, keys);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_and_sigint_end_it_cleanly() {
    let place = Place::new("");
    for signal in ["TERM", "INT"] {
        let mut serving = place.serve().await;
        serving.signal(signal);
        let status = serving.ended().await;
        assert_eq!(status.code(), Some(0), "{}", serving.log());
        assert!(serving.log().contains(&format!("SIG{signal}")), "{}", serving.log());
        assert!(!serving.log().contains("ERROR"), "{}", serving.log());
        // Nothing is left in the write-ahead log: the database is closed.
        assert!(!place.path("sloop.db-wal").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_once_and_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new("");
    let serving = place.serve().await;
    let mode =
        |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("sloop.db.kek"), 0o400);
    assert_eq!(mode("sloop.db") & 0o077, 0);
    drop(serving);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o444);
    std::fs::set_permissions(place.path("sloop.db.kek"), mode).unwrap();
    let said = place.fails(1, &["serve"]);
    assert!(said.contains("sloop.db.kek") && said.contains("chmod 0400"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_holds_no_name_of_a_person_and_nothing_that_opens_anything() {
    let world = Connected::to(idp(Options::default()).await, &format!("{SECRET}\n")).await;
    let SignedIn { mut browser, page, tokens } = world.sign_in("ada").await;
    let Connected { mut serving, idp, app, place: _kept } = world;
    let session = idp.sessions().pop().unwrap();
    let cookie = browser.cookie(super::ISSUER, "sid").unwrap().value.clone();

    let url =
        app.logout_url(&[("id_token_hint", &tokens.id_token), ("state", "a-secret-state")]).await;
    let end = browser.open(url.as_str()).await;
    let handle = end.url.path_segments().unwrap().next_back().unwrap().to_owned();
    // What is refused is logged too.
    let stale = format!("/logout?SAMLResponse=x&RelayState={handle}&id_token_hint={handle}");
    assert_eq!(serving.get(&stale, &[]).await.status, 200);
    let bad = format!("/connect/endsession?client_id=%0a&id_token_hint={}", tokens.id_token);
    assert_eq!(serving.get(&bad, &[]).await.status, 400);
    let nowhere =
        "/v2/logout?returnTo=https%3A%2F%2Felsewhere.example%2Fbye%3Fticket%3Da-secret-ticket";
    assert_eq!(serving.get(nowhere, &[]).await.status, 400);
    serving.signal("TERM");
    serving.ended().await;

    let log = serving.log();
    assert!(log.contains("invalid_request"), "{log}");
    assert!(log.contains("https://elsewhere.example/bye"), "{log}");
    let index = session.session_index.unwrap();
    let code = page.query("code").unwrap();
    for (what, secret) in [
        ("the NameID", session.name_id.value.as_str()),
        ("the SessionIndex", index.as_str()),
        ("the user's name", "ada@"),
        ("the hint", tokens.id_token.as_str()),
        ("the state", "a-secret-state"),
        ("the query of a URL", "a-secret-ticket"),
        ("the code", code.as_str()),
        ("the access token", tokens.access_token.as_str()),
        ("the session cookie", cookie.as_str()),
        ("the handle", handle.as_str()),
        ("the client's secret", SECRET),
    ] {
        assert!(secret.len() >= 4 && !log.contains(secret), "{what} is in the log:\n{log}");
    }
    assert!(!log.contains("SAMLRe") && !log.contains("RelayState="), "{log}");
}
