use super::*;

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
