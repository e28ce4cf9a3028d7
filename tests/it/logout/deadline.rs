//! Every logout is answered by its deadline, even if everybody vanishes.

use std::time::Duration;

use super::{SignedIn, eventually, home, idp_leg, signed_in};
use crate::both;
use crate::support::rp::Answer;
use crate::support::world::{On, Setting, World};

both!(a_worker_closes_what_the_browser_left_open, closes);
async fn closes(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    ada.begin(&world, &app).await;
    // Not before its time.
    world.clock.advance(Duration::from_secs(590));
    world.work().await;
    assert_eq!(idp_leg(&world).await, "open");
    assert_eq!(world.newest_logout().await.answered_at, None);

    world.clock.advance(Duration::from_secs(11));

    eventually("the deadline", async || world.newest_logout().await.answered_at.is_some()).await;
    let story = world.settled().await;
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: no_answer"]);
    assert_eq!(story.outcome.as_str(), "partial");
    let kinds: Vec<&str> = story.events.iter().map(|event| event.kind.as_str()).collect();
    let ends = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!((ends("logout.answered"), ends("logout.settled")), (1, 1), "{kinds:?}");
    // Who reopens the app is signed out, and who asks again lands on the same end.
    assert!(!ada.is_in(&world, &app).await);
    let hint = ada.hint().to_owned();
    assert_eq!(world.sign_out(&mut ada.browser, &app, &hint).await.url.as_str(), home(&app));
}

both!(the_deadline_can_be_settled, settled);
async fn settled(on: On) {
    let setting = Setting::on(on).config(|config| config.logout.deadline = Duration::from_secs(30));
    let world = setting.begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    ada.begin(&world, &app).await;
    world.clock.advance(Duration::from_secs(31));
    eventually("the deadline", async || world.newest_logout().await.answered_at.is_some()).await;
    assert_eq!(idp_leg(&world).await, "no_answer (the IdP did not answer in time)");
}

/// As many as one look takes on.
const AT_ONCE: usize = 64;

both!(logouts_that_cannot_be_read_keep_no_other_from_its_deadline, unreadable);
async fn unreadable(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for _ in 0..AT_ONCE {
        signed_in(&world, &app, "ada").await.begin(&world, &app).await;
    }
    world.execute("UPDATE logout SET document = '{'").await;
    world.clock.advance(Duration::from_secs(1));
    signed_in(&world, &app, "bob").await.begin(&world, &app).await;
    world.clock.advance(Duration::from_secs(601));
    eventually("the deadline", async || world.newest_logout().await.answered_at.is_some()).await;
    assert_eq!(idp_leg(&world).await, "no_answer (the IdP did not answer in time)");
    // What can be read again is closed, too.
    let mended = "UPDATE logout SET document = (SELECT document FROM logout \
                  WHERE answered_at IS NOT NULL) WHERE answered_at IS NULL";
    world.execute(mended).await;
    world.clock.advance(Duration::from_secs(301));
    let open = async || {
        let all = world.use_cases().logouts(100).await.unwrap();
        all.iter().filter(|logout| !logout.answered).count()
    };
    eventually("all others", async || open().await == 0).await;
}

both!(legs_that_cannot_be_read_keep_no_other_from_being_told, unreadable_legs);
async fn unreadable_legs(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    app.answer_back_channel_with(Answer::Status(503));
    let mut people: Vec<SignedIn> = Vec::new();
    // More than one look takes on for one app.
    for _ in 0..6 {
        let mut ada = signed_in(&world, &app, "ada").await;
        ada.begin(&world, &app).await;
        people.push(ada);
    }
    let tried = async |tries: usize| app.received_logout_tokens().len() >= tries;
    eventually("the first tries", async || tried(6).await).await;
    world.execute("UPDATE logout SET document = '{'").await;
    world.clock.advance(Duration::from_secs(61));
    signed_in(&world, &app, "bob").await.begin(&world, &app).await;
    eventually("the first try for Bob", async || tried(7).await).await;
    app.answer_back_channel_with(Answer::Status(200));
    world.clock.advance(Duration::from_secs(61));
    let told = async || world.outcomes().await[0] == "app app-one: confirmed";
    eventually("the second try for Bob", told).await;
}
