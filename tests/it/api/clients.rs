//! `POST` and `GET /api/v1/clients`: OIDC clients.

use serde_json::{Value, json};
use sloop::paths::API_CLIENTS;

use super::{ids, problem};
use crate::both;
use crate::support::rp::Failure;
use crate::support::world::{On, World};

async fn get(world: &World, path: &str) -> Value {
    let answer = world.api("GET", path, "application/json", "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

both!(a_client_is_created_and_its_secret_is_shown_once, created);
async fn created(on: On) {
    let world = World::on(on).await;
    let wanted = json!({
        "id": "wiki",
        "redirect_uris": ["https://wiki.example/callback"],
        "post_logout_redirect_uris": ["https://wiki.example/bye"],
        "backchannel_logout_uri": "https://wiki.example/logout",
        "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://wiki.example/logout/frame?a=b",
        "scope": "all_apps",
    });

    let answer = world.add_client(wanted.clone()).await;

    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let saved = answer.json();
    let secret = saved["client_secret"].as_str().unwrap();
    assert!(secret.len() >= 32, "{secret}");
    assert_eq!(saved["client_id"], "wiki");
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(saved[key], *value);
    }
    let path = format!("{API_CLIENTS}/wiki");
    let shown = get(&world, &path).await;
    assert_eq!(shown["redirect_uris"], wanted["redirect_uris"]);
    for later in [&shown, &get(&world, API_CLIENTS).await] {
        let text = later.to_string();
        assert!(
            text.contains("wiki") && !text.contains("secret") && !text.contains(secret),
            "{text}"
        );
    }
    // Another one gets another.
    let other = json!({"id": "blog", "redirect_uris": ["https://blog.example/callback"]});
    let other = world.add_client(other).await.json();
    assert_ne!(other["client_secret"], saved["client_secret"]);
    assert_eq!(ids(&world.api("GET", API_CLIENTS, "", "").await), ["blog", "wiki"]);
}

both!(the_secret_is_what_opens_the_token_endpoint, opens);
async fn opens(on: On) {
    let world = World::on(on).await;
    let mut app = world.app("app-one").await;
    let right = app.client_secret.replace("x".repeat(43));
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;
    let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
    let refused = app.finish(&attempt, &callback).await.unwrap_err();
    assert_eq!(refused, Failure::Token(401, "invalid_client".to_owned()));

    app.client_secret = right;
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    assert_eq!(tokens.claims["aud"], "app-one");
}

both!(a_public_client_has_no_secret, public);
async fn public(on: On) {
    let world = World::on(on).await;
    let wanted = json!({
        "id": "spa", "public": true, "redirect_uris": ["https://spa.example/callback"]
    });
    let answer = world.add_client(wanted).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(answer.json().get("client_secret").is_none(), "{}", answer.body);
}

both!(a_second_client_of_that_id_is_refused_and_the_first_stays, duplicate);
async fn duplicate(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let path = format!("{API_CLIENTS}/app-one");
    let before = get(&world, &path).await;

    let other = json!({"id": "app-one", "redirect_uris": ["https://evil.example/callback"]});
    let answer = world.add_client(other).await;

    let problem = problem(&answer, 409, "client_exists");
    assert!(problem["detail"].as_str().unwrap().contains("app-one"), "{problem}");
    assert_eq!(get(&world, &path).await, before);
    // Its secret still works.
    world.sign_in(&mut world.browser(), &app, "ada").await;
}

both!(what_is_wrong_is_named_with_its_key_and_value, wrong);
async fn wrong(on: On) {
    let world = World::on(on).await;
    let good = "https://app.example/callback";
    for (change, names, value) in [
        (
            json!({"redirect_uris": ["app.example/callback"]}),
            "redirect_uris",
            "app.example/callback",
        ),
        (
            json!({"redirect_uris": [good, "http://app.example/"]}),
            "redirect_uris",
            "http://app.example/",
        ),
        (
            json!({"redirect_uris": ["https://a.example/#x"]}),
            "redirect_uris",
            "https://a.example/#x",
        ),
        (json!({"redirect_uris": ["javascript:alert(1)"]}), "redirect_uris", "javascript:alert(1)"),
        (json!({"redirect_uris": []}), "redirect_uris", "empty"),
        (json!({"post_logout_redirect_uris": ["/x"]}), "post_logout_redirect_uris", "/x"),
        (
            json!({"post_logout_redirect_uris": [good, "http://app.example/bye"]}),
            "post_logout_redirect_uris",
            "http://app.example/bye",
        ),
        (
            json!({"post_logout_redirect_uris": ["http://app.example/bye"], "public": true}),
            "post_logout_redirect_uris",
            "http://app.example/bye",
        ),
        (
            json!({"post_logout_redirect_uris": ["javascript:alert(1)"]}),
            "post_logout_redirect_uris",
            "javascript:alert(1)",
        ),
        (json!({"backchannel_logout_uri": "ftp://x"}), "backchannel_logout_uri", "ftp://x"),
        (
            json!({"frontchannel_logout_uri": "https://other.example/out"}),
            "frontchannel_logout_uri",
            "https://other.example/out",
        ),
        (
            json!({"frontchannel_logout_uri": "https://app.example:8443/out"}),
            "frontchannel_logout_uri",
            "https://app.example:8443/out",
        ),
        (
            json!({"frontchannel_logout_uri": "https://app.example/out#x"}),
            "frontchannel_logout_uri",
            "fragment",
        ),
        (json!({"frontchannel_logout_uri": "/out"}), "frontchannel_logout_uri", "/out"),
        (
            json!({"frontchannel_logout_uri": "javascript:alert(1)"}),
            "frontchannel_logout_uri",
            "javascript:alert(1)",
        ),
        (
            json!({"frontchannel_logout_uri": "https://app.example/\"><script>"}),
            "frontchannel_logout_uri",
            "characters",
        ),
        (
            json!({"allowed_logout_urls": ["https://*.com/"]}),
            "allowed_logout_urls",
            "https://*.com/",
        ),
        (json!({"id": "a b"}), "id", "a b"),
    ] {
        let mut wanted = json!({"id": "wiki", "redirect_uris": [good]});
        wanted.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let problem = problem(&world.add_client(wanted).await, 400, "invalid_client_metadata");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(names) && detail.contains(value), "{names}: {detail}");
    }
    for body in ["", "{", "[]", "{\"id\":\"wiki\"}", "{\"id\":\"wiki\",\"redirect_uri\":\"x\"}"] {
        let answer = world.api("POST", API_CLIENTS, "application/json", body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        problem(&answer, 400, answer.json()["code"].as_str().unwrap());
    }
    let large = json!({"id": "wiki", "redirect_uris": [good], "idps": [" ".repeat(256 * 1024)]});
    problem(&world.add_client(large).await, 413, "too_large");
    assert!(ids(&world.api("GET", API_CLIENTS, "", "").await).is_empty());
    let wanted = json!({"id": "wiki", "redirect_uris": [good]});
    assert_eq!(world.add_client(wanted).await.status, 201);
}

both!(an_unknown_client_is_404, unknown);
async fn unknown(on: On) {
    let world = World::on(on).await;
    world.app("app-one").await;
    for id in ["nobody", "%20", "APP-ONE"] {
        let path = format!("{API_CLIENTS}/{id}");
        problem(&world.api("GET", &path, "", "").await, 404, "not_found");
    }
    assert_eq!(get(&world, &format!("{API_CLIENTS}/app-one")).await["id"], "app-one");
}
