//! A logout that begins there, one service after the other (`logouttype = traditional`).

use super::{SIGNED_IN, Story, answered, home};
use crate::both;
use crate::support::simplesamlphp::Options;
use crate::support::world::On;

both!(a_logout_that_begins_at_simplesamlphp_ends_ours, begins_there);
async fn begins_there(on: On) {
    let story = Story::begin(on, Options::default(), "").await;
    let (world, idp) = (&story.world, &story.idp);
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = story.browser();
    let tokens = story.sign_in(&mut ada, &one, "ada").await;
    story.sign_in(&mut ada, &two, "nobody").await;
    let mut bob = story.browser();
    story.sign_in(&mut bob, &one, "bob").await;

    let (logout, its_end) = idp.logout_url();
    let end = ada.open(&logout).await;

    assert_eq!(end.url.as_str(), its_end, "{}", end.summary());
    let logout = ["LogoutResponse:recv"];
    assert_eq!(story.journal(), [&SIGNED_IN[..], &SIGNED_IN, &logout].concat());
    let outcomes = ["app app-one: confirmed", "app app-two: confirmed", "IdP corp: confirmed"];
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    assert_eq!(world.outcomes().await, outcomes);
    assert_eq!(idp.who_is_there(&mut ada).await, None);
    assert!(!world.is_signed_in(&mut ada, &one).await);
    assert!(!two.is_signed_in(tokens.claims["sid"].as_str().unwrap()).await);
    assert_eq!(idp.who_is_there(&mut bob).await.as_deref(), Some("bob"));
    assert!(world.is_signed_in(&mut bob, &one).await);
}

both!(our_partial_logout_is_a_success_to_simplesamlphp, our_partial);
async fn our_partial(on: On) {
    let story = Story::begin(on, Options::default(), "").await;
    let (world, idp) = (&story.world, &story.idp);
    let app = world.framed_app("framed").await;
    let mut ada = story.browser();
    story.sign_in(&mut ada, &app, "ada").await;

    let (logout, its_end) = idp.logout_url();
    let end = ada.open(&logout).await;

    assert_eq!(end.url.as_str(), its_end, "{}", end.summary());
    assert_eq!(app.loaded_frames().len(), 1);
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    assert_eq!(world.outcomes().await, ["app framed: unconfirmed", "IdP corp: confirmed"]);
    // It was told so, and reads the outer status only.
    assert_eq!(answered(&ada, &story).await, "Success PartialLogout");
    assert_eq!(story.journal()[2..], ["LogoutResponse:recv"]);
    assert_eq!(idp.who_is_there(&mut ada).await, None);
    assert!(!world.is_signed_in(&mut ada, &app).await);
}

both!(without_sign_logout_its_answer_proves_nothing_and_its_request_ends_nothing, unsigned);
async fn unsigned(on: On) {
    let unsigned = Options { signed: false, ..Options::default() };
    let story = Story::begin(on, unsigned, "").await;
    let (world, idp) = (&story.world, &story.idp);
    let app = world.app("app-one").await;
    let mut said = Vec::new();
    for settings in ["", "&unsigned_logout_response=accept"] {
        story.connect(settings).await;
        let mut ada = story.browser();
        let tokens = story.sign_in(&mut ada, &app, "ada").await;
        let end = world.sign_out(&mut ada, &app, &tokens.id_token).await;
        assert_eq!(end.url.as_str(), home(&app), "{}", end.summary());
        assert_eq!(idp.who_is_there(&mut ada).await, None);
        assert!(!world.is_signed_in(&mut ada, &app).await);
        said.extend(world.outcomes().await.pop());
    }
    assert_eq!(said, ["IdP corp: unconfirmed", "IdP corp: confirmed"]);

    // No setting makes its own request count. It goes on all the same, and its session is gone.
    let mut ada = story.browser();
    story.sign_in(&mut ada, &app, "ada").await;
    let (logout, its_end) = idp.logout_url();
    let end = ada.open(&logout).await;
    assert_eq!(end.url.as_str(), its_end, "{}", end.summary());
    assert_eq!(story.journal().pop().unwrap(), "LogoutResponse:recv error");
    assert_eq!(answered(&ada, &story).await, "Requester RequestDenied");
    assert_eq!(idp.who_is_there(&mut ada).await, None);
    assert!(world.is_signed_in(&mut ada, &app).await);
    assert_eq!(world.logout_count().await, 2);
}
