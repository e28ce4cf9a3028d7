//! The logout as a table of events: what is true now, what happened, what follows. No I/O here; the
//! use case commits the changes in one transaction and carries out what is next.

use super::outcome::LegOutcome;
use super::{Asked, Leg, LegState, Logout, Party, Rung, retry};
use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::id::LegId;

/// Something that happened to a logout.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The browser is here and can go to the next IdP. `asked` is fresh: it will name the message.
    /// `again` has an IdP that was asked already asked once more: the browser may never have got
    /// there.
    BrowserHere {
        asked: Asked,
        again: bool,
    },
    /// The IdP of this leg answered.
    Answered {
        leg: LegId,
        answer: Answer,
    },
    /// The person does not want to wait for the IdP of this leg any longer.
    GaveUp {
        leg: LegId,
    },
    DeadlinePassed,
    /// A worker takes every app leg that is due.
    Leased,
    /// A worker tried to tell an app.
    Tried {
        leg: LegId,
        attempt: Attempt,
    },
}

/// An IdP's answer, as far as it can be believed.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    pub outcome: LegOutcome,
    /// Whether it counts as the IdP's word: its key vouches for it, or this IdP is trusted without.
    /// What is not proven never outweighs what is.
    pub proven: bool,
    pub detail: String,
}

/// One try to tell an app by the back channel (Back-Channel Logout 1.0 2.5 and 2.8).
#[derive(Clone, PartialEq, Debug)]
pub enum Attempt {
    /// 200 or 204.
    Confirmed,
    /// The app will not do it, now or later: 400, or an answer that a retry cannot change.
    Refused(String),
    /// Connection, time-out, 5xx, 429: it may pass.
    Failed(String),
    /// The app cannot be told any more.
    Gone(String),
}

/// What to write, and what to do when it is written.
#[derive(Debug)]
pub struct Decision {
    pub logout: Logout,
    pub changes: Vec<Change>,
    pub next: Next,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// Send the browser to the IdP of this leg.
    AskIdp(LegId),
    /// The IdP of this leg has been asked; the browser stays on the waiting page.
    Wait(LegId),
    /// A further IdP is to be asked when the browser is here.
    Continue,
    /// Tell these apps.
    Tell(Vec<LegId>),
    /// The browser's part is over: on to the target, or the end page.
    Finish,
}

impl Logout {
    /// Applies events in their order. An event that changes nothing leaves no change behind.
    pub fn on(self, events: impl IntoIterator<Item = Event>, now: Timestamp) -> Decision {
        let mut flow = Flow {
            version: self.version,
            before: self.clone(),
            logout: self,
            now,
            records: Vec::new(),
        };
        let mut next = None;
        for event in events {
            next = flow.apply(event);
        }
        let next = next.unwrap_or_else(|| flow.next());
        flow.decide(next)
    }
}

impl Logout {
    /// Marks the logout as answered when no IdP leg is open, and as settled when none is; both may
    /// be so from its beginning.
    pub fn mark_what_is_over(&mut self, now: Timestamp) -> Vec<AuditEvent> {
        let mut records = Vec::new();
        let mut record = |logout: &Logout, kind| {
            let outcome = logout.outcome().as_str();
            records.push(AuditEvent::new(kind).logout(logout.id).detail(outcome));
        };
        let browser_done = !self.legs.iter().any(|leg| leg.is_idp() && leg.is_open());
        if browser_done && self.answered_at.is_none() {
            self.answered_at = Some(now);
            record(self, AuditKind::LogoutAnswered);
        }
        let settled = !self.legs.iter().any(Leg::is_open);
        if settled && self.settled_at.is_none() {
            self.settled_at = Some(now);
            record(self, AuditKind::LogoutSettled);
        }
        records
    }
}

struct Flow {
    version: i64,
    before: Logout,
    logout: Logout,
    now: Timestamp,
    records: Vec<AuditEvent>,
}

impl Flow {
    /// Returns what is next only where the event itself says so.
    fn apply(&mut self, event: Event) -> Option<Next> {
        match event {
            Event::BrowserHere { asked, again } => return self.ask_next(asked, again),
            Event::Answered { leg, answer } => self.answered(leg, answer),
            Event::GaveUp { leg } => {
                self.close_waiting(Some(leg), "the person did not wait for the answer");
            }
            Event::DeadlinePassed => self.deadline_passed(),
            Event::Leased => return Some(Next::Tell(self.lease())),
            Event::Tried { leg, attempt } => self.tried(leg, attempt),
        }
        None
    }

    fn next(&self) -> Next {
        let idp = |state: fn(&LegState) -> bool| {
            self.logout.legs.iter().find(|leg| leg.is_idp() && state(&leg.state))
        };
        if let Some(leg) = idp(|state| matches!(state, LegState::Waiting { .. })) {
            Next::Wait(leg.id)
        } else if idp(|state| matches!(state, LegState::Planned)).is_some() {
            Next::Continue
        } else {
            Next::Finish
        }
    }

    fn ask_next(&mut self, asked: Asked, again: bool) -> Option<Next> {
        if let Next::Wait(id) = self.next() {
            // The commit of this very question may have succeeded unseen: then it is still to be
            // asked, with the same message.
            let same = self.logout.leg(id).is_some_and(|leg| leg.asked.as_ref() == Some(&asked));
            return Some(if same || again { Next::AskIdp(id) } else { Next::Wait(id) });
        }
        let position = self
            .logout
            .legs
            .iter()
            .position(|leg| leg.is_idp() && leg.state == LegState::Planned)?;
        let leg = self.logout.legs.get_mut(position)?;
        let id = leg.id;
        let sent = describe(AuditKind::LegSent, self.before.id, leg);
        self.records.push(sent);
        match &leg.party {
            Party::Idp { rung: Rung::Url { .. }, .. } => {
                let detail = "the browser was sent to the configured URL; nothing answers there";
                self.close(id, LegOutcome::Unconfirmed, detail.to_owned());
            }
            _ => {
                leg.asked = Some(asked);
                leg.state = LegState::Waiting { since: self.now };
            }
        }
        Some(Next::AskIdp(id))
    }

    /// An answer counts while it is awaited. A later one only counts if it is proven and what is
    /// known so far is not; a second proven answer changes nothing.
    fn answered(&mut self, id: LegId, answer: Answer) {
        let Some(leg) = self.logout.leg(id) else { return };
        let counts = match &leg.state {
            LegState::Waiting { .. } => true,
            LegState::Closed { outcome, .. } => {
                answer.proven
                    && leg.asked.is_some()
                    && matches!(outcome, LegOutcome::NoAnswer | LegOutcome::Unconfirmed)
            }
            LegState::Planned | LegState::Due { .. } => false,
        };
        if counts {
            self.close(id, answer.outcome, answer.detail);
        }
    }

    fn deadline_passed(&mut self) {
        self.close_waiting(None, "the IdP did not answer in time");
        let planned: Vec<LegId> = self
            .logout
            .legs
            .iter()
            .filter(|leg| leg.state == LegState::Planned)
            .map(|leg| leg.id)
            .collect();
        for id in planned {
            self.close(id, LegOutcome::NotSent, "the browser never came to be sent there".into());
        }
    }

    /// Closes legs that wait for an answer: this one, or all.
    fn close_waiting(&mut self, only: Option<LegId>, why: &str) {
        let waiting: Vec<(LegId, LegOutcome)> = self
            .logout
            .legs
            .iter()
            .filter(|leg| only.is_none_or(|only| only == leg.id))
            .filter(|leg| matches!(leg.state, LegState::Waiting { .. }))
            .map(|leg| match &leg.party {
                // The login URL was visited, which is all that could be done there.
                Party::Idp { rung: Rung::LoginUrl { .. }, .. } => (leg.id, LegOutcome::Unconfirmed),
                _ => (leg.id, LegOutcome::NoAnswer),
            })
            .collect();
        for (id, outcome) in waiting {
            self.close(id, outcome, why.to_owned());
        }
    }

    fn lease(&mut self) -> Vec<LegId> {
        let now = self.now;
        let mut leased = Vec::new();
        for leg in &mut self.logout.legs {
            if let LegState::Due { next_try, .. } = &mut leg.state
                && *next_try <= now
            {
                *next_try = now.plus(retry::LEASE);
                leased.push(leg.id);
            }
        }
        leased
    }

    fn tried(&mut self, id: LegId, attempt: Attempt) {
        let (begun, now) = (self.logout.created_at, self.now);
        let Some(leg) = self.logout.legs.iter_mut().find(|leg| leg.id == id) else { return };
        let LegState::Due { attempts, next_try, last_error } = &mut leg.state else { return };
        *attempts = attempts.saturating_add(1);
        match attempt {
            Attempt::Confirmed => {
                let detail = format!("told at try {attempts}");
                self.close(id, LegOutcome::Confirmed, detail);
            }
            Attempt::Refused(why) => self.close(id, LegOutcome::Refused, why),
            // What was tried may have arrived.
            Attempt::Gone(why) if *attempts > 1 => self.close(id, LegOutcome::DeadLetter, why),
            Attempt::Gone(why) => self.close(id, LegOutcome::NotSent, why),
            Attempt::Failed(why) => match retry::next_try(*attempts, begun, now) {
                Some(next) => {
                    *next_try = next;
                    let tried = format!("try {attempts}: {why}; next at {next}");
                    *last_error = Some(why);
                    let record = describe(AuditKind::LegTried, self.before.id, leg).detail(tried);
                    self.records.push(record);
                }
                None => self.close(id, LegOutcome::DeadLetter, why),
            },
        }
    }

    fn close(&mut self, id: LegId, outcome: LegOutcome, detail: String) {
        let Some(leg) = self.logout.legs.iter_mut().find(|leg| leg.id == id) else { return };
        let said = match detail.is_empty() {
            true => outcome.to_string(),
            false => format!("{outcome}: {detail}"),
        };
        leg.state = LegState::Closed { outcome, detail, at: self.now };
        self.records.push(describe(AuditKind::LegClosed, self.before.id, leg).detail(said));
    }

    fn decide(mut self, next: Next) -> Decision {
        let over = self.logout.mark_what_is_over(self.now);
        self.records.extend(over);
        let changes = self.changes();
        if !changes.is_empty() {
            self.logout.version = self.version + 1;
        }
        Decision { logout: self.logout, changes, next }
    }

    fn changes(&mut self) -> Vec<Change> {
        if self.logout == self.before {
            return Vec::new();
        }
        let mut changes = vec![Change::AdvanceLogout {
            id: self.logout.id,
            version: self.version,
            answered_at: self.logout.answered_at,
            settled_at: self.logout.settled_at,
        }];
        let changed =
            self.logout.legs.iter().zip(&self.before.legs).filter(|(new, old)| new != old);
        changes.extend(changed.map(|(leg, _)| Change::SaveLeg { leg: Box::new(leg.clone()) }));
        changes.extend(self.records.drain(..).map(Change::Record));
        changes
    }
}

fn describe(kind: AuditKind, logout: crate::id::LogoutId, leg: &Leg) -> AuditEvent {
    let event = AuditEvent::new(kind).logout(logout);
    match &leg.party {
        Party::App { client } => event.client(client),
        Party::Idp { idp, .. } => event.idp(idp),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connection::BrowserBinding;
    use crate::id::{BrowserSessionId, LogoutId};
    use crate::logout::{LogoutDocument, Outcome, Reason};
    use crate::oidc::{LogoutScope, Subject};
    use crate::rng::Rng;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(1_000 + second)
    }

    fn app() -> (Party, LegState) {
        let due = LegState::Due { attempts: 0, next_try: at(30), last_error: None };
        (Party::App { client: "app".parse().unwrap() }, due)
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
        Rung::LoginUrl {
            binding: BrowserBinding::Redirect,
            location: "https://idp.example/sso".into(),
        }
    }

    fn logout(legs: Vec<(Party, LegState)>) -> Logout {
        let rng = Rng::system();
        let leg = |(position, (party, state))| Leg {
            id: LegId::new(at(0), &rng),
            position,
            party,
            state,
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
            [
                Some(LegOutcome::NoAnswer),
                Some(LegOutcome::NotSent),
                Some(LegOutcome::NotSent),
                None
            ]
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
    fn every_commit_of_a_change_names_the_version_first() {
        let start = logout(vec![idp(slo())]);
        let decision = start.on([here()], at(1));
        assert!(matches!(decision.changes[0], Change::AdvanceLogout { version: 1, .. }));
        assert_eq!(decision.logout.version, 2);
        assert_eq!(decision.changes.len(), 3);
    }
}
