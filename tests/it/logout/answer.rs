//! What an IdP can answer to a LogoutRequest, by Redirect and by POST.

use sloop::connection::{IdpSettings, UnsignedLogoutResponse};
use sloop::saml::{Status, StatusCode};

use super::{home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::idp_key::{By, IdpKey};
use crate::support::world::{On, Setting, World};

const BOTH: [By; 2] = [By::Redirect, By::Post];
const REQUEST_DENIED: &str = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied";
const UNKNOWN_PRINCIPAL: &str = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal";
const PARTIAL_LOGOUT: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";

fn failure(code: StatusCode, nested: &str) -> Status {
    Status::failure(code, nested, "<b>no</b>")
}

fn other(uri: &str) -> Status {
    Status { code: StatusCode::from_uri(uri), nested: Vec::new(), message: None }
}

both!(every_status_is_told_as_it_was_and_leads_home, statuses);
async fn statuses(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let rows = [
        (Status::success(), "confirmed (Success, signed)"),
        (Status::partial_logout(), "partial (PartialLogout, signed)"),
        (other(PARTIAL_LOGOUT), "partial (PartialLogout, signed)"),
        (failure(StatusCode::Responder, PARTIAL_LOGOUT), "partial (PartialLogout, signed)"),
        (other(StatusCode::Responder.uri()), "refused (Responder, signed)"),
        (
            failure(StatusCode::Responder, REQUEST_DENIED),
            "refused (Responder (RequestDenied), signed)",
        ),
        (
            failure(StatusCode::Requester, UNKNOWN_PRINCIPAL),
            "refused (Requester (UnknownPrincipal), signed)",
        ),
        (other(StatusCode::VersionMismatch.uri()), "refused (VersionMismatch, signed)"),
        (other("urn:example:no-such-status"), "refused (no-such-status, signed)"),
    ];
    for by in BOTH {
        for (status, said) in &rows {
            let mut ada = signed_in(&world, &app, "ada").await;
            let asked = ada.begin(&world, &app).await;
            let answer = asked.answer(&world, &key).with(|it| it.answer.status = status.clone());
            let page = answer.deliver(&mut ada.browser, by).await;
            assert_eq!((page.status, leads_to(&page)), (303, home(&app)), "{by:?} {said}");
            assert_eq!(idp_leg(&world).await, *said, "{by:?}");
            // Whatever it says, our side is over.
            assert!(!ada.is_in(&world, &app).await, "{by:?} {said}");
            let outcome = world.settled().await.outcome.as_str();
            assert_eq!(outcome == "complete", said.starts_with("confirmed"), "{said}");
        }
    }
}

both!(an_answer_needs_no_cookie, no_cookie);
async fn no_cookie(on: On) {
    for https in [false, true] {
        let setting = Setting { https, ..Setting::on(on) };
        let world = setting.begin().await;
        let key = IdpKey::connect(&world).await;
        let app = world.app("app-one").await;
        for by in BOTH {
            let mut ada = signed_in(&world, &app, "ada").await;
            let asked = ada.begin(&world, &app).await;
            ada.browser.jar = Default::default();
            let page = asked.answer(&world, &key).deliver(&mut ada.browser, by).await;
            assert_eq!(leads_to(&page), home(&app), "{by:?} https: {https}");
            assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        }
    }
}

both!(an_unsigned_answer_moves_the_person_on_and_proves_nothing, unsigned);
async fn unsigned(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    for by in BOTH {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        let signed = asked.answer(&world, &key);
        let unsigned = signed.clone().with(|it| it.signer = None);
        let page = unsigned.deliver(&mut ada.browser, by).await;
        assert_eq!(leads_to(&page), home(&app), "{by:?}");
        assert!(idp_leg(&world).await.starts_with("unconfirmed"), "{by:?}");
        assert_eq!(world.newest_logout().await.outcome.as_str(), "partial");
        // The signed one that comes after it is worth more.
        let page = signed.deliver(&mut ada.browser, by).await;
        assert_eq!(leads_to(&page), home(&app));
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        // And what nobody signed cannot take it back.
        unsigned.deliver(&mut ada.browser, by).await;
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    }
}

both!(an_idp_that_never_signs_can_be_believed_by_setting, unsigned_accepted);
async fn unsigned_accepted(on: On) {
    let world = World::on(on).await;
    let unsigned_logout_response = UnsignedLogoutResponse::Accept;
    let settings = IdpSettings { unsigned_logout_response, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let app = world.app("app-one").await;
    for by in BOTH {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        let unsigned = asked.answer(&world, &key).with(|it| it.signer = None);
        // Not without RelayState, and not for another request.
        let lost = unsigned.clone().with(|it| it.relay_state = None);
        lost.deliver(&mut world.browser(), by).await;
        assert_eq!(idp_leg(&world).await, "open", "{by:?}");
        let page = unsigned.deliver(&mut ada.browser, by).await;
        assert_eq!(leads_to(&page), home(&app));
        assert_eq!(idp_leg(&world).await, "confirmed (Success, unsigned)", "{by:?}");

        let mut bob = signed_in(&world, &app, "bob").await;
        let asked = bob.begin(&world, &app).await;
        let wrong = asked.answer(&world, &key).with(|it| {
            it.signer = None;
            it.answer.in_response_to = "_another".into();
        });
        wrong.deliver(&mut bob.browser, by).await;
        assert!(idp_leg(&world).await.starts_with("unconfirmed"), "{by:?}");

        // Unsigned is accepted, badly signed is not.
        let stranger = IdpKey::stranger(&world);
        let mut eve = signed_in(&world, &app, "eve").await;
        let asked = eve.begin(&world, &app).await;
        asked.answer(&world, &stranger).deliver(&mut eve.browser, by).await;
        assert!(idp_leg(&world).await.starts_with("unconfirmed"), "{by:?}");
    }
}

both!(an_answer_is_used_once_however_often_it_comes, once);
async fn once(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let asked = ada.begin(&world, &app).await;
    let answer = asked.answer(&world, &key);
    let url = answer.url();
    let path = url.strip_prefix(&world.issuer).unwrap().to_owned();

    let copies = (0..50).map(|_| world.get(&path));
    let pages = futures_util::future::join_all(copies).await;

    for page in pages {
        assert_eq!(page.status, 303, "{}", page.body);
        assert_eq!(page.header("location"), Some(home(&app).as_str()));
    }
    let closed = world.newest_logout().await.events;
    let closed = closed.iter().filter(|event| event.kind == "leg.closed" && event.idp.is_some());
    assert_eq!(closed.count(), 1);
    // A replay with another meaning, days later, changes nothing.
    let denied = answer.clone().with(|it| it.answer.status = other(StatusCode::Responder.uri()));
    let page = denied.deliver(&mut world.browser(), By::Redirect).await;
    assert_eq!(leads_to(&page), home(&app));
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
}
