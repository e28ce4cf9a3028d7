//! Microsoft Entra ID.
//!
//! - Redirect only, both ways; the LogoutResponse of its manual is unsigned and has the Issuer
//!   `https://login.microsoftonline.com/TENANT/`; IDs must not begin with a digit: Microsoft Learn,
//!   "Single sign-out SAML protocol". Its metadata has the entity ID `https://sts.windows.net/TENANT/`:
//!   Microsoft Learn, "Federation metadata".
//! - A NameID must be there, and whoever has several accounts is asked which: SAML-Toolkits/php-saml issue
//!   511, MicrosoftDocs/azure-docs issue 41237.
//! - The LogoutRequest to the other apps has another NameID than was asserted: azure-docs issues 29978 and
//!   41409. It refuses a LogoutResponse to that: azure-docs issue 19955.

use std::time::Duration;

use serde_json::json;
use sloop::connection::{IdpSettings, LogoutRequestMatch, UnsignedLogoutResponse};
use sloop::mock_idp::Session;
use sloop::saml::{EntityId, SessionIndex};

use super::bare;
use crate::both;
use crate::logout::{eventually, home, idp_leg, leads_to, signed_in};
use crate::saml::ask;
use crate::support::forger::Forger;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::world::{On, World};

const MANUALS_ISSUER: &str =
    "https://login.microsoftonline.com/82869000-6ad1-48f0-8171-272ed18796e9/";

fn of(world: &World, user: &str) -> Session {
    world.idp.sessions().into_iter().rfind(|held| held.user == user).unwrap()
}

// V-ENTRA-3
both!(its_broadcast_names_a_stranger_and_the_right_session, broadcast);
async fn broadcast(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app_with("app-two", json!({"idps": ["corp"]})).await;
    let strange = || bare("H0EPlI1hHuuvn5N6-rgMR7aZzBCBTjfS6pFVIksD0Ds");
    let mut anywhere = world.browser();

    // As the standard has it, a name that nobody has means nobody.
    let mut early = signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &of(&world, "ada")).with(|it| it.request.name_id = strange());
    let page = request.through(&mut anywhere, By::Redirect).await;
    assert_eq!(Answered::of(&world, &page).await.status(), "Success");
    assert!(early.is_in(&world, &app).await);

    let logout_request_match = LogoutRequestMatch::SessionIndex;
    let settings = IdpSettings { logout_request_match, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let (of_ada, of_bob) = (of(&world, "ada"), of(&world, "bob"));
    // At another IdP, by chance or on purpose, under the same SessionIndex.
    let forger = Forger::new(&world.clock);
    let by_index = "&logout_request_match=session_index";
    assert_eq!(world.add_idp("forged", &forger.metadata(), by_index).await.status, 201);
    let other = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let mut eve = world.browser();
    let (attempt, asked) = ask(&forger, &mut eve, &other).await;
    let mut said = forger.says(&asked, "eve");
    said.session_index = of_ada.session_index.as_ref().map(|index| index.as_str().to_owned());
    let callback = forger.send(&world, &mut eve, &asked, &said).await.location().unwrap();
    other.finish(&attempt, &callback).await.unwrap();

    let unknown = SessionIndex::parse("_unknown").unwrap();
    for (what, request) in [
        (
            "a session that is not",
            key.asks(&world, &of_ada).with(|it| {
                it.request.name_id = strange();
                it.request.session_indexes = vec![unknown.clone()];
            }),
        ),
        (
            "her name, a session that is not",
            key.asks(&world, &of_ada).with(|it| {
                it.request.session_indexes = vec![unknown.clone()];
            }),
        ),
        ("nobody signed it", key.asks(&world, &of_ada).with(|it| it.signer = None)),
    ] {
        request.through(&mut anywhere, By::Redirect).await;
        assert!(ada.is_in(&world, &app).await && bob.is_in(&world, &app).await, "{what}");
    }

    let request = key.asks(&world, &of_ada).with(|it| it.request.name_id = strange());
    let page = request.through(&mut anywhere, By::Redirect).await;
    assert_eq!(Answered::of(&world, &page).await.status(), "Success");
    assert!(!ada.is_in(&world, &app).await);
    assert!(bob.is_in(&world, &app).await && world.is_signed_in(&mut eve, &other).await);
    eventually("the app's token", async || !app.is_signed_in(ada.sid()).await).await;
    // The same again finds nobody else.
    let count = world.logout_count().await;
    request.through(&mut anywhere, By::Redirect).await;
    assert_eq!(world.logout_count().await, count);
    // Without any SessionIndex the name counts, as ever.
    let all = key.asks(&world, &of_bob).with(|it| it.request.session_indexes.clear());
    all.through(&mut anywhere, By::Redirect).await;
    assert!(!bob.is_in(&world, &app).await);
    assert!(early.is_in(&world, &app).await, "it began before the setting, and under another name");
}

// V-ENTRA-4
both!(its_own_request_can_be_left_without_an_answer, withheld);
async fn withheld(on: On) {
    let world = World::on(on).await;
    for (withhold_logout_response, answered) in [(false, true), (true, false)] {
        let settings = IdpSettings { withhold_logout_response, ..IdpSettings::default() };
        let key = IdpKey::connect_with(&world, settings).await;
        let app = world.app(if answered { "app-one" } else { "app-two" }).await;
        for by in [By::Redirect, By::Post] {
            let mut ada = signed_in(&world, &app, "ada").await;
            let request = key.asks(&world, &of(&world, "ada"));
            let page = request.through(&mut ada.browser, by).await;
            assert!(!ada.is_in(&world, &app).await);
            match answered {
                true => assert_eq!(Answered::of(&world, &page).await.status(), "Success"),
                false => {
                    assert_eq!((page.status, page.location()), (200, None), "{}", page.summary());
                    assert!(page.text().contains("signed out"), "{}", page.text());
                    assert!(!page.body.contains("SAMLResponse"));
                }
            }
        }
    }
}

// V-ENTRA-6, V-ENTRA-7
both!(
    its_unsigned_answer_of_another_issuer_counts_by_setting_and_its_requests_stay_strict,
    unsigned
);
async fn unsigned(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let issuer = EntityId::parse(MANUALS_ISSUER).unwrap();
    let third = EntityId::parse("https://login.microsoftonline.com/another/").unwrap();
    let unsigned_logout_response = UnsignedLogoutResponse::Accept;
    let plain = IdpSettings { unsigned_logout_response, ..IdpSettings::default() };
    let settled = IdpSettings { logout_response_issuer: Some(issuer.clone()), ..plain.clone() };
    for (settings, says, said) in [
        (plain, issuer.clone(), "unconfirmed"),
        (settled.clone(), third, "unconfirmed"),
        (settled, issuer, "confirmed (Success, unsigned)"),
    ] {
        let key = IdpKey::connect_with(&world, settings).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let unsigned = key.asks(&world, &of(&world, "ada")).with(|it| it.signer = None);
        unsigned.through(&mut ada.browser, By::Redirect).await;
        assert!(ada.is_in(&world, &app).await, "a request that nobody signed");

        let asked = ada.begin(&world, &app).await;
        assert!(!asked.request.id.starts_with(|c: char| c.is_ascii_digit()));
        assert!(!asked.request.name_id.value.is_empty());
        let answer = asked.answer(&world, &key).with(|it| {
            it.signer = None;
            it.answer.issuer = says.clone();
        });
        let page = answer.deliver(&mut ada.browser, By::Redirect).await;
        assert_eq!(leads_to(&page), home(&app), "{said}");
        assert!(idp_leg(&world).await.starts_with(said), "{}", idp_leg(&world).await);
    }
}

// V-ENTRA-1, V-ENTRA-2
both!(whoever_is_asked_which_account_and_never_comes_back_is_out_all_the_same, picker);
async fn picker(on: On) {
    let world = World::on(on).await;
    // Only Redirect is in the metadata: that counts, whatever is preferred.
    assert_eq!(world.add_idp("corp", &world.idp.metadata(), "&slo_binding=post").await.status, 200);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let url = world.logout_url(&app, &hint, "the-state").await;
    let page = ada.browser.get(url.as_str()).await;
    assert!(leads_to(&page).starts_with(&format!("{}/slo?SAMLRequest=", world.idp_url)));
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(idp_leg(&world).await, "open");

    world.clock.advance(Duration::from_secs(601));
    let closed = async || world.newest_logout().await.answered_at.is_some();
    eventually("the deadline", closed).await;
    assert!(idp_leg(&world).await.starts_with("no_answer"), "{}", idp_leg(&world).await);
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
}
