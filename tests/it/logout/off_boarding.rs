//! A person leaves, and is signed out of everything.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use sloop::saml::LogoutReason;

use super::admin_logout::{end, live};
use super::{damage_the_oldest, ended_sessions, eventually, signed_in};
use crate::both;
use crate::support::rp::Answer;
use crate::support::soap_idp::SoapIdp;
use crate::support::wire::Response;
use crate::support::world::{On, World};

async fn sign_out(world: &World, sub: &serde_json::Value) -> Response {
    let body = json!({ "sub": sub }).to_string();
    let answer = world.api("POST", sloop::paths::API_SIGN_OUT, "application/json", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

both!(every_session_of_the_person_ends_and_nobody_elses, everywhere);
async fn everywhere(on: On) {
    let world = World::on(on).await;
    let soap = SoapIdp::connect(&world).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut desk = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut desk.browser, &two, "ada").await;
    let mut phone = signed_in(&world, &one, "ada").await;
    let mut bob = signed_in(&world, &one, "bob").await;
    let sub = desk.tokens.claims["sub"].clone();
    assert_eq!(phone.tokens.claims["sub"], sub);

    let logouts = sign_out(&world, &sub).await.json()["items"].clone();

    assert_eq!(logouts.as_array().map(Vec::len), Some(2));
    for logout in logouts.as_array().unwrap() {
        assert_eq!(logout["outcome"], "complete", "{logout}");
        assert_eq!(logout["reason"], "an administrator signed the person out of everything");
    }
    assert!(!desk.is_in(&world, &one).await && !phone.is_in(&world, &one).await);
    assert!(bob.is_in(&world, &one).await);
    assert!(one.is_signed_in(bob.sid()).await);
    // Back-Channel Logout 1.0 2.4: the whole person, so no `sid`.
    for (app, tokens) in [(&one, 2), (&two, 1)] {
        let told = app.logouts().await.unwrap();
        assert_eq!(told.len(), tokens);
        for claims in told {
            assert_eq!(claims["sub"], sub);
            assert!(!claims.contains_key("sid"), "{claims:?}");
        }
        assert!(!app.is_signed_in(desk.sid()).await && !app.is_signed_in(phone.sid()).await);
    }
    let heard = soap.heard();
    assert_eq!(heard.len(), 2, "one LogoutRequest per IdP session");
    assert!(heard.iter().all(|it| it.request.reason == Some(LogoutReason::Admin)));
    // Once more: nobody is left, and the audit names no person.
    assert_eq!(sign_out(&world, &sub).await.json(), json!({ "items": [] }));
    let audit = world.audit().await;
    assert_eq!(audit.iter().filter(|event| event.kind == "person.signed_out").count(), 2);
    assert!(audit.iter().all(|event| !event.detail.contains(sub.as_str().unwrap())));
}

both!(an_app_that_needs_the_sid_is_told_of_each_session, needs_sid);
async fn needs_sid(on: On) {
    let world = World::on(on).await;
    let needs = json!({ "backchannel_logout_session_required": true });
    let (one, two) = (world.app_with("app-one", needs).await, world.app("app-two").await);
    let mut desk = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut desk.browser, &two, "ada").await;
    let phone = signed_in(&world, &one, "ada").await;
    let bob = signed_in(&world, &one, "bob").await;
    let sub = desk.tokens.claims["sub"].clone();

    sign_out(&world, &sub).await;

    let all = async || (one.received_logout_tokens().len(), two.received_logout_tokens().len());
    eventually("every token", async || all().await == (2, 1)).await;
    let told = one.logouts().await.unwrap();
    assert!(told.iter().all(|claims| claims["sub"] == sub));
    let sids: BTreeSet<_> = told.iter().map(|claims| claims["sid"].as_str().unwrap()).collect();
    assert_eq!((told.len(), sids), (2, BTreeSet::from([desk.sid(), phone.sid()])));
    assert!(one.is_signed_in(bob.sid()).await);
    // The other one takes the whole person at once.
    let told = two.logouts().await.unwrap();
    assert_eq!((told.len(), told[0].get("sid"), &told[0]["sub"]), (1, None, &sub));
    assert!(!desk.is_in(&world, &one).await && !two.is_signed_in(desk.sid()).await);
}

both!(a_damaged_session_ends_and_keeps_no_other_alive, damaged);
async fn damaged(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let broken = signed_in(&world, &app, "ada").await;
    let mut whole = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    damage_the_oldest(&world).await;
    assert_eq!(sessions(&world).await, 3, "it is listed like the others");

    let logouts = sign_out(&world, &whole.tokens.claims["sub"]).await.json()["items"].clone();

    assert_eq!(logouts.as_array().map(Vec::len), Some(2), "{logouts}");
    assert!(!whole.is_in(&world, &app).await && !app.is_signed_in(whole.sid()).await);
    assert!(!app.is_signed_in(broken.sid()).await);
    assert_eq!(ended_sessions(&world).await, 2);
    assert_eq!(app.userinfo(&broken.tokens.access_token).await.status, 401);
    assert!(bob.is_in(&world, &app).await);
    assert_eq!(sessions(&world).await, 1);
}

/// How many live sessions the API lists.
async fn sessions(world: &World) -> usize {
    let answer = world.api("GET", sloop::paths::API_SESSIONS, "application/json", "").await;
    answer.json()["items"].as_array().expect("a list").len()
}

both!(a_sign_in_on_its_way_signs_nobody_in_and_a_later_one_does, on_its_way);
async fn on_its_way(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let ada = signed_in(&world, &app, "ada").await;
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;
    let asked = browser.open(attempt.url.as_str()).await;
    // The IdP has answered; the browser has not brought it yet.
    let answering = browser.submit(&asked, &[("user", "ada")]).await;
    let (mut bobs, bobs_attempt) = (world.browser(), app.begin(&[]).await);
    let asked = bobs.open(bobs_attempt.url.as_str()).await;
    let bob_answering = bobs.submit(&asked, &[("user", "bob")]).await;
    sign_out(&world, &ada.tokens.claims["sub"]).await;
    assert_eq!(world.logout_count().await, 1);

    let end = browser.settle(answering).await;

    assert_eq!(end.query("error").as_deref(), Some("access_denied"), "{}", end.summary());
    let described = end.query("error_description").unwrap();
    assert_eq!(described, "an administrator has signed this person out");
    assert!(!world.is_signed_in(&mut browser, &app).await);
    assert_eq!(world.logout_count().await, 1, "no session ever began");
    // Somebody else is not meant, nor whoever begins anew: that is for the IdP to refuse.
    let end = bobs.settle(bob_answering).await;
    assert!(end.query("code").is_some(), "{}", end.summary());
    let mut again = signed_in(&world, &app, "ada").await;
    assert!(again.is_in(&world, &app).await);
}

both!(a_sign_in_that_arrives_at_the_same_moment_does_not_survive, same_moment);
async fn same_moment(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let sub = signed_in(&world, &app, "ada").await.tokens.claims["sub"].clone();
    for round in 0..12u64 {
        let mut browser = world.browser();
        let attempt = app.begin(&[]).await;
        let asked = browser.open(attempt.url.as_str()).await;
        let answering = browser.submit(&asked, &[("user", "ada")]).await;
        let out = async {
            tokio::time::sleep(Duration::from_millis(round * 2)).await;
            sign_out(&world, &sub).await
        };
        let (end, _) = tokio::join!(browser.settle(answering), out);
        let redeemed = app.finish(&attempt, &end.url).await;
        assert!(!world.is_signed_in(&mut browser, &app).await, "round {round}: {}", end.summary());
        if let Ok(tokens) = redeemed {
            assert_eq!(app.userinfo(&tokens.access_token).await.status, 401, "round {round}");
        }
    }
}

both!(a_late_token_does_not_end_what_began_since, late_token);
async fn late_token(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    app.answer_back_channel_with(Answer::Later(503, 30));
    let ada = signed_in(&world, &app, "ada").await;
    sign_out(&world, &ada.tokens.claims["sub"]).await;
    let said = async || world.newest_logout().await.legs.remove(0).said;
    eventually("a failed try", async || said().await.starts_with("told 1 ")).await;
    // She is back before the app is.
    app.answer_back_channel_with(Answer::Status(200));
    let mut again = signed_in(&world, &app, "ada").await;
    world.clock.advance(Duration::from_secs(33));
    assert_eq!(world.settled().await.legs[0].outcome.unwrap().as_str(), "confirmed");
    let told = app.logouts().await.unwrap();
    assert!(!told[0].contains_key("sid"), "all of her sessions were over");
    assert_eq!(told[1]["sid"], ada.sid(), "only the former one is");
    assert!(app.is_signed_in(again.sid()).await && !app.is_signed_in(ada.sid()).await);
    assert!(again.is_in(&world, &app).await);
}

both!(a_late_token_does_not_end_what_has_lapsed_since, lapsed_since);
async fn lapsed_since(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for (person, is_ended) in [("ada", false), ("bob", true)] {
        let before = app.logouts().await.unwrap().len();
        app.answer_back_channel_with(Answer::Later(503, 3600));
        let first = signed_in(&world, &app, person).await;
        sign_out(&world, &first.tokens.claims["sub"]).await;
        let tokens = async || app.logouts().await.unwrap().split_off(before);
        eventually("a failed try", async || tokens().await.len() == 1).await;
        app.answer_back_channel_with(Answer::Status(200));
        let again = signed_in(&world, &app, person).await;
        if is_ended {
            let session = live(&world, "").await.remove(0);
            assert_eq!(end(&world, &session["id"]).await.status, 200);
            assert_eq!(tokens().await.pop().unwrap()["sid"], again.sid());
        }
        // The app hears of it when the new session has lapsed here, and goes on there.
        let told = tokens().await.len();
        world.clock.advance(Duration::from_secs(9 * 3600));
        eventually("the notice", async || tokens().await.len() > told).await;

        let notice = tokens().await.pop().unwrap();
        assert_eq!(notice["sub"], first.tokens.claims["sub"]);
        // Without `sid` where all of them have ended.
        let named = notice.get("sid").and_then(serde_json::Value::as_str);
        assert_eq!(named, Some(first.sid()).filter(|_| !is_ended), "{person}");
        assert_eq!(app.is_signed_in(again.sid()).await, !is_ended);
        assert!(!app.is_signed_in(first.sid()).await);
    }
}
