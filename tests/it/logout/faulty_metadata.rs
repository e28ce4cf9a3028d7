//! What an IdP's metadata offers, and does not, at a logout that an app begins: by which binding it is
//! asked, and whose key counts.

use std::time::Duration;

use sloop::connection::{BrowserBinding, IdpSettings};
use sloop::mock_idp::{Entry, Fault, Options, Plan, RolledKey, Slo};
use sloop::saml::Binding;

use super::faults::{is_at_idp, of_the_idp, said};
use super::{eventually, home, signed_in};
use crate::both;
use crate::support::idp_key::settle;
use crate::support::world::{On, Setting, World};

const BOTH: [BrowserBinding; 2] = [BrowserBinding::Redirect, BrowserBinding::Post];

async fn with_both_bindings(on: On) -> World {
    let idp = Options { slo: Slo::RedirectPost, ..Options::default() };
    Setting::on(on).idp(idp).begin().await
}

/// Reads the metadata as it is now, and prefers this binding.
async fn read(world: &World, by: BrowserBinding) {
    settle(world, IdpSettings { slo_binding: Some(by), ..IdpSettings::default() }).await;
}

both!(the_only_binding_that_is_offered_is_used, only_one);
async fn only_one(on: On) {
    let world = with_both_bindings(on).await;
    let app = world.app("app-one").await;
    for (fault, only) in
        [(Fault::RedirectOnly, Binding::Redirect), (Fault::PostOnly, Binding::Post)]
    {
        world.idp.misbehave(Plan::of([fault])).unwrap();
        for preferred in BOTH {
            read(&world, preferred).await;
            let mut ada = signed_in(&world, &app, "ada").await;
            let hint = ada.hint().to_owned();
            let end = world.sign_out(&mut ada.browser, &app, &hint).await;
            assert_eq!(end.url.as_str(), home(&app), "{fault}, {preferred:?} preferred");
            assert_eq!(said(&world.settled().await), "confirmed (Success, signed)");
            let Some(Entry::LogoutRequest { binding, ended, .. }) = world.idp.journal().pop()
            else {
                panic!("{:?}", world.idp.journal());
            };
            assert_eq!((binding, ended), (only, 1), "{fault}, {preferred:?} preferred");
            assert!(!ada.is_in(&world, &app).await && !is_at_idp(&world, "ada"));
        }
    }
    // Both are offered: the preferred one.
    world.idp.behave();
    for preferred in BOTH {
        read(&world, preferred).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        world.sign_out(&mut ada.browser, &app, &hint).await;
        let last = world.idp.journal().pop();
        let by = Binding::from(preferred);
        assert!(matches!(last, Some(Entry::LogoutRequest { binding, .. }) if binding == by));
    }
}

both!(with_a_login_url_only_nothing_is_claimed, login_url_only);
async fn login_url_only(on: On) {
    let world = with_both_bindings(on).await;
    let app = world.app("app-one").await;
    world.idp.misbehave(Plan::of([Fault::LoginUrlOnly])).unwrap();
    for by in BOTH {
        let settings = IdpSettings { sso_binding: Some(by), ..IdpSettings::default() };
        settle(&world, settings).await;
        let user = format!("user-{by:?}");
        let mut person = signed_in(&world, &app, &user).await;
        let hint = person.hint().to_owned();
        let page = world.sign_out(&mut person.browser, &app, &hint).await;
        assert_eq!(page.url[..url::Position::AfterPath], format!("{}/sso", world.idp_url));
        let asked = Binding::from(by);
        assert!(world.idp.journal().iter().any(|entry| matches!(
            entry,
            Entry::LogoutRequest { at_login_url: true, signature_valid: true, binding, .. }
                if *binding == asked
        )));
        assert!(!person.is_in(&world, &app).await, "{by:?}");
        assert!(is_at_idp(&world, &user), "{by:?}: the IdP does not understand it there");
        world.clock.advance(Duration::from_secs(601));
        let story = world.settled().await;
        assert_eq!(story.outcome.as_str(), "partial");
        assert_eq!(said(&story), "unconfirmed (the IdP did not answer in time)", "{by:?}");
    }
}

both!(a_certificate_that_has_expired_is_still_around_its_key, expired);
async fn expired(on: On) {
    let world = with_both_bindings(on).await;
    let app = world.app("app-one").await;
    world.idp.misbehave(Plan::of([Fault::ExpiredCertificate])).unwrap();
    for by in BOTH {
        read(&world, by).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        let end = world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_eq!(end.url.as_str(), home(&app));
        let story = world.settled().await;
        assert_eq!((said(&story).as_str(), story.outcome.as_str()), CONFIRMED, "{by:?}");
        assert!(!is_at_idp(&world, "ada"));
    }
}

both!(a_rolled_key_counts_once_it_is_in_the_metadata, rolled_key);
async fn rolled_key(on: On) {
    let world = with_both_bindings(on).await;
    let app = world.app("app-one").await;
    let mut users = (0..).map(|number| format!("user-{number}"));
    for by in BOTH {
        for (rolled, read_again, believed) in [
            (RolledKey::Unannounced, false, false),
            (RolledKey::Unannounced, true, false),
            (RolledKey::Announced, false, false),
            (RolledKey::Announced, true, true),
        ] {
            let what = format!("{rolled:?} by {by:?}, read again: {read_again}");
            world.idp.behave();
            read(&world, by).await;
            let user = users.next().unwrap();
            let mut person = signed_in(&world, &app, &user).await;
            world.idp.misbehave(Plan::of([Fault::RolledKey(rolled)])).unwrap();
            if read_again {
                read(&world, by).await;
            }

            let hint = person.hint().to_owned();
            let end = world.sign_out(&mut person.browser, &app, &hint).await;

            assert_eq!(end.url.as_str(), home(&app), "{what}");
            assert!(!person.is_in(&world, &app).await && !is_at_idp(&world, &user), "{what}");
            let story = world.settled().await;
            if believed {
                assert_eq!((said(&story).as_str(), story.outcome.as_str()), CONFIRMED, "{what}");
            } else {
                assert_eq!(story.outcome.as_str(), "partial", "{what}");
                let why = "no trusted key verifies the signature";
                assert!(said(&story).starts_with(&format!("unconfirmed ({why}")), "{what}");
                let refused = format!("logout.answer_refused: {why}");
                let events = of_the_idp(&story);
                assert!(events.iter().any(|event| event.starts_with(&refused)), "{events:?}");
            }
        }
    }
    // Nobody signs in with a key that is not in the metadata.
    world.idp.behave();
    read(&world, BrowserBinding::Redirect).await;
    world.idp.misbehave(Plan::of([Fault::RolledKey(RolledKey::Announced)])).unwrap();
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;
    let page = browser.open(attempt.url.as_str()).await;
    let named = browser.submit(&page, &[("user", "eve")]).await;
    let page = browser.settle(named).await;
    assert!(!page.url.as_str().contains("code="), "{}", page.summary());
    assert!(!world.is_signed_in(&mut browser, &app).await);
    read(&world, BrowserBinding::Redirect).await;
    signed_in(&world, &app, "eve").await;
    eventually("eve", async || is_at_idp(&world, "eve")).await;
}

const CONFIRMED: (&str, &str) = ("confirmed (Success, signed)", "complete");
