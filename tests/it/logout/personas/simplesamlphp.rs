//! SimpleSAMLphp, and Shibboleth where it answers likewise.
//!
//! - Logout messages are neither signed nor checked unless `sign.logout` and `validate.logout` say so;
//!   `SingleLogoutServiceResponse` is another address for answers; an IdP that could not reach everybody
//!   answers `PartialLogout`: SimpleSAMLphp, "IdP hosted" and "SP remote" metadata reference.
//! - Shibboleth assumes that all logout messages are signed, and forgets services after a lifetime, which it
//!   then answers with a failure: Shibboleth wiki, "LogoutConfiguration" (IDP4).

use sloop::connection::{IdpSettings, UnsignedLogoutResponse};
use sloop::saml::{Status, StatusCode};

use crate::both;
use crate::logout::{home, idp_leg, leads_to, signed_in};
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::world::{On, World};

const UNKNOWN_PRINCIPAL: &str = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal";

// V-SSP-1
both!(its_unsigned_answer_counts_by_setting_and_its_unsigned_request_never, unsigned);
async fn unsigned(on: On) {
    let world = World::on(on).await;
    let unsigned_logout_response = UnsignedLogoutResponse::Accept;
    let settings = IdpSettings { unsigned_logout_response, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let app = world.app("app-one").await;
    for by in [By::Redirect, By::Post] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let session = world.idp.sessions().pop().unwrap();
        let request = key.asks(&world, &session).with(|it| it.signer = None);
        let page = request.through(&mut ada.browser, by).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Requester RequestDenied");
        assert!(ada.is_in(&world, &app).await, "{by:?}");

        let asked = ada.begin(&world, &app).await;
        let answer = asked.answer(&world, &key).with(|it| it.signer = None);
        let page = answer.deliver(&mut ada.browser, by).await;
        assert_eq!(leads_to(&page), home(&app));
        assert_eq!(idp_leg(&world).await, "confirmed (Success, unsigned)", "{by:?}");
    }
}

// V-SSP-3, V-SHIB-1, V-SHIB-3
both!(its_answers_have_an_address_of_their_own_and_it_may_say_partial_or_unknown, answers);
async fn answers(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let place = format!("Location=\"{}/slo\"", world.idp_url);
    let metadata = key.beside(&world.idp.metadata());
    assert!(metadata.contains(&place), "{metadata}");
    let elsewhere = "https://idp.example/saml2/idp/SingleLogoutServiceResponse.php";
    let metadata = metadata.replace(&place, &format!("{place} ResponseLocation=\"{elsewhere}\""));
    assert_eq!(world.add_idp("corp", &metadata, "").await.status, 200);
    let unknown = Status::failure(StatusCode::Responder, UNKNOWN_PRINCIPAL, "forgotten");
    for (status, said) in [
        (Status::partial_logout(), "partial (PartialLogout, signed)"),
        (unknown, "refused (Responder (UnknownPrincipal), signed)"),
    ] {
        let mut ada = signed_in(&world, &app, "ada").await;
        // Requests go where requests are taken.
        let asked = ada.begin(&world, &app).await;
        assert_eq!(asked.at, format!("{}/slo", world.idp_url));
        let answer = asked.answer(&world, &key).with(|it| it.answer.status = status.clone());
        let page = answer.deliver(&mut ada.browser, By::Redirect).await;
        assert_eq!(leads_to(&page), home(&app));
        assert_eq!(idp_leg(&world).await, said);
        assert!(!ada.is_in(&world, &app).await);
        assert_eq!(world.settled().await.outcome.as_str(), "partial");
    }
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = world.idp.sessions().pop().unwrap();
    let page = key.asks(&world, &session).through(&mut ada.browser, By::Redirect).await;
    let answered = Answered::of(&world, &page).await;
    assert_eq!((answered.at.as_str(), answered.status().as_str()), (elsewhere, "Success"));
    assert_eq!(answered.response.destination.as_deref(), Some(elsewhere));
    assert!(!ada.is_in(&world, &app).await);
}
