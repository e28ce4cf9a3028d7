//! What an IdP's LogoutRequest must find: sessions behind many others, and under an older id.

use std::time::Duration;

use super::{damage_the_oldest, ended_sessions, signed_in};
use crate::both;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::world::{On, World};

both!(a_session_behind_many_others_is_found_and_all_of_them_are, many);
async fn many(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut people = Vec::new();
    for _ in 0..66 {
        people.push(signed_in(&world, &app, "ada").await);
    }
    let last = world.idp.sessions().pop().unwrap();
    let request = key.asks(&world, &last);

    let page = request.through(&mut world.browser(), By::Redirect).await;

    assert!(Answered::of(&world, &page).await.status().starts_with("Success"));
    assert_eq!(world.logout_count().await, 1);
    let mut newest = people.pop().unwrap();
    assert!(!newest.is_in(&world, &app).await);
    assert!(people.last_mut().unwrap().is_in(&world, &app).await);

    // Lapsed sessions end with the others, and stand in nobody's way.
    world.clock.advance(Duration::from_secs(9 * 3600));
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = world.idp.sessions().pop().unwrap();
    let all = key.asks(&world, &session).with(|it| it.request.session_indexes.clear());
    all.through(&mut world.browser(), By::Redirect).await;
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(world.logout_count().await, 1 + 65 + 1);

    // And more than are read at once are all ended. Times in SAML have seconds.
    world.clock.advance(Duration::from_secs(2));
    let mut people = Vec::new();
    for _ in 0..66 {
        people.push(signed_in(&world, &app, "ada").await);
    }
    let session = world.idp.sessions().pop().unwrap();
    let all = key.asks(&world, &session).with(|it| it.request.session_indexes.clear());
    all.through(&mut world.browser(), By::Post).await;
    assert_eq!(world.logout_count().await, 67 + 66);
    assert!(!people[0].is_in(&world, &app).await && !people[65].is_in(&world, &app).await);
}

both!(a_damaged_session_ends_and_hides_no_other, damaged);
async fn damaged(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let broken = signed_in(&world, &app, "ada").await;
    let mut whole = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let session = world.idp.sessions().remove(1);
    damage_the_oldest(&world).await;
    let all = key.asks(&world, &session).with(|it| it.request.session_indexes.clear());

    all.through(&mut world.browser(), By::Redirect).await;

    assert!(!whole.is_in(&world, &app).await);
    assert_eq!((world.logout_count().await, ended_sessions(&world).await), (2, 2));
    assert!(!app.is_signed_in(broken.sid()).await);
    assert_eq!(app.userinfo(&broken.tokens.access_token).await.status, 401);
    assert!(bob.is_in(&world, &app).await);
}

both!(sessions_under_an_older_id_of_the_idp_end_too, renamed);
async fn renamed(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = world.idp.sessions().pop().unwrap();
    world.use_cases().disable_idp(&"corp".parse().unwrap()).await.unwrap();
    let metadata = key.beside(&world.idp.metadata());
    assert_eq!(world.add_idp("renamed", &metadata, "").await.status, 201);

    let page = key.asks(&world, &session).through(&mut ada.browser, By::Redirect).await;

    assert_eq!(Answered::of(&world, &page).await.status(), "Success");
    assert!(!ada.is_in(&world, &app).await);
    let story = world.newest_logout().await;
    let said: Vec<_> = story.legs.iter().map(|leg| leg.said.as_str()).collect();
    assert_eq!(said, ["confirmed (told at try 1)", "confirmed (it began this logout)"]);
}

both!(a_key_of_expired_metadata_ends_nothing_on_any_node, expired);
async fn expired(on: On) {
    let mut world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let end = world.clock.now().plus(Duration::from_secs(3600));
    let valid = format!("<md:EntityDescriptor validUntil=\"{end}\" ");
    let metadata = key.beside(&world.idp.metadata());
    let metadata = metadata.replacen("<md:EntityDescriptor ", &valid, 1);
    assert_eq!(world.add_idp("corp", &metadata, "").await.status, 200);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = world.idp.sessions().pop().unwrap();
    world.clock.advance(Duration::from_secs(2 * 3600));
    for node in ["that knew it before", "that has just begun"] {
        let request = key.asks(&world, &session);
        let page = request.through(&mut ada.browser, By::Redirect).await;
        assert_eq!((page.status, page.location()), (400, None), "{node}: {}", page.summary());
        let answer = request.by_soap(&world).await;
        assert_eq!((answer.status, answer.body.as_str()), (403, "connection_unusable\n"), "{node}");
        assert_eq!(world.logout_count().await, 0, "{node}");
        assert!(app.is_signed_in(ada.sid()).await, "{node}");
        world.restart().await;
    }
}
