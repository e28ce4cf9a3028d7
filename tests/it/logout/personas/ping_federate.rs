//! PingFederate.
//!
//! If one service answers with an error, others may not get their requests, and the person is shown an
//! error; messages travel by any combination of bindings: docs.pingidentity.com, "Single logout"
//! (introduction to PingFederate).

use sloop::connection::IdpSettings;

use crate::both;
use crate::logout::{home, idp_leg, leads_to, signed_in};
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::rp::Answer;
use crate::support::world::{On, World};

// V-PING-1
both!(it_hears_no_error_for_a_session_that_is_over_or_an_app_that_fails, no_error);
async fn no_error(on: On) {
    let world = World::on(on).await;
    let settings = IdpSettings { always_success: true, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = world.idp.sessions().pop().unwrap();
    app.answer_back_channel_with(Answer::Status(500));
    for _ in 0..2 {
        let request = key.asks(&world, &session);
        let page = request.through(&mut ada.browser, By::Redirect).await;
        let answered = Answered::of(&world, &page).await;
        assert_eq!(answered.status(), "Success", "whether there is a session or not");
        assert!(!ada.is_in(&world, &app).await);
    }
    assert_eq!(world.newest_logout().await.outcome.as_str(), "partial", "we know better");
}

// V-PING-2
both!(it_may_answer_by_another_binding_than_it_was_asked_by, mixed);
async fn mixed(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let slo = "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
               Location=\"https://idp.example/idp/SLO.saml2\"/><md:SingleLogoutService";
    let both = key.beside(&world.idp.metadata()).replacen("<md:SingleLogoutService", slo, 1);
    for (binding, answer) in
        [("redirect", By::Post), ("post", By::Redirect), ("redirect", By::Redirect)]
    {
        let added = world.add_idp("corp", &both, &format!("&slo_binding={binding}")).await;
        assert_eq!(added.status, 200, "{}", added.body);
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        assert_eq!(asked.at.starts_with("https://idp.example/"), binding == "post", "{}", asked.at);
        let page = asked.answer(&world, &key).deliver(&mut ada.browser, answer).await;
        assert_eq!(leads_to(&page), home(&app), "{binding} {answer:?}");
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        // What it asks by POST is answered by Redirect, where it offers that.
        let mut ada = signed_in(&world, &app, "ada").await;
        let session = world.idp.sessions().pop().unwrap();
        let page = key.asks(&world, &session).through(&mut ada.browser, By::Post).await;
        assert!(page.location().is_some(), "{}", page.summary());
        assert_eq!(Answered::of(&world, &page).await.status(), "Success");
        assert!(!ada.is_in(&world, &app).await);
    }
}
