//! Races that a run once found, told step by step.

use super::installation::Installation;
use super::mail::Mail;
use super::wish::Wish;
use super::world::World;

/// A world in which nothing fails, and nobody begins anything by chance.
fn calm(installation: &mut Installation) -> World<'_> {
    let mut world = World::new(installation, 0, true);
    world.closing = true;
    world
}

/// Somebody has signed in at the IdP, and the browser is on its way back to us.
fn on_its_way_back(world: &mut World<'_>) -> Wish {
    let browser = 0;
    world.ask(Wish::Authorize { browser, app: 0, idp: 0, silent: false });
    world.run_quiet();
    let Some(Mail::AtLogin { browser, idp, authn_request, .. }) = world.mail.pop() else {
        panic!()
    };
    world.person_signs_in(browser, idp, authn_request, false);
    let Some(Mail::SignedIn { browser, handle, sign_in }) = world.mail.pop() else { panic!() };
    Wish::Continue { browser, handle, sign_in }
}

/// The IdP has ended the session that it has just begun.
fn ended_by_the_idp(world: &mut World<'_>) -> Wish {
    world.idp_begins_logout();
    let Some(Mail::Request { request }) = world.mail.pop() else { panic!() };
    let (_, query) = world.truth.requests[request].url.split_once('?').unwrap();
    Wish::IdpRequest { browser: None, request, query: query.to_owned() }
}

fn live_sessions(world: &World<'_>) -> usize {
    world.model.sessions.values().filter(|known| known.ended.is_none()).count()
}

/// A sign-in on node 0 and a request on node 1 have each looked for the other before the other was
/// written. Then the sign-in is written.
fn crossing(world: &mut World<'_>) {
    let sign_in = on_its_way_back(world);
    let request = ended_by_the_idp(world);
    world.ask_node(0, sign_in);
    world.let_through(0, "FROM held_sign_in");
    world.let_through(0, "FROM authn_request");
    world.let_through(0, "FROM ended_principal");
    world.ask_node(1, request);
    world.let_through(1, "FROM identity_provider");
    world.let_through(1, LOOK);
    world.let_through(0, "FROM relogin_lock");
    world.let_through(0, "BeginBrowserSession");
    assert_eq!(live_sessions(world), 1);
}

/// A look at the sessions of a person.
const LOOK: &str = "SELECT DISTINCT b.id FROM browser_session";

#[test]
fn a_sign_in_and_the_logout_request_that_crosses_it_do_not_miss_each_other() {
    let mut installation = Installation::new();
    let mut world = calm(&mut installation);
    crossing(&mut world);
    // The sign-in looks a second time before the request is written, and finds nothing.
    world.let_through(0, "FROM ended_principal");
    world.let_through(1, "AddEndedPrincipal");
    world.run_quiet();
    assert_eq!(live_sessions(&world), 0);
    world.come_to_an_end();
}

#[test]
fn the_idp_hears_of_an_app_whose_session_was_ended_by_its_own_sign_in() {
    let mut installation = Installation::new();
    let mut world = calm(&mut installation);
    crossing(&mut world);
    // Both find each other, and both are about to end the session.
    world.let_through(1, "AddEndedPrincipal");
    world.let_through(0, "FROM ended_principal");
    world.let_through(0, "FROM ended_principal");
    world.let_through(1, "FROM ended_principal");
    for node in [0, 1] {
        world.let_through(node, LOOK);
        world.let_through(node, "FROM browser_session WHERE id");
        world.let_through(node, "WHERE o.apps_of_session_id");
    }
    world.let_through(0, "EndBrowserSession");
    assert_eq!(live_sessions(&world), 0);
    world.let_through(1, "EndBrowserSession");
    // The app has not been told yet, and the IdP waits for it: `idp_hears` looks whether it hears
    // Success too early.
    for _ in 0..2 {
        world.let_through(1, "FROM ended_principal");
        world.let_through(1, LOOK);
    }
    world.let_through(1, "FROM ended_principal");
    world.let_through(1, "FROM logout");
    assert!(world.truth.requests[0].answered.is_none(), "the app has not answered yet");
    world.run_quiet();
    assert!(world.truth.requests[0].answered.is_some());
    world.come_to_an_end();
}

#[test]
fn a_sign_in_that_nobody_ended_stays() {
    let mut installation = Installation::new();
    let mut world = calm(&mut installation);
    let sign_in = on_its_way_back(&mut world);
    world.ask(sign_in);
    world.run_quiet();
    assert_eq!(live_sessions(&world), 1);
    world.come_to_an_end();
}
