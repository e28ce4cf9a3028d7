//! After a logout nothing of the session is accepted, in any place.

use sloop::paths;

use super::{home, signed_in};
use crate::both;
use crate::support::rp::Failure;
use crate::support::world::{On, World};

both!(nothing_of_the_session_lives_on, nothing_lives);
async fn nothing_lives(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    // A code of the second app is on its way when the first one signs her out.
    let attempt = two.begin(&[]).await;
    let callback = world.at_app(&mut ada.browser, &two, &attempt, "ada").await;
    let old = ada.browser.jar.clone();
    assert_eq!(one.userinfo(&ada.tokens.access_token).await.status, 200);

    // From the commit on, whatever the IdP does.
    ada.begin(&world, &one).await;

    let redeemed = two.finish(&attempt, &callback).await;
    assert_eq!(redeemed.unwrap_err(), Failure::Token(400, "invalid_grant".into()));
    assert_eq!(one.userinfo(&ada.tokens.access_token).await.status, 401);
    assert!(!ada.is_in(&world, &one).await && !ada.is_in(&world, &two).await);
    // The old cookie, kept by a thief, is worth nothing.
    let mut thief = world.browser();
    thief.jar = old;
    assert!(thief.cookie(&world.issuer, "sid").is_some());
    assert!(!world.is_signed_in(&mut thief, &one).await);
}

both!(a_code_that_was_redeemed_before_works_until_then, positive_twin);
async fn positive_twin(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    let attempt = two.begin(&[]).await;
    let callback = world.at_app(&mut ada.browser, &two, &attempt, "ada").await;
    let tokens = two.finish(&attempt, &callback).await.unwrap();
    assert_eq!(two.userinfo(&tokens.access_token).await.status, 200);
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &one, &hint).await;
    assert_eq!(two.userinfo(&tokens.access_token).await.status, 401);
    assert!(!two.is_signed_in(ada.sid()).await);
}

both!(signing_in_again_begins_something_new, again);
async fn again(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let old_cookie = ada.browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));

    let tokens = world.sign_in(&mut ada.browser, &app, "ada").await;

    assert_ne!(tokens.claims["sid"], ada.tokens.claims["sid"]);
    assert_eq!(tokens.claims["sub"], ada.tokens.claims["sub"]);
    assert_ne!(ada.browser.cookie(&world.issuer, "sid").unwrap().value, old_cookie);
    // What died stays dead beside the new session.
    assert_eq!(app.userinfo(&ada.tokens.access_token).await.status, 401);
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 200);
    let headers = [("cookie", format!("sid={old_cookie}"))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let page = world.request("GET", paths::END_SESSION, &headers, "").await;
    assert_eq!(page.status, 200, "the old cookie names nobody: {}", page.body);
    assert!(ada.is_in(&world, &app).await);
}
