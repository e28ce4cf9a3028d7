//! A logout that was accepted survives the service.

use std::time::Duration;

use super::{home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::idp_key::{By, IdpKey};
use crate::support::rp::Answer;
use crate::support::world::{On, Setting, World};

both!(a_token_that_was_not_delivered_is_delivered_after_a_restart, between_commit_and_delivery);
async fn between_commit_and_delivery(on: On) {
    let setting = Setting::on(on).config(|config| config.logout.wait = Duration::from_millis(50));
    let mut world = setting.begin().await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    // The service goes while it is telling them.
    for app in [&one, &two] {
        app.answer_back_channel_with(Answer::Hang);
    }
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &one, &hint).await;
    assert_eq!(end.url.as_str(), home(&one));
    for app in [&one, &two] {
        let was_sent = async || app.received_logout_tokens().len() == 1;
        super::eventually("the first token", was_sent).await;
    }
    world.restart().await;
    for app in [&one, &two] {
        app.answer_back_channel_with(Answer::Status(200));
    }

    // Nobody takes over before the lease of the dead worker has run out.
    world.work().await;
    assert_eq!(
        world.outcomes().await,
        ["app app-one: open", "app app-two: open", "IdP corp: confirmed"]
    );
    world.clock.advance(Duration::from_secs(61));

    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    for app in [&one, &two] {
        assert_eq!(app.received_logout_tokens().len(), 2);
        assert!(!app.is_signed_in(ada.sid()).await);
    }
    assert!(!ada.is_in(&world, &one).await);
}

both!(the_answer_finds_its_logout_after_a_restart, between_request_and_answer);
async fn between_request_and_answer(on: On) {
    let mut world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    for by in [By::Redirect, By::Post] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        world.restart().await;
        assert!(!ada.is_in(&world, &app).await, "what was ended stays ended");
        let page = asked.answer(&world, &key).deliver(&mut ada.browser, by).await;
        assert_eq!(leads_to(&page), home(&app));
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    }
}

both!(a_question_is_still_open_after_a_restart, question);
async fn question(on: On) {
    let mut world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = ada.browser.open(app.logout_url(&[]).await.as_str()).await;
    world.restart().await;
    assert!(ada.is_in(&world, &app).await);
    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    let end = ada.browser.settle(pressed).await;
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.summary());
    assert!(!ada.is_in(&world, &app).await);
}
