//! A LogoutRequest that arrives before the sign-in it ends (SAML Core 3.7.3.1).

use std::time::Duration;

use super::signed_in;
use crate::both;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::world::{On, World};

both!(a_sign_in_that_the_idp_has_ended_meanwhile_signs_nobody_in, overtaken);
async fn overtaken(on: On) {
    for with_index in [true, false] {
        let world = World::on(on).await;
        let key = IdpKey::connect(&world).await;
        let app = world.app("app-one").await;
        let mut browser = world.browser();
        let attempt = app.begin(&[]).await;
        let asked = browser.open(attempt.url.as_str()).await;
        // The IdP has answered; the browser has not brought it yet.
        let answering = browser.submit(&asked, &[("user", "ada")]).await;
        let session = world.idp.sessions().pop().unwrap();
        world.clock.advance(Duration::from_secs(1));
        let request = key.asks(&world, &session).with(|it| {
            if !with_index {
                it.request.session_indexes.clear();
            }
        });
        let page = request.through(&mut world.browser(), By::Redirect).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Success", "nothing to end yet");

        let end = browser.settle(answering).await;

        assert_eq!(end.query("error").as_deref(), Some("access_denied"), "{}", end.summary());
        assert!(!world.is_signed_in(&mut browser, &app).await);
        assert_eq!(world.logout_count().await, 0, "no session ever began");
        // Who signs in anew is welcome.
        world.clock.advance(Duration::from_secs(2));
        let mut ada = signed_in(&world, &app, "ada").await;
        assert!(ada.is_in(&world, &app).await, "index: {with_index}");
    }
}

both!(only_the_sign_in_that_it_names_even_after_a_restart, only_that_one);
async fn only_that_one(on: On) {
    let mut world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut browser = world.browser();
        let attempt = app.begin(&[]).await;
        let asked = browser.open(attempt.url.as_str()).await;
        let answering = browser.submit(&asked, &[("user", "ada")]).await;
        waiting.push((browser, answering, world.idp.sessions().pop().unwrap()));
    }
    let [(mut named, answering_named, session), (mut other, answering_other, of_other)] =
        <[_; 2]>::try_from(waiting).ok().unwrap();
    // One person, one name; only the sessions at the IdP differ.
    assert_eq!(session.name_id, of_other.name_id);
    assert_ne!(session.session_index, of_other.session_index);
    let request = key.asks(&world, &session);
    let page = request.through(&mut world.browser(), By::Redirect).await;
    assert_eq!(Answered::of(&world, &page).await.status(), "Success");

    world.restart().await;

    let end = named.settle(answering_named).await;
    assert_eq!(end.query("error").as_deref(), Some("access_denied"), "{}", end.summary());
    assert!(!world.is_signed_in(&mut named, &app).await);
    let end = other.settle(answering_other).await;
    assert!(end.query("code").is_some(), "{}", end.summary());
    assert!(world.is_signed_in(&mut other, &app).await);
    assert_eq!(world.logout_count().await, 0);
}
