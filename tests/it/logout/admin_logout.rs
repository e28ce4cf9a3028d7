//! An administrator ends a session: nobody's browser is there.

use serde_json::Value;
use sloop::saml::LogoutReason;

use super::signed_in;
use crate::both;
use crate::support::rp::Answer;
use crate::support::soap_idp::SoapIdp;
use crate::support::wire::Response;
use crate::support::world::{On, World};

const JSON: &str = "application/json";

pub(super) async fn live(world: &World, query: &str) -> Vec<Value> {
    let path = format!("{}{query}", sloop::paths::API_SESSIONS);
    let listing = world.api("GET", &path, JSON, "").await;
    assert_eq!(listing.status, 200, "{}", listing.body);
    listing.json()["items"].as_array().unwrap().clone()
}

pub(super) async fn end(world: &World, id: &Value) -> Response {
    let path = format!("{}/{}", sloop::paths::API_SESSIONS, id.as_str().unwrap());
    world.api("DELETE", &path, JSON, "").await
}

both!(apps_and_an_idp_with_soap_are_told_without_a_browser, by_soap);
async fn by_soap(on: On) {
    let world = World::on(on).await;
    let soap = SoapIdp::connect(&world).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let issued = world.idp.sessions().remove(0);
    let mut elsewhere = signed_in(&world, &one, "ada").await;
    let mut bob = signed_in(&world, &one, "bob").await;
    let sessions = live(&world, "").await;
    assert_eq!(sessions.len(), 3);

    let ended = end(&world, &sessions[0]["id"]).await;

    assert_eq!(ended.status, 200, "{}", ended.body);
    let story = ended.json();
    assert_eq!(story["outcome"], "complete");
    assert_eq!(story["reason"], "an administrator ended the session");
    let outcomes = ["app app-one: confirmed", "app app-two: confirmed", "IdP corp: confirmed"];
    assert_eq!(world.outcomes().await, outcomes);
    assert!(!ada.is_in(&world, &one).await);
    for app in [&one, &two] {
        let [token] = app.logouts().await.unwrap().try_into().expect("one token");
        assert_eq!(
            (&token["sid"], &token["sub"]),
            (&ada.tokens.claims["sid"], &sessions[0]["sub"])
        );
    }
    assert_eq!(one.userinfo(&ada.tokens.access_token).await.status, 401);
    let [heard] = soap.heard().try_into().expect("one LogoutRequest");
    assert_eq!(heard.request.reason, Some(LogoutReason::Admin));
    assert_eq!(heard.request.name_id, issued.name_id);
    assert_eq!(heard.request.session_indexes, [issued.session_index.unwrap()]);
    // Nobody else is touched.
    assert!(elsewhere.is_in(&world, &one).await && bob.is_in(&world, &one).await);
    let left: Vec<_> = live(&world, "").await.iter().map(|it| it["id"].clone()).collect();
    assert_eq!(left, [sessions[1]["id"].clone(), sessions[2]["id"].clone()]);
    // It is over, so it cannot be ended once more.
    let again = end(&world, &sessions[0]["id"]).await;
    assert_eq!((again.status, again.json()["code"].as_str()), (404, Some("not_found")));
    assert_eq!(world.logout_count().await, 1);
}

both!(an_idp_that_needs_a_browser_is_not_asked_and_the_logout_says_so, needs_browser);
async fn needs_browser(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let visits = world.idp.journal().len();
    let sessions = live(&world, "").await;

    let story = end(&world, &sessions[0]["id"]).await.json();

    assert!(!ada.is_in(&world, &app).await);
    assert!(!app.is_signed_in(ada.sid()).await);
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: not_possible"]);
    let why = "not_possible (no browser is there, and this IdP can only be asked through one)";
    assert_eq!(story["legs"][1]["said"], why);
    assert_eq!(story["outcome"], "partial");
    assert!(story["settled_at"].is_string() && story["answered_at"].is_string(), "{story}");
    assert_eq!(world.idp.journal().len(), visits, "the IdP was not asked");
    assert_eq!(world.idp.sessions().len(), 1, "and nothing claims that it was");
    // That session alone brings her not back: the IdP has to ask who is there.
    world.clock.advance(std::time::Duration::from_secs(2));
    let attempt = app.begin(&[]).await;
    let page = ada.browser.open(attempt.url.as_str()).await;
    assert!(page.url.as_str().starts_with(&world.idp_url), "{}", page.summary());
    assert!(!ada.is_in(&world, &app).await);
    world.sign_in(&mut ada.browser, &app, "ada").await;
    assert!(ada.is_in(&world, &app).await);
}

both!(two_administrators_end_it_once, at_once);
async fn at_once(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for _ in 0..5 {
        let mut ada = signed_in(&world, &app, "ada").await;
        let before = (world.logout_count().await, app.received_logout_tokens().len());
        let id = live(&world, "").await[0]["id"].clone();
        let (one, two, three) = tokio::join!(end(&world, &id), end(&world, &id), end(&world, &id));
        let mut statuses = [one.status, two.status, three.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404, 404]);
        assert_eq!(world.logout_count().await, before.0 + 1);
        assert_eq!(app.received_logout_tokens().len(), before.1 + 1);
        assert!(!ada.is_in(&world, &app).await);
    }
}

both!(a_client_that_is_gone_by_the_end_does_not_stop_a_logout, client_gone);
async fn client_gone(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    one.answer_back_channel_with(Answer::Status(500));
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    // It is gone while the browser is at the IdP, and after one failed try.
    let url = world.logout_url(&one, ada.hint(), "the-state").await;
    let to_idp = ada.browser.get(url.as_str()).await;
    let said = async || world.newest_logout().await.legs.remove(0).said;
    super::eventually("a failed try", async || said().await.starts_with("told ")).await;
    world.execute("DELETE FROM client WHERE id = 'app-one'").await;
    world.execute("UPDATE setting SET value = value + 1 WHERE name = 'settings_version'").await;

    let end = ada.browser.settle(to_idp).await;

    // The URL was checked when the logout began, and nothing later changes it.
    assert_eq!(end.url.as_str(), super::home(&one), "{}", end.summary());
    assert!(!ada.is_in(&world, &two).await);
    world.clock.advance(std::time::Duration::from_secs(6));
    let story = world.settled().await;
    let gone = "dead_letter (the app is not registered any more)";
    assert_eq!(story.legs[0].said, gone);
    let outcomes = ["app app-one: dead_letter", "app app-two: confirmed", "IdP corp: confirmed"];
    assert_eq!(world.outcomes().await, outcomes);

    // Gone before the logout began: the leg says so, and the others are told.
    let mut bob = signed_in(&world, &two, "bob").await;
    world.execute("DELETE FROM client WHERE id = 'app-two'").await;
    world.execute("UPDATE setting SET value = value + 1 WHERE name = 'settings_version'").await;
    let three = world.app("app-three").await;
    world.sign_in(&mut bob.browser, &three, "bob").await;
    let sessions = live(&world, "").await;
    let story = self::end(&world, &sessions[0]["id"]).await.json();
    assert_eq!(story["legs"][0]["said"], "not_possible (the app is not registered any more)");
    assert_eq!(story["legs"][1]["outcome"], "confirmed");
    assert!(!bob.is_in(&world, &three).await);
}
