//! mod_auth_openidc as an app: in, out by its own link, and told by others.

use serde_json::{Value, json};
use sloop::paths;

use crate::both;
use crate::support::browser::{Browser, Visit};
use crate::support::mod_auth_openidc::{ModAuthOpenidc, Told};
use crate::support::simplesamlphp::{Options, SimpleSamlPhp};
use crate::support::world::{On, World};

/// What is typed in at the IdP's page: of the test IdP, and of SimpleSAMLphp.
const ADA: [(&str, &str); 3] = [("user", "ada"), ("username", "ada"), ("password", "secret")];
const BOB: [(&str, &str); 3] = [("user", "bob"), ("username", "bob"), ("password", "secret")];

both!(mod_auth_openidc_signs_in_and_its_own_logout_reaches_everybody, its_own_logout);
async fn its_own_logout(on: On) {
    let world = World::on(on).await;
    let app = ModAuthOpenidc::start(&world, Told::ByBackChannel).await;
    let other = world.app("other").await;
    let (mut ada, mut bob) = (world.browser(), world.browser());
    let session = sign_in(&app, &mut ada, ADA).await;
    let claims = &session["id_token"];
    assert_eq!((&claims["iss"], &claims["idp"]), (&json!(world.issuer), &json!("corp")));
    assert_eq!(session["userinfo"]["email"], "ada@example.com");
    let second = world.sign_in(&mut ada, &other, "nobody is asked").await;
    assert_eq!((&second.claims["sid"], &second.claims["sub"]), (&claims["sid"], &claims["sub"]));
    sign_in(&app, &mut bob, BOB).await;

    let end = ada.open(&app.logout_url()).await;

    assert_eq!(end.url.as_str(), app.signed_out(), "{}", end.summary());
    // It ended its session before it sent the browser to us, and still confirms the token about it.
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    let outcomes = ["app apache: confirmed", "app other: confirmed", "IdP corp: confirmed"];
    assert_eq!(world.outcomes().await, outcomes);
    assert_eq!(app.who_is_there(&mut ada).await, None);
    assert!(!other.is_signed_in(claims["sid"].as_str().unwrap()).await);
    assert!(!world.is_signed_in(&mut ada, &other).await);
    let users: Vec<_> = world.idp.sessions().into_iter().map(|held| held.user).collect();
    assert_eq!(users, ["bob"]);
    assert!(app.who_is_there(&mut bob).await.is_some());
}

both!(another_apps_logout_ends_the_session_of_mod_auth_openidc, told);
async fn told(on: On) {
    let world = World::on(on).await;
    let app = ModAuthOpenidc::start(&world, Told::ByBackChannel).await;
    let other = world.app("other").await;
    let (mut ada, mut bob) = (world.browser(), world.browser());
    sign_in(&app, &mut ada, ADA).await;
    sign_in(&app, &mut bob, BOB).await;
    let tokens = world.sign_in(&mut ada, &other, "nobody is asked").await;

    world.sign_out(&mut ada, &other, &tokens.id_token).await;

    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    let outcomes = ["app apache: confirmed", "app other: confirmed", "IdP corp: confirmed"];
    assert_eq!(world.outcomes().await, outcomes);
    // Her cookie is still there, and is worth nothing.
    let cookie = ada.cookie(&app.page(), "mod_auth_openidc_session");
    assert!(cookie.is_some(), "{}", app.said());
    assert_eq!(app.who_is_there(&mut ada).await, None);
    let page = ada.open(&app.page()).await;
    assert!(page.url.as_str().starts_with(&world.idp_url), "{}", page.summary());
    assert!(app.who_is_there(&mut bob).await.is_some());

    // It checks what it is told: a token for another app ends nothing.
    let foreign = other.received_logout_tokens().pop().unwrap();
    let session = sign_in(&app, &mut ada, ADA).await;
    assert_eq!(app.receive(&foreign).await, 400);
    assert_eq!(app.who_is_there(&mut ada).await, Some(session));
}

/// Nobody here is ours but the service: SimpleSAMLphp begins, and mod_auth_openidc is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_at_a_real_idp_ends_the_session_of_a_real_app() {
    let idp = SimpleSamlPhp::start(Options::default());
    let (world, idp) = tokio::join!(World::on(On::Sqlite), idp);
    idp.trust(&world.get(paths::SAML_METADATA).await.body);
    world.connect_by(&idp.metadata().await, "").await;
    let app = ModAuthOpenidc::start(&world, Told::ByBackChannel).await;
    let (mut ada, mut bob) = (world.browser(), world.browser());
    sign_in(&app, &mut ada, ADA).await;
    sign_in(&app, &mut bob, BOB).await;

    let (logout, its_end) = idp.logout_url();
    let end = ada.open(&logout).await;

    assert_eq!(end.url.as_str(), its_end, "{}", end.summary());
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    assert_eq!(world.outcomes().await, ["app apache: confirmed", "IdP corp: confirmed"]);
    assert_eq!(app.who_is_there(&mut ada).await, None);
    assert_eq!(idp.who_is_there(&mut ada).await, None);
    assert!(app.who_is_there(&mut bob).await.is_some());

    // And the other way round.
    let end = bob.open(&app.logout_url()).await;
    assert_eq!(end.url.as_str(), app.signed_out(), "{}", end.summary());
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    assert_eq!(world.logout_count().await, 2);
    assert_eq!(app.who_is_there(&mut bob).await, None);
    assert_eq!(idp.who_is_there(&mut bob).await, None);
}

both!(in_a_frame_mod_auth_openidc_ends_the_session_that_the_sid_names, framed);
async fn framed(on: On) {
    let world = World::on(on).await;
    let app = ModAuthOpenidc::start(&world, Told::ByFrame).await;
    let other = world.app("other").await;
    let (mut ada, mut bob) = (world.browser(), world.browser());
    sign_in(&app, &mut ada, ADA).await;
    sign_in(&app, &mut bob, BOB).await;
    let tokens = world.sign_in(&mut ada, &other, "nobody is asked").await;

    let end = world.sign_out(&mut ada, &other, &tokens.id_token).await;

    assert!(end.url.as_str().starts_with(&other.post_logout_redirect_uri()), "{}", end.summary());
    let seen = ada.history();
    let is_its_frame =
        |visit: &&Visit| visit.url.as_str().starts_with(&app.url("/redirect_uri?logout=get&"));
    let frame = seen.iter().find(is_its_frame).expect("its frame");
    // The frame is of another site, and brings no cookie of its own.
    assert_eq!((frame.status, frame.cookies.as_slice()), (200, [].as_slice()));
    assert_eq!(app.who_is_there(&mut ada).await, None);
    assert!(app.who_is_there(&mut bob).await.is_some());
    // It did, and nobody can know that.
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    let outcomes = ["app apache: unconfirmed", "app other: confirmed", "IdP corp: confirmed"];
    assert_eq!(world.outcomes().await, outcomes);
}

/// Signs in by opening its page. The IdP asks for the name if it does not know the browser.
async fn sign_in(app: &ModAuthOpenidc, browser: &mut Browser, typed: [(&str, &str); 3]) -> Value {
    let mut page = browser.open(&app.page()).await;
    if !app.shows_its_page(&page) {
        let named = browser.submit(&page, &typed).await;
        page = browser.settle(named).await;
    }
    assert!(app.shows_its_page(&page), "{} {}", page.summary(), app.said());
    app.who_is_there(browser).await.unwrap_or_else(|| panic!("nobody: {}", app.said()))
}
