//! An IdP that answers the demand for a fresh authentication with an error shuts nobody out.

use std::time::Duration;

use sloop::mock_idp::{Entry, Fault, Options, Plan, Slo};
use sloop::paths;

use super::{Careless, error_of, is_demanded, press, recorded};
use crate::both;
use crate::logout::signed_in;
use crate::support::browser::Page;
use crate::support::forger::Said;
use crate::support::world::{On, Setting, World};

/// The page that says that the IdP did not ask.
fn is_explained(page: &Page, world: &World) -> bool {
    let here = page.url.as_str().starts_with(&world.url(paths::SAML_ACS));
    let explained = page.text().contains("You signed out, and could not be signed in again");
    assert_eq!(here && page.status == 200, explained, "{}", page.summary());
    explained
}

both!(an_idp_that_refuses_force_authn_leaves_it_to_the_person, whole_way);
async fn whole_way(on: On) {
    let idp = Options { slo: Slo::None, ..Options::default() };
    let world = Setting::on(on).idp(idp).begin().await;
    let added = world.add_idp("corp", &world.idp.metadata(), "&fallback=local").await;
    assert_eq!(added.status, 200, "{}", added.body);
    world.idp.misbehave(Plan::of([Fault::RefusesForceAuthn])).unwrap();
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let sub = ada.tokens.claims["sub"].clone();
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;

    for _ in 0..2 {
        let attempt = app.begin(&[]).await;
        let page = ada.browser.open(attempt.url.as_str()).await;
        assert!(is_explained(&page, &world));
        assert!(!ada.is_in(&world, &app).await);
        let home = press(&mut ada.browser, &page, "no").await;
        assert_eq!(error_of(&home).as_deref(), Some("access_denied"));
        assert!(app.finish(&attempt, &home).await.is_err());
        let stale = ada.browser.submit(&page, &[("answer", "yes")]).await;
        assert_eq!((stale.status, stale.refresh()), (400, None), "answered once");
        assert!(!ada.is_in(&world, &app).await);
    }
    assert_eq!(recorded(&world).await, [1, 2, 0]);

    // The explicit click asks once more, without the demand, and goes on to the same app.
    let attempt = app.begin(&[]).await;
    let page = ada.browser.open(attempt.url.as_str()).await;
    assert!(is_explained(&page, &world));
    let on_its_way = press(&mut ada.browser, &page, "yes").await;
    assert!(on_its_way.as_str().starts_with(&format!("{}/sso", world.idp_url)), "{on_its_way}");
    let home = ada.browser.open(on_its_way.as_str()).await.url;
    let tokens = app.finish(&attempt, &home).await.unwrap();
    assert_eq!(tokens.claims["sub"], sub);
    assert!(ada.is_in(&world, &app).await);
    let demands: Vec<bool> = world
        .idp
        .journal()
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::AuthnRequest { force_authn, .. } => Some(force_authn),
            _ => None,
        })
        .collect();
    assert_eq!(demands, [false, true, true, true, false]);
    assert_eq!(recorded(&world).await, [1, 3, 1]);
    // And then nothing is demanded any more.
    ada.browser.jar.remove("sid");
    world.sign_in(&mut ada.browser, &app, "ada").await;
    assert!(ada.is_in(&world, &app).await);
}

both!(whatever_error_it_is_and_only_where_the_lock_demanded_it, statuses);
async fn statuses(on: On) {
    let world = Setting::on(on).https().begin().await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let began = world.clock.now();
    let old = |said: &mut Said| said.authn_instant = Some(began);
    for status in [
        &["Responder", "RequestUnsupported"][..],
        &["Responder", "NoAuthnContext"],
        &["Responder", "AuthnFailed"],
        &["Requester"],
        &["Responder"],
    ] {
        world.clock.advance(Duration::from_secs(60));
        let first = idp.sign_in(&world, &mut browser, old).await;
        let tokens = match first.page.location() {
            Some(home) => idp.app.finish(&first.attempt, &home).await.unwrap(),
            None => panic!("{status:?}: {}", first.page.summary()),
        };
        idp.sign_out(&world, &mut browser, &tokens).await;

        let (attempt, asked) = idp.ask(&mut browser).await;
        assert!(is_demanded(&asked));
        let said = idp.forger.fails(&asked, status, "no");
        let page = idp.forger.send(&world, &mut browser, &asked, &said).await;
        assert!(is_explained(&page, &world), "{status:?}");
        assert_eq!(page.header("set-cookie"), None);
        assert!(!page.text().contains("ada"), "who it was is nobody else's business");
        // Sent twice, or the page loaded anew: it says the same.
        let twice = idp.forger.send(&world, &mut browser, &asked, &said).await;
        assert!(is_explained(&twice, &world), "{status:?}");

        // Only the browser that saw the page can press its button.
        let form = page.form();
        let (request, csrf) = (form.field("request").unwrap(), form.field("csrf").unwrap());
        let url = world.url(paths::SAML_ACS_CONTINUE);
        let near_miss = csrf.replace(&csrf[..4], "AAAA");
        let mut eve = world.browser();
        for (is_hers, request, csrf) in [
            (true, request, ""),
            (true, request, near_miss.as_str()),
            (true, "_x", csrf),
            (false, request, csrf),
        ] {
            let other = if is_hers { &mut browser } else { &mut eve };
            let fields = [("request", request), ("csrf", csrf), ("answer", "yes")];
            let refused = other.post(&url, &fields, Some(&world.issuer)).await;
            assert_eq!((refused.status, refused.location(), refused.refresh()), (400, None, None));
            assert!(!world.is_signed_in(other, &idp.app).await);
        }

        let url = press(&mut browser, &page, "yes").await;
        let asked = idp.forger.asked_by(&url);
        assert!(!is_demanded(&asked), "the person has said so");
        let end = idp.answer(&world, &mut browser, (attempt, asked), old).await;
        idp.tokens(&end).await;
        assert!(world.is_signed_in(&mut browser, &idp.app).await);
        browser.jar.remove("__Host-sid");
    }
    assert_eq!(recorded(&world).await, [5, 10, 5]);

    // What an app demands is between the app and the IdP, whether there is a lock or not.
    let mut eve = world.browser();
    let attempt = idp.app.begin(&[("prompt", "login")]).await;
    let asked = idp.forger.asked(&eve.get(attempt.url.as_str()).await);
    assert!(is_demanded(&asked));
    let said = idp.forger.fails(&asked, &["Responder"], "no");
    let page = idp.forger.send(&world, &mut eve, &asked, &said).await;
    assert_eq!(error_of(&page.location().unwrap()).as_deref(), Some("access_denied"));
}
