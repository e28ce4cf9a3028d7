//! A logout that the IdP begins, with each fault of its LogoutRequest, by each binding: what ends, what
//! the IdP hears, and what the audit says.

use sloop::mock_idp::{Entry, Options, Plan, Slo};

use super::faults::{is_at_idp, of_the_idp, said};
use super::signed_in;
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::rp::Answer;
use crate::support::world::{On, Setting, World};

/// What is to be expected of one fault. The IdP's own session is over in every row.
struct Row {
    /// Empty: none.
    fault: &'static str,
    /// What the IdP hears; `None`: no SAML answer at all.
    hears: Option<&'static str>,
    /// Whether our session ends, and the app's.
    ends: bool,
    /// What the audit says of the request.
    audit: &'static str,
}

const DENIED: Option<&str> = Some("Requester / RequestDenied");
const CARRIED_OUT: &str = "logout_request.carried_out";
const ROWS: [Row; 9] = [
    Row { fault: "", hears: Some("Success"), ends: true, audit: CARRIED_OUT },
    Row { fault: "no-session-index", hears: Some("Success"), ends: true, audit: CARRIED_OUT },
    Row { fault: "encrypted-name-id", hears: Some("Success"), ends: true, audit: CARRIED_OUT },
    Row { fault: "lower-case-percent", hears: Some("Success"), ends: true, audit: CARRIED_OUT },
    // Nobody here has that name: nothing is left to end, and nothing ends.
    Row { fault: "new-name-id", hears: Some("Success"), ends: false, audit: CARRIED_OUT },
    Row { fault: "unsigned", hears: DENIED, ends: false, audit: "" },
    Row { fault: "badly-signed", hears: DENIED, ends: false, audit: "" },
    Row { fault: "wrong-issuer", hears: None, ends: false, audit: "" },
    // Through a browser it gets none, as it wished.
    Row { fault: "asynchronous", hears: None, ends: true, audit: CARRIED_OUT },
];

both!(by_redirect_it_ends_what_it_names_if_the_idp_signed_it, by_redirect);
async fn by_redirect(on: On) {
    every_row(on, Slo::Redirect, "redirect").await;
}

both!(by_post_it_ends_what_it_names_if_the_idp_signed_it, by_post);
async fn by_post(on: On) {
    every_row(on, Slo::Post, "post").await;
}

both!(by_soap_it_ends_what_it_names_if_the_idp_signed_it, by_soap);
async fn by_soap(on: On) {
    every_row(on, Slo::RedirectSoap, "soap").await;
}

async fn every_row(on: On, slo: Slo, by: &str) {
    let world = Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await;
    let app = world.app("app-one").await;
    let mut logouts = 0;
    for (number, row) in ROWS.iter().enumerate() {
        let what = format!("{:?} by {by}", row.fault);
        let user = format!("user-{number}");
        let mut person = signed_in(&world, &app, &user).await;
        let audit = world.audit().await.len();
        let journal = world.idp.journal().len();

        let page = begin(&world, &mut person.browser, by, row.fault).await;

        // By SOAP there is an answer in any case: nobody is kept waiting for it.
        let hears = match (row.fault, by) {
            ("asynchronous", "soap") => Some("Success"),
            _ => row.hears,
        };
        assert!(!is_at_idp(&world, &user), "{what}");
        assert_eq!(heard(&world, journal), hears.map(str::to_owned), "{what}: {}", page.summary());
        if let Some(hears) = hears {
            let says = format!("The service provider was told, and answered {hears} .");
            assert!(page.text().contains(&says), "{what}: {}", page.text());
        }
        assert_eq!(person.is_in(&world, &app).await, !row.ends, "{what}");
        assert_eq!(app.is_signed_in(person.sid()).await, !row.ends, "{what}");
        let kinds: Vec<String> =
            world.audit().await.split_off(audit).into_iter().map(|event| event.kind).collect();
        let of_requests: Vec<&String> =
            kinds.iter().filter(|kind| kind.starts_with("logout_request.")).collect();
        let expected = Vec::from_iter((!row.audit.is_empty()).then_some(row.audit));
        assert_eq!(of_requests, expected, "{what}");
        logouts += usize::from(row.ends);
        assert_eq!(world.logout_count().await, logouts, "{what}");
        if row.ends {
            let story = world.settled().await;
            assert_eq!(story.outcome.as_str(), "complete", "{what}");
            assert_eq!(said(&story), "confirmed (it began this logout)", "{what}");
            assert_eq!(of_the_idp(&story), [""; 0], "{what}: it is not asked in its turn");
        }
    }
}

both!(an_app_that_is_not_told_is_told_to_the_idp, partial);
async fn partial(on: On) {
    for (slo, by) in [(Slo::Redirect, "redirect"), (Slo::Post, "post"), (Slo::Redirect, "soap")] {
        let world = Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await;
        let app = world.app("app-one").await;
        app.answer_back_channel_with(Answer::Status(400));
        let mut ada = signed_in(&world, &app, "ada").await;
        begin(&world, &mut ada.browser, by, "").await;
        assert_eq!(heard(&world, 0).as_deref(), Some("Success / PartialLogout"), "{by}");
        assert!(!ada.is_in(&world, &app).await, "{by}");
        assert_eq!(world.settled().await.outcome.as_str(), "partial");
    }
}

both!(in_the_idps_frame_it_ends_without_a_cookie, framed);
async fn framed(on: On) {
    // Two sites, as in life: no cookie of ours is sent from within the frame.
    let world = Setting::on(on).https().begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = begin(&world, &mut ada.browser, "redirect", "iframe-logout").await;
    assert_eq!(page.url[url::Position::BeforePath..], *"/logout", "the IdP's own page");
    let [src] = &page.frames()[..] else { panic!("{}", page.body) };
    assert!(src.as_str().starts_with(&world.url("/logout?SAMLRequest=")), "{src}");

    // The window loads it by itself, and what is in it comes back to the IdP.
    assert_eq!(heard(&world, 0).as_deref(), Some("Success"));
    assert!(!ada.is_in(&world, &app).await && !app.is_signed_in(ada.sid()).await);
    let asked = src.as_str();
    let ours = ada.browser.history().iter().find(|visit| visit.url.as_str() == asked).unwrap();
    assert!(ours.cookies.is_empty(), "{ours:?}");
}

both!(both_sides_begin_and_each_is_answered, crossing);
async fn crossing(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    world.idp.misbehave(Plan::of(["idp-initiated".parse().unwrap()])).unwrap();
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), super::home(&app));
    assert_eq!(heard(&world, 0).as_deref(), Some("Success"), "while ours was under way");
    assert_eq!(world.logout_count().await, 1);
    assert_eq!(said(&world.settled().await), "confirmed (Success, signed)");
    assert_eq!(app.received_logout_tokens().len(), 1);
}

/// "Sign out everywhere" on the IdP's page, to where the window comes to rest.
async fn begin(world: &World, browser: &mut Browser, by: &str, fault: &str) -> Page {
    let home = browser.open(&world.idp_url).await;
    let mut forms = home.forms();
    let place = forms.iter().position(|form| form.action == "/logout").expect("the form");
    let mut form = forms.remove(place);
    form.fields.retain(|(name, _)| name != "fault");
    form.fields.extend([("by".to_owned(), by.to_owned()), ("fault".to_owned(), fault.to_owned())]);
    let page = browser.submit_form(&home, &form).await;
    browser.settle(page).await
}

/// What the IdP was answered since then, if it was.
fn heard(world: &World, since: usize) -> Option<String> {
    let journal = world.idp.journal().split_off(since);
    let mut answers = journal.into_iter().filter_map(|entry| match entry {
        Entry::LogoutResponse { status, signature_valid, relay_state_returned, .. } => {
            assert!(signature_valid && relay_state_returned != Some(false));
            Some(status)
        }
        _ => None,
    });
    let answer = answers.next();
    assert_eq!(answers.next(), None, "one answer");
    answer
}
