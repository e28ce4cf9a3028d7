//! The end of one logout: every party, and what is known of it.

use askama::Template;

use super::Layout;
use super::text;
use crate::logout::{Leg, LegOutcome, Party, Whole};
use crate::use_cases::{self, EndParty};

#[derive(Template)]
#[template(path = "logout_end.html")]
pub(in crate::http) struct LogoutEnd<'a> {
    layout: &'a Layout,
    heading: &'static str,
    summary: &'static str,
    parties: Vec<PartyLine<'a>>,
    /// A re-login lock holds.
    locked: bool,
    continue_to: Option<&'a str>,
    logout: String,
}

/// One party of a logout, in words for the person.
struct PartyLine<'a> {
    kind: &'static str,
    name: &'a str,
    text: &'static str,
    /// The style class: `good`, `warn` or `bad`.
    tone: &'static str,
    try_again: Option<TryAgain<'a>>,
}

/// A form with one button.
struct TryAgain<'a> {
    action: &'a str,
    leg: String,
}

impl<'a> LogoutEnd<'a> {
    /// `action` is the page's own address, where this browser has brought it.
    pub(in crate::http) fn of(
        end: &'a use_cases::LogoutEnd,
        action: Option<&'a str>,
        layout: &'a Layout,
    ) -> Self {
        let text = &layout.text.end;
        let (heading, summary) = whole(Whole::of(&end.logout), text);
        let legs = end.logout.legs.iter().zip(&end.parties);
        Self {
            layout,
            heading,
            summary,
            parties: legs.map(|(leg, party)| party_line(leg, party, action, text)).collect(),
            locked: end.locked,
            continue_to: end.continue_to.as_deref(),
            logout: end.logout.id.to_string(),
        }
    }

    fn offers_to_try_again(&self) -> bool {
        self.parties.iter().any(|party| party.try_again.is_some())
    }
}

/// It never claims more than is known.
fn whole(whole: Whole, text: &text::End) -> (&'static str, &'static str) {
    let (heading, summary) = (&text.heading, &text.summary);
    match whole {
        Whole::Everywhere => (heading.everywhere, summary.everywhere),
        Whole::Apps => (heading.apps, summary.apps),
        Whole::OnlyHere => (heading.here, summary.only_here),
        Whole::NobodyAsked => (heading.here, summary.nobody_asked),
        Whole::Partial => (heading.here, summary.partial),
    }
}

fn party_line<'a>(
    leg: &Leg,
    party: &'a EndParty,
    action: Option<&'a str>,
    text: &text::End,
) -> PartyLine<'a> {
    let kind = match &leg.party {
        Party::App { .. } => text.app,
        Party::Idp { .. } => text.idp,
    };
    let try_again = action.filter(|_| party.can_try_again);
    let try_again = try_again.map(|action| TryAgain { action, leg: party.leg.to_string() });
    let (text, tone) = known(leg.outcome(), &text.leg);
    PartyLine { kind, name: &party.name, text, tone, try_again }
}

fn known(outcome: Option<LegOutcome>, text: &text::Legs) -> (&'static str, &'static str) {
    match outcome {
        None => (text.open, "warn"),
        Some(LegOutcome::Confirmed) => (text.confirmed, "good"),
        Some(LegOutcome::Partial) => (text.partial, "warn"),
        Some(LegOutcome::Refused) => (text.refused, "bad"),
        Some(LegOutcome::Unconfirmed) => (text.unconfirmed, "warn"),
        Some(LegOutcome::NoAnswer) => (text.no_answer, "bad"),
        Some(LegOutcome::NotSent) => (text.not_sent, "bad"),
        Some(LegOutcome::NotPossible) => (text.not_possible, "bad"),
        Some(LegOutcome::DeadLetter) => (text.dead_letter, "bad"),
    }
}
