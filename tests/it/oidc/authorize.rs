//! The authorization request: what it needs, what it may have, and where its errors go.

use serde_json::json;
use sloop::paths;
use url::Url;

use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::query::{and, silent_code, token, token_fields, value, with, without};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

/// A world where somebody is signed in, so that a good request is answered by a code at once.
async fn signed_in(on: On) -> (World, RelyingParty, Browser) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    (world, app, browser)
}

/// Sends a changed request and returns where the app's callback is called, if it is.
async fn at_callback(browser: &mut Browser, app: &RelyingParty, url: &Url) -> Url {
    let page = browser.get(url.as_str()).await;
    let location = page.location().unwrap_or_else(|| panic!("{url} gave {}", page.summary()));
    assert_eq!(page.status, 303);
    assert!(location.as_str().starts_with(&app.redirect_uri()), "{url} went to {location}");
    location
}

/// An error at the callback, with the state and issuer that every one of them has.
async fn error(world: &World, browser: &mut Browser, app: &RelyingParty, url: &Url) -> String {
    let location = at_callback(browser, app, url).await;
    assert_eq!(value(&location, "iss").as_deref(), Some(world.issuer.as_str()), "{location}");
    assert_eq!(value(&location, "code"), None, "{location}");
    let description = value(&location, "error_description").unwrap_or_default();
    let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    assert!(description.chars().all(allowed), "{description}");
    value(&location, "error").unwrap_or_else(|| panic!("{location}"))
}

fn is_page(page: &Page) {
    assert_eq!(page.status, 400, "{}", page.summary());
    assert_eq!(page.location(), None);
    assert_eq!(page.refresh(), None);
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
}

both!(a_request_by_get_or_by_post_signs_in, get_and_post);
async fn get_and_post(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;

    for method in ["GET", "POST"] {
        let mut browser = world.browser();
        let attempt = app.begin(&[]).await;
        let page = match method {
            "GET" => browser.get(attempt.url.as_str()).await,
            _ => {
                let pairs: Vec<_> = attempt.url.query_pairs().collect();
                let fields: Vec<_> = pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
                browser.post(&world.url(paths::AUTHORIZE), &fields, Some(&app.origin)).await
            }
        };
        // A form comes again by GET, because another site's form carries no `Lax` cookie.
        let page = browser.follow_until(page, |url| url.as_str().starts_with(&world.idp_url)).await;
        assert!(page.location().unwrap().as_str().starts_with(&world.idp_url), "{method}");
        let asked = browser.settle(page).await;
        let named = browser.submit(&asked, &[("user", "ada")]).await;
        let home = browser.settle(named).await;

        app.finish(&attempt, &home.url).await.unwrap();
        assert!(world.is_signed_in(&mut browser, &app).await, "{method}");
        // A form is never carried on to the next address (307, 308).
        let statuses: Vec<_> = browser.history().iter().map(|visit| visit.status).collect();
        assert!(statuses.iter().all(|status| matches!(status, 200 | 303)), "{statuses:?}");
    }
}

both!(an_unknown_client_gets_a_page_and_never_a_redirect, unknown_client);
async fn unknown_client(on: On) {
    let (world, app, mut browser) = signed_in(on).await;
    let url = app.begin(&[]).await.url;

    for bad in [
        without(&url, "client_id"),
        with(&url, "client_id", "app-two"),
        with(&url, "client_id", "APP-ONE"),
        with(&url, "client_id", "é\"<script>"),
        and(&url, "client_id", "app-one"),
        without(&url, "redirect_uri"),
        and(&url, "redirect_uri", &app.redirect_uri()),
    ] {
        let page = browser.get(bad.as_str()).await;
        is_page(&page);
        assert!(!page.body.contains("<script"), "{}", page.body);
    }
    // The same request as it should be.
    assert!(value(&at_callback(&mut browser, &app, &url).await, "code").is_some());
    assert!(world.is_signed_in(&mut browser, &app).await);
}

both!(what_is_wrong_with_a_request_is_told_to_the_client, faults);
async fn faults(on: On) {
    let (world, app, mut browser) = signed_in(on).await;
    let attempt = app.begin(&[]).await;
    let url = &attempt.url;

    for (bad, expected) in [
        (without(url, "response_type"), "invalid_request"),
        (with(url, "response_type", "token"), "unsupported_response_type"),
        (with(url, "response_type", "code id_token"), "unsupported_response_type"),
        (with(url, "response_type", "é\"\\\r\n"), "unsupported_response_type"),
        (without(url, "scope"), "invalid_scope"),
        (with(url, "scope", "profile email"), "invalid_scope"),
        (with(url, "scope", "OpenID"), "invalid_scope"),
        (and(url, "nonce", "again"), "invalid_request"),
        (and(url, "scope", "openid"), "invalid_request"),
        (with(url, "max_age", "-1"), "invalid_request"),
        (with(url, "max_age", "1m"), "invalid_request"),
        (with(url, "prompt", "none login"), "invalid_request"),
        (with(url, "nonce", &"n".repeat(1025)), "invalid_request"),
        (and(url, "request", "a.b.c"), "request_not_supported"),
        (and(url, "request_uri", "https://app.test/r"), "request_uri_not_supported"),
        (and(url, "registration", "{}"), "registration_not_supported"),
    ] {
        let location = at_callback(&mut browser, &app, &bad).await;
        assert_eq!(value(&location, "state").as_deref(), Some(attempt.state.as_str()), "{bad}");
        assert_eq!(error(&world, &mut browser, &app, &bad).await, expected, "{bad}");
    }
    // A state that came twice is nobody's.
    let twice = and(url, "state", &attempt.state);
    assert_eq!(error(&world, &mut browser, &app, &twice).await, "invalid_request");
    assert_eq!(value(&at_callback(&mut browser, &app, &twice).await, "state"), None);

    assert!(value(&at_callback(&mut browser, &app, url).await, "code").is_some());
    assert!(world.is_signed_in(&mut browser, &app).await, "no fault ends a session");
}

both!(hints_and_unknown_parameters_never_cause_an_error, tolerant);
async fn tolerant(on: On) {
    let (world, app, mut browser) = signed_in(on).await;
    let url = app.begin(&[]).await.url;
    let mut reversed = url.clone();
    let pairs: Vec<_> = url.query_pairs().collect();
    reversed.query_pairs_mut().clear().extend_pairs(pairs.iter().rev());

    for good in [
        reversed,
        with(&url, "scope", "email nonsense openid  profile"),
        and(&and(&url, "extra", "foobar"), "extra", "twice"),
        and(&and(&url, "prompt", ""), "max_age", ""),
        and(&url, "prompt", "create"),
        and(&url, "display", "nonsense"),
        and(&url, "ui_locales", "se xx-YY 1 2"),
        and(&url, "claims_locales", "se"),
        and(&url, "login_hint", &"x".repeat(600)),
        and(&url, "login_hint", "<script>@@"),
        and(&url, "max_age", "99999999999999"),
        and(&url, "response_mode", "query"),
        and(&url, "request", ""),
        without(&without(&url, "state"), "nonce"),
        with(&url, "nonce", &"n".repeat(1024)),
    ] {
        let location = at_callback(&mut browser, &app, &good).await;
        assert!(value(&location, "code").is_some(), "{good} gave {location}");
        assert_eq!(value(&location, "iss").as_deref(), Some(world.issuer.as_str()));
    }
    // acr_values are wishes, and a silent request cannot fulfil them.
    let wish = and(&and(&url, "acr_values", "1 2"), "prompt", "none");
    assert!(value(&at_callback(&mut browser, &app, &wish).await, "code").is_some());
}

both!(an_unknown_response_mode_is_a_plain_400, response_mode);
async fn response_mode(on: On) {
    let (world, app, mut browser) = signed_in(on).await;
    let url = app.begin(&[]).await.url;

    for mode in ["bogus", "fragment", "form_post", "QUERY"] {
        let page = browser.get(and(&url, "response_mode", mode).as_str()).await;
        is_page(&page);
        assert!(!page.body.contains("invalid_request"), "{mode}");
    }
    is_page(
        &browser
            .get(and(&and(&url, "response_mode", "query"), "response_mode", "query").as_str())
            .await,
    );
    assert!(world.is_signed_in(&mut browser, &app).await);
}

both!(the_state_comes_back_byte_by_byte, state);
async fn state(on: On) {
    let (world, app, mut browser) = signed_in(on).await;
    let url = app.begin(&[]).await.url;
    let odd = format!("{}+ & = % é \" \\ #?/{{}}", "s".repeat(490));

    for request in [with(&url, "state", &odd), with(&with(&url, "state", &odd), "scope", "email")] {
        let location = at_callback(&mut browser, &app, &request).await;
        assert_eq!(value(&location, "state").as_deref(), Some(odd.as_str()), "{location}");
    }
    let long = with(&url, "state", &"s".repeat(2049));
    assert_eq!(error(&world, &mut browser, &app, &long).await, "invalid_request");
}

both!(a_response_with_a_code_is_kept_out_of_caches_and_referrers, headers);
async fn headers(on: On) {
    let (world, app, mut browser) = signed_in(on).await;
    let url = app.begin(&[]).await.url;

    let page = browser.get(url.as_str()).await;
    assert!(value(&page.location().unwrap(), "code").is_some());
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    // No script of another site may read the answer.
    let origin = [("origin", "https://evil.test"), ("access-control-request-method", "GET")];
    let target = format!("{}?{}", paths::AUTHORIZE, url.query().unwrap());
    for method in ["OPTIONS", "GET"] {
        let answer = world.request(method, &target, &origin, "").await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{method}");
    }
}

both!(two_tabs_do_not_mix_their_requests, two_tabs);
async fn two_tabs(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let (first, second) = (one.begin(&[]).await, two.begin(&[]).await);

    let tab_one = browser.open(first.url.as_str()).await;
    let tab_two = browser.open(second.url.as_str()).await;
    let named = browser.submit(&tab_two, &[("user", "ada")]).await;
    let at_two = browser.settle(named).await;
    let named = browser.submit(&tab_one, &[("user", "ada")]).await;
    let at_one = browser.settle(named).await;

    // The apps compare state, nonce and audience.
    let one = one.finish(&first, &at_one.url).await.unwrap();
    let two = two.finish(&second, &at_two.url).await.unwrap();
    assert_eq!(one.claims["sub"], two.claims["sub"]);
    assert_eq!(one.claims["sid"], two.claims["sid"]);
}

both!(the_token_has_the_scopes_that_are_known, scopes);
async fn scopes(on: On) {
    let (world, app, mut browser) = signed_in(on).await;
    let attempt = app.begin(&[("prompt", "none")]).await;
    let url = with(&attempt.url, "scope", "nonsense email openid offline_access");
    let location = at_callback(&mut browser, &app, &url).await;
    let code = value(&location, "code").unwrap();
    let redirect_uri = app.redirect_uri();

    let answer = token(&world, &[], &token_fields(&app, &attempt, &code, &redirect_uri)).await;

    assert_eq!(answer.json()["scope"], "openid email");
    assert_eq!(answer.json()["refresh_token"], json!(null));
    silent_code(&mut browser, &app).await;
}
