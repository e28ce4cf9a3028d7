//! Legs that go without a browser: leased, tried, tried again.

use super::{Attempt, Flow, describe};
use crate::audit::AuditKind;
use crate::id::LegId;
use crate::logout::retry::{self, Patience};
use crate::logout::{LegOutcome, LegState, Party};

impl Flow {
    pub(super) fn lease(&mut self) -> Vec<LegId> {
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

    pub(super) fn tried(&mut self, id: LegId, attempt: Attempt) {
        let (begun, deadline, now) = (self.logout.created_at, self.logout.deadline, self.now);
        let Some(leg) = self.logout.legs.iter_mut().find(|leg| leg.id == id) else { return };
        let (patience, gave_up) = match &leg.party {
            Party::App { .. } => {
                let since = leg.retried_at.unwrap_or(begun);
                (Patience::with_app(since), LegOutcome::DeadLetter)
            }
            Party::Idp { .. } => (Patience::with_idp(deadline), LegOutcome::NoAnswer),
        };
        let was_retried = leg.retried_at.is_some();
        let LegState::Due { attempts, next_try, last_error } = &mut leg.state else { return };
        *attempts = attempts.saturating_add(1);
        match attempt {
            Attempt::Confirmed => {
                let detail = format!("told at try {attempts}");
                self.close(id, LegOutcome::Confirmed, detail);
            }
            Attempt::Refused(why) => self.close(id, LegOutcome::Refused, why),
            // What was tried may have arrived.
            Attempt::Gone(why) if *attempts > 1 || was_retried => self.close(id, gave_up, why),
            Attempt::Gone(why) => self.close(id, LegOutcome::NotSent, why),
            Attempt::Failed(why) => match patience.next_try(*attempts, now) {
                Some(next) => {
                    *next_try = next;
                    let tried = format!("try {attempts}: {why}; next at {next}");
                    *last_error = Some(why);
                    let record = describe(AuditKind::LegTried, self.before.id, leg).detail(tried);
                    self.records.push(record);
                }
                None => self.close(id, gave_up, why),
            },
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
            self.records.push(describe(AuditKind::LegRetried, logout, leg).detail(said));
            again.push(leg.id);
        }
        if !again.is_empty() {
            self.logout.settled_at = None;
        }
        again
    }
}
