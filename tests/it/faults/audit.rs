//! What cannot be recorded does not happen.

use crate::both;
use crate::support::world::{On, World};

both!(a_logout_that_cannot_be_recorded_does_not_happen, unrecorded);
async fn unrecorded(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let (mut ada, mut bob) = (world.browser(), world.browser());
    let of_ada = world.sign_in(&mut ada, &app, "ada").await;
    let of_bob = world.sign_in(&mut bob, &app, "bob").await;
    world.sign_out(&mut bob, &app, &of_bob.id_token).await;
    world.settled().await;
    // The audit takes no second logout.
    let full = "CREATE UNIQUE INDEX audit_is_full ON audit (kind) WHERE kind = 'logout.begun'";
    world.execute(full).await;
    let before = world.audit().await.len();

    let url = world.logout_url(&app, &of_ada.id_token, "the-state").await;
    let refused = ada.get(url.as_str()).await;

    assert_eq!(refused.status, 503, "{}", refused.summary());
    assert!(!refused.text().contains("signed out"), "{}", refused.summary());
    assert!(world.is_signed_in(&mut ada, &app).await);
    assert_eq!(app.userinfo(&of_ada.access_token).await.status, 200);
    assert_eq!(world.logout_count().await, 1);
    assert_eq!(app.received_logout_tokens().len(), 1, "nobody is told of what did not happen");
    let ended = world.audit().await.split_off(before);
    assert!(ended.iter().all(|event| event.kind != "session.ended"), "{ended:?}");

    world.execute("DROP INDEX audit_is_full").await;
    let end = world.sign_out(&mut ada, &app, &of_ada.id_token).await;
    assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()), "{}", end.summary());
    assert!(!world.is_signed_in(&mut ada, &app).await);
    assert_eq!(world.logout_count().await, 2);
}
