//! The authorization code: for one client, one URI, one time, one minute, one session.

use std::time::Duration;

use serde_json::json;

use crate::both;
use crate::support::query::{silent_code, token, token_fields};
use crate::support::rp::Failure;
use crate::support::world::{On, World};

const INVALID_GRANT: (u16, &str) = (400, "invalid_grant");

fn is(outcome: (u16, String), wanted: (u16, &str)) {
    assert_eq!((outcome.0, outcome.1.as_str()), wanted);
}

both!(a_code_is_for_its_client_and_its_uri, bound);
async fn bound(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    world.sign_in(&mut browser, &one, "ada").await;
    let (attempt, code) = silent_code(&mut browser, &one).await;
    let (own, other) = (one.redirect_uri(), two.redirect_uri());

    // Another client, with its own credentials, with either URI.
    for uri in [&own, &other] {
        let mut fields = token_fields(&two, &attempt, &code, uri);
        is(token(&world, &[], &fields).await.outcome(), INVALID_GRANT);
        fields.retain(|(name, _)| *name != "redirect_uri");
        is(token(&world, &[], &fields).await.outcome(), INVALID_GRANT);
    }
    // The right client, with another URI or none.
    let slash = format!("{own}/");
    for uri in [other.as_str(), slash.as_str(), ""] {
        let fields = token_fields(&one, &attempt, &code, uri);
        is(token(&world, &[], &fields).await.outcome(), INVALID_GRANT);
    }
    is(
        token(&world, &[], &token_fields(&one, &attempt, "unknown", &own)).await.outcome(),
        INVALID_GRANT,
    );
    // None of that used it up.
    let tokens = one.redeem(&attempt, &code).await.unwrap();
    assert_eq!(one.userinfo(&tokens.access_token).await.status, 200);
}

both!(a_code_that_comes_twice_takes_its_tokens_back, twice);
async fn twice(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let other = world.sign_in(&mut browser, &two, "ada").await;

    for seconds in [0, 30] {
        let (attempt, code) = silent_code(&mut browser, &one).await;
        let tokens = one.redeem(&attempt, &code).await.unwrap();
        assert_eq!(one.userinfo(&tokens.access_token).await.status, 200);
        world.clock.advance(Duration::from_secs(seconds));

        let again = one.redeem(&attempt, &code).await.unwrap_err();

        assert_eq!(again, Failure::Token(400, "invalid_grant".into()));
        assert_eq!(one.userinfo(&tokens.access_token).await.status, 401, "{seconds} s later");
    }
    // Only what came of that code: the person and the other app are where they were.
    assert!(world.is_signed_in(&mut browser, &one).await);
    assert_eq!(two.userinfo(&other.access_token).await.status, 200);
}

both!(of_fifty_redemptions_at_once_exactly_one_wins, race);
async fn race(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let (attempt, code) = silent_code(&mut browser, &app).await;
    let uri = app.redirect_uri();
    let fields = token_fields(&app, &attempt, &code, &uri);

    let all = (0..50).map(|_| token(&world, &[], &fields));
    let answers = futures_util::future::join_all(all).await;

    let mut outcomes: Vec<_> = answers.iter().map(|answer| answer.outcome()).collect();
    outcomes.sort();
    assert_eq!(outcomes[0], (200, String::new()), "{outcomes:?}");
    assert!(outcomes[1..].iter().all(|o| *o == (400, "invalid_grant".into())), "{outcomes:?}");
    // The others looked like a thief, so the one token is gone as well; the person is not.
    let won = answers.iter().find(|answer| answer.0.status == 200).unwrap().json();
    let access_token = won["access_token"].as_str().unwrap();
    assert_eq!(app.userinfo(access_token).await.status, 401);
    assert!(world.is_signed_in(&mut browser, &app).await);
}

both!(a_code_lives_for_a_minute, lifetime);
async fn lifetime(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;

    for (seconds, works) in [(50, true), (61, false)] {
        let (attempt, code) = silent_code(&mut browser, &app).await;
        world.clock.advance(Duration::from_secs(seconds));
        let outcome = app.redeem(&attempt, &code).await;
        assert_eq!(outcome.is_ok(), works, "{seconds}: {outcome:?}");
    }
}

both!(a_code_dies_with_its_session, after_logout);
async fn after_logout(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let (mut browser, mut elsewhere) = (world.browser(), world.browser());
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    world.sign_in(&mut elsewhere, &app, "ada").await;
    let (attempt, code) = silent_code(&mut browser, &app).await;
    let (kept_attempt, kept) = silent_code(&mut elsewhere, &app).await;

    world.sign_out(&mut browser, &app, &tokens.id_token).await;

    let failed = app.redeem(&attempt, &code).await.unwrap_err();
    assert_eq!(failed, Failure::Token(400, "invalid_grant".into()));
    assert!(!world.is_signed_in(&mut browser, &app).await);
    // The same person's other browser was not meant.
    app.redeem(&kept_attempt, &kept).await.unwrap();
}

both!(a_code_outlives_a_restart_and_is_still_used_once, restart);
async fn restart(on: On) {
    let mut world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let (attempt, code) = silent_code(&mut browser, &app).await;

    world.restart().await;
    let tokens = app.redeem(&attempt, &code).await.unwrap();
    assert_eq!(tokens.answer["token_type"], json!("Bearer"));
    world.restart().await;

    let again = app.redeem(&attempt, &code).await.unwrap_err();
    assert_eq!(again, Failure::Token(400, "invalid_grant".into()));
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 401);
}
