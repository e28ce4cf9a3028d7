//! The logout as a table of events: what is true now, what happened, what follows. No I/O here; the
//! use case commits the changes in one transaction and carries out what is next.

mod delivery;

use super::outcome::LegOutcome;
use super::{Asked, Leg, LegState, Logout, Party, Rung};
use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::id::LegId;

/// Something that happened to a logout.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The browser is here and can show frames, or go to the next IdP. `asked` is fresh: it will name
    /// the message.
    /// `again` has an IdP that was asked already asked once more: the browser may never have got
    /// there.
    BrowserHere {
        asked: Asked,
        again: bool,
    },
    /// The browser comes back from the page with frames.
    FramesDone,
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
    /// A worker takes every leg that is due.
    Leased,
    /// A worker tried to tell a party.
    Tried {
        leg: LegId,
        attempt: Attempt,
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
}

impl Logout {
    /// Marks the logout as answered when no leg is open that needs the browser, and as settled when
    /// none is at all; both may be so from its beginning.
    pub fn mark_what_is_over(&mut self, now: Timestamp) -> Vec<AuditEvent> {
        let mut records = Vec::new();
        let mut record = |logout: &Logout, kind| {
            let outcome = logout.outcome().as_str();
            records.push(AuditEvent::new(kind).logout(logout.id).detail(outcome));
        };
        let browser_done =
            !self.legs.iter().any(|leg| (leg.is_idp() || leg.is_frame()) && leg.is_open());
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
            Event::Answered { leg, answer } => self.answered(leg, answer),
            Event::GaveUp { leg } => {
                self.close_waiting(Some(leg), "the person did not wait for the answer");
            }
            Event::DeadlinePassed => self.deadline_passed(),
            Event::Leased => return Some(Next::Tell(self.lease())),
            Event::Tried { leg, attempt } => self.tried(leg, attempt),
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

    /// One page shows them all, before any IdP is asked. While the browser has not come back from it,
    /// it is shown again.
    fn show_frames(&mut self) -> Option<Next> {
        let mut shown = Vec::new();
        for leg in self.logout.legs.iter_mut().filter(|leg| leg.is_frame() && leg.is_open()) {
            if leg.state == LegState::Planned {
                leg.state = LegState::Waiting { since: self.now };
                self.records.push(describe(AuditKind::LegSent, self.before.id, leg));
            }
            shown.push(leg.id);
        }
        (!shown.is_empty()).then_some(Next::Frames(shown))
    }

    /// What was shown may have worked; a browser that keeps an app's cookies out of frames says
    /// nothing of it (Front-Channel Logout 1.0 4.1). What was not shown stays open.
    fn frames_done(&mut self) {
        let is_shown = |leg: &&Leg| leg.is_frame() && matches!(leg.state, LegState::Waiting { .. });
        let shown: Vec<LegId> =
            self.logout.legs.iter().filter(is_shown).map(|leg| leg.id).collect();
        for id in shown {
            let detail = "its frame was given to the browser; nothing comes back from there";
            self.close(id, LegOutcome::Unconfirmed, detail.to_owned());
        }
    }

    fn ask_next(&mut self, asked: Asked, again: bool) -> Option<Next> {
        // The commit of this very question may have succeeded unseen: then it is still to be asked, with
        // the same message.
        let same = self.logout.legs.iter().find(|leg| leg.asked.as_ref() == Some(&asked));
        if let Some(leg) = same {
            return Some(Next::AskIdp(leg.id));
        }
        if let Next::Wait(id) = self.next() {
            return Some(if again { Next::AskIdp(id) } else { Next::Wait(id) });
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
            Party::Idp { rung: Rung::AsynchronousLogout { .. }, .. } => {
                // Kept, because an answer that comes all the same is worth what it says.
                leg.asked = Some(asked);
                let detail = "the IdP was asked, and told that nobody waits for its answer";
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
        let Some(leg) = self.logout.leg(id).filter(|leg| leg.is_idp()) else { return };
        let counts = match &leg.state {
            LegState::Waiting { .. } => true,
            LegState::Closed { outcome, .. } => {
                answer.proven
                    && (leg.asked.is_some() || leg.is_by_soap())
                    && matches!(outcome, LegOutcome::NoAnswer | LegOutcome::Unconfirmed)
            }
            LegState::Due { .. } => leg.is_by_soap(),
            LegState::Planned => false,
        };
        if counts {
            self.close(id, answer.outcome, answer.detail);
        }
    }

    fn deadline_passed(&mut self) {
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

    /// Closes IdP legs that wait for an answer: this one, or all.
    fn close_waiting(&mut self, only: Option<LegId>, why: &str) {
        let waiting: Vec<(LegId, LegOutcome)> = self
            .logout
            .legs
            .iter()
            .filter(|leg| only.is_none_or(|only| only == leg.id))
            .filter(|leg| leg.is_idp() && matches!(leg.state, LegState::Waiting { .. }))
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

    fn close(&mut self, id: LegId, outcome: LegOutcome, detail: String) {
        let Some(leg) = self.logout.legs.iter_mut().find(|leg| leg.id == id) else { return };
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
