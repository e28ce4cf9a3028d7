//! What the browser brings about: it shows frames, goes from IdP to IdP, and comes back with answers.

use std::time::Duration;

use super::{Answer, Flow, Next, describe};
use crate::audit::AuditKind;
use crate::clock::Timestamp;
use crate::id::LegId;
use crate::logout::{Asked, Leg, LegOutcome, LegState, Logout, Party, Rung, explain};

/// How long a browser that asks again is sent again to an IdP from which it does not come back: it
/// may have lost our answer. Who asks later has been there.
const MAY_BE_LOST: Duration = Duration::from_secs(30);

impl Logout {
    /// Whether the browser is still to show a frame, or to be sent to an IdP or awaited from there.
    pub fn needs_browser(&self) -> bool {
        let by_browser = |leg: &Leg| leg.is_frame() || (leg.is_idp() && !leg.is_by_soap());
        self.legs.iter().any(|leg| leg.is_open() && by_browser(leg))
    }

    /// The IdP to which the browser was last sent a moment ago, and from which it is not expected back.
    pub fn sent_away_lately(&self, now: Timestamp) -> Option<LegId> {
        let sent_at = |leg: &Leg| match (&leg.party, &leg.state) {
            (
                Party::Idp { rung: Rung::AsynchronousLogout { .. } | Rung::Url { .. }, .. },
                LegState::Closed { outcome: LegOutcome::Unconfirmed, at, .. },
            ) if leg.asked.is_some() && now < at.plus(MAY_BE_LOST) => Some((*at, leg.id)),
            _ => None,
        };
        let (_, leg) = self.legs.iter().filter_map(sent_at).max_by_key(|(at, _)| *at)?;
        Some(leg)
    }
}

impl Flow {
    /// One page shows them all, before any IdP is asked. While the browser has not come back from it,
    /// it is shown again.
    pub(super) fn show_frames(&mut self) -> Option<Next> {
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
    pub(super) fn frames_done(&mut self) {
        let is_shown = |leg: &&Leg| leg.is_frame() && matches!(leg.state, LegState::Waiting { .. });
        let shown: Vec<LegId> =
            self.logout.legs.iter().filter(is_shown).map(|leg| leg.id).collect();
        for id in shown {
            let detail = "its frame was given to the browser; nothing comes back from there";
            self.close(id, LegOutcome::Unconfirmed, detail.to_owned());
        }
    }

    /// Its new session has the same `sid`: a frame of the former one would end it.
    pub(super) fn joined_again(&mut self, id: LegId) {
        let Some(leg) = self.logout.leg(id).filter(|leg| leg.is_frame()) else { return };
        let outcome = match leg.state {
            LegState::Planned => LegOutcome::NotSent,
            // The browser was given its frame, and has not come back.
            LegState::Waiting { .. } => LegOutcome::NoAnswer,
            LegState::Due { .. } | LegState::Closed { .. } => return,
        };
        self.close(id, outcome, explain::JOINED_AGAIN.to_owned());
    }

    pub(super) fn ask_next(&mut self, asked: Asked, again: bool) -> Option<Next> {
        // The commit of this very question may have succeeded unseen: then it is still to be asked, with
        // the same message.
        let same = self.logout.legs.iter().find(|leg| leg.asked.as_ref() == Some(&asked));
        if let Some(leg) = same {
            return Some(Next::AskIdp(leg.id));
        }
        if let Next::Wait(id) = self.next() {
            return Some(if again { Next::AskIdp(id) } else { Next::Wait(id) });
        }
        if let Some(id) = self.logout.sent_away_lately(self.now).filter(|_| again) {
            return Some(Next::AskIdp(id));
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
                // No message goes there; it marks the question.
                leg.asked = Some(asked);
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

    /// Whatever is known stays so until an answer proves something else. An IdP that had never been
    /// asked now has been.
    pub(super) fn try_again(&mut self, id: LegId, asked: Asked) -> Option<Next> {
        let leg = self.logout.leg(id)?;
        // The commit of this very question may have succeeded unseen.
        if leg.asked.as_ref() == Some(&asked) {
            return Some(Next::AskIdp(id));
        }
        if !self.logout.can_try_again(leg, self.now) {
            return None;
        }
        // Pressed twice: an answer to the first message must still find its leg.
        if leg.asked.is_some() && self.logout.tries_again(leg, self.now) {
            return Some(Next::AskIdp(id));
        }
        let never_asked = leg.outcome() == Some(LegOutcome::NotSent);
        let silent = silent(&leg.party);
        self.records.push(describe(AuditKind::LegSent, self.before.id, leg).detail("once more"));
        let leg = self.logout.leg_mut(id)?;
        leg.asked = Some(asked);
        leg.tried_again_at = Some(self.now);
        leg.answer_refused_at = None;
        if never_asked {
            self.close(id, silent, "asked when the person wished it, no answer yet".to_owned());
        }
        Some(Next::AskIdp(id))
    }

    /// An IdP confirms what it was asked for, and no more.
    fn worth(&self, id: LegId, answer: Answer) -> (LegOutcome, String) {
        let principal = self.logout.leg(id).and_then(|leg| leg.principal.as_ref());
        match principal {
            Some(asked) if asked.may_not_be_all() && answer.outcome == LegOutcome::Confirmed => {
                let named = format!(
                    "{}; it was named {} SessionIndexes, the most that are kept, and there may have \
                     been more",
                    answer.detail,
                    asked.session_indexes.len()
                );
                (LegOutcome::Partial, named)
            }
            _ => (answer.outcome, answer.detail),
        }
    }

    /// An answer counts while it is awaited. A later one only counts if it is proven and what is
    /// known so far is not, or the IdP was asked once more; a second proven answer changes nothing. Nor
    /// does one to a question in whose place another was asked while it was read.
    pub(super) fn answered(&mut self, id: LegId, to: Option<&Asked>, answer: Answer) {
        let Some(leg) = self.logout.leg(id).filter(|leg| leg.is_idp()) else { return };
        if leg.asked.as_ref() != to {
            return;
        }
        let counts = match &leg.state {
            LegState::Waiting { .. } => true,
            LegState::Closed { outcome, .. } => {
                let unproven = matches!(outcome, LegOutcome::NoAnswer | LegOutcome::Unconfirmed);
                answer.proven
                    && (leg.asked.is_some() || leg.is_by_soap())
                    && (unproven || leg.tried_again_at.is_some())
            }
            LegState::Due { .. } => leg.is_by_soap(),
            LegState::Planned => false,
        };
        if !answer.proven {
            self.note_refusal(id, &answer.detail);
        }
        if counts {
            let (outcome, detail) = self.worth(id, answer);
            self.close(id, outcome, detail);
            if let Some(leg) = self.logout.leg_mut(id) {
                leg.tried_again_at = None;
            }
        }
    }

    /// One refused answer to a request is on record. The browser that asked can bring any number of
    /// them.
    fn note_refusal(&mut self, id: LegId, reason: &str) {
        let Some(leg) = self.logout.leg_mut(id) else { return };
        if leg.asked.is_some() && leg.answer_refused_at.is_none() {
            leg.answer_refused_at = Some(self.now);
            let refused = describe(AuditKind::LogoutAnswerRefused, self.before.id, leg);
            self.records.push(refused.detail(reason));
        }
    }

    /// Closes IdP legs that wait for an answer: this one, or all.
    pub(super) fn close_waiting(&mut self, only: Option<LegId>, why: &str) {
        let waiting: Vec<(LegId, LegOutcome)> = self
            .logout
            .legs
            .iter()
            .filter(|leg| only.is_none_or(|only| only == leg.id))
            .filter(|leg| leg.is_idp() && matches!(leg.state, LegState::Waiting { .. }))
            .map(|leg| (leg.id, silent(&leg.party)))
            .collect();
        for (id, outcome) in waiting {
            self.close(id, outcome, why.to_owned());
        }
    }
}

/// What is known of an IdP that was asked and does not answer.
fn silent(party: &Party) -> LegOutcome {
    match party {
        // The login URL was visited, which is all that could be done there.
        Party::Idp { rung: Rung::LoginUrl { .. }, .. } => LegOutcome::Unconfirmed,
        _ => LegOutcome::NoAnswer,
    }
}
