//! `max_age`: how long ago the person may have proved who they are.

use std::time::Duration;

use serde_json::json;
use sloop::mock_idp::Entry;
use url::Url;

use crate::both;
use crate::support::browser::Browser;
use crate::support::forger::Forger;
use crate::support::query::value;
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

/// How often the IdP was asked, and whether it was told to ask the person the last time.
fn asked(world: &World) -> (usize, Option<bool>) {
    let requests = world.idp.journal().into_iter().filter_map(|entry| match entry {
        Entry::AuthnRequest { force_authn, .. } => Some(force_authn),
        _ => None,
    });
    let requests: Vec<_> = requests.collect();
    (requests.len(), requests.last().copied())
}

both!(a_session_that_is_too_old_becomes_a_fresh_login, too_old);
async fn too_old(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let first = world.sign_in(&mut browser, &app, "ada").await;
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(asked(&world), (1, Some(false)));

    // Young enough: nobody is asked.
    let attempt = app.begin(&[("max_age", "10000")]).await;
    let callback = world.at_app(&mut browser, &app, &attempt, "nobody").await;
    let same = app.finish(&attempt, &callback).await.unwrap();
    assert_eq!(same.claims["auth_time"], first.claims["auth_time"]);
    assert_eq!(asked(&world), (1, Some(false)));

    // Too old, by less than clocks may differ.
    for max_age in ["10", "0"] {
        let before = asked(&world).0;
        let attempt = app.begin(&[("max_age", max_age)]).await;
        let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
        let fresh = app.finish(&attempt, &callback).await.unwrap();
        assert_eq!(asked(&world), (before + 1, Some(true)), "max_age={max_age}");
        let now = world.clock.now().as_seconds();
        assert!(now - fresh.claims["auth_time"].as_i64().unwrap() < 10, "{:?}", fresh.claims);
        world.clock.advance(Duration::from_secs(30));
    }
    // A silent request cannot ask anybody.
    let attempt = app.begin(&[("max_age", "10"), ("prompt", "none")]).await;
    let location = browser.get(attempt.url.as_str()).await.location().unwrap();
    assert_eq!(value(&location, "error").as_deref(), Some("login_required"));
}

both!(an_old_session_at_the_idp_is_not_passed_off_as_new, old_at_the_idp);
async fn old_at_the_idp(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;

    for seconds in [30, 3_600] {
        // Our session is gone, the IdP's is not.
        browser.jar.remove("sid");
        world.clock.advance(Duration::from_secs(seconds));
        let before = asked(&world).0;
        let attempt = app.begin(&[("max_age", "10")]).await;
        let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
        let tokens = app.finish(&attempt, &callback).await.unwrap();

        // It answered with what it had, and was asked once more, for a fresh login.
        assert_eq!(asked(&world), (before + 2, Some(true)), "{seconds} seconds");
        let now = world.clock.now().as_seconds();
        assert!(now - tokens.claims["auth_time"].as_i64().unwrap() < 10);
    }
}

async fn forged(world: &World) -> (Forger, RelyingParty, Browser) {
    let forger = Forger::new(&world.clock);
    assert_eq!(world.add_idp("forged", &forger.metadata(), "").await.status, 201);
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    (forger, app, world.browser())
}

both!(auth_time_is_when_the_idp_says_the_person_signed_in, auth_time);
async fn auth_time(on: On) {
    let world = World::on(on).await;
    let (forger, app, mut browser) = forged(&world).await;
    let attempt = app.begin(&[]).await;
    let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
    let hour_ago = world.clock.now().minus(Duration::from_secs(3_600));
    let mut said = forger.says(&asked, "ada");
    said.authn_instant = Some(hour_ago);

    let location = forger.send(&world, &mut browser, &asked, &said).await.location().unwrap();
    let tokens = app.finish(&attempt, &location).await.unwrap();

    assert_eq!(tokens.claims["auth_time"], hour_ago.as_seconds());
    let attempt = app.begin(&[("max_age", "60")]).await;
    let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
    assert!(asked.request.force_authn, "our session is young, the sign-in is not");
}

both!(an_idp_that_stays_stale_ends_in_an_error, stays_stale);
async fn stays_stale(on: On) {
    let world = World::on(on).await;
    let (forger, app, mut browser) = forged(&world).await;
    let attempt = app.begin(&[("max_age", "60")]).await;
    let first = forger.asked(&browser.get(attempt.url.as_str()).await);
    assert!(!first.request.force_authn);
    let stale = |asked| {
        let mut said = forger.says(asked, "ada");
        said.authn_instant = Some(world.clock.now().minus(Duration::from_secs(600)));
        said
    };

    let page = forger.send(&world, &mut browser, &first, &stale(&first)).await;
    let second = forger.asked(&page);
    assert!(second.request.force_authn);
    assert_ne!(second.request.id, first.request.id);
    let issuer = Url::parse(&world.issuer).unwrap();
    let waiting = |browser: &Browser| browser.cookies_for(&issuer).matches("tx-").count();
    assert_eq!(waiting(&browser), 1, "the first one is used up");
    let page = forger.send(&world, &mut browser, &second, &stale(&second)).await;

    let location = page.location().unwrap();
    assert_eq!(value(&location, "error").as_deref(), Some("login_required"));
    assert_eq!(value(&location, "state").as_deref(), Some(attempt.state.as_str()));
    assert_eq!(waiting(&browser), 0);
    assert!(!world.is_signed_in(&mut browser, &app).await);
}
