//! An IdP that shows its logout in frames (SimpleSAMLphp's `logouttype = iframe`) may have the pages that
//! answer its LogoutRequest in one of them. No cookie is there, and none is needed.

use sloop::mock_idp::{Options, Session, Slo};
use sloop::paths;
use sloop::saml::MessageKind;
use sloop::saml::binding::redirect;

use super::{leads_to, signed_in};
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::idp_key::IdpKey;
use crate::support::idp_request::{Answered, IdpRequest};
use crate::support::world::{On, Setting, World};

const IDP: &str = "https://idp.test";

/// Over TLS, where the IdP is another site.
async fn cross_site(on: On, slo: Slo) -> World {
    Setting::on(on).https().idp(Options { slo, ..Options::default() }).begin().await
}

fn newest(world: &World) -> Session {
    world.idp.sessions().pop().expect("somebody is signed in at the IdP")
}

/// The IdP's page loads our endpoint in a frame: its request by the Redirect binding.
async fn in_a_frame(browser: &mut Browser, idp: &Page, request: &IdpRequest<'_>) -> Page {
    let xml = request.request.to_xml().unwrap();
    let (relay_state, key) = (request.relay_state.as_deref(), request.signer.map(IdpKey::key));
    let kind = MessageKind::Request;
    let url = redirect::encode(kind, &xml, relay_state, &request.at, key).unwrap();
    browser.load_frame(idp, &url).await
}

fn refuses_every_frame(page: &Page) -> bool {
    page.directive("frame-ancestors") == Some("'none'")
        && page.header("x-frame-options") == Some("DENY")
}

both!(frames_and_answer_show_in_the_idps_frame_without_any_cookie, whole_way);
async fn whole_way(on: On) {
    let world = cross_site(on, Slo::Post).await;
    let key = IdpKey::connect(&world).await;
    let (one, two) = (world.app("app-one").await, world.framed_app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let idp = ada.browser.get(IDP).await;
    let request = key.asks(&world, &newest(&world));
    let before = ada.browser.history().len();

    let page = in_a_frame(&mut ada.browser, &idp, &request).await;

    assert!(page.url.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{}", page.summary());
    assert_eq!(page.frames().len(), 1);
    assert!(page.may_be_framed_by(IDP), "{:?}", page.headers);
    assert_eq!(page.directive("frame-src"), Some(two.origin.as_str()));
    ada.browser.load_frame(&page, page.frames()[0].as_str()).await;
    let onward = page.refresh().unwrap();
    let form = ada.browser.load_frame(&idp, onward.as_str()).await;
    assert!(form.may_be_framed_by(IDP), "{:?}", form.headers);
    let said = Answered::of(&world, &form).await;
    assert_eq!(said.status(), "Success PartialLogout");
    assert_eq!(said.relay_state, request.relay_state);
    let visits = &ada.browser.history()[before..];
    assert_eq!(visits.len(), 4, "{visits:#?}");
    assert!(visits.iter().all(|visit| visit.cookies.is_empty()), "{visits:#?}");
    assert_eq!(two.loaded_frames().len(), 1);
    assert!(!one.is_signed_in(ada.sid()).await);
    assert!(!ada.is_in(&world, &one).await);
}

both!(an_answer_without_frames_shows_there_too, answer);
async fn answer(on: On) {
    let world = cross_site(on, Slo::Post).await;
    let key = IdpKey::connect(&world).await;
    let stranger = IdpKey::stranger(&world);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let idp = ada.browser.get(IDP).await;
    let session = newest(&world);
    // One that is refused is answered in the frame as well, and ends nothing.
    let forged = key.asks(&world, &session).with(|it| it.signer = Some(&stranger));
    let form = in_a_frame(&mut ada.browser, &idp, &forged).await;
    assert!(form.may_be_framed_by(IDP), "{:?}", form.headers);
    assert_eq!(Answered::of(&world, &form).await.status(), "Requester RequestDenied");
    assert!(ada.is_in(&world, &app).await);

    let form = in_a_frame(&mut ada.browser, &idp, &key.asks(&world, &session)).await;
    assert!(form.may_be_framed_by(IDP), "{:?}", form.headers);
    assert_eq!(Answered::of(&world, &form).await.status(), "Success");
    assert!(!ada.is_in(&world, &app).await);
    assert!(!app.is_signed_in(ada.sid()).await);
}

both!(the_end_of_a_request_that_waits_for_nothing_shows_there, asynchronous);
async fn asynchronous(on: On) {
    let world = cross_site(on, Slo::Redirect).await;
    let key = IdpKey::connect(&world).await;
    let (told, framed) = (world.app("told").await, world.framed_app("framed").await);
    for app in [&told, &framed] {
        let mut ada = signed_in(&world, app, "ada").await;
        let idp = ada.browser.get(IDP).await;
        let request = key.asks(&world, &newest(&world));
        let request = request.with(|it| it.request.asynchronous = true);
        let mut end = in_a_frame(&mut ada.browser, &idp, &request).await;
        if app.client_id == "framed" {
            assert!(end.may_be_framed_by(IDP), "{:?}", end.headers);
            assert_eq!(end.frames().len(), 1);
            let onward = end.refresh().unwrap();
            end = ada.browser.load_frame(&idp, onward.as_str()).await;
        }
        assert_eq!((end.status, end.location()), (200, None), "{}", end.summary());
        assert!(end.text().contains("You are signed out"), "{}", end.text());
        assert!(end.may_be_framed_by(IDP), "{:?}", end.headers);
        assert!(!ada.is_in(&world, app).await);
    }
    // Nobody was there to sign out: that page may stand in the frame, too.
    let mut anybody = world.browser();
    let idp = anybody.get(IDP).await;
    signed_in(&world, &told, "bob").await;
    let request = key.asks(&world, &newest(&world)).with(|it| {
        it.request.asynchronous = true;
        it.request.name_id.value.push('x');
    });
    let end = in_a_frame(&mut anybody, &idp, &request).await;
    assert!(end.text().contains("Nobody was signed in"), "{}", end.text());
    assert!(end.may_be_framed_by(IDP));
}

both!(no_other_page_of_a_logout_can_be_framed, others);
async fn others(on: On) {
    let world = cross_site(on, Slo::Post).await;
    let framed = world.framed_app("framed").await;
    let mut ada = signed_in(&world, &framed, "ada").await;
    // The question, the frames of our own logout, the form with our request, the wait.
    let url = framed.logout_url(&[]).await;
    let asked = ada.browser.open(url.as_str()).await;
    assert!(asked.text().contains("Do you want to sign out?"), "{}", asked.summary());
    assert!(refuses_every_frame(&asked), "{:?}", asked.headers);
    let hint = ada.hint().to_owned();
    let url = world.logout_url(&framed, &hint, "the-state").await;
    let page = ada.browser.get(url.as_str()).await;
    let page = ada.browser.follow(page).await;
    assert_eq!(page.frames().len(), 1);
    let form = ada.browser.click(&page, page.refresh().unwrap().as_str()).await;
    assert!(form.body.contains("SAMLRequest"), "{}", form.summary());
    let wait = ada.browser.get(page.url.as_str()).await;
    assert!(wait.text().contains("corp"), "{}", wait.summary());
    for page in [&page, &form, &wait] {
        assert!(refuses_every_frame(page), "{} {:?}", page.summary(), page.headers);
    }
    let end = ada.browser.settle(form).await;
    assert_eq!(end.url.as_str(), super::home(&framed));
    // An IdP's answer that belongs to nothing, and a message that cannot be read.
    for query in ["SAMLResponse=x&RelayState=unknown", "SAMLRequest=%00", "SAMLRequest=AAAA"] {
        let odd = ada.browser.get(&world.url(&format!("{}?{query}", paths::SAML_LOGOUT))).await;
        assert!(refuses_every_frame(&odd), "{query}: {}", leads_to(&odd));
    }
}
