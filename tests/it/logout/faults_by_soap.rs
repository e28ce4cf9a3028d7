//! Each fault of an IdP that is asked by SOAP, because it offers nothing else: what is known of the leg,
//! and who is signed in. The browser does not see the IdP, and is home in every row.

use std::time::Duration;

use sloop::mock_idp::{Entry, Fault, Options, Plan};
use sloop::saml::Binding;

use super::faults::{is_at_idp, of_the_idp, said};
use super::{eventually, home, signed_in};
use crate::both;
use crate::support::world::{On, Setting, World};

/// What is to be expected of one fault.
struct Row {
    /// Empty: none.
    fault: &'static str,
    said: &'static str,
    /// Whether the person is still signed in at the IdP.
    at_idp: bool,
}

const fn row(fault: &'static str, said: &'static str) -> Row {
    Row { fault, said, at_idp: false }
}

const fn kept(fault: &'static str, said: &'static str) -> Row {
    Row { fault, said, at_idp: true }
}

const CONFIRMED: &str = "confirmed (Success, signed)";
const ROWS: [Row; 19] = [
    row("", CONFIRMED),
    row("partial", "partial (PartialLogout, signed)"),
    kept("refused", "refused (Responder, signed)"),
    kept("refused=requester", "refused (Requester, signed)"),
    kept("refused=version-mismatch", "refused (VersionMismatch, signed)"),
    kept("refused=request-denied", "refused (Responder (RequestDenied), signed)"),
    kept("refused=unknown-principal", "refused (Requester (UnknownPrincipal), signed)"),
    kept("refused=unknown-status", "refused (Tuesday, signed)"),
    row("slow=0.3", CONFIRMED),
    row("unsigned", "unconfirmed (Success, but nobody signed it)"),
    // What does not count is no answer: it is asked again until the deadline.
    row(
        "wrong-in-response-to",
        "no_answer (what it answered does not count: the answer is not for the request that is \
         waiting)",
    ),
    row(
        "wrong-issuer",
        "no_answer (what it answered does not count: the answer comes from \
         https://another-idp.example/metadata, another IdP was asked)",
    ),
    row(
        "badly-signed",
        "no_answer (what it answered does not count: the element is not the one that was signed)",
    ),
    row("no-answer", "no_answer (no try came to an end)"),
    // Neither is there by SOAP.
    row("lost-relay-state", CONFIRMED),
    row("lower-case-percent", CONFIRMED),
    row("no-session-index", CONFIRMED),
    row("encrypted-name-id", CONFIRMED),
    row("idp-initiated", CONFIRMED),
];

both!(what_an_idp_does_wrong_by_soap_is_told_as_it_was, by_soap);
async fn by_soap(on: On) {
    let setting = Setting::on(on).config(|it| it.logout.wait = Duration::from_millis(50));
    let world = setting.idp(Options::default()).begin().await;
    world.idp.misbehave(Plan::of([Fault::SoapOnly])).unwrap();
    let again = world.add_idp("corp", &world.idp.metadata(), "").await;
    assert_eq!(again.status, 200, "{}", again.body);
    let app = world.app("app-one").await;
    for (number, row) in ROWS.iter().enumerate() {
        let what = format!("{:?} by SOAP", row.fault);
        let user = format!("user-{number}");
        let fault: Option<Fault> = (!row.fault.is_empty()).then(|| row.fault.parse().unwrap());
        world.idp.misbehave(Plan::of(fault).for_user(&user)).unwrap();
        let mut person = signed_in(&world, &app, &user).await;
        let seen = person.browser.history().len();

        let hint = person.hint().to_owned();
        let end = world.sign_out(&mut person.browser, &app, &hint).await;

        assert_eq!(end.url.as_str(), home(&app), "{what}");
        let visited = &person.browser.history()[seen..];
        let at_idp = |url: &url::Url| url.as_str().starts_with(&world.idp_url);
        assert!(!visited.iter().any(|visit| at_idp(&visit.url)), "{what}: {visited:?}");
        assert!(!person.is_in(&world, &app).await, "{what}");
        if row.said.starts_with("no_answer") {
            reach_the_deadline(&world, row.fault).await;
        }
        let story = world.settled().await;
        assert_eq!(said(&story), row.said, "{what}");
        let complete = row.said == CONFIRMED;
        assert_eq!(story.outcome.as_str(), if complete { "complete" } else { "partial" }, "{what}");
        assert_eq!(is_at_idp(&world, &user), row.at_idp, "{what}");
        assert!(!app.is_signed_in(person.sid()).await, "{what}");
        assert_eq!(world.logout_count().await, number + 1, "{what}");
        let (outcome, detail) = row.said.split_once(" (").unwrap();
        let closed = format!("leg.closed: {outcome}: {}", detail.strip_suffix(')').unwrap());
        let events = of_the_idp(&story);
        assert_eq!(
            events.iter().filter(|event| **event == closed).count(),
            1,
            "{what}: {events:?}"
        );
    }
}

/// Once the first try has come to an end, or hangs.
async fn reach_the_deadline(world: &World, fault: &str) {
    let asked = || {
        let last = world.idp.journal().pop();
        matches!(last, Some(Entry::LogoutRequest { binding: Binding::Soap, .. }))
    };
    eventually("the request", async || asked()).await;
    if fault != "no-answer" {
        let tried = async || said(&world.newest_logout().await).starts_with("told ");
        eventually("a try that failed", tried).await;
    }
    world.clock.advance(Duration::from_secs(601));
}
