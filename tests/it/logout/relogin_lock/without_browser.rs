//! An administrator ends a session. Its browser was not there, and comes back days later.

use std::time::Duration;

use serde_json::json;
use sloop::paths;
use url::Url;

use super::{Careless, is_demanded, is_refused, recorded};
use crate::both;
use crate::logout::admin_logout::{end, live};
use crate::logout::signed_in;
use crate::support::browser::Browser;
use crate::support::forger::Said;
use crate::support::idp_key::{By, IdpKey};
use crate::support::world::{On, World};

const DAY: Duration = Duration::from_secs(86_400);

/// What nobody needs any more is gone.
async fn days_later(world: &World, days: u32) {
    world.clock.advance(days * DAY);
    world.use_cases().clean_up().await.unwrap();
}

async fn end_the_newest(world: &World) {
    let session = live(world, "").await.pop().expect("a session");
    assert_eq!(end(world, &session["id"]).await.status, 200);
}

fn cookie(world: &World, browser: &Browser, name: &str) -> Option<String> {
    browser.cookie(&world.issuer, name).map(|cookie| cookie.value.clone())
}

both!(what_it_was_signed_out_of_signs_nobody_in_after_days, after_days);
async fn after_days(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    for own_cookie in [false, true] {
        for looks in [false, true] {
            let case = format!("a cookie of its own: {own_cookie}, looks: {looks}");
            let mut browser = world.browser();
            if own_cookie {
                // Somebody else's logout has left a lock here.
                let bob = |said: &mut Said| said.name_id = Some("bob".to_owned());
                let first = idp.sign_in(&world, &mut browser, bob).await;
                let tokens = idp.tokens(&first).await;
                idp.sign_out(&world, &mut browser, &tokens).await;
            }
            let began = world.clock.now();
            // The IdP asks nobody, and names its session anew each time.
            let old = |said: &mut Said| said.authn_instant = Some(began);
            let first = idp.sign_in(&world, &mut browser, old).await;
            idp.tokens(&first).await;
            end_the_newest(&world).await;
            days_later(&world, 3).await;
            if looks {
                // Whether anybody is signed in; that takes the cookie of the session.
                let page = browser.open(&world.url(paths::SAML_LOGOUT)).await;
                assert!(page.text().contains("Nobody was signed in"), "{}", page.text());
                assert_eq!(cookie(&world, &browser, "sid"), None);
            }

            let again = idp.sign_in(&world, &mut browser, old).await;

            assert!(is_demanded(&again.asked), "{case}");
            assert!(is_refused(&again.page, &world), "{case}: {}", again.page.summary());
            assert!(!world.is_signed_in(&mut browser, &idp.app).await, "{case}");
            // Nobody else's browser is meant. Who proves anew who they are is done with it.
            assert!(!is_demanded(&idp.ask(&mut world.browser()).await.1), "{case}");
            let fresh = idp.sign_in(&world, &mut browser, |_| {}).await;
            idp.tokens(&fresh).await;
            assert!(world.is_signed_in(&mut browser, &idp.app).await, "{case}");
            assert_eq!(cookie(&world, &browser, "relogin").is_some(), own_cookie, "{case}");
        }
    }
    assert_eq!(recorded(&world).await, [6, 4, 4]);
}

both!(with_the_cookie_of_the_sign_in_before_it_is_known_as_well, former);
async fn former(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let began = world.clock.now();
    let old = |said: &mut Said| said.authn_instant = Some(began);
    let first = idp.sign_in(&world, &mut browser, old).await;
    idp.tokens(&first).await;
    let former = cookie(&world, &browser, "sid").unwrap();
    // The answer to a second sign-in never reaches the browser.
    let attempt = idp.app.begin(&[("prompt", "login")]).await;
    let asked = idp.forger.asked(&browser.get(attempt.url.as_str()).await);
    idp.answer(&world, &mut browser, (attempt, asked), |_| {}).await;
    assert_ne!(cookie(&world, &browser, "sid").unwrap(), former);
    let issuer = Url::parse(&world.issuer).unwrap();
    browser.plant(&issuer, &format!("sid={former}; Path=/; HttpOnly; SameSite=Lax"));
    end_the_newest(&world).await;
    days_later(&world, 3).await;

    let again = idp.sign_in(&world, &mut browser, old).await;

    assert!(is_demanded(&again.asked) && is_refused(&again.page, &world));
    assert!(!world.is_signed_in(&mut browser, &idp.app).await);
}

both!(an_idp_that_takes_the_cookie_of_the_session_leaves_the_lock, by_the_idp);
async fn by_the_idp(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let began = world.clock.now();
    let old = |said: &mut Said| said.authn_instant = Some(began);
    let first = idp.sign_in(&world, &mut browser, old).await;
    idp.tokens(&first).await;
    end_the_newest(&world).await;
    // Another IdP signs somebody out through this browser.
    let key = IdpKey::connect(&world).await;
    let app = world.app_with("app-two", json!({"idps": ["corp"]})).await;
    signed_in(&world, &app, "carol").await;
    let carol = world.idp.sessions().pop().unwrap();
    key.asks(&world, &carol).through(&mut browser, By::Redirect).await;
    assert_eq!(cookie(&world, &browser, "sid"), None);

    let again = idp.sign_in(&world, &mut browser, old).await;

    assert!(is_demanded(&again.asked) && is_refused(&again.page, &world));
    assert!(!world.is_signed_in(&mut browser, &idp.app).await);
}

both!(after_a_month_it_is_forgotten, month);
async fn month(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    for (days, holds) in [(29, true), (31, false)] {
        let mut browser = world.browser();
        let first = idp.sign_in(&world, &mut browser, |_| {}).await;
        idp.tokens(&first).await;
        end_the_newest(&world).await;
        days_later(&world, days).await;
        assert_eq!(is_demanded(&idp.ask(&mut browser).await.1), holds, "after {days} days");
    }
}
