//! Sign-outs that another site's form begins, with browsers as they are: the session cookie is `Lax`
//! and does not travel on such a POST.

use std::net::SocketAddr;

use axum::Router;
use axum::response::Redirect;
use axum::routing::post;
use serde_json::json;
use sloop::mock_idp::{Options, Slo};
use sloop::paths;
use tokio::net::TcpListener;

use super::{home, signed_in};
use crate::both;
use crate::support::idp_key::{Asked, IdpKey};
use crate::support::world::{On, Setting};

const APP_SITE: &str = "https://app.test/";

both!(a_cross_site_post_finds_its_session_by_a_get_of_ours, from_an_app);
async fn from_an_app(on: On) {
    for slo in [Slo::Redirect, Slo::Post] {
        let idp = Options { slo, ..Options::default() };
        let world = Setting::on(on).https().idp(idp).begin().await;
        let app = world.app("app-one").await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let (hint, uri) = (ada.hint().to_owned(), app.post_logout_redirect_uri());
        let fields = [
            ("id_token_hint", hint.as_str()),
            ("post_logout_redirect_uri", &uri),
            ("state", "the-state"),
        ];

        let page = ada.browser.post(&world.url(paths::END_SESSION), &fields, Some(APP_SITE)).await;

        assert_eq!(page.status, 303);
        let next = page.location().unwrap();
        assert!(next.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{next}");
        assert!(!next.as_str().contains(&hint));
        assert_eq!(ada.browser.history().last().unwrap().cookies, Vec::<String>::new());
        assert_eq!(world.logout_count().await, 0, "nothing ends before the cookie was seen");
        let page = ada.browser.hop(page).await;
        let seen = &ada.browser.history().last().unwrap().cookies;
        assert!(seen.contains(&"__Host-sid".to_owned()), "{seen:?}");
        let end = ada.browser.settle(page).await;
        assert_eq!(end.url.as_str(), home(&app));
        assert!(!ada.is_in(&world, &app).await);
        assert_eq!(world.idp.sessions(), []);
    }
}

both!(a_cross_site_post_without_a_hint_asks, without_hint);
async fn without_hint(on: On) {
    let world = Setting::on(on).https().begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let end_session = world.url(paths::END_SESSION);

    let page = ada.browser.post(&end_session, &[], Some(APP_SITE)).await;
    let page = ada.browser.settle(page).await;

    assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
    assert!(ada.is_in(&world, &app).await);
    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    ada.browser.settle(pressed).await;
    assert!(!ada.is_in(&world, &app).await);

    // A browser without any session is told so.
    let mut nobody = world.browser();
    let page = nobody.post(&end_session, &[], Some(APP_SITE)).await;
    let page = nobody.settle(page).await;
    assert!(page.text().contains("Nobody was signed in"), "{}", page.summary());
}

both!(a_cross_site_post_with_another_sessions_hint_asks, another_hint);
async fn another_hint(on: On) {
    let world = Setting::on(on).https().begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let fields = [("id_token_hint", bob.hint())];
    let page = ada.browser.post(&world.url(paths::END_SESSION), &fields, Some(APP_SITE)).await;
    let page = ada.browser.settle(page).await;
    assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
    assert!(ada.is_in(&world, &app).await && bob.is_in(&world, &app).await);
}

both!(a_post_of_our_own_site_is_answered_at_once, same_site);
async fn same_site(on: On) {
    let world = Setting::on(on).https().begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let fields = [("id_token_hint", hint.as_str())];
    let own = Some("https://app.sloop.test/");
    let page = ada.browser.post(&world.url(paths::END_SESSION), &fields, own).await;
    assert!(page.location().unwrap().as_str().starts_with(&world.idp_url), "{}", page.summary());
    ada.browser.settle(page).await;
    assert!(!ada.is_in(&world, &app).await);
}

both!(a_sign_out_link_of_another_site_brings_the_cookie, link);
async fn link(on: On) {
    let world = Setting::on(on).https().begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    // Another site's link, image or frame cannot end a session without the app's hint.
    let evil = ada.browser.get("https://evil.test/").await;
    let end_session = world.url(paths::END_SESSION);
    let framed = ada.browser.load_frame(&evil, &end_session).await;
    assert!(framed.text().contains("Nobody was signed in"), "{}", framed.summary());
    assert!(ada.is_in(&world, &app).await);
    let page = ada.browser.click(&evil, &end_session).await;
    let page = ada.browser.follow(page).await;
    assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
    assert!(ada.is_in(&world, &app).await);
}

// Browsers apply the `form-action` of the page with our LogoutRequest to every redirect that follows, so also to
// the last one, into the app (as SimpleSAMLphp 1.19 answers a form).
both!(an_idp_may_answer_a_form_by_a_redirect_wherever_the_logout_ends, form_and_redirect);
async fn form_and_redirect(on: On) {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(on).https().idp(idp).begin().await;
    let key = IdpKey::connect(&world).await;
    for (number, (target, sources)) in [
        ("https://app.example/out", "https:"),
        ("http://127.0.0.1:51234/out", "https: http://127.0.0.1:51234"),
        ("com.example.phone:/out", "https: com.example.phone:"),
    ]
    .into_iter()
    .enumerate()
    {
        let settings = json!({"public": true, "post_logout_redirect_uris": [target]});
        let app = world.app_with(&format!("app-{number}"), settings).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = [("post_logout_redirect_uri", target), ("state", "the-state")];
        let page = ada.ask(&app, &asked).await;
        let form = ada.browser.follow(page).await;
        assert_eq!(form.directive("form-action"), Some(sources), "{target}");
        let answer = Asked::of(&form).answer(&world, &key).url();
        ada.browser = ada.browser.with_host(&world.idp_url, redirects_to(answer).await);
        // What is there does not matter, only that the browser may go.
        ada.browser = ada.browser.with_host("http://127.0.0.1:51234", world.idp_address());

        let answered = ada.browser.submit(&form, &[]).await;
        let end = ada.browser.follow(answered).await;

        assert_eq!(end.url.as_str(), format!("{target}?state=the-state"));
        assert_eq!(super::idp_leg(&world).await, "confirmed (Success, signed)");
        assert!(!ada.is_in(&world, &app).await);
    }
}

/// An IdP that takes a form and answers with this redirect.
async fn redirects_to(url: String) -> SocketAddr {
    let slo = post(async move || Redirect::to(&url));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/slo", slo)).await });
    address
}
