//! Apps that are down for long, that hang, or that say when they are back: each is told soon after, and
//! none of them keeps another one waiting.

use std::time::Duration;

use super::{eventually, home, signed_in};
use crate::both;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::rp::{Answer, RelyingParty};
use crate::support::world::{On, Setting, World};

/// A world whose browsers hardly wait for apps.
async fn hasty(on: On) -> World {
    let wait = |config: &mut sloop::config::Config| {
        config.logout.wait = Duration::from_millis(50);
    };
    Setting::on(on).config(wait).begin().await
}

/// Ada signs out of an app that answers so; it has been tried once.
async fn signed_out(world: &World, app: &RelyingParty, answer: Answer) {
    app.answer_back_channel_with(answer);
    let mut ada = signed_in(world, app, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, app, &hint).await;
    assert_eq!(end.url.as_str(), home(app));
    eventually("the first try", async || said(world).await.starts_with("told ")).await;
}

/// What is said of the app.
async fn said(world: &World) -> String {
    world.newest_logout().await.legs.remove(0).said
}

both!(whoever_waits_for_an_app_that_hangs_keeps_no_other_app_waiting, fair);
async fn fair(on: On) {
    let world = hasty(on).await;
    let key = IdpKey::connect(&world).await;
    let (hangs, works) = (world.app("hangs").await, world.app("works").await);
    hangs.answer_back_channel_with(Answer::Hang);
    for _ in 0..70 {
        signed_in(&world, &hangs, "ada").await;
    }
    let session = world.idp.sessions().pop().unwrap();
    let everything = key.asks(&world, &session).with(|it| it.request.session_indexes.clear());
    let begun = std::time::Instant::now();
    let answered = everything.through(&mut world.browser(), By::Redirect).await;
    assert!(Answered::of(&world, &answered).await.status().starts_with("Success"));
    // The IdP waits for none of them: one try alone lasts ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(world.logout_count().await, 70);
    // Newer than all of them: one more, of an app that was away for a moment.
    world.clock.advance(Duration::from_secs(5));
    works.answer_back_channel_with(Answer::Later(503, 30));
    let bob = signed_in(&world, &works, "bob").await;
    let session = world.idp.sessions().pop().unwrap();
    key.asks(&world, &session).through(&mut world.browser(), By::Redirect).await;
    eventually("the first try", async || said(&world).await.starts_with("told 1 ")).await;
    works.answer_back_channel_with(Answer::Status(200));
    let hung = hangs.received_logout_tokens().len();

    // All are due at once, this one last.
    world.clock.advance(Duration::from_secs(34));
    let begun = std::time::Instant::now();
    eventually("the app that works", async || !works.is_signed_in(bob.sid()).await).await;

    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let is_told = async || said(&world).await.starts_with("confirmed (told at try 2)");
    eventually("its result", is_told).await;
    // The other one was not asked for everything at once, and has not been given up.
    let more = hangs.received_logout_tokens().len() - hung;
    assert!(more <= 8, "{more}");
    // When it is back, it gets all that is due without a pause in between.
    hangs.answer_back_channel_with(Answer::Status(200));
    world.clock.advance(Duration::from_secs(60));
    let summaries = async || world.use_cases().logouts(100).await.unwrap();
    let settled = async || summaries().await.iter().filter(|it| it.settled).count();
    eventually("all of them", async || settled().await == 71).await;
}

both!(an_app_that_was_down_is_told_soon_after_it_is_back, outage);
async fn outage(on: On) {
    let mut world = hasty(on).await;
    let app = world.app("app-one").await;
    // Two hours, with restarts in between; then a day; then almost three.
    for (down, soon) in [(2, 60), (24, 300), (71, 300)] {
        signed_out(&world, &app, Answer::Status(502)).await;
        for quarter in 0..4 {
            let before = app.received_logout_tokens().len();
            world.clock.advance(Duration::from_secs(down * 900));
            world.work().await;
            eventually("a try", async || app.received_logout_tokens().len() > before).await;
            if down == 2 && quarter < 3 {
                world.restart().await;
            }
        }
        world.use_cases().deliveries_done().await;
        assert!(said(&world).await.contains("without success (it answered 502)"));

        app.answer_back_channel_with(Answer::Status(200));
        world.clock.advance(Duration::from_secs(soon));
        world.work().await;

        assert_eq!(world.settled().await.outcome.as_str(), "complete", "after {down} h");
        assert!(said(&world).await.starts_with("confirmed (told at try "));
    }
}

both!(an_app_that_is_not_found_is_tried_for_an_hour, not_found);
async fn not_found(on: On) {
    let world = hasty(on).await;
    let app = world.app("app-one").await;
    for status in [404, 410] {
        // Between two versions.
        signed_out(&world, &app, Answer::Status(status)).await;
        let before = app.received_logout_tokens().len();
        world.clock.advance(Duration::from_secs(50 * 60));
        eventually("a try", async || app.received_logout_tokens().len() > before).await;
        app.answer_back_channel_with(Answer::Status(200));
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(world.settled().await.outcome.as_str(), "complete", "{status}");

        // Gone for good.
        signed_out(&world, &app, Answer::Status(status)).await;
        world.clock.advance(Duration::from_secs(3600));
        assert_eq!(world.settled().await.outcome.as_str(), "partial", "{status}");
        assert_eq!(said(&world).await, format!("dead_letter (it answered {status})"));
    }
}

both!(an_app_that_is_overloaded_is_left_alone_as_long_as_it_says, retry_after);
async fn retry_after(on: On) {
    let world = hasty(on).await;
    let app = world.app("app-one").await;
    for status in [429, 503] {
        let before = app.received_logout_tokens().len();
        signed_out(&world, &app, Answer::Later(status, 1200)).await;
        app.answer_back_channel_with(Answer::Status(200));
        // Its own wait would have been two seconds.
        world.clock.advance(Duration::from_secs(1100));
        world.work().await;
        assert_eq!(app.received_logout_tokens().len(), before + 1, "{status}");
        assert!(said(&world).await.starts_with("told 1 times"));
        world.clock.advance(Duration::from_secs(102));
        assert_eq!(world.settled().await.outcome.as_str(), "complete", "{status}");
        assert_eq!(app.received_logout_tokens().len(), before + 2, "{status}");
    }
    // For an hour at most.
    signed_out(&world, &app, Answer::Later(503, 1_000_000)).await;
    app.answer_back_channel_with(Answer::Status(200));
    world.clock.advance(Duration::from_secs(3602));
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
}
