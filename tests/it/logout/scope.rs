//! How far a sign-out of an app reaches.

use serde_json::json;
use sloop::mock_idp::Entry;
use sloop::paths;

use super::{home, signed_in};
use crate::both;
use crate::support::world::{On, World};

/// Signs ada out of an app with this scope; she is in another app too.
async fn reaches(on: On, scope: &str, outcomes: &[&str], told: usize, idp_asked: bool) {
    let world = World::on(on).await;
    let one = world.app_with("app-one", json!({ "scope": scope })).await;
    let two = world.app("app-two").await;
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let hint = ada.hint().to_owned();

    let end = world.sign_out(&mut ada.browser, &one, &hint).await;

    assert_eq!(end.url.as_str(), home(&one));
    assert_eq!(world.outcomes().await, outcomes);
    assert_eq!(
        (one.received_logout_tokens().len(), two.received_logout_tokens().len()),
        (told, told)
    );
    assert_eq!(world.idp.sessions().len(), usize::from(!idp_asked));
    let asked = |entry: &Entry| matches!(entry, Entry::LogoutRequest { .. });
    assert_eq!(world.idp.journal().iter().any(asked), idp_asked);
    // Whatever the reach, our own session is over, and nobody gets in by it.
    assert!(!ada.is_in(&world, &one).await && !ada.is_in(&world, &two).await);
    assert_eq!(one.userinfo(&ada.tokens.access_token).await.status, 401);
    // `federated` cannot lift it above the client's ceiling.
    let mut eve = signed_in(&world, &one, "eve").await;
    let before = world.idp.sessions().len();
    let url = world.url(&format!("{}?federated&client_id=app-one", paths::V2_LOGOUT));
    eve.browser.open(&url).await;
    assert_eq!(world.idp.sessions().len(), before - usize::from(idp_asked));
    assert!(!eve.is_in(&world, &one).await);
}

both!(op_only_ends_our_session_and_tells_nobody, op_only);
async fn op_only(on: On) {
    reaches(on, "op_only", &[], 0, false).await;
}

both!(all_apps_leaves_the_idp_alone, all_apps);
async fn all_apps(on: On) {
    let outcomes = ["app app-one: confirmed", "app app-two: confirmed"];
    reaches(on, "all_apps", &outcomes, 1, false).await;
}

both!(all_apps_and_idp_reaches_everybody, everybody);
async fn everybody(on: On) {
    let outcomes = ["app app-one: confirmed", "app app-two: confirmed", "IdP corp: confirmed"];
    reaches(on, "all_apps_and_idp", &outcomes, 1, true).await;
}

both!(an_outcome_says_what_was_not_asked, truth);
async fn truth(on: On) {
    let world = World::on(on).await;
    for (scope, outcome, summary) in [
        ("op_only", "local_only", "Signed out here. The apps and the IdPs were left as they are."),
        (
            "all_apps",
            "complete",
            "Every app of this session confirmed it. The IdP's own sign-in was left as it is, so the \
             next sign-in may not ask the person.",
        ),
    ] {
        let app = world.app_with(&format!("app-{}", scope.len()), json!({ "scope": scope })).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let page = ada.ask(&app, &[]).await;
        ada.browser.settle(page).await;
        let story = world.newest_logout().await;
        assert_eq!((story.outcome.as_str(), story.summary), (outcome, summary));
        assert_eq!(serde_json::to_value(&story).unwrap()["scope"], scope);
    }
}
