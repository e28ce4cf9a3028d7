//! The receipt: what became of a logout, signed, for an app of the session and nobody else.

use serde_json::{Value, json};
use sloop::paths;

use super::person_page::{CORP, TWO, Two};
use super::signed_in;
use crate::both;
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::jwt::{self, Claims};
use crate::support::query::form;
use crate::support::rp::{Answer, RelyingParty};
use crate::support::wire;
use crate::support::world::{On, World};

async fn post(world: &World, fields: &[(&str, &str)]) -> wire::Response {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    world.request("POST", paths::LOGOUT_RECEIPT, &kind, &form(fields)).await
}

/// What an app that proves who it is gets for this session.
async fn request(world: &World, app: &RelyingParty, sid: &str) -> wire::Response {
    let secret = app.client_secret.as_deref().unwrap();
    let fields = [("client_id", app.client_id.as_str()), ("client_secret", secret), ("sid", sid)];
    post(world, &fields).await
}

fn outcome(answer: &wire::Response) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

async fn claims(world: &World, answer: &wire::Response) -> Claims {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/logout-receipt+jwt"));
    assert!(answer.header("cache-control").unwrap().contains("no-store"));
    let jwt = jwt::verify(&answer.body, &world.get(paths::JWKS).await.json()).unwrap();
    assert_eq!(jwt.header["typ"], "logout-receipt+jwt");
    jwt.claims
}

/// The claims of the receipt that this app gets for this session.
pub(super) async fn of(world: &World, app: &RelyingParty, sid: &str) -> Claims {
    claims(world, &request(world, app, sid).await).await
}

both!(an_app_reads_what_became_of_its_logout, receipt);
async fn receipt(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let two = world.app("secret-project").await;
    let deaf = world.app_with("deaf-app", json!({ "backchannel_logout_uri": null })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    world.sign_in(&mut ada.browser, &deaf, "ada").await;
    two.answer_back_channel_with(Answer::Status(503));
    let sid = ada.sid().to_owned();
    let begun_at = world.clock.now().as_seconds();
    let asked = Asked::of(&ada.ask(&app, &[]).await);

    // While the IdP is silent.
    let open = of(&world, &app, &sid).await;
    assert_eq!(
        (&open["outcome"], &open["idps"][0]["outcome"]),
        (&json!("partial"), &json!("open"))
    );
    assert_eq!((open.get("answered_at"), open.get("settled_at")), (None, None));
    assert_eq!(open["idps"][0].get("evidence"), None);

    asked.answer(&world, &key).deliver(&mut ada.browser, By::Redirect).await;
    two.answer_back_channel_with(Answer::Status(200));
    world.clock.advance(std::time::Duration::from_secs(10));
    world.work().await;
    let story = world.settled().await;
    let told = of(&world, &app, &sid).await;

    assert_eq!(told["iss"], world.issuer);
    assert_eq!(told["aud"], "app-one");
    assert_eq!(told["sid"], sid);
    assert_eq!(told["logout_id"], story.id.to_string());
    assert_eq!(told["outcome"], "partial");
    assert_ne!(told["jti"], open["jti"]);
    let seconds = |name: &str| told[name].as_i64().unwrap_or_else(|| panic!("{name}: {told:?}"));
    assert!((0..=2).contains(&(seconds("begun_at") - begun_at)));
    assert!(seconds("begun_at") <= seconds("answered_at"));
    assert!(seconds("answered_at") <= seconds("settled_at"));
    assert!(seconds("settled_at") <= seconds("iat"));
    assert_eq!(told["app"]["outcome"], "confirmed");
    let idp = &told["idps"][0];
    assert_eq!((&idp["id"], &idp["name"]), (&json!("corp"), &json!("corp")));
    assert_eq!(
        (&idp["outcome"], &idp["evidence"]),
        (&json!("confirmed"), &json!("Success, signed"))
    );
    assert_eq!(told["other_apps"], json!({ "confirmed": 1, "not_possible": 1 }));
    assert_eq!(told["scope"], "all_apps_and_idp");
    for absent in ["exp", "sub", "events", "nonce", "left"] {
        assert_eq!(told.get(absent), None, "{absent}");
    }
    // Nothing names another app.
    let text = serde_json::to_string(&told).unwrap();
    assert!(!text.contains("secret-project") && !text.contains("deaf-app"), "{text}");
    // The other app reads the same logout from its own side.
    let other = of(&world, &two, &sid).await;
    assert_eq!(
        (&other["aud"], &other["app"]["outcome"]),
        (&json!("secret-project"), &json!("confirmed"))
    );
    assert_eq!(other["other_apps"], json!({ "confirmed": 1, "not_possible": 1 }));
    assert_eq!(other["logout_id"], told["logout_id"]);
}

both!(nobody_else_reads_it_and_nobody_learns_what_there_is, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let stranger = world.app("stranger").await;
    let public = json!({ "public": true, "backchannel_logout_uri": null });
    let public = world.app_with("native-app", public).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    world.sign_in(&mut ada.browser, &public, "ada").await;
    let (sid, hint) = (ada.sid().to_owned(), ada.hint().to_owned());
    let unknown = (404, "unknown_session".to_owned());
    // No logout of it yet.
    let live = request(&world, &app, &sid).await;
    assert_eq!(outcome(&live), unknown);
    world.sign_out(&mut ada.browser, &app, &hint).await;

    let mut seen: Vec<Value> = vec![live.json()];
    for (app, sid) in [(&stranger, sid.as_str()), (&app, "no-such-session"), (&stranger, "x")] {
        let answer = request(&world, app, sid).await;
        assert_eq!(outcome(&answer), unknown, "{} {sid}", app.client_id);
        seen.push(answer.json());
    }
    assert!(seen.iter().all(|body| body == &seen[0]), "one answer for all of them: {seen:?}");

    let secret = app.client_secret.as_deref().unwrap();
    let id = ("client_id", "app-one");
    let bad = (400, "invalid_request".to_owned());
    let nobody = (401, "invalid_client".to_owned());
    for (fields, expected) in [
        (vec![id, ("client_secret", secret)], bad.clone()),
        (vec![id, ("client_secret", secret), ("sid", "")], bad.clone()),
        (vec![id, ("client_secret", secret), ("sid", &sid), ("sid", &sid)], bad.clone()),
        (vec![id, ("client_secret", "wrong"), ("sid", &sid)], nobody.clone()),
        (vec![id, ("sid", &sid)], nobody.clone()),
        (vec![("sid", sid.as_str())], nobody),
        // It was in the session; but anybody can say that they are this client.
        (vec![("client_id", "native-app"), ("sid", &sid)], (400, "unauthorized_client".to_owned())),
    ] {
        let answer = post(&world, &fields).await;
        assert_eq!(outcome(&answer), expected, "{fields:?}");
    }
    assert_eq!(world.get(&format!("{}?sid={sid}", paths::LOGOUT_RECEIPT)).await.status, 405);

    let told = of(&world, &app, &sid).await;
    assert_eq!(told["outcome"], "partial");
    assert!(!ada.is_in(&world, &app).await);
}

both!(an_app_that_was_left_alone_took_part_all_the_same, left_alone);
async fn left_alone(on: On) {
    let world = World::on(on).await;
    let app = world.app_with("app-one", json!({ "scope": "op_only" })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let (sid, hint) = (ada.sid().to_owned(), ada.hint().to_owned());
    world.sign_out(&mut ada.browser, &app, &hint).await;
    let told = of(&world, &app, &sid).await;
    assert_eq!((&told["outcome"], told.get("app")), (&json!("local_only"), None));
    assert_eq!((&told["scope"], told.get("left")), (&json!("op_only"), None));
    assert_eq!((&told["idps"], &told["other_apps"]), (&json!([]), &json!({})));
    let stranger = world.app("stranger").await;
    assert_eq!(outcome(&request(&world, &stranger, &sid).await).0, 404);
}

both!(whom_the_person_left_alone_is_counted_and_no_app_is_named, left_by_the_person);
async fn left_by_the_person(on: On) {
    let mut two = Two::begin(on).await;
    let sid = two.ada.sid().to_owned();
    two.end_all_but(&[TWO]).await;
    for (app, outcome) in [(&two.one, Some("confirmed")), (&two.two, None)] {
        let told = claims(&two.world, &request(&two.world, app, &sid).await).await;
        assert_eq!(told["outcome"], "complete");
        assert_eq!(told["left"], json!({ "idps": [], "apps": 1 }), "{}", app.client_id);
        let own = told.get("app").map(|app| app["outcome"].as_str().unwrap());
        assert_eq!(own, outcome, "{}", app.client_id);
    }
    let told = claims(&two.world, &request(&two.world, &two.one, &sid).await).await;
    assert!(!serde_json::to_string(&told).unwrap().contains("app-two"));
    assert_eq!(two.told(), [1, 0]);

    // The next session, of which the person keeps the IdP.
    let again = two.world.sign_in(&mut two.ada.browser, &two.one, "ada").await;
    let sid = again.claims["sid"].as_str().unwrap().to_owned();
    two.end_all_but(&[CORP]).await;
    let told = claims(&two.world, &request(&two.world, &two.one, &sid).await).await;
    assert_eq!((&told["outcome"], &told["scope"]), (&json!("complete"), &json!("all_apps")));
    assert_eq!(told["left"], json!({ "idps": ["corp"], "apps": 0 }));
    assert_eq!(two.world.idp.sessions().len(), 1);
}
