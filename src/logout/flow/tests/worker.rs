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
    let start = logout(vec![app(), app()]);
    let (id, other) = (start.legs[0].id, start.legs[1].id);
    let lease = || Event::Leased { legs: vec![id] };
    let early = start.clone().on([lease()], at(29));
    assert_eq!(early.next, Next::Tell(vec![]));
    let leased = start.on([lease()], at(30));
    assert_eq!(leased.next, Next::Tell(vec![id]));
    assert_eq!(leased.logout.clone().on([lease()], at(59)).next, Next::Tell(vec![]));
    // What nobody took stays due.
    assert_eq!(leased.logout.legs[1].due_at(), Some(at(30)));

    let failed = tried(id, Attempt::Failed("time-out".into()));
    let failed = leased.logout.on([failed], at(31)).logout;
    assert_eq!(failed.legs[0].due_at(), Some(at(33)));
    assert_eq!(failed.outcome(), Outcome::Partial);
    let told = [tried(id, Attempt::Confirmed), tried(other, Attempt::Confirmed)];
    let told = failed.on(told, at(37)).logout;
    assert_eq!(told.outcome(), Outcome::Complete);
    assert_eq!(told.settled_at, Some(at(37)));
}

/// How many tries it records.
fn records(decision: &Decision) -> usize {
    let is = |change: &&Change| match change {
        Change::Record(event) => event.kind == AuditKind::LegTried,
        _ => false,
    };
    decision.changes.iter().filter(is).count()
}

#[test]
fn what_was_not_sent_has_not_failed() {
    let start = logout(vec![app()]);
    let id = start.legs[0].id;
    let not_sent = || tried(id, Attempt::NotSent("no place was free".into()));
    let failed = start.on([tried(id, Attempt::Failed("time-out".into()))], at(31)).logout;
    let mut waiting = failed.clone();
    for second in 32..50 {
        let decision = waiting.on([not_sent()], at(second));
        assert_eq!(records(&decision), 0);
        waiting = decision.logout;
        assert_eq!(waiting.legs[0].due_at(), Some(at(second + 2)));
    }
    let LegState::Due { attempts, last_error, .. } = &waiting.legs[0].state else { panic!() };
    assert_eq!((*attempts, last_error.as_deref()), (1, Some("time-out")));
    // Even that ends.
    let over = waiting.on([not_sent()], at(0).plus(retry::GIVE_UP_AFTER)).logout;
    assert_eq!(outcomes(&over), [Some(LegOutcome::DeadLetter)]);
    // Whoever was never sent anything, and cannot be told any more, was not sent.
    let gone = logout(vec![app()]);
    let id = gone.legs[0].id;
    let events = [Attempt::NotSent("busy".into()), Attempt::Gone("it is gone".into())];
    let gone = gone.on(events.map(|attempt| tried(id, attempt)), at(31)).logout;
    assert_eq!(outcomes(&gone), [Some(LegOutcome::NotSent)]);
}

#[test]
fn an_address_with_nothing_behind_it_is_tried_for_an_hour_after_the_first_time() {
    let start = logout(vec![app()]);
    let id = start.legs[0].id;
    let missing = || tried(id, Attempt::NotFound("it answered 404".into()));
    let down = || tried(id, Attempt::Failed("no connection".into()));
    // Down for long, and then between two versions: that has an hour of its own.
    let hours = |count: i64| at(count * 3_600);
    let found = start.on([down()], hours(5)).logout.on([missing()], hours(5)).logout;
    assert_eq!(outcomes(&found), [None]);
    let minute_less = hours(6).minus(Duration::from_secs(400));
    assert_eq!(outcomes(&found.clone().on([missing()], minute_less).logout), [None]);
    let over = found.clone().on([missing()], hours(6)).logout;
    assert_eq!(outcomes(&over), [Some(LegOutcome::DeadLetter)]);
    // Another fault in between, and the hour begins anew. What was not sent says nothing.
    let busy = tried(id, Attempt::NotSent("busy".into()));
    let still = found.clone().on([busy, missing()], hours(6)).logout;
    assert_eq!(outcomes(&still), [Some(LegOutcome::DeadLetter)]);
    let anew = found.on([down(), missing()], hours(6)).logout;
    assert_eq!(outcomes(&anew), [None]);
}

#[test]
fn who_asks_for_a_pause_gets_it() {
    let start = logout(vec![app()]);
    let (why, pause) = ("it answered 503".to_owned(), Duration::from_secs(600));
    let later = tried(start.legs[0].id, Attempt::Later { why, pause });
    let waiting = start.on([later], at(1)).logout;
    assert_eq!(waiting.legs[0].due_at(), Some(at(603)));
}

#[test]
fn of_many_tries_that_fail_alike_ever_fewer_are_recorded() {
    let mut now = logout(vec![app()]);
    let id = now.legs[0].id;
    let mut recorded = Vec::new();
    for number in 1..=100 {
        let why = if number < 70 { "no connection" } else { "it answered 500" };
        let decision = now.on([tried(id, Attempt::Failed(why.into()))], at(number));
        recorded.extend((records(&decision) == 1).then_some(number));
        now = decision.logout;
    }
    assert_eq!(recorded, [1, 2, 4, 8, 16, 32, 64, 70]);
}

#[test]
fn a_refusal_is_final_and_three_days_of_failure_are_a_dead_letter() {
    let start = logout(vec![app(), app()]);
    let (one, two) = (start.legs[0].id, start.legs[1].id);
    let refused = tried(one, Attempt::Refused("400".into()));
    let end = at(0).plus(retry::GIVE_UP_AFTER).plus(Duration::from_secs(1));
    let failed = tried(two, Attempt::Failed("refused".into()));
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
    assert_eq!((once.legs[0].due_at(), once.answered_at), (Some(at(4)), None));
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
    assert_eq!(tried.legs[0].due_at(), Some(at(542)));
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
        tried(leg, Attempt::Gone("it is disabled".into()))
    };
    let over = start.clone().on([failure, gone(0), gone(1)], at(5)).logout;
    assert_eq!(outcomes(&over), [Some(LegOutcome::NotSent), Some(LegOutcome::NoAnswer)]);
}

#[test]
fn an_app_that_was_given_up_is_told_again_for_another_three_days() {
    let start = logout(vec![app(), app(), app(), idp(slo())]);
    let ids: Vec<LegId> = start.legs.iter().map(|leg| leg.id).collect();
    let refused = tried(ids[0], Attempt::Refused("400".into()));
    let told = tried(ids[2], Attempt::Confirmed);
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
    let told = tried(ids[0], Attempt::Confirmed);
    let failure = failed(&settled, 1, "refused");
    let once = again.logout.on([told, failure.clone()], soon).logout;
    assert_eq!(once.legs[1].due_at(), Some(soon.plus(Duration::from_secs(2))));
    let days_later = later.plus(retry::GIVE_UP_AFTER);
    let over = once.on([failure], days_later).logout;
    assert_eq!(outcomes(&over)[..2], [Some(LegOutcome::Confirmed), Some(LegOutcome::DeadLetter)]);
    assert_eq!(over.settled_at, Some(days_later));
}
