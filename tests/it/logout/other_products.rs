//! What apps expect that come from another product: what the logout pages of IdentityServer, Login.gov
//! and Auth0 promise them.

use serde_json::{Value, json};
use sloop::mock_idp::Entry;
use sloop::paths;
use url::Url;

use super::{leads_to, signed_in};
use crate::both;
use crate::support::cookies::SameSite;
use crate::support::world::{On, Setting, World};

const CONFIRMED: &str = "confirmed";
const NOT_POSSIBLE: &str = "not_possible";

fn url(world: &World, path: &str, fields: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&world.url(path)).unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.into()
}

// What an IdentityServer client of each kind registers: a website, a browser app, a native app.
both!(apps_of_every_kind_come_home, kinds);
async fn kinds(on: On) {
    let world = World::on(on).await;
    let web = world.app("web-app").await;
    let kinds = [
        ("spa", true, "http://localhost:7017/index.html", "http://localhost:7017/index.html"),
        (
            "website",
            false,
            "https://web.example/callback-logout",
            "https://web.example/callback-logout",
        ),
        ("phone", true, "com.example.phone:/signed-out", "com.example.phone:/signed-out"),
        ("desktop", true, "http://127.0.0.1/signed-out", "http://127.0.0.1:51234/signed-out"),
    ];
    for (id, public, registered, asked) in kinds {
        let (post_logout, told) =
            (json!([registered]), if public { NOT_POSSIBLE } else { CONFIRMED });
        let app = match public {
            // Nobody can call an app that runs on somebody's own machine.
            true => {
                json!({"public": true, "backchannel_logout_uri": null, "post_logout_redirect_uris": post_logout})
            }
            false => json!({ "post_logout_redirect_uris": post_logout }),
        };
        let app = world.app_with(id, app).await;
        assert_eq!(app.client_secret.is_none(), public, "{id}");
        let outcomes = [
            format!("app web-app: {CONFIRMED}"),
            format!("app {id}: {told}"),
            format!("IdP corp: {CONFIRMED}"),
        ];
        let mut ada = signed_in(&world, &web, "ada").await;
        let tokens = world.sign_in(&mut ada.browser, &app, "ada").await;
        assert_eq!(tokens.claims["sid"], ada.sid(), "{id} takes part");
        let fields = [("client_id", id), ("post_logout_redirect_uri", asked), ("state", "a b")];
        let page = ada.browser.open(&url(&world, paths::END_SESSION, &fields)).await;
        // There is no hint, so the person is asked, and until then nothing is ended.
        assert!(ada.is_in(&world, &web).await, "{}", page.summary());
        let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
        let onward = ada.browser.click(&pressed, pressed.refresh().unwrap().as_str()).await;
        let is_home = |url: &Url| url.as_str().starts_with(asked);
        let end = ada.browser.follow_until(onward, is_home).await;
        assert_eq!(leads_to(&end), format!("{asked}?state=a%20b"), "{id}");
        assert!(!ada.is_in(&world, &web).await, "{id}");
        assert_eq!(world.outcomes().await, outcomes, "every kind of app is a party");
        assert_eq!(app.userinfo(&tokens.access_token).await.status, 401, "{id}");

        // With the hint of such an app nobody is asked.
        let mut ada = signed_in(&world, &web, "ada").await;
        ada.tokens = world.sign_in(&mut ada.browser, &app, "ada").await;
        let begun = ada.ask(&app, &[("post_logout_redirect_uri", asked)]).await;
        let end = ada.browser.follow_until(begun, is_home).await;
        assert_eq!(leads_to(&end), asked, "{id}");
        assert_eq!(world.outcomes().await, outcomes, "{id}");
        assert!(!ada.is_in(&world, &web).await && !web.is_signed_in(ada.sid()).await, "{id}");
        assert_eq!(app.is_signed_in(ada.sid()).await, public, "{id} hears of it, or cannot");

        // One character off is another address.
        let asked = format!("{asked}x");
        let fields = [("client_id", id), ("post_logout_redirect_uri", asked.as_str())];
        let page = ada.browser.open(&url(&world, paths::END_SESSION, &fields)).await;
        assert!(page.text().contains("Nobody was signed in"), "{id}: {}", page.summary());
    }
}

// Login.gov: a path of its own, `client_id` instead of a hint, a `state` of 22 characters or more, no
// single logout.
both!(an_app_written_for_login_gov_signs_out, login_gov);
async fn login_gov(on: On) {
    let world = World::on(on).await;
    let settings = json!({"scope": "op_only", "confirm": "always", "min_state_length": 22});
    let app = world.app_with("app-one", settings).await;
    let other = world.app("app-two").await;
    let uri = app.post_logout_redirect_uri();
    let mut ada = signed_in(&world, &app, "ada").await;
    world.sign_in(&mut ada.browser, &other, "ada").await;
    let request = |state: &str| {
        let fields = [
            ("client_id", "app-one"),
            ("post_logout_redirect_uri", uri.as_str()),
            ("state", state),
        ];
        url(&world, "/openid_connect/logout", &fields)
    };

    let short = ada.browser.get(&request(&"s".repeat(21))).await;
    assert_eq!((short.status, short.location()), (400, None), "{}", short.summary());
    assert!(ada.is_in(&world, &app).await);

    let state = "s".repeat(22);
    let page = ada.browser.open(&request(&state)).await;
    assert!(ada.is_in(&world, &app).await, "the person is asked first: {}", page.summary());
    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    let end = ada.browser.settle(pressed).await;
    assert_eq!(end.url.as_str(), format!("{uri}?state={state}"));
    assert!(!ada.is_in(&world, &app).await);
    // The other app's own session stays, and nobody told it.
    assert!(other.received_logout_tokens().is_empty() && app.received_logout_tokens().is_empty());
    assert_eq!(world.idp.sessions().len(), 1);
    assert_eq!(world.outcomes().await, Vec::<String>::new());
}

// Login.gov and others put a hint of several kilobytes into the query.
both!(a_query_of_eight_kilobytes_is_read, long_query);
async fn long_query(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let uri = app.post_logout_redirect_uri();
    for padding in [8 * 1024, 14 * 1024] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let padding = "p".repeat(padding);
        let more = [("post_logout_redirect_uri", uri.as_str()), ("padding", padding.as_str())];
        let page = ada.ask(&app, &more).await;
        let end = ada.browser.settle(page).await;
        assert_eq!(end.url.as_str(), uri);
        assert!(!ada.is_in(&world, &app).await);
    }
    // What is too long for a query still fits into a form.
    let mut ada = signed_in(&world, &app, "ada").await;
    let (hint, padding) = (ada.hint().to_owned(), "p".repeat(24 * 1024));
    let address = world.url(paths::END_SESSION);
    let by_get = format!("{address}?id_token_hint={hint}&padding={padding}");
    let refused = ada.browser.get(&by_get).await;
    assert!(matches!(refused.status, 414 | 431), "{}", refused.summary());
    assert!(ada.is_in(&world, &app).await);
    let fields = [
        ("id_token_hint", hint.as_str()),
        ("post_logout_redirect_uri", uri.as_str()),
        ("padding", padding.as_str()),
    ];
    let page = ada.browser.post(&address, &fields, Some(&app.origin)).await;
    let end = ada.browser.settle(page).await;
    assert_eq!(end.url.as_str(), uri, "{}", end.summary());
    assert!(!ada.is_in(&world, &app).await);
}

// Auth0: `/v2/logout` deletes our cookie, leaves the IdP alone, and the next sign-in is silent;
// `federated` asks the IdP, and the next sign-in begins with its page.
both!(without_federated_the_next_sign_in_is_silent, silent);
async fn silent(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for (query, asks_again) in [("", false), ("?federated", true)] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let end = ada.browser.open(&world.url(&format!("{}{query}", paths::V2_LOGOUT))).await;
        assert_eq!(end.status, 200);
        assert!(!ada.is_in(&world, &app).await);
        let attempt = app.begin(&[]).await;
        let page = ada.browser.open(attempt.url.as_str()).await;
        let is_home = page.url.as_str().starts_with(&app.redirect_uri());
        assert_eq!(is_home, !asks_again, "{query}: {}", page.summary());
        let asked = page.forms().iter().any(|form| form.field("user").is_some());
        assert_eq!(asked, asks_again, "{query}");
        let forced = |entry: &Entry| matches!(entry, Entry::AuthnRequest { force_authn: true, .. });
        assert!(
            !world.idp.journal().iter().any(forced),
            "nobody is forced after a confirmed logout"
        );
    }
}

both!(our_cookie_is_deleted_with_the_attributes_it_was_set_with, cookies);
async fn cookies(on: On) {
    let world = Setting::on(on).https().begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let held = ada.browser.cookie(&world.issuer, "__Host-sid").unwrap().clone();
    assert!(held.secure && held.http_only && held.host_only && held.path == "/");
    assert_eq!(held.same_site, SameSite::Lax);
    let page = ada.browser.get(&world.url(paths::V2_LOGOUT)).await;
    let deleted: Vec<_> = page
        .headers
        .iter()
        .filter(|(name, value)| name == "set-cookie" && value.starts_with("__Host-sid="))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(deleted, ["__Host-sid=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0"]);
    assert!(ada.browser.cookie(&world.issuer, "__Host-sid").is_none());
    ada.browser.plant(
        &Url::parse(&world.issuer).unwrap(),
        &format!("__Host-sid={}; Path=/; Secure", held.value),
    );
    assert!(!ada.is_in(&world, &app).await, "the old value is worth nothing");
}

// Auth0's page on Facebook and others: parameters for the provider, and a `returnTo` in a `returnTo`.
both!(parameters_for_other_providers_change_nothing, strangers);
async fn strangers(on: On) {
    let world = World::on(on).await;
    let home = "https://app.example/out";
    let app = world.app_with("app-one", json!({"allowed_logout_urls": [home]})).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let nested = "https%3A%2F%2Fevil.test%2F";
    let return_to = format!("{home}?returnTo={nested}");
    let fields = [
        ("client_id", "app-one"),
        ("returnTo", return_to.as_str()),
        ("access_token", "of-another-provider"),
        ("auth0Client", "e30="),
    ];
    let page = ada.browser.get(&url(&world, paths::V2_LOGOUT, &fields)).await;
    // It was decoded once, and what is in it is the app's own affair.
    assert_eq!(leads_to(&page), return_to);
    assert!(!page.body.contains("of-another-provider"));
    assert!(!ada.is_in(&world, &app).await);
}

both!(a_list_of_logout_urls_is_checked_when_it_is_saved, lists);
async fn lists(on: On) {
    let world = World::on(on).await;
    let client = |id: &str, list: Value| json!({"id": id, "redirect_uris": ["https://app.example/cb"], "allowed_logout_urls": list});
    for (number, (entry, why)) in [
        ("*.example.com", "scheme"),
        ("example.com/out", "scheme"),
        ("http://*.example.com", "http"),
        ("https://*.com", "public suffix"),
        ("https://*.*.example.com", "*"),
        ("https://example.com/*", "*"),
        ("https://a.*.example.com", "*"),
        ("javascript:alert(1)", "http"),
    ]
    .into_iter()
    .enumerate()
    {
        let added = world.add_client(client(&format!("bad-{number}"), json!([entry]))).await;
        assert!(matches!(added.status, 400 | 422), "{entry}: {} {}", added.status, added.body);
        assert!(added.body.contains(why), "{entry}: {}", added.body);
    }
    let list =
        json!(["https://a.example/out, https://pre-*-suf.example.com/out ,", "https://b.example"]);
    let added = world.add_client(client("good", list)).await;
    assert_eq!(added.status, 201, "{}", added.body);
    for (return_to, goes) in [
        ("https://a.example/out", true),
        ("https://pre-x-suf.example.com/out", true),
        ("https://b.example", true),
        ("https://pre-x.y-suf.example.com/out", false),
        ("https://c.example/out", false),
    ] {
        let fields = [("client_id", "good"), ("returnTo", return_to)];
        let page = world.browser().get(&url(&world, paths::V2_LOGOUT, &fields)).await;
        match goes {
            true => assert_eq!(leads_to(&page).trim_end_matches('/'), return_to),
            false => assert_eq!((page.status, page.location()), (400, None), "{return_to}"),
        }
    }
}
