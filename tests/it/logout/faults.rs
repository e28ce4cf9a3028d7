//! Each fault of an IdP at a logout that an app begins, by each binding: what is known of the leg,
//! where the person lands, who is signed in, and what the audit says.

use std::time::Duration;

use sloop::mock_idp::{Fault, Options, Plan, Slo};
use sloop::use_cases::LogoutStory;

use super::{eventually, home, signed_in};
use crate::both;
use crate::support::world::{On, Setting, World};

/// What is to be expected of one fault. Our own side is over in every row, and the app is told.
struct Row {
    /// Empty: none.
    fault: &'static str,
    outcome: &'static str,
    detail: &'static str,
    /// Why the answer is refused, for the audit; it differs by binding where the signature does.
    refused: Option<[&'static str; 2]>,
    /// Whether the person is still signed in at the IdP.
    at_idp: bool,
}

const fn row(fault: &'static str, outcome: &'static str, detail: &'static str) -> Row {
    Row { fault, outcome, detail, refused: None, at_idp: false }
}

const fn kept(fault: &'static str, detail: &'static str) -> Row {
    Row { at_idp: true, ..row(fault, "refused", detail) }
}

const fn refused(fault: &'static str, why: [&'static str; 2]) -> Row {
    Row { refused: Some(why), ..row(fault, "unconfirmed", "") }
}

const SUCCESS: &str = "Success, signed";
const ROWS: [Row; 19] = [
    row("", "confirmed", SUCCESS),
    row("partial", "partial", "PartialLogout, signed"),
    kept("refused", "Responder, signed"),
    kept("refused=requester", "Requester, signed"),
    kept("refused=version-mismatch", "VersionMismatch, signed"),
    kept("refused=request-denied", "Responder (RequestDenied), signed"),
    kept("refused=unknown-principal", "Requester (UnknownPrincipal), signed"),
    kept("refused=unknown-status", "Tuesday, signed"),
    row("slow=0.3", "confirmed", SUCCESS),
    refused("wrong-in-response-to", ["the answer is not for the request that is waiting"; 2]),
    refused(
        "wrong-issuer",
        ["the answer comes from https://another-idp.example/metadata, another IdP was asked"; 2],
    ),
    refused("unsigned", ["Success, but nobody signed it"; 2]),
    refused(
        "badly-signed",
        [
            "no trusted key verifies the signature; or something between the IdP and us has \
             encoded the query anew",
            "the element is not the one that was signed",
        ],
    ),
    row("lost-relay-state", "confirmed", SUCCESS),
    row("lower-case-percent", "confirmed", SUCCESS),
    row("no-session-index", "confirmed", SUCCESS),
    row("encrypted-name-id", "confirmed", SUCCESS),
    row("idp-initiated", "confirmed", SUCCESS),
    row("ignores-force-authn", "confirmed", SUCCESS),
];

both!(what_an_idp_does_wrong_by_redirect_is_told_as_it_was, by_redirect);
async fn by_redirect(on: On) {
    every_row(on, Slo::Redirect).await;
}

both!(what_an_idp_does_wrong_by_post_is_told_as_it_was, by_post);
async fn by_post(on: On) {
    every_row(on, Slo::Post).await;
}

async fn every_row(on: On, slo: Slo) {
    let world = Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await;
    let app = world.app("app-one").await;
    for (number, row) in ROWS.iter().enumerate() {
        let what = format!("{:?} by {slo:?}", row.fault);
        let user = format!("user-{number}");
        let fault: Option<Fault> = (!row.fault.is_empty()).then(|| row.fault.parse().unwrap());
        world.idp.misbehave(Plan::of(fault).for_user(&user)).unwrap();
        let mut person = signed_in(&world, &app, &user).await;
        assert!(app.is_signed_in(person.sid()).await && is_at_idp(&world, &user), "{what}");

        let hint = person.hint().to_owned();
        let end = world.sign_out(&mut person.browser, &app, &hint).await;

        // The person is home, whatever the IdP did.
        assert_eq!(end.url.as_str(), home(&app), "{what}");
        assert!(!person.is_in(&world, &app).await, "{what}");
        assert!(!app.is_signed_in(person.sid()).await, "{what}");
        assert_eq!(is_at_idp(&world, &user), row.at_idp, "{what}");
        // One logout, and the truth about it.
        assert_eq!(world.logout_count().await, number + 1, "{what}");
        let story = world.settled().await;
        let confirmed = row.outcome == "confirmed";
        assert_eq!(
            story.outcome.as_str(),
            if confirmed { "complete" } else { "partial" },
            "{what}"
        );
        let reason = row.refused.map(|why| why[usize::from(slo == Slo::Post)]);
        let detail = reason.unwrap_or(row.detail);
        assert_eq!(said(&story), format!("{} ({detail})", row.outcome), "{what}");
        // Until the IdP confirms it, a later sign-in with this browser must be a fresh one.
        let mut events = vec!["leg.sent: ".to_owned(), "relogin_lock.set: ".to_owned()];
        events.extend(reason.map(|why| format!("logout.answer_refused: {why}")));
        let lifted = "relogin_lock.lifted: the IdP has confirmed the logout".to_owned();
        events.extend(confirmed.then_some(lifted));
        events.push(format!("leg.closed: {}: {detail}", row.outcome));
        // The lock and the first message are of one moment, in no order.
        let mut told = of_the_idp(&story);
        told.sort();
        events.sort();
        assert_eq!(told, events, "{what}");
    }
}

both!(an_idp_that_never_answers_is_closed_at_the_deadline, silent);
async fn silent(on: On) {
    for slo in [Slo::Redirect, Slo::Post] {
        let world = Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await;
        world.idp.misbehave(Plan::of([Fault::NoAnswer])).unwrap();
        let app = world.app("app-one").await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();

        let page = world.sign_out(&mut ada.browser, &app, &hint).await;

        // The browser stays there; our side and the app do not wait for that.
        assert!(page.url.as_str().starts_with(&format!("{}/slo", world.idp_url)), "{slo:?}");
        assert!(page.text().contains("this is where you stay"), "{}", page.text());
        assert!(!ada.is_in(&world, &app).await && !is_at_idp(&world, "ada"), "{slo:?}");
        eventually("the app's token", async || !app.is_signed_in(ada.sid()).await).await;
        let sent = ["relogin_lock.set: ", "leg.sent: "];
        assert_eq!(of_the_idp(&world.newest_logout().await), sent);

        world.clock.advance(Duration::from_secs(601));
        let story = world.settled().await;
        assert_eq!(story.outcome.as_str(), "partial");
        let why = "the IdP did not answer in time";
        assert_eq!(said(&story), format!("no_answer ({why})"), "{slo:?}");
        let closed = format!("leg.closed: no_answer: {why}");
        assert_eq!(of_the_idp(&story), [sent[0], sent[1], &closed], "{slo:?}");
        // One who comes back lands where they wanted to go.
        let end = world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_eq!(end.url.as_str(), home(&app), "{slo:?}");
    }
}

both!(an_idp_that_ignores_force_authn_signs_nobody_in_anew, ignores_force_authn);
async fn ignores_force_authn(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    world.clock.advance(Duration::from_secs(300));
    let ask_again = async |ada: &mut super::SignedIn| {
        let attempt = app.begin(&[("prompt", "login")]).await;
        (ada.browser.open(attempt.url.as_str()).await, attempt)
    };
    let plan = Plan::of([Fault::IgnoresForceAuthn]).for_user("ada");
    world.idp.misbehave(plan.times(1)).unwrap();
    let (page, _) = ask_again(&mut ada).await;
    assert!(page.url.as_str().starts_with(&app.redirect_uri()), "{}", page.summary());
    assert_eq!(page.query("error").as_deref(), Some("login_required"));
    assert_eq!(page.query("code"), None);
    assert!(ada.is_in(&world, &app).await, "the session that was there stays");
    // That was once: now it asks.
    let (page, attempt) = ask_again(&mut ada).await;
    assert!(page.url.as_str().starts_with(&world.idp_url), "{}", page.summary());
    let named = ada.browser.submit(&page, &[("user", "ada")]).await;
    let back = ada.browser.settle(named).await;
    ada.tokens = app.finish(&attempt, &back.url).await.unwrap();
}

/// Whether the IdP has a session of that person.
pub(super) fn is_at_idp(world: &World, user: &str) -> bool {
    world.idp.sessions().iter().any(|session| session.user == user)
}

/// What is said of the IdP's leg.
pub(super) fn said(story: &LogoutStory) -> String {
    story.legs.iter().find(|leg| leg.party == "IdP corp").expect("an IdP leg").said.clone()
}

/// The events of a logout that name the IdP.
pub(super) fn of_the_idp(story: &LogoutStory) -> Vec<String> {
    let named = story.events.iter().filter(|event| event.idp.as_deref() == Some("corp"));
    named.map(|event| format!("{}: {}", event.kind, event.detail)).collect()
}
