//! Asking an IdP once more, after its leg was closed.

use std::time::Duration;

use super::{Leg, LegOutcome, Logout, Party, Reason, Rung};
use crate::clock::Timestamp;

/// How long after the begin of a logout it can be done: longer, and the IdP session that was meant
/// is over in any case.
const FOR: Duration = Duration::from_secs(24 * 3600);

/// How long a question that was asked once more is the same question: as long as its message is good.
const ONE_QUESTION: Duration = Duration::from_secs(600);

impl Logout {
    /// Whether it may help to send the browser to this party once more: to an IdP that can answer,
    /// and whose answer is missing, proves nothing, or is a no.
    pub fn can_try_again(&self, leg: &Leg, now: Timestamp) -> bool {
        let answers = matches!(
            &leg.party,
            Party::Idp { rung: Rung::SingleLogout { .. } | Rung::LoginUrl { .. }, .. }
        );
        let may_help = match leg.outcome() {
            Some(
                LegOutcome::NoAnswer
                | LegOutcome::Unconfirmed
                | LegOutcome::NotSent
                | LegOutcome::Refused,
            ) => true,
            // What other services of the IdP did is not changed by asking it again.
            Some(
                LegOutcome::Confirmed
                | LegOutcome::Partial
                | LegOutcome::NotPossible
                | LegOutcome::DeadLetter,
            )
            | None => false,
        };
        // A LogoutRequest for the former person could end the session of the one who is there now.
        let same_person = self.document.reason != Reason::SwitchedUser;
        answers
            && may_help
            && same_person
            && leg.principal.is_some()
            && self.answered_at.is_some()
            && now < self.created_at.plus(FOR)
    }

    /// Whether the IdP was asked once more a while ago, and can still answer that.
    pub(super) fn tries_again(&self, leg: &Leg, now: Timestamp) -> bool {
        leg.tried_again_at.is_some_and(|at| now < at.plus(ONE_QUESTION))
    }
}
