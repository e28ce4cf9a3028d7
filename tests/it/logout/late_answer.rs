//! Answers that come when nobody waits any more, and people who come back.

use std::time::Duration;

use sloop::paths;

use super::{eventually, home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::world::{On, World};

const BOTH: [By; 2] = [By::Redirect, By::Post];

both!(after_the_deadline_an_answer_still_corrects_what_is_said, after_deadline);
async fn after_deadline(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    for by in BOTH {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        world.clock.advance(Duration::from_secs(601));
        eventually("the deadline", async || world.newest_logout().await.answered_at.is_some())
            .await;
        assert_eq!(idp_leg(&world).await, "no_answer (the IdP did not answer in time)");
        assert_eq!(world.settled().await.outcome.as_str(), "partial");

        let page = asked.answer(&world, &key).deliver(&mut ada.browser, by).await;

        assert_eq!(leads_to(&page), home(&app), "{by:?}: who comes late lands on the same end");
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        assert_eq!(world.newest_logout().await.outcome.as_str(), "complete");
    }
}

both!(a_late_answer_does_not_touch_a_new_session, new_session);
async fn new_session(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let asked = ada.begin(&world, &app).await;
    // The IdP is told to ask her, and writes whole seconds.
    world.clock.advance(Duration::from_secs(1));
    let tokens = world.sign_in(&mut ada.browser, &app, "ada").await;
    assert!(ada.is_in(&world, &app).await);
    let page = asked.answer(&world, &key).deliver(&mut ada.browser, By::Redirect).await;
    assert_eq!(leads_to(&page), home(&app));
    assert!(ada.is_in(&world, &app).await, "the new session is untouched");
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 200);
    assert_eq!(world.logout_count().await, 1);
}

both!(who_comes_back_without_an_answer_need_not_wait, go_on);
async fn go_on(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    // The question gives the logout its page; after the yes the browser is on its way to the IdP.
    let uri = app.post_logout_redirect_uri();
    let parameters =
        [("client_id", "app-one"), ("post_logout_redirect_uri", &uri), ("state", "the-state")];
    let question = ada.browser.open(app.logout_url(&parameters).await.as_str()).await;
    let onward = ada.browser.submit(&question, &[("answer", "yes")]).await;
    let asked = onward.refresh().unwrap();
    assert!(asked.as_str().starts_with(&world.idp_url), "{asked}");

    // Back at the page, before any answer: the truth, and a way on.
    let waiting = ada.browser.get(question.url.as_str()).await;
    assert!(waiting.text().contains("corp has been asked"), "{}", waiting.summary());
    let pressed = ada.browser.submit(&waiting, &[("answer", "continue")]).await;
    let end = ada.browser.settle(pressed).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert_eq!(idp_leg(&world).await, "no_answer (the person did not wait for the answer)");
    // The answer of that IdP is still believed when it comes.
    let story = world.newest_logout().await;
    assert_eq!(story.outcome.as_str(), "partial");
    let asked = Asked::of_url(&asked);
    asked.answer(&world, &key).deliver(&mut ada.browser, By::Post).await;
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
}

both!(a_handle_that_nobody_was_given_opens_nothing, unknown_handle);
async fn unknown_handle(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    ada.begin(&world, &app).await;
    let id = world.newest_logout().await.id;
    for handle in [id.to_string(), "x".repeat(22), "..".to_owned(), "a%2fb".to_owned()] {
        let page = ada.browser.get(&world.url(&format!("{}/{handle}", paths::LOGOUT_PAGE))).await;
        assert!(matches!(page.status, 400 | 404), "{handle}: {}", page.summary());
        let url = world.url(&format!("{}/{handle}", paths::LOGOUT_PAGE));
        let fields = [("answer", "continue")];
        let page = ada.browser.post(&url, &fields, Some(&world.issuer)).await;
        assert!(page.status >= 400, "{handle}");
    }
    assert_eq!(idp_leg(&world).await, "open");
}
