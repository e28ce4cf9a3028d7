//! RP-Initiated Logout: how an app may ask, and what it gets back.

use serde_json::json;
use sloop::paths;

use super::{home, leads_to, signed_in};
use crate::both;
use crate::support::browser::ELSEWHERE;
use crate::support::world::{On, World};

both!(every_address_answers_by_get_and_by_post, every_address);
async fn every_address(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let addresses = [&[paths::END_SESSION], &paths::END_SESSION_ALIASES[..]].concat();
    let mut count = 0;
    for path in addresses {
        for is_post in [false, true] {
            let mut ada = signed_in(&world, &app, "ada").await;
            let (hint, uri) = (ada.hint().to_owned(), app.post_logout_redirect_uri());
            let fields = [
                ("id_token_hint", hint.as_str()),
                ("post_logout_redirect_uri", uri.as_str()),
                ("state", "the-state"),
            ];
            let mut url = url::Url::parse(&world.url(path)).unwrap();
            let page = match is_post {
                true => ada.browser.post(url.as_str(), &fields, Some(&app.origin)).await,
                false => {
                    url.query_pairs_mut().extend_pairs(fields);
                    ada.browser.get(url.as_str()).await
                }
            };
            assert_eq!(page.status, 303, "{path}: {}", page.summary());
            let end = ada.browser.settle(page).await;
            assert_eq!(end.url.as_str(), home(&app), "{path} by POST: {is_post}");
            assert!(!ada.is_in(&world, &app).await);
            count += 1;
            assert_eq!(world.logout_count().await, count);
        }
    }
    assert_eq!(world.idp.sessions(), []);
}

both!(discovery_names_the_address_and_nothing_but_get_and_post_is_answered, discovery);
async fn discovery(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let document = app.discovery().await;
    assert_eq!(document["end_session_endpoint"], world.url(paths::END_SESSION));
    assert_eq!(document["backchannel_logout_supported"], true);
    assert_eq!(document["backchannel_logout_session_supported"], true);
    let cookie = ada.browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    let cookie = format!("sid={cookie}");
    let target = format!("{}?id_token_hint={}", paths::END_SESSION, ada.hint());
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = world.request(method, &target, &[("cookie", &cookie)], "").await;
        assert_eq!(answer.status, 405, "{method}");
    }
    // A POST that is no form says nothing.
    let headers = [("cookie", cookie.as_str()), ("content-type", "application/json")];
    let body = json!({ "id_token_hint": ada.hint() }).to_string();
    let answer = world.request("POST", paths::END_SESSION, &headers, &body).await;
    assert_eq!(answer.status, 415);
    assert!(ada.is_in(&world, &app).await);
    assert_eq!(world.logout_count().await, 0);
}

both!(state_comes_back_as_it_was_given, state);
async fn state(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let long = "s".repeat(512);
    for state in [
        "plain",
        "a b+c",
        "a%20b&c=d#e?f",
        "\"'<script>alert(1)</script>",
        "grüße €😀",
        "\u{1}\t\r\nSet-Cookie: a=b",
        "https://evil.test/",
        &long,
    ] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let url = world.logout_url(&app, ada.hint(), state).await;
        let end = ada.browser.open(url.as_str()).await;
        assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()));
        let query: Vec<_> = end.url.query_pairs().into_owned().collect();
        assert_eq!(query, [("state".to_owned(), state.to_owned())]);
        assert_eq!(end.url.fragment(), None);
        assert!(!ada.is_in(&world, &app).await);
    }
}

both!(without_a_state_there_is_none, no_state);
async fn no_state(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let uri = app.post_logout_redirect_uri();
    for more in [vec![], vec![("state", "")], vec![("foo", "bar")]] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let more = [vec![("post_logout_redirect_uri", uri.as_str())], more].concat();
        let page = ada.ask(&app, &more).await;
        let end = ada.browser.settle(page).await;
        assert_eq!(end.url.as_str(), uri);
    }
    // A state by itself leads nowhere: the person reads the truth on a page of ours.
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = ada.ask(&app, &[("state", "lonely")]).await;
    let end = ada.browser.settle(page).await;
    assert!(end.url.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{}", end.summary());
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.summary());
    assert!(!end.body.contains("lonely"));
    assert!(!ada.is_in(&world, &app).await);
}

both!(a_query_of_the_apps_own_is_kept, own_query);
async fn own_query(on: On) {
    let world = World::on(on).await;
    let uri = "https://one.example/bye?foo=bar&x=%2F";
    let app = world.app_with("app-one", json!({ "post_logout_redirect_uris": [uri] })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = ada.ask(&app, &[("post_logout_redirect_uri", uri), ("state", "a&b")]).await;
    let end = ada.browser.settle(page).await;
    assert_eq!(end.status, ELSEWHERE);
    assert_eq!(end.url.as_str(), "https://one.example/bye?foo=bar&x=%2F&state=a%26b");
}

both!(a_client_may_ask_for_a_long_state, min_state_length);
async fn min_state_length(on: On) {
    let world = World::on(on).await;
    let app = world.app_with("app-one", json!({ "min_state_length": 22 })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let uri = app.post_logout_redirect_uri();
    for state in ["", "s", "ééééééééééééééééééééé"] {
        let more = [("post_logout_redirect_uri", uri.as_str()), ("state", state)];
        let page = ada.ask(&app, &more).await;
        assert_eq!(page.status, 400, "{state}: {}", page.summary());
        assert!(ada.is_in(&world, &app).await);
    }
    assert_eq!(world.logout_count().await, 0);
    let state = "é".repeat(22);
    let more = [("post_logout_redirect_uri", uri.as_str()), ("state", state.as_str())];
    let page = ada.ask(&app, &more).await;
    let end = ada.browser.settle(page).await;
    assert_eq!(end.query("state"), Some(state));
    assert!(!ada.is_in(&world, &app).await);
}

both!(a_second_sign_out_ends_where_the_first_did, idempotent);
async fn idempotent(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let first = world.sign_out(&mut ada.browser, &app, &hint).await;
    let asked = world.idp.journal().len();
    let again = world.sign_out(&mut ada.browser, &app, &hint).await;
    // A browser that never was here has nothing to end either.
    let elsewhere = world.sign_out(&mut world.browser(), &app, &hint).await;
    for end in [first, again, elsewhere] {
        assert_eq!(end.url.as_str(), home(&app));
    }
    assert_eq!(world.logout_count().await, 1);
    assert_eq!(world.idp.journal().len(), asked, "the IdP is asked once");
    assert_eq!(app.logouts().await.unwrap().len(), 1);
    // Without a registered URL there is a page, and it claims only what is known.
    let page = world.browser().open(&world.url(paths::END_SESSION)).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Nobody was signed in with this browser."), "{}", page.text());
}

both!(a_request_that_contradicts_itself_ends_nothing, contradictions);
async fn contradictions(on: On) {
    let world = World::on(on).await;
    let (one, _two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    let uri = one.post_logout_redirect_uri();
    let long = "x".repeat(6_000);
    for more in [
        vec![("client_id", "app-two")],
        vec![("client_id", "no such/client")],
        vec![("state", "a"), ("state", "a")],
        vec![("post_logout_redirect_uri", uri.as_str()), ("post_logout_redirect_uri", &uri)],
        vec![("id_token_hint", "a.b.c")],
        vec![("client_id", "app-one"), ("client_id", "app-one")],
        vec![("state", &long)],
    ] {
        let page = ada.ask(&one, &more).await;
        assert_eq!(page.status, 400, "{}", page.summary());
        assert_eq!(page.location(), None);
        assert!(ada.is_in(&world, &one).await);
    }
    assert_eq!(world.logout_count().await, 0);
    // Whatever only helps is never an error.
    let more = [
        ("client_id", "app-one"),
        ("post_logout_redirect_uri", uri.as_str()),
        ("logout_hint", long.as_str()),
        ("ui_locales", "xx-YY <b> fr-CA"),
        ("state", "the-state"),
    ];
    let page = ada.ask(&one, &more).await;
    assert_eq!(ada.browser.settle(page).await.url.as_str(), home(&one));
    assert!(!ada.is_in(&world, &one).await);
}

both!(the_hint_stays_out_of_caches_and_of_the_next_address, headers);
async fn headers(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let url = world.logout_url(&app, ada.hint(), "the-state").await;
    let page = ada.browser.get(url.as_str()).await;
    assert_eq!(page.status, 303);
    assert!(page.header("cache-control").unwrap().contains("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert!(!leads_to(&page).contains(ada.hint()));
    assert!(ada.browser.cookie(&world.issuer, "sid").is_none(), "the session cookie is deleted");
}
