//! pysaml2 configured as installations are: no single logout, no SessionIndex, other signatures,
//! other names.

use std::time::Duration;

use super::{asks_who_is_there, browser, only, with_pysaml2};
use crate::support::pysaml2::{NameId, Pysaml2};
use crate::support::world::{On, Setting};

const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_single_logout_the_login_url_gets_the_logout_request() {
    // Whoever is left at the IdP's login page does not come back: the deadline closes the logout.
    let setting = Setting::on(On::Sqlite).config(|config| {
        config.logout.deadline = Duration::from_secs(2);
        config.logout.wait = Duration::from_secs(1);
    });
    let (world, idp) = tokio::join!(setting.begin(), Pysaml2::start(&["--no-slo"]));
    world.connect(&idp).await;
    let app = world.app("app-one").await;
    let mut browser = browser(&world, &idp);
    let tokens = world.sign_in(&mut browser, &app, "ada").await;

    let end = world.sign_out(&mut browser, &app, &tokens.id_token).await;

    assert!(asks_who_is_there(&end, &idp), "{}", end.summary());
    let journal = idp.journal().await;
    let issued = only(journal.issued("Response"));
    let told = only(journal.received("LogoutRequest"));
    assert_eq!(told.endpoint.as_deref(), Some("single_sign_on_service"));
    assert_eq!(told.destination.as_deref(), Some(format!("{}/sso", idp.base_url()).as_str()));
    assert_eq!(told.signature_valid, Some(true), "{told:#?}");
    assert_eq!(told.name_id, issued.name_id);
    assert_eq!(told.session_indexes, issued.session_indexes);
    // Our side is over at once. The IdP's is not, and nobody claims it is.
    assert!(!world.is_signed_in(&mut browser, &app).await);
    assert_eq!(journal.sessions.len(), 1);
    let settled = world.settled().await;
    assert_eq!(app.logouts().await.unwrap().len(), 1);
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: unconfirmed"]);
    assert_eq!(settled.outcome.as_str(), "partial");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_session_index_the_name_is_enough() {
    let (world, idp) = with_pysaml2(On::Sqlite, &["--no-session-index"]).await;
    let app = world.app("app-one").await;
    let mut browser = browser(&world, &idp);
    let tokens = world.sign_in(&mut browser, &app, "ada").await;

    let end = world.sign_out(&mut browser, &app, &tokens.id_token).await;

    assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()), "{}", end.summary());
    let journal = idp.journal().await;
    let told = only(journal.received("LogoutRequest"));
    assert_eq!(told.name_id, only(journal.issued("Response")).name_id);
    assert!(told.session_indexes.is_empty());
    assert_eq!((told.signature_valid, told.matched), (Some(true), Some(true)));
    assert!(journal.sessions.is_empty());
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_response_is_believed() {
    in_and_out(&["--sign", "response"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_assertion_is_believed() {
    in_and_out(&["--sign", "assertion"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_signatures_are_believed() {
    in_and_out(&["--sign", "both"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_email_address_as_the_name_comes_back_as_it_was() {
    let name_id = in_and_out(&["--name-id-format", "email"]).await;
    assert_eq!(name_id.value, "ada@example.org");
    assert_eq!(name_id.format.as_deref(), Some(EMAIL));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unspecified_name_comes_back_as_it_was() {
    let name_id = in_and_out(&["--name-id-format", "unspecified"]).await;
    assert_eq!(name_id.value, "ada");
}

/// Signs a person in and out, and returns the NameID that the IdP issued and got back.
async fn in_and_out(arguments: &[&str]) -> NameId {
    let (world, idp) = with_pysaml2(On::Sqlite, arguments).await;
    let app = world.app("app-one").await;
    let mut browser = browser(&world, &idp);
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let userinfo = app.userinfo(&tokens.access_token).await.json();
    assert_eq!(userinfo["email"], "ada@example.org");

    let end = world.sign_out(&mut browser, &app, &tokens.id_token).await;

    assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()), "{}", end.summary());
    let journal = idp.journal().await;
    let issued = only(journal.issued("Response"));
    let told = only(journal.received("LogoutRequest"));
    assert_eq!((told.signature_valid, told.matched), (Some(true), Some(true)), "{told:#?}");
    assert_eq!(told.name_id, issued.name_id);
    assert_eq!(told.session_indexes, issued.session_indexes);
    assert!(journal.sessions.is_empty());
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
    assert!(!world.is_signed_in(&mut browser, &app).await);
    issued.name_id.clone().unwrap()
}
