//! Two nodes on one PostgreSQL: it does not matter which of them somebody meets.

use std::time::Duration;

use crate::logout::eventually;
use crate::support::browser::Browser;
use crate::support::rp::{Answer, Failure, RelyingParty};
use crate::support::world::{On, Setting, World};

/// A silent request at wherever this browser and this app are sent.
async fn is_in(world: &World, browser: &mut Browser, app: &RelyingParty) -> bool {
    world.is_signed_in(browser, app).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_on_one_node_counts_on_the_other_at_once_and_goes_on_there() {
    let world = World::on(On::Postgres).await;
    let mut app = world.app("app-one").await;
    let other = world.another_node().await;
    let mut ada = world.browser();
    let tokens = world.sign_in(&mut ada, &app, "ada").await;
    let bob = world.sign_in(&mut world.browser(), &app, "bob").await;
    // What is to die with the session: a code that nobody has redeemed.
    let attempt = app.begin(&[("prompt", "none")]).await;
    let callback = ada.get(attempt.url.as_str()).await.location().unwrap();
    app.provider_moved(other.provider());
    let mut ada = other.serves(ada);
    assert!(is_in(&world, &mut ada, &app).await, "the other node knows the session");
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 200);

    // The logout begins at the first node.
    let mut ada = ada.with_host(&world.issuer, world.address);
    let url = world.logout_url(&app, &tokens.id_token, "the-state").await;
    let begun = ada.get(url.as_str()).await;
    let mut ada = other.serves(ada);

    assert!(begun.location().unwrap().as_str().starts_with(&world.idp_url), "{}", begun.summary());
    assert!(!is_in(&world, &mut ada, &app).await);
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 401);
    let dead = Failure::Token(400, "invalid_grant".into());
    assert_eq!(app.finish(&attempt, &callback).await.unwrap_err(), dead);
    assert_eq!(app.userinfo(&bob.access_token).await.status, 200, "nobody else is out");
    // The IdP's answer arrives at the second.
    let end = ada.settle(begun).await;
    let home = format!("{}?state=the-state", app.post_logout_redirect_uri());
    assert_eq!(end.url.as_str(), home, "{}", end.summary());
    let answer = ada.history().iter().rfind(|visit| visit.url.path() == "/logout").unwrap();
    assert_eq!(answer.status, 303);
    let story = world.settled().await;
    assert_eq!(story.outcome.as_str(), "complete");
    assert_eq!(app.received_logout_tokens().len(), 1, "told once, by whichever node");
    assert_eq!(world.logout_count().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_vanishes_loses_nothing_that_it_had_taken_on() {
    let hasty = |config: &mut sloop::config::Config| {
        config.logout.wait = Duration::from_millis(50);
    };
    let world = Setting::on(On::Postgres).config(hasty).begin().await;
    let mut app = world.app("app-one").await;
    let other = world.another_node().await;
    app.provider_moved(other.provider());
    let mut ada = other.serves(world.browser());
    let tokens = world.sign_in(&mut ada, &app, "ada").await;
    // It is telling the app, and the browser is at the IdP, when it goes.
    app.answer_back_channel_with(Answer::Hang);
    let url = world.logout_url(&app, &tokens.id_token, "the-state").await;
    let begun = ada.get(url.as_str()).await;
    assert_eq!(begun.status, 303, "{}", begun.summary());
    eventually("the first token", async || app.received_logout_tokens().len() == 1).await;
    other.vanish();
    app.answer_back_channel_with(Answer::Status(200));
    app.provider_moved(world.provider());

    let mut ada = ada.with_host(&world.issuer, world.address);
    assert!(!is_in(&world, &mut ada, &app).await);
    let end = ada.settle(begun).await;
    let home = format!("{}?state=the-state", app.post_logout_redirect_uri());
    assert_eq!(end.url.as_str(), home, "{}", end.summary());
    // As long as the lease runs it might still be at work.
    world.work().await;
    assert_eq!(world.outcomes().await, ["app app-one: open", "IdP corp: confirmed"]);
    world.clock.advance(Duration::from_secs(31));

    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    assert_eq!(app.received_logout_tokens().len(), 2, "twice at most, and never wrongly");
    assert!(!app.is_signed_in(tokens.claims["sid"].as_str().unwrap()).await);
}
