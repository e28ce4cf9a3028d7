//! The ended session itself is known by its SessionIndex, whoever signs in by it and wherever; and a
//! browser keeps the locks of several logouts beside each other.

use std::time::Duration;

use sloop::clock::Timestamp;

use super::{Careless, error_of, is_demanded, is_refused, press, recorded};
use crate::both;
use crate::logout::admin_logout::{end, live};
use crate::support::browser::Browser;
use crate::support::forger::Said;
use crate::support::rp::Tokens;
use crate::support::world::{On, World};

const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
const MINUTE: Duration = Duration::from_secs(60);

/// What the IdP says of somebody: a name that is good for one sign-in, or for ever.
fn of(name: &str, format: Option<&str>, index: Option<&str>, at: Timestamp) -> impl Fn(&mut Said) {
    let (name, format, index) =
        (name.to_owned(), format.map(str::to_owned), index.map(str::to_owned));
    move |said| {
        said.name_id = Some(name.clone());
        said.name_id_format = format.clone();
        said.session_index = index.clone();
        said.authn_instant = Some(at);
    }
}

/// The IdP relies on what was logged out: it is told to ask, and when it does not, the person is asked.
async fn is_refused_once(
    world: &World,
    idp: &Careless,
    browser: &mut Browser,
    by: &impl Fn(&mut Said),
) -> bool {
    let first = idp.sign_in(world, browser, by).await;
    let again = match is_demanded(&first.asked) {
        true => first,
        false => {
            if !first.page.location().is_some_and(|to| to.as_str().starts_with(&idp.forger.sso())) {
                return false;
            }
            let asked = idp.forger.asked(&first.page);
            assert!(is_demanded(&asked));
            idp.answer(world, browser, (first.attempt, asked), by).await
        }
    };
    if !is_refused(&again.page, world) {
        return false;
    }
    assert!(!world.is_signed_in(browser, &idp.app).await);
    let home = press(browser, &again.page, "no").await;
    assert_eq!(error_of(&home).as_deref(), Some("access_denied"));
    assert!(!world.is_signed_in(browser, &idp.app).await);
    true
}

async fn signs_in(
    world: &World,
    idp: &Careless,
    browser: &mut Browser,
    by: &impl Fn(&mut Said),
) -> Tokens {
    let signed_in = idp.sign_in(world, browser, by).await;
    let tokens = idp.tokens(&signed_in).await;
    assert!(world.is_signed_in(browser, &idp.app).await);
    tokens
}

both!(the_ended_session_is_refused_in_any_browser_whatever_name_it_bears, any_name);
async fn any_name(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    for (format, then, now) in
        [(Some(TRANSIENT), "_name-1", "_name-2"), (None, "ada", "ada@example.org")]
    {
        let (mut office, mut phone, mut home) = (world.browser(), world.browser(), world.browser());
        let began = world.clock.now();
        let index = format!("_ended-{then}");
        let first = of(then, format, Some(&index), began);
        let tokens = signs_in(&world, &idp, &mut office, &first).await;
        world.clock.advance(MINUTE);
        idp.sign_out(&world, &mut office, &tokens).await;

        let ended = of(now, format, Some(&index), began);
        assert!(is_refused_once(&world, &idp, &mut phone, &ended).await, "{now}");
        // Another session of theirs is not meant, nor is one that the IdP does not name.
        let other = of(now, format, Some("_other"), began);
        signs_in(&world, &idp, &mut home, &other).await;
        signs_in(&world, &idp, &mut world.browser(), &of(now, format, None, began)).await;

        // "Sign in anyway" is for good.
        let again = idp.sign_in(&world, &mut phone, &ended).await;
        let asked = idp.forger.asked(&again.page);
        let again = idp.answer(&world, &mut phone, (again.attempt, asked), &ended).await;
        let to = press(&mut phone, &again.page, "yes").await;
        idp.app.finish(&again.attempt, &to).await.unwrap();
        assert!(world.is_signed_in(&mut phone, &idp.app).await);
        signs_in(&world, &idp, &mut world.browser(), &ended).await;
    }
}

both!(somebody_else_with_the_same_index_signs_in_afresh_and_lifts_nothing, same_index);
async fn same_index(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let (mut office, mut home) = (world.browser(), world.browser());
    let began = world.clock.now();
    // SAML Core 2.7.2 advises small numbers that come again.
    let ada = of("ada", None, Some("1"), began);
    let tokens = signs_in(&world, &idp, &mut office, &ada).await;
    world.clock.advance(MINUTE);
    idp.sign_out(&world, &mut office, &tokens).await;
    world.clock.advance(MINUTE);
    let bob = of("bob", None, Some("1"), world.clock.now());
    signs_in(&world, &idp, &mut home, &bob).await;
    assert_eq!(recorded(&world).await, [1, 0, 0]);
    assert!(is_refused_once(&world, &idp, &mut office, &ada).await);
}

both!(two_logouts_in_one_browser_leave_two_locks, two_logouts);
async fn two_logouts(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut office = world.browser();
    let began = world.clock.now();
    let ada = of("ada", None, Some("_ada"), began);
    let tokens = signs_in(&world, &idp, &mut office, &ada).await;
    world.clock.advance(MINUTE);
    idp.sign_out(&world, &mut office, &tokens).await;
    let began = world.clock.now();
    let bob = of("bob", None, Some("_bob"), began);
    let tokens = signs_in(&world, &idp, &mut office, &bob).await;
    world.clock.advance(MINUTE);
    idp.sign_out(&world, &mut office, &tokens).await;

    for by in [&ada, &bob] {
        assert!(is_refused_once(&world, &idp, &mut office, by).await);
        assert!(is_refused_once(&world, &idp, &mut world.browser(), by).await);
    }
    // What one of them says is said for one of them.
    let again = idp.sign_in(&world, &mut office, &ada).await;
    let to = press(&mut office, &again.page, "yes").await;
    let tokens = idp.app.finish(&again.attempt, &to).await.unwrap();
    assert!(world.is_signed_in(&mut office, &idp.app).await);
    assert!(is_refused_once(&world, &idp, &mut world.browser(), &bob).await);
    idp.sign_out(&world, &mut office, &tokens).await;
    assert!(is_refused_once(&world, &idp, &mut office, &bob).await);
    assert!(is_refused_once(&world, &idp, &mut office, &ada).await);
}

both!(a_browser_that_has_a_lock_gets_that_of_an_administrator_beside_it, beside);
async fn beside(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut office = world.browser();
    let began = world.clock.now();
    // An IdP that names no sessions: nothing but the browser tells where the lock belongs.
    let ada = of("ada", None, None, began);
    let tokens = signs_in(&world, &idp, &mut office, &ada).await;
    world.clock.advance(MINUTE);
    idp.sign_out(&world, &mut office, &tokens).await;
    let bob = of("bob", None, None, world.clock.now());
    signs_in(&world, &idp, &mut office, &bob).await;
    let session = live(&world, "").await.remove(0);
    world.clock.advance(MINUTE);
    assert_eq!(end(&world, &session["id"]).await.status, 200);
    assert!(!world.is_signed_in(&mut office, &idp.app).await);

    assert!(is_refused_once(&world, &idp, &mut office, &bob).await);
    assert!(is_refused_once(&world, &idp, &mut office, &ada).await);
    // Nobody else's browser is meant.
    signs_in(&world, &idp, &mut world.browser(), &bob).await;
    // Who proves anew who they are is done with it.
    world.clock.advance(MINUTE);
    signs_in(&world, &idp, &mut office, &of("bob", None, None, world.clock.now())).await;
    office.jar.remove("sid");
    signs_in(&world, &idp, &mut office, &bob).await;
}
