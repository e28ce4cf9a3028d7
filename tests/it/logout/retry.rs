//! What was given up is told again when somebody wants it.

use std::time::Duration;

use serde_json::Value;

use super::{home, signed_in};
use crate::both;
use crate::support::rp::Answer;
use crate::support::wire::Response;
use crate::support::world::{On, World};

async fn retry(world: &World, id: &str) -> Response {
    let path = format!("{}/{id}/retry", sloop::paths::API_LOGOUTS);
    world.api("POST", &path, "application/json", "").await
}

/// The legs of an answer: party and outcome.
fn outcomes(story: &Value) -> Vec<String> {
    let legs = story["legs"].as_array().unwrap();
    let outcome = |leg: &Value| {
        let outcome = leg["outcome"].as_str().unwrap_or("open");
        format!("{}: {outcome}", leg["party"].as_str().unwrap())
    };
    legs.iter().map(outcome).collect()
}

both!(dead_letters_and_refusals_are_told_again_for_three_more_days, dead_letter);
async fn dead_letter(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let three = world.app("app-three").await;
    one.answer_back_channel_with(Answer::Status(500));
    two.answer_back_channel_with(Answer::Status(400));
    let mut ada = signed_in(&world, &one, "ada").await;
    for app in [&two, &three] {
        world.sign_in(&mut ada.browser, app, "ada").await;
    }
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &one, &hint).await;
    assert_eq!(end.url.as_str(), home(&one));
    let id = world.newest_logout().await.id.to_string();
    let is_told = async || world.outcomes().await[2] == "app app-three: confirmed";
    super::eventually("the app that works", is_told).await;
    give_up(&world).await;
    let story = world.settled().await;
    let given_up = [
        "app app-one: dead_letter",
        "app app-two: refused",
        "app app-three: confirmed",
        "IdP corp: confirmed",
    ];
    assert_eq!(world.outcomes().await, given_up);
    let (tries, settled_at) = (one.received_logout_tokens().len(), story.settled_at.unwrap());

    // One of them is mended.
    two.answer_back_channel_with(Answer::Status(200));
    let answer = retry(&world, &id).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    let story = answer.json();
    assert_eq!(story["settled_at"], Value::Null, "it is not over any more");
    assert!(story["answered_at"].is_string());
    assert_eq!(outcomes(&story)[..2], ["app app-one: open", "app app-two: confirmed"]);
    assert!(one.received_logout_tokens().len() > tries);
    assert_eq!(three.received_logout_tokens().len(), 1, "who confirmed is left alone");
    assert_eq!(two.logouts().await.unwrap().last().unwrap()["sid"], ada.sid());
    let retried = |story: &Value| {
        let events = story["events"].as_array().unwrap();
        events.iter().filter(|event| event["kind"] == "leg.retried").count()
    };
    assert_eq!(retried(&story), 2);
    // It begins anew with short waits, and ends after three days of its own.
    let again = world.clock.now();
    world.clock.advance(Duration::from_secs(2));
    super::eventually("another try", async || one.received_logout_tokens().len() >= tries + 2)
        .await;
    give_up(&world).await;
    let story = world.settled().await;
    assert_eq!(world.outcomes().await[0], "app app-one: dead_letter");
    let took = world.clock.now().since(again).as_secs() / 3600;
    assert!((64..90).contains(&took), "{took} h");
    assert!(story.settled_at.unwrap() > settled_at);

    // And once more, with the app back.
    one.answer_back_channel_with(Answer::Status(200));
    let story = retry(&world, &id).await.json();
    assert_eq!(story["outcome"], "complete", "{story}");
    assert_eq!(retried(&story), 3);
    let nothing = retry(&world, &id).await;
    let code = nothing.json()["code"].clone();
    assert_eq!((nothing.status, code.as_str()), (409, Some("nothing_to_retry")));
    assert!(!one.is_signed_in(ada.sid()).await);
}

/// Time passes until everybody was told or given up.
async fn give_up(world: &World) {
    for _ in 0..60 {
        if world.newest_logout().await.settled_at.is_some() {
            return;
        }
        world.clock.advance(Duration::from_secs(4 * 3600 + 1));
        world.work().await;
    }
}
