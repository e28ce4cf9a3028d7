//! What is done without a browser: parties are told and told again, and the deadline closes what was
//! left open.

use super::{Attempt, Flow, describe};
use crate::audit::AuditKind;
use crate::id::LegId;
use crate::logout::retry::{self, Jitter, Patience};
use crate::logout::{LegOutcome, LegState, Party};

impl Flow {
    pub(super) fn deadline_passed(&mut self) {
        self.close_waiting(None, "the IdP did not answer in time");
        let left: Vec<(LegId, LegOutcome, &str)> = self
            .logout
            .legs
            .iter()
            .filter_map(|leg| match &leg.state {
                LegState::Planned if leg.is_frame() => {
                    Some((leg.id, LegOutcome::NotSent, "the browser never came to load its frame"))
                }
                LegState::Planned => {
                    Some((leg.id, LegOutcome::NotSent, "the browser never came to be sent there"))
                }
                LegState::Waiting { .. } => {
                    let why = "the browser did not come back from the page with its frame";
                    Some((leg.id, LegOutcome::NoAnswer, why))
                }
                LegState::Due { .. } | LegState::Closed { .. } => None,
            })
            .collect();
        for (id, outcome, why) in left {
            self.close(id, outcome, why.to_owned());
        }
        let unanswered: Vec<(LegId, String)> = self
            .logout
            .legs
            .iter()
            .filter(|leg| leg.is_by_soap())
            .filter_map(|leg| match &leg.state {
                LegState::Due { last_error, .. } => Some((leg.id, last_error.clone())),
                _ => None,
            })
            .map(|(id, error)| (id, error.unwrap_or_else(|| "no try came to an end".to_owned())))
            .collect();
        for (id, why) in unanswered {
            self.close(id, LegOutcome::NoAnswer, why);
        }
    }

    /// Takes those of `wanted` that are due.
    pub(super) fn lease(&mut self, wanted: &[LegId]) -> Vec<LegId> {
        let now = self.now;
        let mut leased = Vec::new();
        for leg in self.logout.legs.iter_mut().filter(|leg| wanted.contains(&leg.id)) {
            if let LegState::Due { next_try, .. } = &mut leg.state
                && *next_try <= now
            {
                *next_try = now.plus(retry::LEASE);
                leased.push(leg.id);
            }
        }
        leased
    }

    pub(super) fn tried(&mut self, id: LegId, attempt: Attempt, jitter: Jitter) {
        let (begun, deadline, now) = (self.logout.created_at, self.logout.deadline, self.now);
        let Some(leg) = self.logout.leg_mut(id) else { return };
        let (patience, gave_up) = match &leg.party {
            Party::App { .. } => {
                let since = leg.retried_at.unwrap_or(begun);
                (Patience::with_app(since), LegOutcome::DeadLetter)
            }
            Party::Idp { .. } => (Patience::with_idp(begun, deadline), LegOutcome::NoAnswer),
        };
        let was_retried = leg.retried_at.is_some();
        let LegState::Due { attempts, next_try, last_error } = &mut leg.state else { return };
        // What was not sent has not failed: it counts for nothing.
        let sent = !matches!(attempt, Attempt::NotSent(_));
        if sent {
            *attempts = attempts.saturating_add(1);
            let not_found = matches!(attempt, Attempt::NotFound(_));
            leg.not_found_since = not_found.then(|| leg.not_found_since.unwrap_or(now));
        }
        let number = *attempts;
        let (why, next) = match attempt {
            Attempt::Confirmed => {
                let detail = format!("told at try {number}");
                return self.close(id, LegOutcome::Confirmed, detail);
            }
            Attempt::Refused(why) => return self.close(id, LegOutcome::Refused, why),
            // What was tried may have arrived.
            Attempt::Gone(why) if number > 1 || was_retried => {
                return self.close(id, gave_up, why);
            }
            Attempt::Gone(why) => return self.close(id, LegOutcome::NotSent, why),
            Attempt::NotSent(why) => {
                let why = last_error.clone().unwrap_or(why);
                (why, patience.next_try(1, now, jitter))
            }
            Attempt::Failed(why) => (why, patience.next_try(number, now, jitter)),
            Attempt::Later { why, pause } => {
                (why, patience.after_pause(pause, number, now, jitter))
            }
            Attempt::NotFound(why) => {
                let first = leg.not_found_since.unwrap_or(now);
                let patience = patience.until(first.plus(retry::NOT_FOUND_FOR));
                (why, patience.next_try(number, now, jitter))
            }
        };
        let Some(next) = next else { return self.close(id, gave_up, why) };
        *next_try = next;
        if !sent {
            return;
        }
        // There may be a thousand tries in three days: of those that fail alike, ever fewer are told.
        let news = number.is_power_of_two() || last_error.as_ref() != Some(&why);
        let tried = format!("try {number}: {why}; next at {next}");
        *last_error = Some(why);
        if news {
            let record = describe(AuditKind::LegTried, self.before.id, leg).detail(tried);
            self.records.push(record);
        }
    }

    /// Apps that were given up or said no are due once more, leased to whoever asked for it. An IdP
    /// is not asked again: after its deadline a LogoutRequest could meet a newer session.
    pub(super) fn retry(&mut self) -> Vec<LegId> {
        let (logout, now) = (self.before.id, self.now);
        let mut again = Vec::new();
        for leg in self.logout.legs.iter_mut().filter(|leg| !leg.is_idp()) {
            let LegState::Closed {
                outcome: outcome @ (LegOutcome::DeadLetter | LegOutcome::Refused),
                detail,
                ..
            } = &leg.state
            else {
                continue;
            };
            let said = format!("was {outcome}: {detail}");
            let last_error = Some(detail.clone());
            leg.state = LegState::Due { attempts: 0, next_try: now.plus(retry::LEASE), last_error };
            leg.retried_at = Some(now);
            leg.not_found_since = None;
            self.records.push(describe(AuditKind::LegRetried, logout, leg).detail(said));
            again.push(leg.id);
        }
        if !again.is_empty() {
            self.logout.settled_at = None;
        }
        again
    }
}
