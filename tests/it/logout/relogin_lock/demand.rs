//! After which logouts the next sign-in demands a fresh authentication, and until when.

use std::time::Duration;

use serde_json::json;
use sloop::connection::{Fallback, IdpSettings, UnsignedLogoutResponse};
use sloop::mock_idp::{Entry, Options, Slo};
use sloop::paths;

use super::{Careless, is_demanded, recorded};
use crate::both;
use crate::logout::admin_logout::{end, live};
use crate::logout::{SignedIn, eventually, home, idp_leg, signed_in};
use crate::support::browser::Browser;
use crate::support::idp_key::{By, IdpKey, settle};
use crate::support::query::value;
use crate::support::rp::RelyingParty;
use crate::support::world::{On, Setting, World};

const DAY: Duration = Duration::from_secs(86_400);

/// The app sends the browser to sign in, as far as the IdP: is it told to ask the person?
async fn demands(world: &World, browser: &mut Browser, app: &RelyingParty) -> bool {
    let page = browser.get(app.begin(&[]).await.url.as_str()).await;
    browser.settle(page).await;
    let mut requests = world.idp.journal().into_iter().filter_map(|entry| match entry {
        Entry::AuthnRequest { force_authn, .. } => Some(force_authn),
        _ => None,
    });
    requests.next_back().expect("the IdP was asked")
}

/// The person signs in after having been asked, and again without.
async fn comes_back(world: &World, ada: &mut SignedIn, app: &RelyingParty) {
    // The IdP writes whole seconds.
    world.clock.advance(Duration::from_secs(1));
    ada.tokens = world.sign_in(&mut ada.browser, app, "ada").await;
    assert!(ada.is_in(world, app).await);
    ada.browser.jar.remove("sid");
    assert!(!demands(world, &mut ada.browser, app).await, "asked once, and not for ever");
    assert!(ada.browser.cookie(&world.issuer, "relogin").is_none(), "it has served");
}

both!(a_demand_is_made_whatever_is_sealed_in_the_lock, unopened);
async fn unopened(on: On) {
    let idp = Options { slo: Slo::None, ..Options::default() };
    let world = Setting::on(on).idp(idp).begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    world.execute("UPDATE relogin_lock SET sealed = browser_hash").await;
    assert!(demands(&world, &mut ada.browser, &app).await);
    // A lock of another IdP is no matter of this sign-in, and keeps the cookie.
    world.execute("UPDATE relogin_lock SET idp_id = 'another'").await;
    assert!(!demands(&world, &mut ada.browser, &app).await);
    world.sign_in(&mut ada.browser, &app, "ada").await;
    assert!(ada.is_in(&world, &app).await);
    assert!(ada.browser.cookie(&world.issuer, "relogin").is_some());
}

both!(an_idp_without_logout_is_told_to_ask_the_person_at_the_next_sign_in, without_logout);
async fn without_logout(on: On) {
    let idp = Options { slo: Slo::None, ..Options::default() };
    let world = Setting::on(on).idp(idp).begin().await;
    let app = world.app("app-one").await;
    for fallback in
        [Fallback::Local, Fallback::Url("https://idp.example/goodbye".into()), Fallback::LoginUrl]
    {
        settle(&world, IdpSettings { fallback: fallback.clone(), ..IdpSettings::default() }).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        world.sign_out(&mut ada.browser, &app, &hint).await;
        assert!(!ada.is_in(&world, &app).await);
        assert!(demands(&world, &mut ada.browser, &app).await, "{fallback:?}");
        // It asks, though its own session lives on.
        let page = ada.browser.open(app.begin(&[]).await.url.as_str()).await;
        assert!(page.url.as_str().starts_with(&world.idp_url), "{}", page.summary());
        comes_back(&world, &mut ada, &app).await;
    }
    assert_eq!(recorded(&world).await, [3, 0, 3]);
}

both!(a_confirmed_logout_leaves_no_lock, confirmed);
async fn confirmed(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    assert_eq!(world.sign_out(&mut ada.browser, &app, &hint).await.url.as_str(), home(&app));
    assert_eq!(
        recorded(&world).await,
        [1, 0, 1],
        "set before the IdP was asked, lifted by its answer"
    );
    assert!(!demands(&world, &mut ada.browser, &app).await);
    comes_back(&world, &mut ada, &app).await;
}

both!(what_does_not_confirm_leaves_the_lock, unconfirmed);
async fn unconfirmed(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    for (what, by) in [
        ("unsigned", By::Redirect),
        ("refused", By::Post),
        ("partial", By::Redirect),
        ("silent", By::Post),
    ] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        assert!(demands(&world, &mut ada.browser, &app).await, "{what}: from the first moment on");
        let answer = asked.answer(&world, &key).with(|it| match what {
            "unsigned" => it.signer = None,
            "partial" => it.answer.status = sloop::saml::Status::partial_logout(),
            _ => {
                let responder = sloop::saml::StatusCode::Responder;
                it.answer.status = sloop::saml::Status::failure(responder, "urn:x:no", "no");
            }
        });
        if what == "silent" {
            world.clock.advance(Duration::from_secs(601));
            let closed = async || world.newest_logout().await.answered_at.is_some();
            eventually("the deadline", closed).await;
        } else {
            answer.deliver(&mut ada.browser, by).await;
        }
        let leg = idp_leg(&world).await;
        assert!(!leg.starts_with("confirmed") && leg != "open", "{what}: {leg}");
        assert!(demands(&world, &mut ada.browser, &app).await, "{what}");
        comes_back(&world, &mut ada, &app).await;
    }
}

both!(a_confirmation_lifts_it_however_late_and_mangled_it_comes, confirmation);
async fn confirmation(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    for (number, what) in
        (1..).zip(["without RelayState", "in another browser", "late", "after unsigned"])
    {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        let good = asked.answer(&world, &key);
        let lost = good.clone().with(|it| it.relay_state = None);
        match what {
            "without RelayState" => {
                lost.deliver(&mut ada.browser, By::Redirect).await;
            }
            "in another browser" => {
                lost.deliver(&mut world.browser(), By::Post).await;
            }
            "late" => {
                world.clock.advance(Duration::from_secs(601));
                let closed = async || world.newest_logout().await.answered_at.is_some();
                eventually("the deadline", closed).await;
                assert!(demands(&world, &mut ada.browser, &app).await);
                good.deliver(&mut ada.browser, By::Redirect).await;
            }
            _ => {
                good.clone().with(|it| it.signer = None).deliver(&mut ada.browser, By::Post).await;
                assert!(demands(&world, &mut ada.browser, &app).await);
                good.deliver(&mut ada.browser, By::Post).await;
            }
        }
        assert!(idp_leg(&world).await.starts_with("confirmed"), "{what}");
        assert!(!demands(&world, &mut ada.browser, &app).await, "{what}");
        assert_eq!(recorded(&world).await, [number, 0, number]);
        // The same answer once more changes nothing.
        asked.answer(&world, &key).deliver(&mut ada.browser, By::Post).await;
        assert_eq!(recorded(&world).await, [number, 0, number]);
    }
    // Where an unsigned answer is accepted, it confirms.
    let unsigned_logout_response = UnsignedLogoutResponse::Accept;
    let settings = IdpSettings { unsigned_logout_response, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let asked = ada.begin(&world, &app).await;
    let unsigned = asked.answer(&world, &key).with(|it| it.signer = None);
    unsigned.deliver(&mut ada.browser, By::Post).await;
    assert!(!demands(&world, &mut ada.browser, &app).await);
}

both!(who_was_signed_out_by_an_administrator_is_asked_in_the_browser_of_then, administrator);
async fn administrator(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for planted in [false, true] {
        let mut ada = signed_in(&world, &app, "ada").await;
        if planted {
            // A cookie of its own, which finds no lock.
            let issuer = url::Url::parse(&world.issuer).unwrap();
            let cookie = format!("relogin={}; Path=/", "A".repeat(43));
            ada.browser.plant(&issuer, &cookie);
        }
        let mut bob = signed_in(&world, &app, "bob").await;
        let of_ada = ada.tokens.claims["sub"].clone();
        let sessions = live(&world, "").await;
        let hers = sessions.iter().rfind(|session| session["sub"] == of_ada).unwrap();
        assert_eq!(end(&world, &hers["id"]).await.status, 200);
        assert!(demands(&world, &mut ada.browser, &app).await, "{planted}");
        assert!(ada.browser.cookie(&world.issuer, "relogin").is_some());
        assert!(demands(&world, &mut ada.browser, &app).await, "until it has served");
        comes_back(&world, &mut ada, &app).await;
        // Nobody else's browser is meant.
        assert!(bob.is_in(&world, &app).await);
        bob.browser.jar.remove("sid");
        assert!(!demands(&world, &mut bob.browser, &app).await);
        let mut anywhere = world.browser();
        assert!(!demands(&world, &mut anywhere, &app).await);
    }
}

both!(a_logout_that_was_not_to_reach_the_idp_sets_none, not_meant);
async fn not_meant(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for scope in ["op_only", "all_apps"] {
        let changed = app_with_scope(&world, scope).await;
        let mut ada = signed_in(&world, &changed, "ada").await;
        let hint = ada.hint().to_owned();
        world.sign_out(&mut ada.browser, &changed, &hint).await;
        assert!(!ada.is_in(&world, &changed).await);
        assert!(ada.browser.cookie(&world.issuer, "relogin").is_none(), "{scope}");
        assert!(!demands(&world, &mut ada.browser, &changed).await, "{scope}");
    }
    // `/v2/logout` leaves the IdP alone unless it is told not to.
    for (query, locked) in [("", false), ("?federated", true)] {
        let mut ada = signed_in(&world, &app, "ada").await;
        ada.browser.get(&world.url(&format!("{}{query}", paths::V2_LOGOUT))).await;
        assert!(!ada.is_in(&world, &app).await);
        assert_eq!(demands(&world, &mut ada.browser, &app).await, locked, "{query:?}");
    }
    assert_eq!(recorded(&world).await, [1, 0, 0]);
    // Another person in the same browser, and the end of a session by time.
    let mut ada = signed_in(&world, &app, "ada").await;
    let attempt = app.begin(&[("prompt", "login")]).await;
    world.at_app(&mut ada.browser, &app, &attempt, "bob").await;
    assert_eq!(world.newest_logout().await.reason, "another person signed in with this browser");
    let mut eve = signed_in(&world, &app, "eve").await;
    world.clock.advance(DAY);
    assert!(!eve.is_in(&world, &app).await);
    assert!(!demands(&world, &mut eve.browser, &app).await);
    assert_eq!(recorded(&world).await, [1, 0, 0]);
}

async fn app_with_scope(world: &World, scope: &str) -> RelyingParty {
    world.app_with(&format!("app-{}", scope.replace('_', "-")), json!({ "scope": scope })).await
}

both!(the_lock_of_one_idp_does_not_touch_another, two_idps);
async fn two_idps(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let other = world.app_with("app-two", json!({"idps": ["corp"]})).await;
    let mut browser = world.browser();
    let first = idp.sign_in(&world, &mut browser, |_| {}).await;
    let tokens = idp.tokens(&first).await;
    idp.sign_out(&world, &mut browser, &tokens).await;

    assert!(!demands(&world, &mut browser, &other).await);
    let at_other = world.sign_in(&mut browser, &other, "ada").await;
    assert!(world.is_signed_in(&mut browser, &other).await, "a live session is nobody's lock");
    let hint = at_other.id_token;
    assert_eq!(world.sign_out(&mut browser, &other, &hint).await.url.as_str(), home(&other));
    assert!(!demands(&world, &mut browser, &other).await);
    assert!(is_demanded(&idp.ask(&mut browser).await.1), "the first one still holds");
    assert_eq!(recorded(&world).await, [2, 0, 1]);
}

both!(a_silent_request_under_a_lock_says_that_somebody_must_sign_in, silent);
async fn silent(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let first = idp.sign_in(&world, &mut browser, |_| {}).await;
    let tokens = idp.tokens(&first).await;
    idp.sign_out(&world, &mut browser, &tokens).await;
    let attempt = idp.app.begin(&[("prompt", "none")]).await;
    let location = browser.get(attempt.url.as_str()).await.location().unwrap();
    assert!(location.as_str().starts_with(&idp.app.redirect_uri()), "no IdP is visited");
    assert_eq!(value(&location, "error").as_deref(), Some("login_required"));
    world.clock.advance(Duration::from_secs(1));
    let fresh = idp.sign_in(&world, &mut browser, |_| {}).await;
    idp.tokens(&fresh).await;
    assert!(world.is_signed_in(&mut browser, &idp.app).await);
}

both!(after_a_month_nobody_asks_any_more, expired);
async fn expired(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let first = idp.sign_in(&world, &mut browser, |_| {}).await;
    let tokens = idp.tokens(&first).await;
    let old = world.clock.now();
    world.clock.advance(Duration::from_secs(60));
    idp.sign_out(&world, &mut browser, &tokens).await;
    let cookie = browser.cookie(&world.issuer, "relogin").unwrap();
    let line = format!("relogin={}; Path=/", cookie.value);
    world.clock.advance(30 * DAY - Duration::from_secs(60));
    assert!(is_demanded(&idp.ask(&mut browser).await.1), "to the last minute");
    world.clock.advance(Duration::from_secs(120));
    assert!(browser.cookie(&world.issuer, "relogin").is_none(), "the cookie ends with it");
    // A browser that keeps it all the same finds nothing.
    let issuer = url::Url::parse(&world.issuer).unwrap();
    browser.plant(&issuer, &line);
    let free = idp
        .sign_in(&world, &mut browser, |said| {
            said.authn_instant = Some(old);
            said.session_index = None;
        })
        .await;
    assert!(!is_demanded(&free.asked));
    idp.tokens(&free).await;
    world.use_cases().clean_up().await.unwrap();
    assert_eq!(recorded(&world).await, [1, 0, 0]);
}
