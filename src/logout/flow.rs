//! The logout as a table of events: what is true now, what happened, what follows. No I/O here; the
//! use case commits the changes in one transaction and carries out what is next. What a browser
//! brings about stands in `flow/browser.rs`, what is done without one in `flow/worker.rs`.

mod browser;
mod worker;

use std::time::Duration;

use super::retry::Jitter;
use super::{Asked, Leg, LegOutcome, LegState, Logout, Party};
use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::id::LegId;

/// Something that happened to a logout.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The browser is here and can show frames, or go to the next IdP. `asked` is fresh: it will name
    /// the message. `again` has an IdP that was asked already asked once more: the browser may never
    /// have got there.
    BrowserHere {
        asked: Asked,
        again: bool,
    },
    /// The browser comes back from the page with frames.
    FramesDone,
    /// The person has opened an app again that was ended alone, and its frame is still open.
    JoinedAgain {
        leg: LegId,
    },
    /// The IdP of this leg answered, when this was the question.
    Answered {
        leg: LegId,
        to: Option<Asked>,
        answer: Answer,
    },
    /// The person does not want to wait for the IdP of this leg any longer.
    GaveUp {
        leg: LegId,
    },
    /// The person has an IdP asked once more, whose leg was closed. `asked` is fresh.
    TriedAgain {
        leg: LegId,
        asked: Asked,
    },
    DeadlinePassed,
    /// A worker takes those of these legs that are due.
    Leased {
        legs: Vec<LegId>,
    },
    /// A worker tried to tell a party.
    Tried {
        leg: LegId,
        attempt: Attempt,
        jitter: Jitter,
    },
    /// Somebody wants the apps told again that were given up or said no.
    Retried,
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

/// One try to tell a party without a browser: an app by the back channel (Back-Channel Logout 1.0 2.5
/// and 2.8), or an IdP by SOAP as long as it gives no answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Attempt {
    /// 200 or 204.
    Confirmed,
    /// The party will not do it, now or later: 400, or an answer that a retry cannot change.
    Refused(String),
    /// Connection, time-out, 5xx, 429: it may pass.
    Failed(String),
    /// It may pass, and the party says when to come again (`Retry-After`, RFC 9110 10.2.3).
    Later { why: String, pause: Duration },
    /// 404 or 410: nothing is there, and it may be between two versions of the party.
    NotFound(String),
    /// Nothing left this machine: no place was free, or our own store did not answer. The party has
    /// not failed.
    NotSent(String),
    /// The party cannot be told any more.
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
    /// Show one page with the frames of these apps.
    Frames(Vec<LegId>),
    /// Send the browser to the IdP of this leg.
    AskIdp(LegId),
    /// The IdP of this leg has been asked; the browser stays on the waiting page.
    Wait(LegId),
    /// Frames are to be shown or a further IdP to be asked when the browser is here.
    Continue,
    /// Tell these parties.
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
            lifted: Vec::new(),
        };
        let mut next = None;
        for event in events {
            next = flow.apply(event);
        }
        let next = next.unwrap_or_else(|| flow.next());
        flow.decide(next)
    }

    /// Marks the logout as answered when no frame and no leg of an IdP is open, and as settled when no
    /// leg is at all; both may be so from its beginning.
    pub fn mark_what_is_over(&mut self, now: Timestamp) -> Vec<AuditEvent> {
        let mut records = Vec::new();
        let mut record = |logout: &Logout, kind| {
            let outcome = logout.outcome().as_str();
            records.push(AuditEvent::new(kind).logout(logout.id).detail(outcome));
        };
        let answered =
            !self.legs.iter().any(|leg| (leg.is_idp() || leg.is_frame()) && leg.is_open());
        if answered && self.answered_at.is_none() {
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
    /// Legs whose re-login lock, if there is one, is done with.
    lifted: Vec<LegId>,
}

impl Flow {
    /// Returns what is next only where the event itself says so.
    fn apply(&mut self, event: Event) -> Option<Next> {
        match event {
            Event::BrowserHere { asked, again } => {
                return self.show_frames().or_else(|| self.ask_next(asked, again));
            }
            Event::FramesDone => self.frames_done(),
            Event::JoinedAgain { leg } => self.joined_again(leg),
            Event::Answered { leg, to, answer } => self.answered(leg, to.as_ref(), answer),
            Event::GaveUp { leg } => {
                self.close_waiting(Some(leg), "the person did not wait for the answer");
            }
            Event::TriedAgain { leg, asked } => return self.try_again(leg, asked),
            Event::DeadlinePassed => self.deadline_passed(),
            Event::Leased { legs } => return Some(Next::Tell(self.lease(&legs))),
            Event::Tried { leg, attempt, jitter } => self.tried(leg, attempt, jitter),
            Event::Retried => return Some(Next::Tell(self.retry())),
        }
        None
    }

    fn next(&self) -> Next {
        let idp = |state: fn(&LegState) -> bool| {
            self.logout.legs.iter().find(|leg| leg.is_idp() && state(&leg.state))
        };
        if self.logout.has_open_frame() {
            return Next::Continue;
        }
        if let Some(leg) = idp(|state| matches!(state, LegState::Waiting { .. })) {
            Next::Wait(leg.id)
        } else if idp(|state| matches!(state, LegState::Planned)).is_some() {
            Next::Continue
        } else {
            Next::Finish
        }
    }

    fn close(&mut self, id: LegId, outcome: LegOutcome, detail: String) {
        let Some(leg) = self.logout.leg_mut(id) else { return };
        let said = match detail.is_empty() {
            true => outcome.to_string(),
            false => format!("{outcome}: {detail}"),
        };
        leg.state = LegState::Closed { outcome, detail, at: self.now };
        if leg.is_idp() && outcome == LegOutcome::Confirmed {
            self.lifted.push(id);
        }
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
        changes.extend(self.lifted.drain(..).map(|leg| {
            let event = AuditEvent::new(AuditKind::ReloginLockLifted);
            Change::LiftReloginLock { leg, event: event.detail("the IdP has confirmed the logout") }
        }));
        changes.extend(self.records.drain(..).map(Change::Record));
        changes
    }
}

fn describe(kind: AuditKind, logout: crate::id::LogoutId, leg: &Leg) -> AuditEvent {
    let event = AuditEvent::new(kind).logout(logout);
    match &leg.party {
        Party::App { client, .. } => event.client(client),
        Party::Idp { idp, .. } => event.idp(idp),
    }
}

#[cfg(test)]
mod tests;
