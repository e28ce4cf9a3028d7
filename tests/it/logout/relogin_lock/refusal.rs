//! What becomes of an assertion that rests on what was logged out.

use std::time::Duration;

use super::{Careless, error_of, is_demanded, is_refused, press, recorded};
use crate::both;
use crate::logout::admin_logout::{end, live};
use crate::support::forger::Said;
use crate::support::world::{On, Setting, World};

const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
const MINUTE: Duration = Duration::from_secs(60);

both!(an_idp_that_asks_nobody_signs_nobody_in_until_the_person_says_so, anyway);
async fn anyway(on: On) {
    for https in [false, true] {
        let mut world = Setting { https, ..Setting::on(on) }.begin().await;
        let idp = Careless::connect(&world).await;
        let mut browser = world.browser();
        let began = world.clock.now();
        // Whatever comes, it is the session of then.
        let same = |said: &mut Said| {
            said.session_index = Some("_the-session".into());
            said.authn_instant = Some(began);
        };
        let first = idp.sign_in(&world, &mut browser, same).await;
        assert!(!is_demanded(&first.asked));
        let before = idp.tokens(&first).await;
        world.clock.advance(MINUTE);
        idp.sign_out(&world, &mut browser, &before).await;
        world.restart().await;

        let again = idp.sign_in(&world, &mut browser, same).await;
        assert!(is_demanded(&again.asked) && is_refused(&again.page, &world));
        assert!(!again.page.text().contains("ada"), "who it was is nobody else's business");
        assert!(!world.is_signed_in(&mut browser, &idp.app).await);
        // The page can be loaded again, and says the same.
        let loaded = browser.get(again.page.url.as_str()).await;
        assert!(is_refused(&loaded, &world) && !world.is_signed_in(&mut browser, &idp.app).await);
        assert_eq!(recorded(&world).await, [1, 1, 0]);

        // To stay signed out leaves the lock where it is.
        let home = press(&mut browser, &loaded, "no").await;
        assert_eq!(error_of(&home).as_deref(), Some("access_denied"));
        assert!(idp.app.finish(&again.attempt, &home).await.is_err());
        assert!(!world.is_signed_in(&mut browser, &idp.app).await);
        let stale = browser.submit(&loaded, &[("answer", "yes")]).await;
        assert_eq!((stale.status, stale.refresh()), (400, None), "answered once");
        let third = idp.sign_in(&world, &mut browser, same).await;
        assert!(is_demanded(&third.asked) && is_refused(&third.page, &world));

        // The explicit click goes on to the same app, with the same state.
        let home = press(&mut browser, &third.page, "yes").await;
        let tokens = idp.app.finish(&third.attempt, &home).await.unwrap();
        assert_eq!(tokens.claims["sub"], before.claims["sub"]);
        assert_ne!(tokens.claims["sid"], before.claims["sid"]);
        assert!(world.is_signed_in(&mut browser, &idp.app).await);
        assert_eq!(recorded(&world).await, [1, 2, 1]);

        // And then not again.
        let sid = if https { "__Host-sid" } else { "sid" };
        browser.jar.remove(sid);
        let free = idp.sign_in(&world, &mut browser, same).await;
        assert!(!is_demanded(&free.asked));
        idp.tokens(&free).await;
        assert_eq!(recorded(&world).await, [1, 2, 1]);
    }
}

both!(in_its_browser_the_lock_holds_whatever_the_idp_calls_its_sessions, indexes);
async fn indexes(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let named = |index: Option<&str>| index.map(str::to_owned);
    for (then, now) in
        [(None, None), (Some("_one"), None), (None, Some("_two")), (Some("_one"), Some("_two"))]
    {
        let mut browser = world.browser();
        let began = world.clock.now();
        let first =
            idp.sign_in(&world, &mut browser, |said| said.session_index = named(then)).await;
        let tokens = idp.tokens(&first).await;
        world.clock.advance(MINUTE);
        idp.sign_out(&world, &mut browser, &tokens).await;
        let old = |said: &mut Said| {
            said.session_index = named(now);
            said.authn_instant = Some(began);
        };
        let again = idp.sign_in(&world, &mut browser, old).await;
        assert!(is_refused(&again.page, &world), "{then:?} {now:?}");
        assert!(!world.is_signed_in(&mut browser, &idp.app).await);
        // Who proves anew who they are signs in, whatever the session is called.
        let fresh =
            idp.sign_in(&world, &mut browser, |said| said.session_index = named(then)).await;
        assert!(is_demanded(&fresh.asked));
        idp.tokens(&fresh).await;
        assert!(world.is_signed_in(&mut browser, &idp.app).await);
    }
}

both!(a_clock_that_goes_wrong_neither_opens_the_lock_nor_jams_it, clocks);
async fn clocks(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    for ahead in [-50_i64, 0, 50] {
        let by_idp = |world: &World| world.clock.now().shifted(ahead * 1_000_000);
        let mut browser = world.browser();
        let began = by_idp(&world);
        let at = |instant| move |said: &mut Said| said.authn_instant = Some(instant);
        let first = idp.sign_in(&world, &mut browser, at(began)).await;
        let tokens = idp.tokens(&first).await;
        // They sign out after a moment, and come back at once.
        world.clock.advance(Duration::from_secs(5));
        idp.sign_out(&world, &mut browser, &tokens).await;
        let again = idp.sign_in(&world, &mut browser, at(began)).await;
        assert!(is_refused(&again.page, &world), "{ahead}");
        assert!(!world.is_signed_in(&mut browser, &idp.app).await);
        world.clock.advance(Duration::from_secs(5));
        let fresh = idp.sign_in(&world, &mut browser, at(by_idp(&world))).await;
        idp.tokens(&fresh).await;
        assert!(world.is_signed_in(&mut browser, &idp.app).await, "{ahead}");
    }
}

both!(the_persons_other_browsers_sign_in_freely_but_not_by_the_ended_session, other_browser);
async fn other_browser(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let (mut office, mut home) = (world.browser(), world.browser());
    let began = world.clock.now();
    let by = |index: &'static str| {
        move |said: &mut Said| {
            said.session_index = Some(index.into());
            said.authn_instant = Some(began);
        }
    };
    let first = idp.sign_in(&world, &mut office, by("_office")).await;
    let tokens = idp.tokens(&first).await;
    world.clock.advance(MINUTE);
    idp.sign_out(&world, &mut office, &tokens).await;

    let free = idp.sign_in(&world, &mut home, by("_home")).await;
    assert!(!is_demanded(&free.asked));
    idp.tokens(&free).await;
    assert!(world.is_signed_in(&mut home, &idp.app).await);

    // The session that was to end, in a browser that knows nothing of it: the IdP is told to ask, once.
    let mut phone = world.browser();
    let ended = idp.sign_in(&world, &mut phone, by("_office")).await;
    assert!(!is_demanded(&ended.asked));
    assert!(!world.is_signed_in(&mut phone, &idp.app).await);
    let asked = idp.forger.asked(&ended.page);
    assert!(is_demanded(&asked));
    let again = idp.answer(&world, &mut phone, (ended.attempt, asked), by("_office")).await;
    assert!(is_refused(&again.page, &world), "and then the person, with no further turn");
    assert!(!world.is_signed_in(&mut phone, &idp.app).await);
    let to = press(&mut phone, &again.page, "yes").await;
    idp.app.finish(&again.attempt, &to).await.unwrap();
    assert!(world.is_signed_in(&mut home, &idp.app).await, "who is in stays in");
}

both!(a_name_for_one_sign_in_only_does_not_open_the_lock, transient);
async fn transient(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    for now in [Some("_then"), Some("_other"), None] {
        let mut browser = world.browser();
        let began = world.clock.now();
        let by = |name: &str, index: Option<&str>| {
            let (name, index) = (name.to_owned(), index.map(str::to_owned));
            move |said: &mut Said| {
                said.name_id = Some(name);
                said.name_id_format = Some(TRANSIENT.into());
                said.session_index = index;
            }
        };
        let first = idp.sign_in(&world, &mut browser, by("_name-1", Some("_then"))).await;
        let tokens = idp.tokens(&first).await;
        world.clock.advance(MINUTE);
        idp.sign_out(&world, &mut browser, &tokens).await;

        let again = idp.sign_in(&world, &mut browser, |said| {
            by("_name-2", now)(said);
            said.authn_instant = Some(began);
        });
        let again = again.await;
        assert!(is_demanded(&again.asked), "{now:?}");
        assert!(is_refused(&again.page, &world), "{now:?}");
        assert!(!world.is_signed_in(&mut browser, &idp.app).await, "{now:?}");
        // A fresh authentication is done with it, under a third name.
        let fresh = idp.sign_in(&world, &mut browser, by("_name-3", Some("_new"))).await;
        idp.tokens(&fresh).await;
        assert!(world.is_signed_in(&mut browser, &idp.app).await, "{now:?}");
        browser.jar.remove("sid");
        let free = idp.ask(&mut browser).await;
        assert!(!is_demanded(&free.1), "{now:?}");
    }
}

both!(at_a_shared_computer_the_next_person_is_asked_and_not_refused, shared);
async fn shared(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let began = world.clock.now();
    let person = |name: &'static str| {
        move |said: &mut Said| {
            said.name_id = Some(name.into());
            said.session_index = Some(format!("_{name}"));
            said.authn_instant = Some(began);
        }
    };
    let first = idp.sign_in(&world, &mut browser, person("ada")).await;
    let ada = idp.tokens(&first).await;
    world.clock.advance(MINUTE);
    idp.sign_out(&world, &mut browser, &ada).await;

    let next = idp.sign_in(&world, &mut browser, person("bob")).await;
    assert!(is_demanded(&next.asked));
    let bob = idp.tokens(&next).await;
    assert_ne!(bob.claims["sub"], ada.claims["sub"]);
    assert!(world.is_signed_in(&mut browser, &idp.app).await, "and goes on without being asked");
    assert_eq!(recorded(&world).await, [1, 0, 0]);

    // An IdP that keeps several accounts does not let bob in as ada.
    browser.jar.remove("sid");
    let as_ada = idp.sign_in(&world, &mut browser, person("ada")).await;
    assert!(is_demanded(&as_ada.asked) && is_refused(&as_ada.page, &world));
    assert!(!world.is_signed_in(&mut browser, &idp.app).await);
}

both!(a_clock_that_is_ahead_makes_nothing_new_of_what_was_under_way, clock_ahead);
async fn clock_ahead(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    // Within what is allowed for it.
    let ahead = Duration::from_secs(30);
    let mut browser = world.browser();
    let first = idp.sign_in(&world, &mut browser, |_| {}).await;
    let tokens = idp.tokens(&first).await;
    let attempt = idp.app.begin(&[("prompt", "login")]).await;
    let waiting = idp.forger.asked(&browser.get(attempt.url.as_str()).await);
    world.clock.advance(MINUTE);
    // The person types a password in one tab, and signs out in the other.
    let typed = world.clock.now().plus(ahead);
    world.clock.advance(Duration::from_secs(10));
    idp.sign_out(&world, &mut browser, &tokens).await;

    let before = |said: &mut Said| said.authn_instant = Some(typed);
    let late = idp.answer(&world, &mut browser, (attempt, waiting), before).await;

    assert!(!world.is_signed_in(&mut browser, &idp.app).await, "{}", late.page.summary());
    let asked = idp.forger.asked(&late.page);
    assert!(is_demanded(&asked));
    // Nobody is asked for ever: what was begun after the logout is believed.
    let after = |said: &mut Said| said.authn_instant = Some(world.clock.now().plus(ahead));
    let fresh = idp.answer(&world, &mut browser, (late.attempt, asked), after).await;
    idp.tokens(&fresh).await;
    assert!(world.is_signed_in(&mut browser, &idp.app).await);
}

both!(a_sign_in_that_was_on_its_way_is_asked_for_again_after_the_logout, on_its_way);
async fn on_its_way(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let began = world.clock.now();
    let old = |said: &mut Said| said.authn_instant = Some(began);
    let first = idp.sign_in(&world, &mut browser, old).await;
    let tokens = idp.tokens(&first).await;
    // Another tab is about to sign in, before the person signs out.
    let attempt = idp.app.begin(&[("idp", "forged"), ("acr_values", "urn:more")]).await;
    let waiting = idp.forger.asked(&browser.get(attempt.url.as_str()).await);
    assert!(!is_demanded(&waiting));
    world.clock.advance(MINUTE);
    idp.sign_out(&world, &mut browser, &tokens).await;

    let late = idp.answer(&world, &mut browser, (attempt, waiting), old).await;
    assert!(!world.is_signed_in(&mut browser, &idp.app).await);
    let asked = idp.forger.asked(&late.page);
    assert!(is_demanded(&asked));
    assert_eq!(asked.request.requested_authn_context, ["urn:more"], "the same request");
    let fresh = idp.answer(&world, &mut browser, (late.attempt, asked), |_| {}).await;
    idp.tokens(&fresh).await;
    assert!(world.is_signed_in(&mut browser, &idp.app).await);
}

both!(what_an_administrator_ended_does_not_come_back_by_an_idp_that_ignores_the_demand, ignored);
async fn ignored(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    for own_cookie in [false, true] {
        let mut browser = world.browser();
        if own_cookie {
            // The lock of another logout, and its cookie.
            let first = idp.sign_in(&world, &mut browser, |_| {}).await;
            let tokens = idp.tokens(&first).await;
            idp.sign_out(&world, &mut browser, &tokens).await;
            world.clock.advance(MINUTE);
        }
        let began = world.clock.now();
        // Neither the name of the IdP's session nor a cookie of the lock finds it.
        let old = |said: &mut Said| (said.authn_instant, said.session_index) = (Some(began), None);
        let first = idp.sign_in(&world, &mut browser, old).await;
        idp.tokens(&first).await;
        let attempt = idp.app.begin(&[("idp", "forged"), ("acr_values", "urn:more")]).await;
        let waiting = idp.forger.asked(&browser.get(attempt.url.as_str()).await);
        // Within what is allowed for the IdP's clock.
        world.clock.advance(Duration::from_secs(20));
        let session = live(&world, "").await.pop().expect("a session");
        assert_eq!(end(&world, &session["id"]).await.status, 200);

        let late = idp.answer(&world, &mut browser, (attempt, waiting), old).await;
        let asked = idp.forger.asked(&late.page);
        assert!(is_demanded(&asked));
        let ignored = idp.answer(&world, &mut browser, (late.attempt, asked), old).await;
        assert!(is_refused(&ignored.page, &world), "{own_cookie}: {}", ignored.page.summary());
        assert!(!world.is_signed_in(&mut browser, &idp.app).await);
        // What the IdP says anew is believed.
        world.clock.advance(MINUTE);
        let fresh = idp.sign_in(&world, &mut browser, |said| said.session_index = None).await;
        assert!(is_demanded(&fresh.asked));
        idp.tokens(&fresh).await;
        assert!(world.is_signed_in(&mut browser, &idp.app).await);
        assert!(browser.cookie(&world.issuer, "relogin").is_none(), "{own_cookie}: none is left");
    }
}
