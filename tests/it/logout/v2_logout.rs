//! `/v2/logout` in the manner of Auth0.

use serde_json::json;
use sloop::mock_idp::Entry;
use sloop::oidc::{AllowedLogoutUrl, HttpWildcards};
use sloop::paths;

use super::{leads_to, signed_in};
use crate::both;
use crate::support::browser::ELSEWHERE;
use crate::support::world::{On, Setting, World};

fn allowed(text: &str) -> AllowedLogoutUrl {
    AllowedLogoutUrl::parse(text, HttpWildcards::Refused).unwrap()
}

async fn world(on: On) -> World {
    let setting = Setting::on(on).config(|config| {
        config.logout.allowed_urls =
            vec![allowed("https://tenant.example/bye"), allowed("https://*.tenant.example/bye")];
    });
    setting.begin().await
}

fn logout_url(world: &World, query: &str) -> String {
    world.url(&format!("{}{query}", paths::V2_LOGOUT))
}

both!(federated_decides_whether_the_idp_is_asked, federated);
async fn federated(on: On) {
    let world = world(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    for (query, asked) in [
        ("", false),
        ("?federated=false", false),
        ("?federated", true),
        ("?federated=", true),
        ("?federated=true", true),
        ("?federated=1", true),
    ] {
        let mut ada = signed_in(&world, &one, "ada").await;
        world.sign_in(&mut ada.browser, &two, "ada").await;
        let at_idp = world.idp.sessions().len();
        let end = ada.browser.open(&logout_url(&world, query)).await;
        assert_eq!(end.status, 200, "{query}: {}", end.summary());
        let (mut outcomes, left) =
            (vec!["app app-one: confirmed", "app app-two: confirmed"], world.idp.sessions().len());
        match asked {
            true => {
                outcomes.push("IdP corp: confirmed");
                assert_eq!(left, at_idp - 1, "{query}");
                assert!(matches!(
                    world.idp.journal().last(),
                    Some(Entry::LogoutRequest { ended: 1, .. })
                ));
            }
            false => assert_eq!(left, at_idp, "{query}: the IdP session lives on"),
        }
        assert_eq!(world.outcomes().await, outcomes, "{query}");
        assert!(!ada.is_in(&world, &one).await);
        let sid = ada.sid();
        assert!(!one.is_signed_in(sid).await && !two.is_signed_in(sid).await);
    }
}

both!(return_to_must_be_on_the_list_that_counts, return_to);
async fn return_to(on: On) {
    let world = world(on).await;
    let settings = json!({ "allowed_logout_urls": ["https://one.example/out"] });
    let app = world.app_with("app-one", settings).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let url = |return_to: &str, client: Option<&str>| {
        let mut url = url::Url::parse(&logout_url(&world, "")).unwrap();
        url.query_pairs_mut().append_pair("returnTo", return_to);
        url.query_pairs_mut().extend_pairs(client.map(|client| ("client_id", client)));
        url.to_string()
    };
    for (return_to, client) in [
        // Each list counts for itself.
        ("https://one.example/out", None),
        ("https://tenant.example/bye", Some("app-one")),
        ("https://one.example/out", Some("nobody")),
        ("https://one.example/Out", Some("app-one")),
        ("https://one.example/out/", Some("app-one")),
        ("http://one.example/out", Some("app-one")),
        ("https://one.example.evil.test/out", Some("app-one")),
        ("https://evil.test/?https://one.example/out", Some("app-one")),
        ("//one.example/out", Some("app-one")),
        ("/out", Some("app-one")),
        ("https://a.b.tenant.example/bye", None),
        ("https://evil.test/.tenant.example/bye", None),
        ("https://eviltenant.example/bye", None),
        ("javascript:alert(1)", None),
        // What an app may register for `end_session` is another list.
        (&app.post_logout_redirect_uri(), Some("app-one")),
    ] {
        let page = ada.browser.get(&url(return_to, client)).await;
        assert_eq!(page.status, 400, "{return_to} {client:?}: {}", page.summary());
        assert_eq!(page.location(), None);
        assert!(ada.is_in(&world, &app).await, "{return_to}: refused, so nothing is ended");
    }
    assert_eq!(world.logout_count().await, 0);

    for (return_to, client) in [
        ("https://one.example/out", Some("app-one")),
        ("https://one.example/out?a=b&c=%20", Some("app-one")),
        ("https://tenant.example/bye#x", None),
        ("https://a.tenant.example/bye", None),
    ] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let page = ada.browser.get(&url(return_to, client)).await;
        assert_eq!(leads_to(&page), return_to);
        assert!(!ada.is_in(&world, &app).await);
        // Nobody is signed in any more, and the second time ends in the same place.
        let again = ada.browser.get(&url(return_to, client)).await;
        assert_eq!(leads_to(&again), return_to);
    }
}

both!(without_return_to_the_first_url_of_the_client_counts, first_url);
async fn first_url(on: On) {
    let world = world(on).await;
    let lists = [
        ("app-one", json!(["https://*.one.example/", "https://one.example/first"])),
        ("app-two", json!([])),
    ];
    let mut apps = Vec::new();
    for (id, list) in lists {
        apps.push(world.app_with(id, json!({ "allowed_logout_urls": list })).await);
    }
    let mut ada = signed_in(&world, &apps[0], "ada").await;
    let end = ada.browser.open(&logout_url(&world, "?client_id=app-one")).await;
    assert_eq!((end.status, end.url.as_str()), (ELSEWHERE, "https://one.example/first"));
    assert!(!ada.is_in(&world, &apps[0]).await);

    // No list, or no client: the end page. The tenant's list names no default.
    for query in ["?client_id=app-two", ""] {
        let mut ada = signed_in(&world, &apps[1], "ada").await;
        let end = ada.browser.open(&logout_url(&world, query)).await;
        assert_eq!(end.status, 200, "{}", end.summary());
        assert!(
            end.text().contains("You are signed out of the apps of this session"),
            "{}",
            end.text()
        );
        assert!(!ada.is_in(&world, &apps[1]).await);
    }
}

both!(only_a_navigation_of_the_whole_page_is_answered, navigation);
async fn navigation(on: On) {
    let world = world(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let cookie = ada.browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    let cookie = format!("sid={cookie}");
    for destination in ["image", "iframe", "empty", "script", "embed", "DOCUMENT"] {
        let headers = [("cookie", cookie.as_str()), ("sec-fetch-dest", destination)];
        let answer = world.request("GET", paths::V2_LOGOUT, &headers, "").await;
        assert_eq!(answer.status, 400, "{destination}");
        assert!(ada.is_in(&world, &app).await, "{destination}");
    }
    let page = ada.browser.get(&world.url(paths::HEALTHZ)).await;
    let framed = ada.browser.load_frame(&page, paths::V2_LOGOUT).await;
    assert_eq!(framed.status, 400);
    let posted = ada.browser.post(&logout_url(&world, ""), &[], Some(&world.issuer)).await;
    assert_eq!(posted.status, 405);
    assert!(ada.is_in(&world, &app).await);
    assert_eq!(world.logout_count().await, 0);

    // Old browsers do not say what they want.
    let answer = world.request("GET", paths::V2_LOGOUT, &[("cookie", &cookie)], "").await;
    assert!(answer.status < 400, "{}", answer.body);
    assert!(!ada.is_in(&world, &app).await);
}

both!(a_request_that_says_two_things_is_refused, repeated);
async fn repeated(on: On) {
    let world = world(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    for query in
        ["?federated&federated", "?client_id=app-one&client_id=app-two", "?client_id=a%20b"]
    {
        let page = ada.browser.get(&logout_url(&world, query)).await;
        assert_eq!(page.status, 400, "{query}");
        assert!(ada.is_in(&world, &app).await);
    }
}
