//! `logout_result`: an app that wants it is told at its own URL how the logout went.

use serde_json::json;
use sloop::paths;
use sloop::saml::{Status, StatusCode};

use super::{home, leads_to, signed_in};
use crate::both;
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::query::value;
use crate::support::rp::Answer;
use crate::support::world::{On, World};

both!(an_app_that_wants_it_gets_the_result_beside_its_state, result);
async fn result(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app_with("app-one", json!({ "logout_result": true })).await;
    let denied = Status::failure(StatusCode::Responder, "urn:x:no", "no");
    for (status, answer, expected) in [
        (Status::success(), 200, "complete"),
        (Status::success(), 400, "partial"),
        (Status::partial_logout(), 200, "partial"),
        (denied, 200, "partial"),
    ] {
        app.answer_back_channel_with(Answer::Status(answer));
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        let answer = asked.answer(&world, &key).with(|it| it.answer.status = status);
        let page = answer.deliver(&mut ada.browser, By::Redirect).await;
        assert_eq!(leads_to(&page), format!("{}&logout_result={expected}", home(&app)));
        assert_eq!(world.newest_logout().await.outcome.as_str(), expected);
        assert!(!ada.is_in(&world, &app).await);
    }
    // Nobody else was asked, because nobody else was to be.
    let settings = json!({ "logout_result": true, "scope": "op_only" });
    let local = world.app_with("local-app", settings).await;
    let mut ada = signed_in(&world, &local, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &local, &hint).await;
    assert_eq!(end.url.as_str(), format!("{}&logout_result=local_only", home(&local)));
    // Who was not signed in has no logout that could have a result.
    let end = world.sign_out(&mut ada.browser, &local, &hint).await;
    assert_eq!(end.url.as_str(), home(&local));
}

both!(nobody_else_gets_anything_added, nobody_else);
async fn nobody_else(on: On) {
    let world = World::on(on).await;
    let wanting = world.app_with("wanting", json!({ "logout_result": true })).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &wanting, "ada").await;
    let tokens = world.sign_in(&mut ada.browser, &app, "ada").await;
    let end = world.sign_out(&mut ada.browser, &app, &tokens.id_token).await;
    assert_eq!(end.url.as_str(), home(&app));
}

both!(a_return_to_has_it_before_its_fragment, return_to);
async fn return_to(on: On) {
    let world = World::on(on).await;
    for (wanted, expected) in [
        (true, "https://a.example/bye?x=1&logout_result=complete#/home"),
        (false, "https://a.example/bye?x=1#/home"),
    ] {
        let id = if wanted { "wanting" } else { "plain" };
        let list = json!(["https://a.example/bye"]);
        let settings = json!({ "logout_result": wanted, "allowed_logout_urls": list });
        let app = world.app_with(id, settings).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", id)
            .append_pair("returnTo", "https://a.example/bye?x=1#/home")
            .finish();
        let end = ada.browser.open(&world.url(&format!("{}?{query}", paths::V2_LOGOUT))).await;
        assert_eq!(end.url.as_str(), expected);
        assert!(!ada.is_in(&world, &app).await);
    }
}

both!(a_state_is_data_wherever_it_goes, odd_states);
async fn odd_states(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app_with("app-one", json!({ "logout_result": true })).await;
    for state in [
        "\r\nSet-Cookie: sid=stolen",
        "\" onclick=\"alert(1)",
        "' autofocus onfocus='alert(1)",
        "</script><script>alert(1)</script>",
        "&logout_result=complete&state=other#fragment",
        "\u{0}\u{7f}\u{202e}é𝄞",
        "%0d%0a%00",
    ] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let url = world.logout_url(&app, ada.hint(), state).await;
        let asked = Asked::of(&ada.browser.get(url.as_str()).await);
        // In a link of our page, where the answer has lost its way …
        let lost = asked.answer(&world, &key).with(|it| it.relay_state = None);
        let page = lost.deliver(&mut world.browser(), By::Post).await;
        assert!(!page.body.contains("<script") && !page.body.contains(state), "{}", page.body);
        let link = page.links().remove(0);
        // … and in the header of the redirect.
        let page = asked.answer(&world, &key).deliver(&mut ada.browser, By::Redirect).await;
        let header = page.header("location").unwrap();
        assert!(header.bytes().all(|byte| (b'!'..=b'~').contains(&byte)), "{header:?}");
        assert!(!page.header("set-cookie").is_some_and(|line| line.contains("stolen")));
        for target in [link, page.location().unwrap()] {
            assert_eq!(value(&target, "state").as_deref(), Some(state));
            // The link was written while the app was still being told.
            let result = value(&target, "logout_result").unwrap();
            assert!(matches!(result.as_str(), "complete" | "partial"), "{target}");
            assert_eq!(target.fragment(), None);
        }
    }
}
