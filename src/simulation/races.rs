//! Races that a run once found, told step by step.

use super::idps::{Carried, Manner};
use super::installation::{Installation, app};
use super::mail::Mail;
use super::wish::{Button, Form, Prompt, Wish};
use super::world::World;
use crate::logout::{Leg, LegOutcome, PartyId};

/// A world in which nothing fails, and nobody begins anything by chance.
fn calm(installation: &mut Installation) -> World<'_> {
    let mut world = World::new(installation, 0, true);
    world.closing = true;
    world
}

/// Somebody has signed in at the IdP, and the browser is on its way back to us.
fn on_its_way_back(world: &mut World<'_>) -> Wish {
    let browser = 0;
    world.ask(Wish::Authorize { browser, app: 0, idp: 0, prompt: Prompt::Absent });
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
        world.let_through(node, "FROM browser_session b WHERE b.id = $1");
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
fn the_idp_hears_of_an_app_whose_session_was_ended_while_its_answer_was_made() {
    let mut installation = Installation::new();
    let mut world = calm(&mut installation);
    let sign_in = on_its_way_back(&mut world);
    let request = ended_by_the_idp(&mut world);
    world.ask_node(0, sign_in);
    for what in ["FROM held_sign_in", "FROM authn_request", "FROM ended_principal"] {
        world.let_through(0, what);
    }
    world.ask_node(1, request);
    world.let_through(1, "FROM identity_provider");
    world.let_through(1, LOOK);
    world.let_through(1, "AddEndedPrincipal");
    world.let_through(1, "FROM ended_principal");
    world.let_through(1, LOOK);
    // Nobody was found, and nobody before: the answer is being made.
    world.let_through(1, "FROM ended_principal");
    world.let_through(1, "FROM ended_principal");
    // The sign-in is written, finds itself overtaken, and ends its session.
    world.let_through(0, "FROM relogin_lock");
    world.let_through(0, "BeginBrowserSession");
    for what in ["FROM ended_principal", "FROM ended_principal", LOOK] {
        world.let_through(0, what);
    }
    world.let_through(0, "FROM browser_session b WHERE b.id = $1");
    world.let_through(0, "WHERE o.apps_of_session_id");
    world.let_through(0, "EndBrowserSession");
    assert_eq!(live_sessions(&world), 0);
    // `idp_hears` looks whether it hears Success before the app has agreed.
    world.let_through(1, "FROM ended_principal");
    world.let_through(1, "FROM identity_provider");
    world.let_through(1, "FROM idp_session i");
    assert!(world.truth.requests[0].answered.is_none(), "the app has not answered yet");
    world.run_quiet();
    assert!(world.truth.requests[0].answered.is_some());
    world.come_to_an_end();
}

/// Somebody has signed out, waits for the IdP, goes on without it, and has it asked once more. Its answer
/// to the first question is being read meanwhile.
#[test]
fn an_answer_that_is_being_read_does_not_answer_the_question_that_is_asked_anew() {
    let mut installation = Installation::new();
    let mut world = calm(&mut installation);
    let sign_in = on_its_way_back(&mut world);
    world.ask(sign_in);
    world.run_quiet();
    let query = "client_id=app-0&federated&returnTo=https://app-0.test/bye".to_owned();
    world.truth.targets.push("https://app-0.test/bye".to_owned());
    world.ask(Wish::V2Logout { browser: 0, query });
    world.run_quiet();
    let Some(Mail::Asked { browser, idp, request, .. }) = world.mail.pop() else { panic!() };
    let says = (Manner::Rightly, LegOutcome::Confirmed, Carried::Without);
    world.answer(browser, idp, &request, "", says);
    let Some(Mail::Answer { browser, answer: Some(answer), query }) = world.mail.pop() else {
        panic!()
    };
    world.truth.answers[answer].delivered = true;
    world.ask_node(0, Wish::IdpAnswer { browser, answer: Some(answer), query });
    world.let_through(0, "FROM logout");

    let (_, handle) = world.browsers[0].transactions[0].clone();
    let leg = the_leg(&world).id;
    world.truth.gave_up.push(leg);
    for button in [Button::GoOn(Some(leg)), Button::TryAgain(leg)] {
        let (handle, csrf) = (handle.clone(), String::new());
        world.ask_node(1, Wish::Press { browser: 0, handle, button, csrf });
        world.let_through(1, "FROM logout");
        world.let_through(1, "AdvanceLogout");
    }
    assert_ne!(the_leg(&world).asked.as_ref().unwrap().request_id, request.id);
    world.run_quiet();
    assert_eq!(the_leg(&world).outcome(), Some(LegOutcome::NoAnswer), "the new one is open");

    // That one is answered, and counts.
    let Some(Mail::Asked { browser, idp, request, relay_state }) = world.mail.pop() else {
        panic!()
    };
    let says = (Manner::Rightly, LegOutcome::Confirmed, Carried::WithRelayState);
    world.answer(browser, idp, &request, &relay_state, says);
    let Some(Mail::Answer { browser, answer: Some(answer), query }) = world.mail.pop() else {
        panic!()
    };
    world.truth.answers[answer].delivered = true;
    world.ask(Wish::IdpAnswer { browser, answer: Some(answer), query });
    world.run_quiet();
    assert_eq!(the_leg(&world).outcome(), Some(LegOutcome::Confirmed));
    world.come_to_an_end();
}

/// The only IdP leg there is.
fn the_leg<'w>(world: &'w World<'_>) -> &'w Leg {
    let mut legs = world.model.logouts.values().flat_map(|known| &known.logout.legs);
    legs.find(|leg| leg.is_idp()).expect("an IdP was asked")
}

/// The person signs in to a second app, and opens their own page.
fn page_of_two_apps(world: &mut World<'_>) -> Box<Form> {
    world.ask(Wish::Authorize { browser: 0, app: 1, idp: 0, prompt: Prompt::None });
    world.ask(Wish::PersonPage { browser: 0 });
    world.run_quiet();
    let mut mail = std::mem::take(&mut world.mail).into_iter();
    let form = mail.find_map(|mail| match mail {
        Mail::PersonPage { form, .. } => Some(form),
        _ => None,
    });
    form.expect("somebody is signed in")
}

/// Of two apps one is ended alone. Before it is told, the person opens it again, or does not, and then the
/// session lapses. Returns what became of its leg.
fn told_when_the_session_has_lapsed(opened_again: bool) -> LegOutcome {
    let mut installation = Installation::new();
    let mut world = calm(&mut installation);
    let sign_in = on_its_way_back(&mut world);
    world.ask(sign_in);
    world.run_quiet();
    let sign_on = |app| Wish::Authorize { browser: 0, app, idp: 0, prompt: Prompt::None };
    let mut form = page_of_two_apps(&mut world);
    form.ticks.ticked = vec![PartyId::of_app(&app(0))];
    world.ask_node(0, Wish::PersonForm { browser: 0, form });
    for what in ["FROM browser_session", "FROM logout", "FROM code", "AdvanceBrowserSession"] {
        world.let_through(0, what);
    }
    if opened_again {
        world.ask_node(1, sign_on(0));
        world.let_through(1, "FROM browser_session");
        world.let_through(1, "AdvanceBrowserSession");
    }
    world.pass(std::time::Duration::from_secs(9 * 3600));
    world.run_quiet();
    let logout = &world.model.logouts.values().next().expect("it has begun").logout;
    let outcome = logout.legs[0].outcome().expect("it was tried");
    assert_eq!(world.truth.told.len(), usize::from(!opened_again));
    assert_eq!(live_sessions(&world), 1, "it has lapsed, and nobody has ended it");
    world.come_to_an_end();
    outcome
}

#[test]
fn an_app_that_takes_part_again_in_a_session_that_lapses_is_not_told_of_its_former_end() {
    assert_eq!(told_when_the_session_has_lapsed(true), LegOutcome::NotSent);
    assert_eq!(told_when_the_session_has_lapsed(false), LegOutcome::Confirmed);
}

/// The person's own page is sent twice, with other ticks, and both are about to be written. The second one
/// is lost with its connection, and what it finds then is the first one's logout.
#[test]
fn what_only_the_second_form_ticks_ends_although_its_commit_was_lost() {
    let mut installation = Installation::new();
    let mut world = calm(&mut installation);
    let sign_in = on_its_way_back(&mut world);
    world.ask(sign_in);
    world.run_quiet();
    let form = page_of_two_apps(&mut world);
    for (node, number) in [(0, 0), (1, 1)] {
        let mut form = form.clone();
        form.ticks.ticked = vec![PartyId::of_app(&app(number))];
        world.ask_node(node, Wish::PersonForm { browser: 0, form });
        for what in ["FROM browser_session", "FROM logout", "FROM code"] {
            world.let_through(node, what);
        }
    }
    world.let_through(0, "AdvanceBrowserSession");
    world.let_break(1, "AdvanceBrowserSession");
    world.run_quiet();
    // `ticked_must_be_over` looks at what each of them ticked when it is answered. Nothing was left.
    assert_eq!((live_sessions(&world), world.model.logouts.len()), (0, 2));
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
