use super::*;

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
    let sent = |change: &&Change| match change {
        Change::Record(event) => event.kind == AuditKind::LegSent,
        _ => false,
    };
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
fn a_frame_of_an_app_that_was_opened_again_is_shown_no_more() {
    let start = logout(vec![frame(), app(), frame()]);
    let (one, back_channel, other) = (start.legs[0].id, start.legs[1].id, start.legs[2].id);
    let again = |leg| Event::JoinedAgain { leg };

    let never = start.clone().on([again(one), here()], at(1));
    assert_eq!(never.next, Next::Frames(vec![other]));
    assert_eq!(outcomes(&never.logout), [Some(LegOutcome::NotSent), None, None]);
    // What was shown may have worked, and it cannot be taken back.
    let shown = start.on([here()], at(1)).logout.on([again(one), here()], at(2));
    assert_eq!(shown.next, Next::Frames(vec![other]));
    assert_eq!(outcomes(&shown.logout), [Some(LegOutcome::NoAnswer), None, None]);
    // It is of open frames only.
    let late = shown.logout.on([again(one), again(back_channel)], at(3));
    assert!(late.changes.is_empty());
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
fn a_frame_takes_no_answer_and_is_not_given_up_like_an_idp() {
    let shown = logout(vec![frame()]).on([here()], at(1)).logout;
    let answer = success(&shown, 0, true);
    let gave_up = Event::GaveUp { leg: shown.legs[0].id };
    let tried = tried(shown.legs[0].id, Attempt::Confirmed);
    let leased = Event::Leased { legs: vec![shown.legs[0].id] };
    for event in [answer, gave_up, tried, leased] {
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
    let other = answered(&done, 0, refused);
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

/// A logout whose one IdP leg ended so, in whichever way it does that.
fn ended(party: Party, outcome: LegOutcome) -> Logout {
    let state = LegState::Closed { outcome, detail: String::new(), at: at(1) };
    let mut ended = logout(vec![(party, state)]);
    let value = "ada".to_owned();
    ended.legs[0].principal = Some(crate::logout::Principal {
        encrypt_to: None,
        name_id: crate::saml::NameId {
            value,
            format: None,
            name_qualifier: None,
            sp_name_qualifier: None,
            sp_provided_id: None,
        },
        session_indexes: Vec::new(),
    });
    ended.answered_at = Some(at(1));
    ended.settled_at = Some(at(1));
    ended
}

fn again(logout: &Logout) -> Event {
    let Event::BrowserHere { asked, .. } = here() else { unreachable!() };
    Event::TriedAgain { leg: logout.legs[0].id, asked }
}

#[test]
fn an_idp_can_be_asked_once_more_where_that_may_help() {
    use LegOutcome::*;
    let tried = |party: (Party, LegState), outcome| {
        let start = ended(party.0, outcome);
        let decision = start.clone().on([again(&start)], at(100));
        let asked = decision.next == Next::AskIdp(start.legs[0].id);
        assert_eq!(asked, !decision.changes.is_empty(), "{outcome}");
        asked.then(|| decision.logout.legs[0].outcome().unwrap())
    };
    for (outcome, then) in [
        (NoAnswer, Some(NoAnswer)),
        (Unconfirmed, Some(Unconfirmed)),
        (Refused, Some(Refused)),
        // It has been asked now.
        (NotSent, Some(NoAnswer)),
        (Confirmed, None),
        (Partial, None),
        (NotPossible, None),
    ] {
        assert_eq!(tried(idp(slo()), outcome), then, "{outcome}");
    }
    assert_eq!(tried(idp(login_url()), NotSent), Some(Unconfirmed));
    assert_eq!(
        tried(idp(Rung::Url { location: "https://idp.example/".into() }), Unconfirmed),
        None
    );
    assert_eq!(tried(app(), Refused), None);
    // Not for ever, not without a name, not for somebody else, and not while the first one is open.
    let start = ended(idp(slo()).0, NoAnswer);
    let refuse = |start: Logout, now| {
        let decision = start.clone().on([again(&start)], now);
        assert!(decision.changes.is_empty() && decision.next == Next::Finish, "{decision:?}");
    };
    refuse(start.clone(), at(24 * 3600));
    let mut nameless = start.clone();
    nameless.legs[0].principal = None;
    refuse(nameless, at(2));
    let mut switched = start.clone();
    switched.document.reason = Reason::SwitchedUser;
    refuse(switched, at(2));
    let waiting = logout(vec![idp(slo())]).on([here()], at(1)).logout;
    assert!(waiting.clone().on([again(&waiting)], at(2)).changes.is_empty());
}

#[test]
fn what_is_known_stays_until_the_answer_proves_something_else() {
    let start = ended(idp(slo()).0, LegOutcome::Refused);
    let asked = start.clone().on([again(&start)], at(100)).logout;
    assert_eq!((asked.answered_at, asked.settled_at), (Some(at(1)), Some(at(1))));
    assert!(!asked.legs[0].is_open(), "nothing is open after the deadline");
    // The same question again, because its commit went unseen, is one question.
    let same =
        Event::TriedAgain { leg: asked.legs[0].id, asked: asked.legs[0].asked.clone().unwrap() };
    let unseen = asked.clone().on([same], at(101));
    assert_eq!(unseen.next, Next::AskIdp(asked.legs[0].id));
    assert!(unseen.changes.is_empty());
    // Pressed twice it is the same question, until its message is too old.
    let twice = asked.clone().on([again(&start)], at(699));
    assert_eq!((twice.next, twice.changes.len()), (Next::AskIdp(start.legs[0].id), 0));
    let anew = asked.clone().on([again(&start)], at(700)).logout;
    assert_ne!(anew.legs[0].asked, asked.legs[0].asked);
    // An answer to the question before that was still being read.
    assert!(anew.clone().on([success(&asked, 0, true)], at(701)).changes.is_empty());
    let settled = anew.clone().on([success(&anew, 0, true)], at(701)).logout;
    assert_eq!(outcomes(&settled), [Some(LegOutcome::Confirmed)]);
    let unproven = success(&asked, 0, false);
    assert_eq!(outcomes(&asked.clone().on([unproven], at(102)).logout), outcomes(&asked));
    let proven = success(&asked, 0, true);
    let upgraded = asked.on([proven.clone()], at(103)).logout;
    assert_eq!(outcomes(&upgraded), [Some(LegOutcome::Confirmed)]);
    // A no that is proven twice is one answer to one question.
    let no = Answer { outcome: LegOutcome::Refused, proven: true, detail: "no".into() };
    let no = answered(&upgraded, 0, no);
    assert!(upgraded.on([no], at(104)).changes.is_empty());
    assert!(start.clone().on([proven], at(100)).changes.is_empty(), "nobody asked again");
}

#[test]
fn one_refused_answer_to_each_question_is_on_record() {
    let refusals = |decision: &Decision| {
        let kinds = decision.changes.iter().filter_map(|change| match change {
            Change::Record(event) => Some(event.kind),
            _ => None,
        });
        kinds.filter(|kind| *kind == AuditKind::LogoutAnswerRefused).count()
    };
    let asked = logout(vec![idp(slo())]).on([here()], at(1)).logout;
    let first = asked.clone().on([success(&asked, 0, false)], at(2));
    assert_eq!(refusals(&first), 1);
    // Also where the IdP's word was there before.
    let confirmed = asked.clone().on([success(&asked, 0, true)], at(2)).logout;
    let late = confirmed.clone().on([success(&asked, 0, false)], at(3));
    assert_eq!((refusals(&late), outcomes(&late.logout)), (1, outcomes(&confirmed)));
    for logout in [first.logout.clone(), late.logout] {
        let again = logout.clone().on([success(&asked, 0, false)], at(4));
        assert!(again.changes.is_empty(), "{:?}", again.changes);
    }
    // Another question is another matter.
    let mut over = ended(idp(slo()).0, LegOutcome::NoAnswer);
    for now in [at(100), at(700)] {
        let asked = over.clone().on([again(&over)], now).logout;
        let unproven = success(&asked, 0, false);
        let refused = asked.on([unproven.clone()], now);
        assert_eq!(refusals(&refused), 1, "{now}");
        over = refused.logout;
        assert!(over.clone().on([unproven], now).changes.is_empty());
    }
    // By SOAP the answer comes on our own connection, and the outcome says what it was worth.
    let by_soap = logout(vec![soap()]);
    let unproven = success(&by_soap, 0, false);
    assert_eq!(refusals(&by_soap.on([unproven], at(2))), 0);
}

#[test]
fn a_url_rung_is_visited_and_proves_nothing() {
    let rung = Rung::Url { location: "https://idp.example/bye".into() };
    let ask = here();
    let sent = logout(vec![idp(rung)]).on([ask.clone()], at(1));
    assert_eq!(sent.next, Next::AskIdp(sent.logout.legs[0].id));
    assert_eq!(outcomes(&sent.logout), [Some(LegOutcome::Unconfirmed)]);
    assert!(sent.logout.answered_at.is_some());
    // The answer may be lost: on our side, or on its way.
    for (event, now, next) in [
        (ask, 1, Next::AskIdp(sent.logout.legs[0].id)),
        (here_again(), 30, Next::AskIdp(sent.logout.legs[0].id)),
        (here_again(), 31, Next::Finish),
    ] {
        let again = sent.logout.clone().on([event], at(now));
        assert_eq!((again.next, again.changes.len()), (next, 0), "{now}");
    }
}

#[test]
fn every_commit_of_a_change_names_the_version_first() {
    let start = logout(vec![idp(slo())]);
    let decision = start.on([here()], at(1));
    assert!(matches!(decision.changes[0], Change::AdvanceLogout { version: 1, .. }));
    assert_eq!(decision.logout.version, 2);
    assert_eq!(decision.changes.len(), 3);
}

#[test]
fn an_idp_that_is_not_waited_for_is_asked_once_and_may_still_prove_it() {
    let start = logout(vec![idp(asynchronous())]);
    let ask = here();
    let asked = start.clone().on([ask.clone()], at(1));
    assert_eq!(asked.next, Next::AskIdp(start.legs[0].id));
    assert_eq!(outcomes(&asked.logout), [Some(LegOutcome::Unconfirmed)]);
    assert_eq!(asked.logout.answered_at, Some(at(1)));
    // The commit may have succeeded unseen: the browser is sent all the same.
    let again = asked.logout.clone().on([ask], at(1));
    assert_eq!((again.next, again.changes.len()), (Next::AskIdp(start.legs[0].id), 0));
    // The browser may have lost the answer that sends it there: it gets the same once more. Whoever
    // asks later has been there.
    let again = asked.logout.clone().on([here_again()], at(30));
    assert_eq!((again.next, again.logout), (Next::AskIdp(start.legs[0].id), asked.logout.clone()));
    assert_eq!(asked.logout.clone().on([here_again()], at(31)).next, Next::Finish);
    assert_eq!(asked.logout.clone().on([here()], at(2)).next, Next::Finish);

    let unproven = success(&asked.logout, 0, false);
    let refused = asked.logout.clone().on([unproven], at(3)).logout;
    assert_eq!(outcomes(&refused), outcomes(&asked.logout));
    let proven = success(&asked.logout, 0, true);
    let done = asked.logout.on([proven], at(3)).logout;
    assert_eq!(outcomes(&done), [Some(LegOutcome::Confirmed)]);
    assert_eq!(done.on([here_again()], at(4)).next, Next::Finish, "nothing is left to ask");
}

#[test]
fn only_what_is_open_through_the_browser_needs_it() {
    for (legs, needs) in [
        (vec![idp(slo())], true),
        (vec![frame()], true),
        (vec![soap(), app()], false),
        (vec![soap(), idp(asynchronous())], true),
    ] {
        assert_eq!(logout(legs.clone()).needs_browser(), needs, "{legs:?}");
    }
    assert!(!ended(idp(slo()).0, LegOutcome::NoAnswer).needs_browser());
}

#[test]
fn who_does_not_bring_the_browser_back_is_asked_last() {
    let local = Rung::Local { why: WhyLocal::Configured };
    let url = Rung::Url { location: "https://idp.example/bye".into() };
    let mut rungs = [local, url, asynchronous(), login_url(), slo()];
    rungs.sort_by_key(Rung::order);
    let names: Vec<_> = rungs
        .iter()
        .map(|rung| format!("{rung:?}").split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["SingleLogout", "LoginUrl", "AsynchronousLogout", "Url", "Local"]);
}
