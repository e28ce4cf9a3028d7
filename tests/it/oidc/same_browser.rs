//! A browser that has a session already signs in again.

use serde_json::json;

use crate::both;
use crate::support::world::{On, Setting};

both!(over_tls_signing_in_again_continues_the_session, continues);
async fn continues(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let first = world.sign_in(&mut browser, &one, "ada").await;
    let cookie = browser.cookie(&world.issuer, "__Host-sid").unwrap().value.clone();

    let attempt = two.begin(&[("prompt", "login")]).await;
    let callback = world.at_app(&mut browser, &two, &attempt, "ada").await;
    let second = two.finish(&attempt, &callback).await.unwrap();

    assert_eq!(second.claims["sid"], first.claims["sid"], "one session, both apps in it");
    let renewed = &browser.cookie(&world.issuer, "__Host-sid").unwrap().value;
    assert_ne!(*renewed, cookie, "a new cookie value at every authentication");
    world.sign_out(&mut browser, &two, &second.id_token).await;
    assert_eq!(one.logouts().await.unwrap().len(), 1, "the first app is not forgotten");
    assert_eq!(world.outcomes().await.len(), 3);
    assert_eq!(world.idp.sessions(), []);
}

both!(over_tls_another_person_ends_the_former_session, switches);
async fn switches(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let ada = world.sign_in(&mut browser, &one, "ada").await;

    let attempt = two.begin(&[("prompt", "login")]).await;
    let callback = world.at_app(&mut browser, &two, &attempt, "ben").await;
    let ben = two.finish(&attempt, &callback).await.unwrap();

    assert_ne!(ben.claims["sid"], ada.claims["sid"]);
    assert_ne!(ben.claims["sub"], ada.claims["sub"]);
    let story = world.settled().await;
    assert_eq!(story.reason, "another person signed in with this browser");
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: not_sent"]);
    let told = one.logouts().await.unwrap();
    assert_eq!(
        told.iter().map(|claims| claims["sid"].clone()).collect::<Vec<_>>(),
        [ada.claims["sid"].clone()]
    );
    assert_eq!(one.userinfo(&ada.access_token).await.status, 401);
    assert_eq!(two.userinfo(&ben.access_token).await.status, 200);
}

both!(a_sign_in_of_another_person_than_the_hint_names_is_refused, hinted);
async fn hinted(on: On) {
    let world = Setting::on(on).begin().await;
    let app = world.app_with("app-one", json!({})).await;
    let mut browser = world.browser();
    let ada = world.sign_in(&mut browser, &app, "ada").await;
    let extra = [("id_token_hint", ada.id_token.as_str()), ("prompt", "login")];

    let attempt = app.begin(&extra).await;
    let refused = world.at_app(&mut browser, &app, &attempt, "ben").await;
    let refused = app.finish(&attempt, &refused).await.unwrap_err();
    assert!(format!("{refused:?}").contains("login_required"), "{refused:?}");
    assert!(world.is_signed_in(&mut browser, &app).await, "Ada still is");

    let attempt = app.begin(&extra).await;
    let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
    let again = app.finish(&attempt, &callback).await.unwrap();
    assert_eq!(again.claims["sub"], ada.claims["sub"]);
}
