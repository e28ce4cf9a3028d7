//! Okta, and Auth0, whose answers come by a POST from another site.
//!
//! - Okta takes signed requests only, from the "SP Issuer", and answers by POST: help.okta.com, "Configure
//!   Single Logout in app integrations". A logout URL stands in its metadata only once single logout is
//!   on: Kantega SSO, "SLO: Okta".
//! - Auth0 answers by POST unless set otherwise; one URL gets its answers and its own requests:
//!   auth0.com/docs, "Log users out of SAML identity providers".

use serde_json::json;
use sloop::mock_idp::{Options, Slo};
use sloop::paths::{API_IDENTITY_PROVIDERS, SAML_METADATA};

use crate::both;
use crate::logout::{home, idp_leg, leads_to, signed_in};
use crate::support::document::Document;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::world::{On, Setting, World};

fn sample(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/metadata/samples");
    std::fs::read_to_string(format!("{folder}/{file}.xml")).unwrap()
}

// V-OKTA-3
both!(its_logout_url_comes_with_a_refresh_once_single_logout_is_on, switched_on);
async fn switched_on(on: On) {
    let world = World::on(on).await;
    let document = Document::serve(sample("okta")).await;
    let added = world.add_idp("okta", "", &format!("&metadata_url={}", document.url)).await.json();
    assert_eq!(added["single_logout"], json!([]));
    assert!(added["advice"].to_string().contains("only once single logout is switched on"));

    document.replace(sample("okta-with-single-logout"));
    let path = format!("{API_IDENTITY_PROVIDERS}/okta/refresh");
    let refreshed = world.api("POST", &path, "application/json", "").await.json();

    assert_eq!(refreshed["changes"], "logout URLs changed", "{refreshed}");
    let path = format!("{API_IDENTITY_PROVIDERS}/okta");
    let shown = world.api("GET", &path, "application/json", "").await.json();
    assert_eq!(shown["single_logout"].as_array().map(Vec::len), Some(2));
    assert!(shown["advice"].to_string().contains("SP Issuer"), "{shown}");
}

// V-OKTA-1, V-OKTA-2, V-A0-1
both!(its_answer_and_its_own_request_are_posted_from_another_site_to_one_url, posted);
async fn posted(on: On) {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(on).idp(idp).https().begin().await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let asked = ada.begin(&world, &app).await;
    assert_eq!(asked.request.issuer.as_str(), world.url(SAML_METADATA));
    let visits = ada.browser.history().len();
    let page = asked.answer(&world, &key).deliver(&mut ada.browser, By::Post).await;
    assert_eq!(leads_to(&page), home(&app));
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    // The cookie of the session is Lax: no post of another site carries it.
    let sent = &ada.browser.history()[visits].cookies;
    assert!(!sent.iter().any(|name| name.ends_with("sid")), "{sent:?}");

    let mut ada = signed_in(&world, &app, "ada").await;
    let session = world.idp.sessions().pop().unwrap();
    let page = key.asks(&world, &session).through(&mut ada.browser, By::Post).await;
    assert_eq!(Answered::of(&world, &page).await.status(), "Success");
    assert!(!ada.is_in(&world, &app).await);
}
