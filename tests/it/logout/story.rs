//! `sloop logout show`: what happened, in order, without naming a person.

use sloop::store::RecordedEvent;

use super::{home, signed_in};
use crate::both;
use crate::support::world::{On, World};

both!(a_logout_tells_its_story, told);
async fn told(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let name_id = world.idp.sessions()[0].name_id.value.clone();
    let index = world.idp.sessions()[0].session_index.clone().unwrap();
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &one, &hint).await;

    let story = world.settled().await;

    assert_eq!(story.summary, "The session has ended everywhere: every party confirmed it.");
    assert_eq!(story.reason, "an app asked for it");
    assert_eq!(story.asked_by.as_deref(), Some("app-one"));
    assert_eq!(story.returns_to, Some(one.post_logout_redirect_uri()), "without the state");
    let legs: Vec<_> =
        story.legs.iter().map(|leg| (leg.party.as_str(), leg.session_indexes)).collect();
    assert_eq!(legs, [("app app-one", 0), ("app app-two", 0), ("IdP corp", 1)]);
    assert_eq!(story.legs[0].channel, "back-channel logout token");
    let channel = format!("LogoutRequest by Redirect to {}/slo", world.idp_url);
    assert_eq!(story.legs[2].channel, channel);
    // One event per transition, in their order. Apps are told beside the browser's way.
    let (of_apps, others): (Vec<&RecordedEvent>, Vec<_>) =
        story.events.iter().partition(|event| event.kind == "leg.closed" && event.idp.is_none());
    let kinds: Vec<&str> = others.iter().map(|event| event.kind.as_str()).collect();
    let expected = [
        "session.ended",
        "logout.begun",
        // It keeps an IdP that does not confirm from signing the person in again.
        "relogin_lock.set",
        "leg.sent",
        "relogin_lock.lifted",
        "leg.closed",
        "logout.answered",
        "logout.settled",
    ];
    assert_eq!(kinds, expected);
    let mut told: Vec<_> = of_apps.iter().map(|event| event.client.as_deref()).collect();
    told.sort_unstable();
    assert_eq!(told, [Some("app-one"), Some("app-two")]);
    let at: Vec<&str> = story.events.iter().map(|event| event.at.as_str()).collect();
    assert!(at.is_sorted(), "{at:?}");
    let place = |kind: &str| story.events.iter().position(|event| event.kind == kind);
    let closed = |event: &RecordedEvent| event.kind == "leg.closed";
    assert!(story.events.iter().position(closed) > place("logout.begun"));
    assert!(story.events.iter().rposition(closed) < place("logout.settled"));
    // Neither the person nor any secret stands in it.
    let json = serde_json::to_string(&story).unwrap();
    for secret in [name_id.as_str(), index.as_str(), hint.as_str(), "the-state", "ada@"] {
        assert!(!json.contains(secret), "{secret} in {json}");
    }
    assert!(home(&one).contains("the-state"));
}

both!(another_person_in_the_same_browser_ends_the_session_before, switched);
async fn switched(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let attempt = app.begin(&[("prompt", "login")]).await;
    let callback = world.at_app(&mut ada.browser, &app, &attempt, "bob").await;
    let bob = app.finish(&attempt, &callback).await.unwrap();
    assert_ne!(bob.claims["sid"], ada.tokens.claims["sid"]);
    let story = world.settled().await;
    assert_eq!(story.reason, "another person signed in with this browser");
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: not_sent"]);
    assert!(!app.is_signed_in(ada.sid()).await);
    assert_eq!(app.userinfo(&ada.tokens.access_token).await.status, 401);
    assert_eq!(app.userinfo(&bob.access_token).await.status, 200);
    assert!(ada.is_in(&world, &app).await, "the browser is bob's now");
}
