//! The page at the end: it names every party, says what is known of it, and no more.

use serde_json::json;
use sloop::mock_idp::{Options, Slo};
use sloop::saml::{Status, StatusCode};

use super::signed_in;
use crate::both;
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::rp::Answer;
use crate::support::world::{On, Setting, World};

both!(it_says_of_each_party_what_is_known, parties);
async fn parties(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let deaf = world.app_with("deaf-app", json!({ "backchannel_logout_uri": null })).await;
    let denied = Status::failure(StatusCode::Responder, "urn:x:<script>alert(1)</script>", "<b>");
    for (status, corp) in [
        (Status::success(), "Organisation corp Signed out."),
        (
            Status::partial_logout(),
            "Organisation corp Signed out there, but some other services that use it may still be open.",
        ),
        (denied, "Organisation corp It answered that it did not sign you out."),
    ] {
        let mut ada = signed_in(&world, &app, "ada").await;
        world.sign_in(&mut ada.browser, &deaf, "ada").await;
        let page = ada.ask(&app, &[]).await;
        let asked = Asked::of(&page);
        let answer = asked.answer(&world, &key).with(|it| it.answer.status = status);
        let page = answer.deliver(&mut ada.browser, By::Redirect).await;
        let end = ada.browser.settle(page).await;
        assert_eq!(end.status, 200);
        let text = end.text();
        assert!(text.contains(corp), "{text}");
        assert!(text.contains("App app-one Signed out."), "{text}");
        let deaf = "App deaf-app It offers no way to be told. You may still be signed in there.";
        assert!(text.contains(deaf), "{text}");
        assert!(text.contains("You are signed out here"), "{text}");
        assert!(!text.contains("everywhere"), "one party was not told: {text}");
        assert!(!end.body.contains("<script"), "{}", end.body);
        assert!(text.contains(&world.newest_logout().await.id.to_string()));
    }
}

both!(everywhere_is_said_only_when_everybody_confirmed, everywhere);
async fn everywhere(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for (status, everywhere) in [(200, true), (400, false)] {
        app.answer_back_channel_with(Answer::Status(status));
        let mut ada = signed_in(&world, &app, "ada").await;
        let page = ada.ask(&app, &[]).await;
        let end = ada.browser.settle(page).await;
        let text = end.text();
        assert_eq!(text.contains("This session has ended everywhere"), everywhere, "{text}");
        assert_eq!(text.contains("Not every other party has confirmed it."), !everywhere);
    }
}

both!(an_app_that_is_still_being_told_is_not_called_signed_out, still_open);
async fn still_open(on: On) {
    let wait = |config: &mut sloop::config::Config| {
        config.logout.wait = std::time::Duration::from_millis(100);
    };
    let world = Setting::on(on).config(wait).begin().await;
    let app = world.app("app-one").await;
    app.answer_back_channel_with(Answer::Hang);
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = ada.ask(&app, &[]).await;
    let end = ada.browser.settle(page).await;
    assert!(end.text().contains("App app-one We are still telling it."), "{}", end.text());
    assert!(!end.text().contains("everywhere"));
}

both!(the_page_works_without_script_and_cannot_be_framed, plain);
async fn plain(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = ada.ask(&app, &[]).await;
    let end = ada.browser.settle(page).await;
    let policy = end.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(end.header("cache-control").unwrap().contains("no-store"));
    assert!(!end.body.contains("<script"));
}

both!(a_form_for_the_idp_has_a_button, form_has_button);
async fn form_has_button(on: On) {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(on).idp(idp).begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = ada.ask(&app, &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("press the button"), "{}", page.text());
    assert!(page.body.contains("<button type=\"submit\">"), "{}", page.body);
    // A state cannot break out of the link that leads home.
    let state = "\"><script>alert(1)</script>";
    let key = IdpKey::connect(&world).await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let url = world.logout_url(&app, bob.hint(), state).await;
    let asked = Asked::of(&bob.browser.get(url.as_str()).await);
    let lost = asked.answer(&world, &key).with(|it| it.relay_state = None);
    let end = lost.deliver(&mut world.browser(), By::Post).await;
    assert!(!end.body.contains("<script"), "{}", end.body);
    let link = end.links().remove(0);
    let back: Vec<_> = link.query_pairs().into_owned().collect();
    assert_eq!(back, [("state".to_owned(), state.to_owned())]);
}
