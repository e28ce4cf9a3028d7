//! IdPs whose logout URL does not stand in their metadata, or a wrong one.
//!
//! - NetScaler: the logout URL and its binding are entered by hand, Redirect: docs.netscaler.com, "Configure
//!   SAML authentication"; `-logoutURL` of `samlAction`, Citrix command reference.
//! - WSO2 Identity Server wrote the logout URL of another tenant into a tenant's metadata: wso2/product-is
//!   issue 4341.

use serde_json::json;
use sloop::mock_idp::{Options, Slo};

use crate::both;
use crate::logout::{home, idp_leg, leads_to, signed_in};
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::world::{On, Setting};

// V-NS-1
both!(a_logout_url_by_hand_counts_whatever_the_metadata_says, by_hand);
async fn by_hand(on: On) {
    for slo in [Slo::None, Slo::Post] {
        let world = Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await;
        let key = IdpKey::connect(&world).await;
        let metadata = key.beside(&world.idp.metadata());
        let app = world.app("app-one").await;
        for (settings, by) in [
            ("&slo_url=https://idp.example/cgi/logout?tenant=1", By::Redirect),
            ("&slo_binding=post", By::Post),
        ] {
            let added = world.add_idp("corp", &metadata, settings).await;
            assert_eq!(added.status, 200, "{}", added.body);
            let advice = added.json()["advice"].to_string();
            assert!(advice.contains("`slo_url` is set"), "{advice}");
            let mut ada = signed_in(&world, &app, "ada").await;
            let url = world.logout_url(&app, ada.hint(), "the-state").await;
            let page = ada.browser.get(url.as_str()).await;
            assert_eq!(page.location().is_some(), by == By::Redirect, "{}", page.summary());
            let asked = Asked::of(&page);
            let at = "https://idp.example/cgi/logout";
            assert!(asked.at.starts_with(at), "{}", asked.at);
            let destination = asked.request.destination.clone().unwrap();
            assert_eq!(destination, format!("{at}?tenant=1"));
            // The answer finishes it, and what the IdP begins is answered there, too.
            let page = asked.answer(&world, &key).deliver(&mut ada.browser, by).await;
            assert_eq!(leads_to(&page), home(&app));
            assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
            let mut ada = signed_in(&world, &app, "ada").await;
            let session = world.idp.sessions().pop().unwrap();
            let page = key.asks(&world, &session).through(&mut ada.browser, by).await;
            assert!(Answered::of(&world, &page).await.at.starts_with(at));
            assert!(!ada.is_in(&world, &app).await);
        }
        let none = world.add_idp("corp", &metadata, "&slo_url=none").await.json();
        assert_eq!(none["settings"].get("slo_url"), None);
        assert_eq!(
            none["single_logout"].as_array().map(Vec::len),
            Some(usize::from(slo == Slo::Post))
        );
    }
}

both!(a_logout_url_that_could_harm_a_browser_is_refused, harmful);
async fn harmful(on: On) {
    let world = Setting::on(on).begin().await;
    for url in [
        "http://idp.example/slo",
        "javascript:alert(1)",
        "/slo",
        "https://u:p@idp.example/slo",
        "https://idp.example/slo?SAMLRequest=x",
    ] {
        let query = format!("&slo_url={url}");
        let refused = world.add_idp("corp", &world.idp.metadata(), &query).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (400, &json!("invalid_query")),
            "{url}"
        );
    }
    let good =
        world.add_idp("corp", &world.idp.metadata(), "&slo_url=https://idp.example/slo").await;
    assert_eq!(good.json()["single_logout"], json!(["Redirect https://idp.example/slo"]));
}
