mod asynchronous;

use std::time::Duration;

use super::*;
use crate::connection::BrowserBinding;
use crate::id::{BrowserSessionId, LogoutId};
use crate::logout::{AppChannel, Ends, LogoutDocument, Outcome, Reason, retry};
use crate::oidc::{FrontchannelLogoutUri, LogoutScope, Subject};
use crate::rng::Rng;

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_000 + second)
}

fn app() -> (Party, LegState) {
    let due = LegState::Due { attempts: 0, next_try: at(30), last_error: None };
    (Party::App { client: "app".parse().unwrap(), channel: AppChannel::BackChannel }, due)
}

fn frame() -> (Party, LegState) {
    let registered = crate::oidc::RegisteredRedirectUri::parse("https://app.example/cb").unwrap();
    let location = FrontchannelLogoutUri::parse("https://app.example/out", &[registered]).unwrap();
    let channel = AppChannel::FrontChannel { location };
    (Party::App { client: "framed".parse().unwrap(), channel }, LegState::Planned)
}

fn idp(rung: Rung) -> (Party, LegState) {
    (Party::Idp { idp: "corp".parse().unwrap(), rung }, LegState::Planned)
}

fn slo() -> Rung {
    Rung::SingleLogout {
        binding: BrowserBinding::Redirect,
        location: "https://idp.example/slo".into(),
    }
}

fn login_url() -> Rung {
    Rung::LoginUrl { binding: BrowserBinding::Redirect, location: "https://idp.example/sso".into() }
}

/// Leased to whoever wrote the logout.
fn soap() -> (Party, LegState) {
    let due = LegState::Due { attempts: 0, next_try: at(60), last_error: None };
    let rung = Rung::Soap { location: "https://idp.example/soap".into() };
    (Party::Idp { idp: "corp".parse().unwrap(), rung }, due)
}

fn failed(logout: &Logout, position: usize, why: &str) -> Event {
    Event::Tried { leg: logout.legs[position].id, attempt: Attempt::Failed(why.into()) }
}

fn logout(legs: Vec<(Party, LegState)>) -> Logout {
    let rng = Rng::system();
    let leg = |(position, (party, state))| Leg {
        id: LegId::new(at(0), &rng),
        position,
        party,
        state,
        retried_at: None,
        asked: None,
        principal: None,
    };
    Logout {
        id: LogoutId::new(at(0), &rng),
        version: 1,
        document: LogoutDocument {
            reason: Reason::RpInitiated,
            scope: LogoutScope::AllAppsAndIdp,
            browser_session: BrowserSessionId::new(at(0), &rng),
            sid: "sid".into(),
            subject: Subject::stored("sub".into()),
            initiator: None,
            target: None,
            language: None,
            page_seed: String::new(),
            owed_answer: None,
            ends: Ends::Session,
            left: Vec::new(),
        },
        created_at: at(0),
        deadline: at(600),
        answered_at: None,
        settled_at: None,
        legs: (0..).zip(legs).map(leg).collect(),
    }
}

fn here() -> Event {
    let relay_state = Rng::system().handle().hash();
    let asked = Asked { request_id: Rng::system().saml_id(), relay_state };
    Event::BrowserHere { asked, again: false }
}

fn here_again() -> Event {
    match here() {
        Event::BrowserHere { asked, .. } => Event::BrowserHere { asked, again: true },
        other => other,
    }
}

fn success(logout: &Logout, position: usize, proven: bool) -> Event {
    let outcome = match proven {
        true => LegOutcome::Confirmed,
        false => LegOutcome::Unconfirmed,
    };
    let answer = Answer { outcome, proven, detail: String::new() };
    Event::Answered { leg: logout.legs[position].id, answer }
}

fn outcomes(logout: &Logout) -> Vec<Option<LegOutcome>> {
    logout.legs.iter().map(Leg::outcome).collect()
}

#[test]
fn idps_are_asked_one_after_the_other_and_then_it_is_finished() {
    let start = logout(vec![idp(slo()), idp(slo())]);
    let first = start.on([here()], at(1));
    assert_eq!(first.next, Next::AskIdp(first.logout.legs[0].id));
    let again = first.logout.clone().on([here()], at(2));
    assert_eq!(again.next, Next::Wait(first.logout.legs[0].id));
    assert!(again.changes.is_empty());

    let answer = success(&first.logout, 0, true);
    let second = first.logout.on([answer, here()], at(3));
    assert_eq!(second.next, Next::AskIdp(second.logout.legs[1].id));
    let answer = success(&second.logout, 1, true);
    let done = second.logout.on([answer], at(4));
    assert_eq!(done.next, Next::Finish);
    assert_eq!(done.logout.answered_at, Some(at(4)));
    assert_eq!(done.logout.settled_at, Some(at(4)));
    assert_eq!(done.logout.outcome(), Outcome::Complete);
}

#[test]
fn frames_are_shown_on_one_page_before_any_idp_is_asked() {
    let start = logout(vec![frame(), app(), frame(), idp(slo())]);
    let (one, two, corp) = (start.legs[0].id, start.legs[2].id, start.legs[3].id);

    let shown = start.on([here()], at(1));
    assert_eq!(shown.next, Next::Frames(vec![one, two]));
    assert_eq!(shown.logout.legs[0].state, LegState::Waiting { since: at(1) });
    let sent = |change: &&Change| matches!(change, Change::Record(event) if event.kind == AuditKind::LegSent);
    assert_eq!(shown.changes.iter().filter(sent).count(), 2);
    // The page loaded again says the same, and changes nothing.
    let again = shown.logout.clone().on([here_again()], at(2));
    assert_eq!(again.next, Next::Frames(vec![one, two]));
    assert!(again.changes.is_empty());

    let asked = shown.logout.on([Event::FramesDone, here()], at(3));
    assert_eq!(asked.next, Next::AskIdp(corp));
    let unconfirmed = Some(LegOutcome::Unconfirmed);
    assert_eq!(outcomes(&asked.logout), [unconfirmed, None, unconfirmed, None]);
    assert_eq!(asked.logout.answered_at, None);
    // Coming back once more changes nothing.
    assert!(asked.logout.clone().on([Event::FramesDone], at(4)).changes.is_empty());
    let answer = success(&asked.logout, 3, true);
    let done = asked.logout.on([answer], at(5));
    assert_eq!((done.next, done.logout.answered_at), (Next::Finish, Some(at(5))));
    assert_eq!(done.logout.outcome(), Outcome::Partial, "no frame proves anything");
}

#[test]
fn frames_that_were_never_shown_are_not_done() {
    let start = logout(vec![frame()]);
    let early = start.clone().on([Event::FramesDone], at(1));
    assert!(early.changes.is_empty());
    assert_eq!(early.next, Next::Continue, "a browser is still needed");
    // Whatever the way, the page comes first.
    let page = start.clone().on([Event::FramesDone, here()], at(1));
    assert_eq!(page.next, Next::Frames(vec![start.legs[0].id]));
    let done = page.logout.on([Event::FramesDone, here()], at(2));
    assert_eq!((done.next, done.logout.answered_at), (Next::Finish, Some(at(2))));
}

#[test]
fn the_deadline_ends_frames_too() {
    let start = logout(vec![frame(), frame()]);
    let never = start.clone().on([Event::DeadlinePassed], at(600)).logout;
    assert_eq!(outcomes(&never), [Some(LegOutcome::NotSent); 2]);
    assert_eq!(never.outcome(), Outcome::LocalOnly);
    let shown = start.on([here()], at(1)).logout;
    let left = shown.on([Event::DeadlinePassed], at(600)).logout;
    assert_eq!(outcomes(&left), [Some(LegOutcome::NoAnswer); 2]);
    for over in [&never, &left] {
        assert_eq!((over.answered_at, over.settled_at), (Some(at(600)), Some(at(600))));
        assert!(over.clone().on([Event::FramesDone], at(700)).changes.is_empty());
    }
}

#[test]
fn a_frame_takes_no_answer_and_is_not_given_up_like_an_idp() {
    let shown = logout(vec![frame()]).on([here()], at(1)).logout;
    let answer = success(&shown, 0, true);
    let gave_up = Event::GaveUp { leg: shown.legs[0].id };
    let tried = Event::Tried { leg: shown.legs[0].id, attempt: Attempt::Confirmed };
    for event in [answer, gave_up, tried, Event::Leased] {
        assert!(shown.clone().on([event.clone()], at(2)).changes.is_empty(), "{event:?}");
    }
}

#[test]
fn a_question_whose_commit_went_unseen_is_asked_all_the_same() {
    let question = here();
    let unseen = logout(vec![idp(slo())]).on([question.clone()], at(1)).logout;
    let again = unseen.clone().on([question], at(2));
    assert_eq!(again.next, Next::AskIdp(unseen.legs[0].id));
    assert!(again.changes.is_empty());
    assert_eq!(unseen.clone().on([here()], at(2)).next, Next::Wait(unseen.legs[0].id));
}

#[test]
fn an_answer_is_consumed_once() {
    let asked = logout(vec![idp(slo())]).on([here()], at(1)).logout;
    let answer = success(&asked, 0, true);
    let done = asked.on([answer.clone()], at(2)).logout;
    let repeated = done.clone().on([answer], at(3));
    assert!(repeated.changes.is_empty());
    assert_eq!(repeated.logout, done);
    let refused = Answer { outcome: LegOutcome::Refused, proven: true, detail: "no".into() };
    let other = Event::Answered { leg: done.legs[0].id, answer: refused };
    assert_eq!(done.on([other], at(4)).logout.outcome(), Outcome::Complete);
}

#[test]
fn an_unproven_answer_moves_the_browser_on_and_a_proven_one_upgrades_it() {
    let asked = logout(vec![idp(slo())]).on([here()], at(1)).logout;
    let unproven = success(&asked, 0, false);
    let moved = asked.on([unproven.clone()], at(2));
    assert_eq!(moved.next, Next::Finish);
    assert_eq!(outcomes(&moved.logout), [Some(LegOutcome::Unconfirmed)]);
    assert!(moved.logout.clone().on([unproven], at(3)).changes.is_empty());
    let proven = success(&moved.logout, 0, true);
    let upgraded = moved.logout.on([proven], at(4)).logout;
    assert_eq!(outcomes(&upgraded), [Some(LegOutcome::Confirmed)]);
    assert_eq!(upgraded.answered_at, Some(at(2)));
}

#[test]
fn an_answer_before_its_question_counts_for_nothing() {
    let start = logout(vec![idp(slo())]);
    let early = success(&start, 0, true);
    assert!(start.on([early], at(1)).changes.is_empty());
}

#[test]
fn the_deadline_closes_what_is_open_and_says_what_is_known() {
    let start = logout(vec![idp(slo()), idp(login_url()), idp(slo()), app()]);
    let first = start.on([here()], at(1)).logout;
    let late = first.on([Event::DeadlinePassed], at(600));
    assert_eq!(
        outcomes(&late.logout),
        [Some(LegOutcome::NoAnswer), Some(LegOutcome::NotSent), Some(LegOutcome::NotSent), None]
    );
    assert_eq!(late.logout.answered_at, Some(at(600)));
    assert_eq!(late.logout.settled_at, None);

    let login = logout(vec![idp(login_url())]).on([here()], at(1)).logout;
    let login = login.on([Event::DeadlinePassed], at(600)).logout;
    assert_eq!(outcomes(&login), [Some(LegOutcome::Unconfirmed)]);
}

#[test]
fn a_late_answer_after_the_deadline_still_tells_the_truth() {
    let asked = logout(vec![idp(slo())]).on([here()], at(1)).logout;
    let closed = asked.on([Event::DeadlinePassed], at(600)).logout;
    let answer = success(&closed, 0, true);
    let late = closed.on([answer], at(700)).logout;
    assert_eq!(outcomes(&late), [Some(LegOutcome::Confirmed)]);
}

#[test]
fn the_person_may_have_the_idp_asked_again_or_give_it_up() {
    let asked = logout(vec![idp(slo()), idp(slo())]).on([here()], at(1)).logout;
    let (first, second) = (asked.legs[0].id, asked.legs[1].id);
    let again = asked.clone().on([here_again()], at(2));
    assert_eq!(again.next, Next::AskIdp(first));
    assert_eq!(again.logout, asked);
    let gave_up = Event::GaveUp { leg: first };
    let next = asked.on([gave_up.clone(), here()], at(3));
    assert_eq!(next.next, Next::AskIdp(second));
    // Pressed twice: the second press is not about the second IdP.
    let twice = next.logout.on([gave_up], at(4)).logout;
    assert_eq!(outcomes(&twice), [Some(LegOutcome::NoAnswer), None]);
}

#[test]
fn a_url_rung_is_visited_and_proves_nothing() {
    let rung = Rung::Url { location: "https://idp.example/bye".into() };
    let sent = logout(vec![idp(rung)]).on([here()], at(1));
    assert_eq!(sent.next, Next::AskIdp(sent.logout.legs[0].id));
    assert_eq!(outcomes(&sent.logout), [Some(LegOutcome::Unconfirmed)]);
    assert!(sent.logout.answered_at.is_some());
}

#[test]
fn an_app_is_leased_tried_and_tried_again() {
    let start = logout(vec![app()]);
    let id = start.legs[0].id;
    let early = start.clone().on([Event::Leased], at(29));
    assert_eq!(early.next, Next::Tell(vec![]));
    let leased = start.on([Event::Leased], at(30));
    assert_eq!(leased.next, Next::Tell(vec![id]));
    assert_eq!(leased.logout.clone().on([Event::Leased], at(89)).next, Next::Tell(vec![]));

    let failed = Event::Tried { leg: id, attempt: Attempt::Failed("time-out".into()) };
    let failed = leased.logout.on([failed], at(31)).logout;
    assert_eq!(failed.legs[0].due_at(), Some(at(36)));
    assert_eq!(failed.outcome(), Outcome::Partial);
    let told = Event::Tried { leg: id, attempt: Attempt::Confirmed };
    let told = failed.on([told], at(37)).logout;
    assert_eq!(told.outcome(), Outcome::Complete);
    assert_eq!(told.settled_at, Some(at(37)));
}

#[test]
fn a_refusal_is_final_and_three_days_of_failure_are_a_dead_letter() {
    let start = logout(vec![app(), app()]);
    let (one, two) = (start.legs[0].id, start.legs[1].id);
    let refused = Event::Tried { leg: one, attempt: Attempt::Refused("400".into()) };
    let end = at(0).plus(retry::GIVE_UP_AFTER).plus(Duration::from_secs(1));
    let failed = Event::Tried { leg: two, attempt: Attempt::Failed("refused".into()) };
    let settled = start.on([refused], at(1)).logout.on([failed], end).logout;
    assert_eq!(outcomes(&settled), [Some(LegOutcome::Refused), Some(LegOutcome::DeadLetter)]);
    assert_eq!(settled.settled_at, Some(end));
}

#[test]
fn an_idp_is_asked_by_soap_until_it_answers_and_no_browser_waits_for_it() {
    let start = logout(vec![soap()]);
    assert!(start.is_telling());
    let here = start.clone().on([here()], at(1));
    assert_eq!(here.next, Next::Finish);
    assert!(here.changes.is_empty());

    let failure = failed(&start, 0, "it answered 503");
    let once = start.on([failure], at(2)).logout;
    assert_eq!((once.legs[0].due_at(), once.answered_at), (Some(at(7)), None));
    let answer = success(&once, 0, true);
    let done = once.on([answer], at(8)).logout;
    assert_eq!(outcomes(&done), [Some(LegOutcome::Confirmed)]);
    assert_eq!((done.answered_at, done.settled_at), (Some(at(8)), Some(at(8))));
    assert!(!done.is_telling());
}

#[test]
fn an_idp_that_is_silent_by_soap_gave_no_answer_by_the_deadline() {
    let start = logout(vec![soap(), soap(), app()]);
    let failure = failed(&start, 0, "it answered 503");
    let tried = start.on([failure], at(540)).logout;
    assert_eq!(tried.legs[0].due_at(), Some(at(545)));
    let late = tried.clone().on([Event::DeadlinePassed], at(600)).logout;
    assert_eq!(outcomes(&late), [Some(LegOutcome::NoAnswer), Some(LegOutcome::NoAnswer), None]);
    assert_eq!((late.answered_at, late.settled_at), (Some(at(600)), None));
    let LegState::Closed { detail, .. } = &late.legs[0].state else { panic!("{late:?}") };
    assert_eq!(detail, "it answered 503");
    // The try that was on its way at that moment tells the truth all the same.
    let answer = success(&late, 0, true);
    assert_eq!(outcomes(&late.on([answer], at(603)).logout)[0], Some(LegOutcome::Confirmed));

    // What would come after the deadline does not come.
    let failure = failed(&tried, 0, "it answered 503");
    let last = tried.on([failure], at(596)).logout;
    assert_eq!(outcomes(&last)[0], Some(LegOutcome::NoAnswer));
}

#[test]
fn an_idp_that_cannot_be_asked_any_more_was_not_sent_or_gave_no_answer() {
    let start = logout(vec![soap(), soap()]);
    let failure = failed(&start, 1, "no connection");
    let gone = |position: usize| {
        let leg = start.legs[position].id;
        Event::Tried { leg, attempt: Attempt::Gone("it is disabled".into()) }
    };
    let over = start.clone().on([failure, gone(0), gone(1)], at(5)).logout;
    assert_eq!(outcomes(&over), [Some(LegOutcome::NotSent), Some(LegOutcome::NoAnswer)]);
}

#[test]
fn an_app_that_was_given_up_is_told_again_for_another_three_days() {
    let start = logout(vec![app(), app(), app(), idp(slo())]);
    let ids: Vec<LegId> = start.legs.iter().map(|leg| leg.id).collect();
    let refused = Event::Tried { leg: ids[0], attempt: Attempt::Refused("400".into()) };
    let told = Event::Tried { leg: ids[2], attempt: Attempt::Confirmed };
    let end = at(0).plus(retry::GIVE_UP_AFTER);
    let failure = failed(&start, 1, "refused");
    let first = start.on([Event::DeadlinePassed, refused, told], at(600)).logout;
    let settled = first.on([failure], end).logout;
    assert_eq!(settled.settled_at, Some(end));

    let later = end.plus(Duration::from_secs(3600));
    let again = settled.clone().on([Event::Retried], later);
    // The IdP's leg stays as it is, and so does the app that confirmed.
    assert_eq!(again.next, Next::Tell(vec![ids[0], ids[1]]));
    assert_eq!(
        outcomes(&again.logout),
        [None, None, Some(LegOutcome::Confirmed), Some(LegOutcome::NotSent)]
    );
    assert_eq!((again.logout.settled_at, again.logout.answered_at), (None, Some(at(600))));
    let recorded = |kind| {
        let is = |change: &&Change| matches!(change, Change::Record(event) if event.kind == kind);
        again.changes.iter().filter(is).count()
    };
    assert_eq!((recorded(AuditKind::LegRetried), recorded(AuditKind::LogoutSettled)), (2, 0));
    // Leased to whoever asked for it; a second press finds nothing left.
    assert_eq!(again.logout.legs[1].due_at(), Some(later.plus(retry::LEASE)));
    let twice = again.logout.clone().on([Event::Retried], later);
    assert!(twice.changes.is_empty());
    assert_eq!(twice.next, Next::Tell(vec![]));

    let soon = later.plus(Duration::from_secs(1));
    let told = Event::Tried { leg: ids[0], attempt: Attempt::Confirmed };
    let failure = failed(&settled, 1, "refused");
    let once = again.logout.on([told, failure.clone()], soon).logout;
    assert_eq!(once.legs[1].due_at(), Some(soon.plus(Duration::from_secs(5))));
    let days_later = later.plus(retry::GIVE_UP_AFTER);
    let over = once.on([failure], days_later).logout;
    assert_eq!(outcomes(&over)[..2], [Some(LegOutcome::Confirmed), Some(LegOutcome::DeadLetter)]);
    assert_eq!(over.settled_at, Some(days_later));
}

#[test]
fn every_commit_of_a_change_names_the_version_first() {
    let start = logout(vec![idp(slo())]);
    let decision = start.on([here()], at(1));
    assert!(matches!(decision.changes[0], Change::AdvanceLogout { version: 1, .. }));
    assert_eq!(decision.logout.version, 2);
    assert_eq!(decision.changes.len(), 3);
}
