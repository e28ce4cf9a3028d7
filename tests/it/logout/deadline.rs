//! Every logout is answered by its deadline, even if everybody vanishes.

use std::time::Duration;

use super::{eventually, home, idp_leg, signed_in};
use crate::both;
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
