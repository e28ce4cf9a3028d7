//! What may become of a leg: I5, I8 and I3 of one party.

use super::installation::app;
use super::model::KnownLogout;
use super::parties::number_of;
use super::world::World;
use crate::change::Change;
use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::logout::{
    AppChannel, Ends, Leg, LegOutcome, LegState, Logout, Party, Reason, Rung, retry,
};

impl World<'_> {
    pub(super) fn check_leg(&self, leg: &Leg, changes: &[Change]) {
        let mut known = self.model.logouts.values();
        let known = known.find(|known| known.logout.leg(leg.id).is_some()).expect("a known leg");
        let advances = changes.iter().any(
            |change| matches!(change, Change::AdvanceLogout { id, .. } if *id == known.logout.id),
        );
        assert!(advances, "I5: a leg is written without the version of its logout");
        let before = known.logout.leg(leg.id).expect("it was found by it");
        assert_eq!(leg.party, before.party);
        let again = leg.tried_again_at > before.tried_again_at;
        if again {
            self.check_try_again(&known.logout, before, leg.tried_again_at);
        } else if let (Some(old), Some(new)) = (&before.asked, &leg.asked) {
            assert_eq!(old, new, "I5: {} was asked, and is asked something else", leg.id);
        }
        if again && leg.outcome() == before.outcome() {
            return;
        }
        if !again && leg.state == before.state {
            let refused = leg.answer_refused_at != before.answer_refused_at;
            let answered = leg.tried_again_at != before.tried_again_at;
            assert!(refused || answered, "I10: {} is written, and nothing has happened", leg.id);
            return;
        }
        let LegState::Closed { outcome, .. } = &leg.state else {
            let retried = leg.retried_at != before.retried_at;
            assert!(before.is_open() || retried, "I5: {:?} is open again", leg.party);
            return;
        };
        match &leg.party {
            Party::Idp { idp, rung } => {
                self.check_idp_outcome(
                    &known.logout,
                    before,
                    leg,
                    *outcome,
                    (number_of(idp), rung),
                );
            }
            Party::App { client, channel: AppChannel::FrontChannel { .. } } => {
                assert!(before.is_open(), "I5: {client} has an outcome already");
                let again = self.has_come_again(known, client);
                self.check_frame_outcome(&known.logout, before, *outcome, again);
            }
            Party::App { client, channel: AppChannel::BackChannel } => {
                assert!(before.is_open(), "I5: {client} has an outcome already");
                self.check_app_outcome(known, before, client, *outcome);
            }
        }
    }

    pub(super) fn note_question(&mut self, leg: &Leg) {
        let mut known = self.model.logouts.values().map(|known| &known.logout);
        let logout = known.find(|logout| logout.leg(leg.id).is_some()).expect("a known leg");
        if let Some(asked) = &leg.asked
            && !self.truth.asked.iter().any(|(known, _)| known == asked)
        {
            self.truth.asked.push((asked.clone(), logout.id));
        }
    }

    /// Whether an app that ended alone has come into the session again.
    fn has_come_again(&self, known: &KnownLogout, app: &ClientId) -> bool {
        let document = &known.logout.document;
        let session = &self.model.sessions[&document.browser_session];
        document.ends == Ends::Apps && session.has_joined_since(app, known.begun)
    }

    /// I5: an IdP is asked once more only while that can help, and never for somebody else.
    fn check_try_again(&self, logout: &Logout, before: &Leg, at: Option<Timestamp>) {
        use LegOutcome::{NoAnswer, NotSent, Refused, Unconfirmed};
        let day = std::time::Duration::from_secs(24 * 3600);
        let was = before.outcome();
        assert!(
            before.is_idp()
                && matches!(was, Some(NoAnswer | NotSent | Refused | Unconfirmed))
                && logout.document.reason != Reason::SwitchedUser
                && at.is_some_and(|at| at < logout.created_at.plus(day)),
            "I5: {before:?} is asked once more"
        );
    }

    fn check_idp_outcome(
        &self,
        logout: &Logout,
        before: &Leg,
        leg: &Leg,
        outcome: LegOutcome,
        (idp, rung): (usize, &Rung),
    ) {
        use LegOutcome::{Confirmed, NoAnswer, NotSent, Partial, Refused, Unconfirmed};
        let late = self.now >= logout.deadline;
        let was = before.outcome();
        let again = leg.tried_again_at > before.tried_again_at;
        assert!(
            matches!(was, None | Some(NoAnswer | Unconfirmed))
                || before.tried_again_at.is_some()
                || again,
            "I5: {was:?} of idp-{idp} becomes {outcome}"
        );
        if again {
            let never_asked = was == Some(NotSent) && matches!(outcome, NoAnswer | Unconfirmed);
            return assert!(never_asked, "I5: {was:?} of idp-{idp} becomes {outcome}");
        }
        match outcome {
            Confirmed | Partial | Refused => {
                let asked = leg.asked.as_ref().map(|asked| &asked.request_id);
                let whom = leg.principal.as_ref().map(|principal| &principal.name_id);
                let answered = self.truth.answers.iter().any(|issued| {
                    issued.is_proof
                        && issued.delivered
                        && issued.idp == idp
                        && issued.says == outcome
                        && match leg.is_by_soap() {
                            true => issued.by_soap.as_ref() == whom,
                            false => asked == Some(&issued.request_id),
                        }
                });
                assert!(answered, "I5: idp-{idp} never said {outcome} to {asked:?}");
            }
            NoAnswer => {
                let asked = before.asked.is_some() || before.is_by_soap();
                assert!(asked, "I8: {outcome}, and it was not asked");
                // A try that would come after the deadline is not waited for.
                let gave_up = self.truth.gave_up.contains(&leg.id) || before.is_by_soap();
                assert!(late || gave_up, "I5: {outcome}, and there is time for an answer");
            }
            NotSent => assert!(late && before.asked.is_none(), "I3: {outcome} too early"),
            // Something came back, or the browser went to a page where nothing answers.
            Unconfirmed => {
                let asked =
                    before.asked.is_some() || matches!(rung, Rung::Url { .. } | Rung::Soap { .. });
                assert!(asked, "I8: {outcome}, and it was not asked");
                assert!(was.is_none(), "I5: {was:?} becomes {outcome}");
            }
            other => panic!("I5: {other} of an IdP that can be asked"),
        }
    }

    /// Of a frame nothing comes back but the browser.
    fn check_frame_outcome(&self, logout: &Logout, before: &Leg, outcome: LegOutcome, again: bool) {
        let late = self.now >= logout.deadline || again;
        let shown = matches!(before.state, LegState::Waiting { .. });
        match outcome {
            LegOutcome::Unconfirmed => assert!(shown, "I8: {outcome}, and it was not shown"),
            LegOutcome::NoAnswer => assert!(shown && late, "I8: {outcome} of a frame"),
            LegOutcome::NotSent => assert!(!shown && late, "I3: {outcome} of a frame too early"),
            other => panic!("I8: {other} of a frame"),
        }
    }

    fn check_app_outcome(
        &self,
        known: &KnownLogout,
        before: &Leg,
        client: &ClientId,
        outcome: LegOutcome,
    ) {
        let logout = &known.logout;
        let of = |told: &super::parties::Told| {
            app(told.app) == *client && told.sid == logout.document.sid && told.at >= known.begun
        };
        match outcome {
            LegOutcome::Confirmed => {
                assert!(self.truth.told.iter().any(of), "I8: {client} never agreed");
            }
            LegOutcome::Refused => {
                assert!(self.truth.declined.iter().any(of), "I8: {client} never said no");
            }
            // It would end what the person has begun anew.
            LegOutcome::DeadLetter | LegOutcome::NotSent if self.has_come_again(known, client) => {}
            LegOutcome::DeadLetter => {
                let since = before.retried_at.unwrap_or(logout.created_at);
                let tried = self.now.since(since);
                let longest = std::time::Duration::from_secs(300);
                assert!(tried + longest >= retry::GIVE_UP_AFTER, "I3: given up after {tried:?}");
            }
            other => panic!("I3: {client} is {other}"),
        }
    }
}
