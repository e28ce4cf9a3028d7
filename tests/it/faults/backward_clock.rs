//! The clock of the database is put back: what has ended stays ended, and what was used stays used.

use std::time::Duration;

use crate::both;
use crate::logout::eventually;
use crate::support::rp::{Answer, Failure};
use crate::support::world::{On, World};

both!(nothing_that_has_ended_revives, backward);
async fn backward(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let (mut ada, mut bob) = (world.browser(), world.browser());
    let of_bob = world.sign_in(&mut bob, &app, "bob").await;
    let attempt = app.begin(&[]).await;
    let callback = world.at_app(&mut ada, &app, &attempt, "ada").await;
    let of_ada = app.finish(&attempt, &callback).await.unwrap();
    // The app is away, so that the logout is still under way.
    app.answer_back_channel_with(Answer::Status(502));
    world.clock.advance(Duration::from_secs(7200));
    let end = world.sign_out(&mut ada, &app, &of_ada.id_token).await;
    assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()), "{}", end.summary());

    for back in [30, 3_600, 7_200] {
        world.clock.put_back(Duration::from_secs(back));
        assert!(!world.is_signed_in(&mut ada, &app).await, "{back} s back");
        assert_eq!(app.userinfo(&of_ada.access_token).await.status, 401);
        let dead = Failure::Token(400, "invalid_grant".into());
        assert_eq!(app.finish(&attempt, &callback).await.unwrap_err(), dead);
        assert!(world.is_signed_in(&mut bob, &app).await, "{back} s back");
    }
    assert_eq!(app.userinfo(&of_bob.access_token).await.status, 200);
    // The logout goes on, at the latest when the clock is where it was.
    app.answer_back_channel_with(Answer::Status(200));
    world.clock.advance(Duration::from_secs(30 + 3_600 + 7_200 + 60));
    eventually("its end", async || world.newest_logout().await.settled_at.is_some()).await;
    assert_eq!(world.newest_logout().await.outcome.as_str(), "complete");
}
