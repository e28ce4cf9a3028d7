//! Keycloak as an IdP.
//!
//! - Its LogoutResponse is unsigned unless the client is set so: keycloak/keycloak issue 30680.
//! - "Backchannel" without a SOAP URL is a POST from server to server, with no browser and no cookies:
//!   keycloak issue 16293.
//! - Between versions the binding of its logout changed: keycloak issue 40757.

use sloop::connection::{IdpSettings, UnsignedLogoutResponse};
use sloop::paths;
use sloop::saml::binding::PostForm;
use sloop::saml::{Binding, MessageKind};
use sloop::xml::sign::sign_enveloped;

use crate::both;
use crate::logout::{eventually, home, idp_leg, leads_to, signed_in};
use crate::support::idp_key::{By, IdpKey};
use crate::support::query::form;
use crate::support::world::{On, World};

// V-KC-2
both!(its_server_posts_and_no_browser_is_there, from_server);
async fn from_server(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = world.idp.sessions().pop().unwrap();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let send = async |xml: &str| {
        let fields = PostForm::new(MessageKind::Request, xml, Some("state"), "").fields;
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.request("POST", paths::SAML_LOGOUT, &kind, &form(&fields)).await
    };
    let plain = key.asks(&world, &session).request.to_xml().unwrap();
    send(&plain).await;
    assert!(ada.is_in(&world, &app).await, "nobody signed it");

    let answer = send(&sign_enveloped(&plain, key.key(), None).unwrap()).await;

    assert!(matches!(answer.status, 200 | 303), "{}: {}", answer.status, answer.body);
    assert!(!ada.is_in(&world, &app).await);
    eventually("the app's token", async || !app.is_signed_in(ada.sid()).await).await;
    assert_eq!(world.newest_logout().await.outcome.as_str(), "complete");
}

// V-KC-1, V-KC-3
both!(its_binding_may_change_and_its_answer_come_unsigned_by_the_other, flips);
async fn flips(on: On) {
    let world = World::on(on).await;
    let unsigned_logout_response = UnsignedLogoutResponse::Accept;
    let settings = IdpSettings { unsigned_logout_response, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let app = world.app("app-one").await;
    let (redirect, post) = (Binding::Redirect.uri(), Binding::Post.uri());
    let by_redirect = key.beside(&world.idp.metadata());
    let slo = |binding: &str| format!("<md:SingleLogoutService Binding=\"{binding}\"");
    assert!(by_redirect.contains(&slo(redirect)));
    let by_post = by_redirect.replace(&slo(redirect), &slo(post));
    for (before, after, answer) in
        [(&by_redirect, &by_post, By::Redirect), (&by_post, &by_redirect, By::Post)]
    {
        assert_eq!(world.add_idp("corp", before, "").await.status, 200);
        let mut ada = signed_in(&world, &app, "ada").await;
        assert_eq!(world.add_idp("corp", after, "").await.status, 200);
        let url = world.logout_url(&app, ada.hint(), "the-state").await;
        let page = ada.browser.get(url.as_str()).await;
        assert_eq!(
            page.location().is_some(),
            answer == By::Post,
            "what counts is what is there now"
        );
        let asked = crate::support::idp_key::Asked::of(&page);
        let unsigned = asked.answer(&world, &key).with(|it| it.signer = None);
        let page = unsigned.deliver(&mut ada.browser, answer).await;
        assert_eq!(leads_to(&page), home(&app));
        assert_eq!(idp_leg(&world).await, "confirmed (Success, unsigned)");
        assert!(!ada.is_in(&world, &app).await);
    }
}
