//! The way out through an IdP that others wrote: it really ends its session, and says so.

use sloop::saml::Binding;

use super::{asks_who_is_there, browser, only, over_tls, with_pysaml2, word};
use crate::both;
use crate::support::pysaml2::Pysaml2;
use crate::support::world::{On, World};

both!(pysaml2_is_told_by_redirect, by_redirect);
async fn by_redirect(on: On) {
    let (world, idp) = with_pysaml2(on, &["--slo-binding", "redirect"]).await;
    everybody_is_told(&world, &idp, Binding::Redirect).await;
}

both!(pysaml2_is_told_by_post, by_post);
async fn by_post(on: On) {
    let (world, idp) = with_pysaml2(on, &["--slo-binding", "post"]).await;
    everybody_is_told(&world, &idp, Binding::Post).await;
}

both!(pysaml2_is_told_by_redirect_with_an_encrypted_name, encrypted_by_redirect);
async fn encrypted_by_redirect(on: On) {
    let (world, idp) = with_pysaml2(on, &["--slo-binding", "redirect"]).await;
    encrypt_names(&world, &idp).await;
    everybody_is_told(&world, &idp, Binding::Redirect).await;
    let journal = idp.journal().await;
    assert_eq!(only(journal.received("LogoutRequest")).name_id_encrypted, Some(true));
}

both!(pysaml2_is_told_by_post_with_an_encrypted_name, encrypted_by_post);
async fn encrypted_by_post(on: On) {
    let (world, idp) = with_pysaml2(on, &["--slo-binding", "post"]).await;
    encrypt_names(&world, &idp).await;
    everybody_is_told(&world, &idp, Binding::Post).await;
    let journal = idp.journal().await;
    assert_eq!(only(journal.received("LogoutRequest")).name_id_encrypted, Some(true));
}

async fn encrypt_names(world: &World, idp: &Pysaml2) {
    let metadata = idp.metadata().await;
    let set = world.add_idp("corp", &metadata, "&encrypt_name_id=true").await;
    assert_eq!(set.status, 200, "{}", set.body);
}

both!(pysaml2_on_another_site_is_told_by_redirect, by_redirect_cross_site);
async fn by_redirect_cross_site(on: On) {
    let (world, idp) = over_tls(on, &["--slo-binding", "redirect"]).await;
    everybody_is_told(&world, &idp, Binding::Redirect).await;
}

both!(pysaml2_on_another_site_is_told_by_post, by_post_cross_site);
async fn by_post_cross_site(on: On) {
    let (world, idp) = over_tls(on, &["--slo-binding", "post"]).await;
    everybody_is_told(&world, &idp, Binding::Post).await;
}

async fn everybody_is_told(world: &World, idp: &Pysaml2, binding: Binding) {
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = browser(world, idp);
    let tokens = world.sign_in(&mut browser, &one, "ada").await;
    world.sign_in(&mut browser, &two, "ada").await;
    // Somebody else, on another device: not to be touched.
    let mut elsewhere = super::browser(world, idp);
    world.sign_in(&mut elsewhere, &one, "bob").await;

    let end = world.sign_out(&mut browser, &one, &tokens.id_token).await;

    let home = format!("{}?state=the-state", one.post_logout_redirect_uri());
    assert_eq!(end.url.as_str(), home, "{}", end.summary());
    let journal = idp.journal().await;
    let issued = journal.issued("Response")[0];
    let told = only(journal.received("LogoutRequest"));
    assert_eq!(told.binding, word(binding));
    assert_eq!(told.endpoint.as_deref(), Some("single_logout_service"));
    assert_eq!(told.signature_valid, Some(true), "{told:#?}");
    // Exactly what it had issued, the qualifiers included.
    let name_id = told.name_id.as_ref().unwrap();
    assert_eq!(Some(name_id), issued.name_id.as_ref());
    assert_eq!(name_id.name_qualifier, Some(idp.entity_id()));
    assert_eq!(name_id.sp_name_qualifier, Some(world.url("/saml/metadata")));
    assert_eq!(told.session_indexes, issued.session_indexes);
    assert_eq!(told.session_indexes.len(), 1);
    assert_eq!(told.matched, Some(true));
    let answer = only(journal.issued("LogoutResponse"));
    assert_eq!(answer.in_response_to, told.id);
    assert_eq!(answer.status.as_deref(), Some("success"));
    let outcomes = ["app app-one: confirmed", "app app-two: confirmed", "IdP corp: confirmed"];
    assert_eq!(world.outcomes().await, outcomes);
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    let users: Vec<_> = journal.sessions.iter().map(|session| session.user.as_str()).collect();
    assert_eq!(users, ["bob"]);
    assert!(world.is_signed_in(&mut elsewhere, &one).await);

    // Its session is really gone: it asks again, and takes somebody else's name.
    assert!(!world.is_signed_in(&mut browser, &two).await);
    let attempt = two.begin(&[]).await;
    let page = browser.open(attempt.url.as_str()).await;
    assert!(asks_who_is_there(&page, idp), "{}", page.summary());
    let named = browser.submit(&page, &[("user", "carol")]).await;
    let callback = browser.settle(named).await.url;
    let carol = two.finish(&attempt, &callback).await.unwrap();
    assert_ne!(carol.claims["sub"], tokens.claims["sub"]);
}

/// A second sign-in of the same person adds its SessionIndex; a logout names both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_index_that_pysaml2_issued_comes_back() {
    let (world, idp) = with_pysaml2(On::Sqlite, &[]).await;
    let app = world.app("app-one").await;
    let mut browser = browser(&world, &idp);
    world.sign_in(&mut browser, &app, "ada").await;
    let attempt = app.begin(&[("prompt", "login")]).await;
    let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
    let tokens = app.finish(&attempt, &callback).await.unwrap();

    world.sign_out(&mut browser, &app, &tokens.id_token).await;

    let journal = idp.journal().await;
    assert_eq!(journal.received("AuthnRequest")[1].force_authn, Some(true));
    let issued = journal.issued("Response");
    let mut wanted: Vec<_> = issued.iter().flat_map(|entry| &entry.session_indexes).collect();
    let told = only(journal.received("LogoutRequest"));
    let mut named: Vec<_> = told.session_indexes.iter().collect();
    assert_eq!(wanted.len(), 2);
    wanted.sort();
    named.sort();
    assert_eq!(named, wanted);
    assert!(journal.sessions.is_empty());
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
}

/// pysaml2 forgot the session: its answer is not a confirmation, and the person still gets home.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idp_that_knows_no_such_session_is_no_confirmation() {
    let (world, idp) = with_pysaml2(On::Sqlite, &["--slo-binding", "post"]).await;
    let app = world.app("app-one").await;
    let mut browser = browser(&world, &idp);
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    // The same browser becomes somebody else at the IdP, behind our back.
    let login = format!("{}/login", idp.base_url());
    browser.post(&login, &[("user", "bob")], Some(idp.base_url())).await;

    let end = world.sign_out(&mut browser, &app, &tokens.id_token).await;

    assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()), "{}", end.summary());
    let journal = idp.journal().await;
    let told = only(journal.received("LogoutRequest"));
    assert_eq!((told.signature_valid, told.matched), (Some(true), Some(false)));
    assert_eq!(journal.sessions[0].user, "bob");
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: refused"]);
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    assert!(!world.is_signed_in(&mut browser, &app).await);
}
