//! The main way in: an app's person signs in at the IdP.

use crate::both;
use crate::support::world::{On, Setting, World};

both!(a_person_signs_in_and_the_app_learns_who_it_is, signs_in);
async fn signs_in(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();

    let tokens = world.sign_in(&mut browser, &app, "ada").await;

    let claims = &tokens.claims;
    assert_eq!(claims["iss"], world.issuer);
    assert_eq!(claims["aud"], "app-one");
    assert_eq!(claims["idp"], "corp");
    let userinfo = app.userinfo(&tokens.access_token).await;
    assert_eq!(userinfo.status, 200);
    assert_eq!(userinfo.json()["sub"], claims["sub"]);
    assert_eq!(userinfo.json()["email"], "ada@example.com");
    assert!(world.is_signed_in(&mut browser, &app).await);
    assert!(!world.is_signed_in(&mut world.browser(), &app).await);
}

both!(the_second_app_gets_in_without_a_question, single_sign_on);
async fn single_sign_on(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let first = world.sign_in(&mut browser, &one, "ada").await;
    let asked = world.idp.journal().len();

    let second = world.sign_in(&mut browser, &two, "nobody is asked").await;

    assert_eq!(world.idp.journal().len(), asked, "the IdP was not even visited");
    assert_eq!(second.claims["sid"], first.claims["sid"]);
    assert_eq!(second.claims["sub"], first.claims["sub"]);
    assert_eq!(second.claims["auth_time"], first.claims["auth_time"]);
}

both!(over_tls_the_idps_cross_site_post_still_finds_its_browser, cross_site);
async fn cross_site(on: On) {
    let world = Setting::on(on).https().begin().await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();

    let tokens = world.sign_in(&mut browser, &app, "ada").await;

    assert_eq!(tokens.claims["iss"], "https://sloop.test");
    assert!(world.is_signed_in(&mut browser, &app).await);
    let cookie = browser.cookie(&world.issuer, "__Host-sid").expect("the session cookie");
    assert!(cookie.secure);
}
