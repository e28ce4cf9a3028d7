//! What is known of each party, and of the whole.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Ends, Leg, LegState, Logout};
use crate::oidc::LogoutScope;

/// How one leg ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegOutcome {
    /// The party said that it signed the person out.
    Confirmed,
    /// The IdP signed the person out, but could not reach all its other services
    /// (SAML Core 3.7.3.2, `PartialLogout`).
    Partial,
    /// The party answered that it did not.
    Refused,
    /// Delivered, but nothing proves it.
    Unconfirmed,
    /// Asked, and silent.
    NoAnswer,
    /// Planned, and never asked.
    NotSent,
    /// The party offers no way to be told.
    NotPossible,
    /// Every try failed.
    DeadLetter,
}

impl LegOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::Unconfirmed => "unconfirmed",
            Self::NoAnswer => "no_answer",
            Self::NotSent => "not_sent",
            Self::NotPossible => "not_possible",
            Self::DeadLetter => "dead_letter",
        }
    }

    /// Whether the party was asked at all.
    fn was_asked(self) -> bool {
        !matches!(self, Self::NotSent | Self::NotPossible)
    }
}

impl fmt::Display for LegOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can be said of a whole logout. Computed from the legs, and so revised until all are closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every party confirmed.
    Complete,
    /// Our own session ended, and no other party was asked.
    LocalOnly,
    /// Anything between.
    Partial,
}

impl Outcome {
    pub fn of(legs: &[Leg]) -> Self {
        let confirmed = |leg: &Leg| leg.outcome() == Some(LegOutcome::Confirmed);
        let asked = |leg: &Leg| match &leg.state {
            LegState::Planned => false,
            LegState::Waiting { .. } | LegState::Due { .. } => true,
            LegState::Closed { outcome, .. } => outcome.was_asked(),
        };
        if !legs.iter().any(asked) {
            Self::LocalOnly
        } else if legs.iter().all(confirmed) {
            Self::Complete
        } else {
            Self::Partial
        }
    }

    /// Nothing is complete of which somebody is not known any more.
    pub fn unless_lost(self, somebody_lost: bool) -> Self {
        match self {
            Self::Complete if somebody_lost => Self::Partial,
            known => known,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::LocalOnly => "local_only",
            Self::Partial => "partial",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a logout went: its outcome, seen with what was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whole {
    /// Every party was asked, and confirmed.
    Everywhere,
    /// Every app confirmed; the IdPs were left alone on purpose.
    Apps,
    /// All others were left alone on purpose.
    OnlyHere,
    /// No other party could be asked.
    NobodyAsked,
    Partial,
    /// Everybody whom the person ticked confirmed; the others were left alone on purpose.
    Chosen,
    /// Not everybody whom the person ticked has confirmed.
    ChosenPartial,
    /// Nobody knows any more who else took part.
    NotAllKnown,
    /// Only apps ended, with this outcome. The session lives on, and with it the sign-on of these apps.
    AppsAlone(Outcome),
}

impl Whole {
    pub fn of(logout: &Logout) -> Self {
        let document = &logout.document;
        let chosen = !document.left.is_empty();
        match (document.scope, logout.outcome()) {
            (_, outcome) if document.ends == Ends::Apps => Self::AppsAlone(outcome),
            (LogoutScope::OpOnly, _) => Self::OnlyHere,
            _ if document.somebody_lost => Self::NotAllKnown,
            (LogoutScope::AllApps, Outcome::Complete) => Self::Apps,
            (LogoutScope::AllAppsAndIdp, Outcome::Complete) if chosen => Self::Chosen,
            (LogoutScope::AllAppsAndIdp, Outcome::Complete) => Self::Everywhere,
            (LogoutScope::AllAppsAndIdp, Outcome::Partial) if chosen => Self::ChosenPartial,
            (_, Outcome::LocalOnly) => Self::NobodyAsked,
            (_, Outcome::Partial) => Self::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::LegId;
    use crate::logout::{AppChannel, Party};
    use crate::rng::Rng;

    fn leg(state: LegState) -> Leg {
        let id = LegId::new(Timestamp::from_seconds(1), &Rng::system());
        let app = Party::App { client: "app".parse().unwrap(), channel: AppChannel::BackChannel };
        Leg::new(id, 0, app, state)
    }

    fn closed(outcome: LegOutcome) -> Leg {
        leg(LegState::Closed { outcome, detail: String::new(), at: Timestamp::from_seconds(1) })
    }

    #[test]
    fn complete_only_when_every_party_confirmed() {
        use LegOutcome::*;
        assert_eq!(Outcome::of(&[closed(Confirmed), closed(Confirmed)]), Outcome::Complete);
        for other in [Partial, Refused, Unconfirmed, NoAnswer, NotSent, NotPossible, DeadLetter] {
            let legs = [closed(Confirmed), closed(other)];
            assert_eq!(Outcome::of(&legs), Outcome::Partial, "{other}");
        }
    }

    #[test]
    fn local_only_when_nobody_was_asked() {
        use LegOutcome::*;
        assert_eq!(Outcome::of(&[]), Outcome::LocalOnly);
        assert_eq!(Outcome::of(&[closed(NotPossible), closed(NotSent)]), Outcome::LocalOnly);
        assert_eq!(Outcome::of(&[closed(NotPossible), closed(NoAnswer)]), Outcome::Partial);
    }

    #[test]
    fn an_open_leg_is_never_counted_as_confirmed() {
        let waiting = leg(LegState::Waiting { since: Timestamp::from_seconds(1) });
        assert_eq!(Outcome::of(&[closed(LegOutcome::Confirmed), waiting]), Outcome::Partial);
        assert_eq!(Outcome::of(&[leg(LegState::Planned)]), Outcome::LocalOnly);
    }
}
