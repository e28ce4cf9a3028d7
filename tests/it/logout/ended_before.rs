//! An IdP asks to end what somebody else has ended before. It hears that all is over only if every app
//! has confirmed, whoever began.

use std::time::Duration;

use serde_json::json;
use sloop::connection::{IdpSettings, LogoutRequestMatch};
use sloop::mock_idp::Session;
use sloop::paths;

use super::signed_in;
use crate::both;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::rp::Answer;
use crate::support::world::{On, World};

const HOUR: Duration = Duration::from_secs(3600);

fn newest(world: &World) -> Session {
    world.idp.sessions().pop().expect("somebody is signed in at the IdP")
}

/// What the IdP hears, by every way in which it may ask.
async fn hears(world: &World, key: &IdpKey, session: &Session) -> String {
    let mut heard = Vec::new();
    for by in [By::Redirect, By::Post] {
        let page = key.asks(world, session).through(&mut world.browser(), by).await;
        heard.push(Answered::of(world, &page).await.status());
    }
    let answer = key.asks(world, session).by_soap(world).await;
    heard.push(Answered::in_envelope(world, &answer).await.status());
    heard.dedup();
    heard.join(", ")
}

both!(an_app_that_has_not_heard_of_it_makes_it_a_partial_logout, unheard);
async fn unheard(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    // Not before a minute is over, whatever a try now would say.
    two.answer_back_channel_with(Answer::Later(503, 60));
    let mut ada = signed_in(&world, &one, "ada").await;
    let session = newest(&world);
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let mut elsewhere = signed_in(&world, &one, "ada").await;
    let other = newest(&world);
    ada.begin(&world, &one).await;

    assert_eq!(hears(&world, &key, &session).await, "Success PartialLogout");
    // That is said of this session, and of no other.
    assert_eq!(world.logout_count().await, 1);
    assert!(elsewhere.is_in(&world, &one).await);
    assert_eq!(hears(&world, &key, &other).await, "Success");
    // Until it has.
    two.answer_back_channel_with(Answer::Status(200));
    world.clock.advance(Duration::from_secs(61));
    world.work().await;
    assert_eq!(two.logouts().await.unwrap().len(), 2, "one that failed, and one");
    assert_eq!(hears(&world, &key, &session).await, "Success");
}

both!(what_cannot_be_looked_through_to_its_end_makes_it_one_too, no_end);
async fn no_end(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = newest(&world);
    ada.begin(&world, &app).await;
    // As if she had signed in and out every few minutes.
    let another = async |number: usize| {
        let sql = format!(
            "INSERT INTO idp_session \
             (id, browser_session_id, idp_id, name_id_hash, principal_hash, sealed) \
             SELECT 'another-{number}', browser_session_id, 'another-{number}', name_id_hash, \
             principal_hash, sealed FROM idp_session WHERE id NOT LIKE 'another-%'"
        );
        world.execute(&sql).await;
    };
    for number in 1..255 {
        another(number).await;
    }
    assert_eq!(hears(&world, &key, &session).await, "Success");
    another(255).await;
    assert_eq!(hears(&world, &key, &session).await, "Success PartialLogout");
}

both!(a_logout_that_cannot_be_read_any_more_makes_it_one_too, unreadable);
async fn unreadable(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = newest(&world);
    ada.begin(&world, &app).await;
    assert_eq!(hears(&world, &key, &session).await, "Success");
    world.execute("UPDATE leg SET document = '{}'").await;
    assert_eq!(hears(&world, &key, &session).await, "Success PartialLogout");
}

both!(an_app_that_was_left_alone_on_purpose_makes_it_one_too, left_alone);
async fn left_alone(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app_with("app-one", json!({ "scope": "op_only" })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = newest(&world);
    ada.ask(&app, &[]).await;
    assert!(!ada.is_in(&world, &app).await && app.is_signed_in(ada.sid()).await);
    assert_eq!(hears(&world, &key, &session).await, "Success PartialLogout");
}

both!(by_whoever_it_was_begun_and_however_it_is_found, others);
async fn others(on: On) {
    let world = World::on(on).await;
    let settings = IdpSettings {
        logout_request_match: LogoutRequestMatch::SessionIndex,
        ..IdpSettings::default()
    };
    let key = IdpKey::connect_with(&world, settings).await;
    let app = world.app("app-one").await;
    for (status, heard) in [(500, "Success PartialLogout"), (200, "Success")] {
        app.answer_back_channel_with(Answer::Status(status));
        let ada = signed_in(&world, &app, "ada").await;
        let mut session = newest(&world);
        let sub = json!({ "sub": ada.tokens.claims["sub"] }).to_string();
        let ended = world.api("POST", paths::API_SIGN_OUT, "application/json", &sub).await;
        assert_eq!(ended.json()["items"].as_array().map(Vec::len), Some(1));
        // The IdP calls the person by another name than at the sign-in.
        session.name_id.value = "somebody".to_owned();
        assert_eq!(hears(&world, &key, &session).await, heard);
    }
}

both!(what_had_lapsed_before_it_was_ended_counts_as_long_as_anything, lapsed);
async fn lapsed(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    // Its time is over by idleness, or by its age.
    for (uses, hours) in [(0, 8), (3, 24)] {
        app.answer_back_channel_with(Answer::Later(503, 3600));
        let mut ada = signed_in(&world, &app, "ada").await;
        let session = newest(&world);
        for _ in 0..uses {
            world.clock.advance(7 * HOUR);
            assert!(ada.is_in(&world, &app).await);
        }
        // A lapsed one is kept for a day. In its last half an hour she signs out of it.
        world.clock.advance((hours - 7 * uses + 24) * HOUR - HOUR / 2);
        ada.browser.open(&world.url(paths::V2_LOGOUT)).await;
        assert_eq!(world.outcomes().await, ["app app-one: open"], "{hours}");
        world.clock.advance(HOUR / 2 + HOUR / 12);
        world.use_cases().clean_up().await.unwrap();

        assert_eq!(hears(&world, &key, &session).await, "Success PartialLogout", "{hours}");
        app.answer_back_channel_with(Answer::Status(200));
        world.clock.advance(HOUR / 2);
        world.work().await;
        assert_eq!(hears(&world, &key, &session).await, "Success", "{hours}");
    }
}
