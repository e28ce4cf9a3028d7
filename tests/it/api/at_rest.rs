//! What a thief of the database file has: nothing that opens anything, and nobody's name at the IdP.

use crate::support::cookies::Context;
use crate::support::world::{On, World};

/// The database with its write-ahead log, as bytes.
fn files(world: &World) -> Vec<u8> {
    let folder = world.folder();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
    let all = [read("sloop.db"), read("sloop.db-wal")].concat();
    assert!(all.len() > 4096, "the database is in {}", folder.display());
    all
}

fn holds(files: &[u8], text: &str) -> bool {
    assert!(text.len() >= 3, "too short to look for: {text:?}");
    files.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_holds_no_secret_cookie_code_token_or_name() {
    let world = World::on(On::Sqlite).await;
    let admin = world.use_cases().issue_admin_token("thief").await.unwrap();
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    // A sign-in that is not finished: its code is live, and so is its RelayState.
    let open = app.begin(&[]).await;
    let callback = world.at_app(&mut browser, &app, &open, "ada").await;
    let parameter = |url: &url::Url, name: &str| {
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let live_code = parameter(&callback, "code").unwrap();
    let relay_states: Vec<String> =
        browser.history().iter().filter_map(|visit| parameter(&visit.url, "RelayState")).collect();
    assert!(!relay_states.is_empty(), "{:#?}", browser.history());
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let home = url::Url::parse(&world.issuer).unwrap();
    let cookies: Vec<_> = browser
        .jar
        .matching(&home, Context::SameSite, world.clock.now())
        .iter()
        .map(|cookie| cookie.value.clone())
        .collect();
    assert!(!cookies.is_empty());
    let session = world.idp.sessions().remove(0);
    let ours = files(&world);
    let name = session.name_id.value.as_str();
    let index = session.session_index.as_ref().unwrap().as_str();
    let mut secrets = vec![
        admin.expose(),
        app.client_secret.as_deref().unwrap(),
        &live_code,
        &tokens.access_token,
        &tokens.id_token,
        &open.verifier,
        name,
        index,
        "BEGIN PRIVATE KEY",
    ];
    secrets.extend(cookies.iter().map(String::as_str));
    secrets.extend(relay_states.iter().map(String::as_str));
    for secret in secrets {
        assert!(!holds(&ours, secret), "{secret} stands in the database");
    }
    // It is looked at in the right place: what is no secret is found.
    for known in ["app-one", "corp", world.idp.entity_id().as_str()] {
        assert!(holds(&ours, known), "{known}");
    }

    // Nor do a logout and its legs hold them, open or settled.
    world.sign_out(&mut browser, &app, &tokens.id_token).await;
    let logout = world.settled().await;
    let ours = files(&world);
    assert!(holds(&ours, &logout.id.to_string()));
    for secret in [name, index, &tokens.id_token, &tokens.access_token] {
        assert!(!holds(&ours, secret), "{secret} stands in the database after the logout");
    }
}
