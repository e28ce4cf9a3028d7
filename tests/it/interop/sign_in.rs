//! The way in through an IdP that others wrote.

use serde_json::json;
use sloop::change::KeyPurpose;

use super::{asks_who_is_there, browser, only, over_tls, with_pysaml2};
use crate::both;
use crate::support::pysaml2::Pysaml2;
use crate::support::world::{On, Setting, World};

both!(pysaml2_signs_a_person_in, signs_in);
async fn signs_in(on: On) {
    let (world, idp) = with_pysaml2(on, &[]).await;
    believed(&world, &idp).await;
}

both!(pysaml2_signs_a_person_in_from_another_site, signs_in_cross_site);
async fn signs_in_cross_site(on: On) {
    let (world, idp) = over_tls(on, &[]).await;
    believed(&world, &idp).await;
}

async fn believed(world: &World, idp: &Pysaml2) {
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = browser(world, idp);

    let tokens = world.sign_in(&mut browser, &one, "ada.lovelace").await;

    let journal = idp.journal().await;
    let asked = only(journal.received("AuthnRequest"));
    assert_eq!(asked.signature_valid, Some(true), "{asked:#?}");
    let issued = only(journal.issued("Response"));
    assert_eq!(issued.in_response_to, asked.id);
    assert_eq!(journal.sessions[0].user, "ada.lovelace");
    let claims = &tokens.claims;
    assert_eq!(claims["idp"], "corp");
    assert_eq!(claims["auth_time"], journal.sessions[0].authn_instant);
    let userinfo = one.userinfo(&tokens.access_token).await.json();
    assert_eq!(userinfo["sub"], claims["sub"]);
    assert_eq!(userinfo["email"], "ada.lovelace@example.org");
    assert_eq!(userinfo["given_name"], "Ada");
    assert_eq!(userinfo["family_name"], "Lovelace");

    // The second app gets in, and the IdP is not even asked.
    let second = world.sign_in(&mut browser, &two, "nobody is asked").await;
    assert_eq!(second.claims["sid"], claims["sid"]);
    assert_eq!(second.claims["sub"], claims["sub"]);
    assert_eq!(idp.journal().await.received("AuthnRequest").len(), 1);
}

both!(where_only_our_session_ended_pysaml2_remembers_its_own, its_own_session);
async fn its_own_session(on: On) {
    let (world, idp) = with_pysaml2(on, &[]).await;
    let app = world.app_with("app-one", json!({"scope": "op_only"})).await;
    let mut browser = browser(&world, &idp);
    let first = world.sign_in(&mut browser, &app, "ada").await;
    world.sign_out(&mut browser, &app, &first.id_token).await;
    assert!(!world.is_signed_in(&mut browser, &app).await);

    let attempt = app.begin(&[]).await;
    let home = browser.open(attempt.url.as_str()).await;

    // No question: the window came to rest at the app.
    let again = app.finish(&attempt, &home.url).await.unwrap();
    assert_ne!(again.claims["sid"], first.claims["sid"]);
    assert_eq!(again.claims["sub"], first.claims["sub"]);
    assert_eq!(again.claims["auth_time"], first.claims["auth_time"]);
    let journal = idp.journal().await;
    assert!(journal.received("LogoutRequest").is_empty());
    let requests = journal.received("AuthnRequest");
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.signature_valid == Some(true)));
}

/// The positive twin is every other story here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pysaml2_does_not_believe_another_key_and_nobody_is_signed_in() {
    let (world, idp) = over_tls(On::Sqlite, &[]).await;
    let stranger = Setting::on(On::Sqlite).https().begin().await;
    let app = world.app("app-one").await;
    // The same entity ID and addresses, another key: all worlds begin with the same.
    let keys = stranger.use_cases().key_reports().await.unwrap();
    let signing = keys.iter().find(|key| key.purpose == KeyPurpose::SamlSigning).unwrap();
    stranger.use_cases().revoke_key(&signing.id).await.unwrap();
    idp.trust(&stranger.get("/saml/metadata").await.body);
    let mut browser = browser(&world, &idp);

    let page = browser.open(app.begin(&[]).await.url.as_str()).await;

    assert_eq!(page.status, 400, "{}", page.summary());
    let journal = idp.journal().await;
    assert_eq!(only(journal.received("AuthnRequest")).signature_valid, Some(false));
    assert!(journal.issued("Response").is_empty() && journal.sessions.is_empty());
    assert!(!world.is_signed_in(&mut browser, &app).await);

    // The right key again: the same browser gets its question.
    world.connect(&idp).await;
    let page = browser.open(app.begin(&[]).await.url.as_str()).await;
    assert!(asks_who_is_there(&page, &idp), "{}", page.summary());
}

/// What pysaml2 signs with a key that we were not told of is not believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_do_not_believe_another_key_and_nobody_is_signed_in() {
    let (world, idp) = with_pysaml2(On::Sqlite, &[]).await;
    let app = world.app("app-one").await;
    let stranger = Pysaml2::start(&["--base-url", idp.base_url()]).await;
    // Our metadata names the first IdP's addresses with the second one's key.
    let added = world.add_idp("corp", &stranger.metadata().await, "").await;
    assert_eq!(added.status, 200, "{}", added.body);
    let mut browser = browser(&world, &idp);
    let page = browser.open(app.begin(&[]).await.url.as_str()).await;
    let answered = browser.submit(&page, &[("user", "ada")]).await;
    let end = browser.settle(answered).await;

    assert_eq!(idp.journal().await.sessions[0].user, "ada");
    assert_eq!(end.url.as_str(), world.url("/saml/acs"), "{}", end.summary());
    assert_eq!(end.status, 400);
    assert!(!world.is_signed_in(&mut browser, &app).await);

    world.connect(&idp).await;
    world.sign_in(&mut browser, &app, "not asked").await;
    assert!(world.is_signed_in(&mut browser, &app).await);
}
