//! Sessions whose time is over.

use std::time::Duration;

use super::{SignedIn, damage_the_oldest, ended_sessions, eventually, signed_in};
use crate::both;
use crate::support::rp::Answer;
use crate::support::soap_idp::SoapIdp;
use crate::support::world::{On, Setting, World};

async fn notifying(on: On) -> World {
    let setting = Setting::on(on).config(|config| {
        config.session.notify_on_expiry = true;
        config.session.idle = Duration::from_secs(3600);
        config.session.absolute = Duration::from_secs(5400);
    });
    setting.begin().await
}

both!(by_default_nobody_hears_of_it, silent);
async fn silent(on: On) {
    let world = World::on(on).await;
    let soap = SoapIdp::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let visits = world.idp.journal().len();
    world.clock.advance(Duration::from_secs(9 * 3600));
    assert_eq!(world.use_cases().end_expired_sessions().await.unwrap(), 0);
    world.work().await;
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(world.logout_count().await, 0);
    assert!(app.received_logout_tokens().is_empty());
    assert!(soap.heard().is_empty());
    assert_eq!(world.idp.journal().len(), visits);
}

both!(apps_hear_of_it_where_that_is_settled_and_the_idp_never_does, told);
async fn told(on: On) {
    let world = notifying(on).await;
    let soap = SoapIdp::connect(&world).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let visits = world.idp.journal().len();
    // Not before its time.
    world.clock.advance(Duration::from_secs(3500));
    assert_eq!(world.use_cases().end_expired_sessions().await.unwrap(), 0);
    assert!(ada.is_in(&world, &one).await, "which is a use of it");

    // Whatever is done with it, it ends at last; the service sees to it by itself.
    world.clock.advance(Duration::from_secs(1910));
    eventually("the end", async || world.logout_count().await == 1).await;
    let story = world.settled().await;

    assert_eq!(story.reason, "the session had expired");
    assert_eq!(story.outcome.as_str(), "complete");
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "app app-two: confirmed"]);
    for app in [&one, &two] {
        let [token] = app.logouts().await.unwrap().try_into().expect("one token");
        assert_eq!(token["sid"], ada.sid());
        assert!(!app.is_signed_in(ada.sid()).await);
    }
    assert!(soap.heard().is_empty(), "SDP-SP35");
    assert_eq!(world.idp.journal().len(), visits);
    assert_eq!(world.idp.sessions().len(), 1, "the IdP's own session lives on");
    assert!(!ada.is_in(&world, &one).await);
}

both!(a_session_that_is_not_used_ends_and_one_that_is_used_does_not, idle);
async fn idle(on: On) {
    let world = notifying(on).await;
    let app = world.app("app-one").await;
    let ada = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    world.clock.advance(Duration::from_secs(3000));
    assert!(bob.is_in(&world, &app).await);
    world.clock.advance(Duration::from_secs(700));
    eventually("the end", async || world.logout_count().await == 1).await;
    world.settled().await;
    let [token] = app.logouts().await.unwrap().try_into().expect("one token");
    assert_eq!(token["sid"], ada.sid());
    assert!(bob.is_in(&world, &app).await);
}

both!(a_damaged_session_ends_and_keeps_no_other_from_it, damaged);
async fn damaged(on: On) {
    let world = notifying(on).await;
    let app = world.app("app-one").await;
    let ada = signed_in(&world, &app, "ada").await;
    let bob = signed_in(&world, &app, "bob").await;
    damage_the_oldest(&world).await;
    world.clock.advance(Duration::from_secs(3601));
    world.use_cases().end_expired_sessions().await.unwrap();
    eventually("the end of both", async || ended_sessions(&world).await == 2).await;
    assert_eq!(world.logout_count().await, 2);
    for who in [&ada, &bob] {
        eventually("its token", async || !app.is_signed_in(who.sid()).await).await;
    }
    assert_eq!(world.use_cases().end_expired_sessions().await.unwrap(), 0);
}

both!(many_nodes_end_each_session_once_and_tell_its_app, many);
async fn many(on: On) {
    let world = notifying(on).await;
    let app = world.app("app-one").await;
    let mut people: Vec<SignedIn> = Vec::new();
    // More than are read at once.
    for _ in 0..66 {
        people.push(signed_in(&world, &app, "ada").await);
    }
    app.answer_back_channel_with(Answer::Status(200));
    world.clock.advance(Duration::from_secs(3601));
    let node = || async { world.use_cases().end_expired_sessions().await.unwrap() };
    // However many have expired, a call has an end.
    assert!(node().await <= 64);
    let (one, two, three, four) = tokio::join!(node(), node(), node(), node());
    assert!(one + two + three + four <= 66);
    eventually("the end of all", async || world.logout_count().await == 66).await;
    for _ in 0..8 {
        world.clock.advance(Duration::from_secs(61));
        world.work().await;
    }
    let told: std::collections::BTreeSet<String> =
        app.logouts().await.unwrap().iter().map(|token| token["sid"].to_string()).collect();
    assert_eq!(told.len(), 66);
    assert_eq!(world.logout_count().await, 66);
    assert_eq!(world.use_cases().end_expired_sessions().await.unwrap(), 0);
}
