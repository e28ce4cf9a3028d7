//! The end of one logout: every party, and what is known of it.

use askama::Template;

use super::Layout;
use super::text::{self, Text};
use crate::logout::{Leg, LegOutcome, Outcome, PartyId, Whole};
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
    /// Our own page, where the session lives on.
    still_signed_in: Option<&'a str>,
    logout: String,
}

/// One party of a logout, in words for the person.
struct PartyLine<'a> {
    kind: &'static str,
    name: &'a str,
    text: &'static str,
    /// The style class: `good`, `warn`, `bad` or `soft`.
    tone: &'static str,
    try_again: Option<TryAgain<'a>>,
}

/// A form with one button.
struct TryAgain<'a> {
    action: &'a str,
    leg: String,
}

impl<'a> LogoutEnd<'a> {
    /// `action` is the page's own address, where this browser has brought it; `own_page` is where a
    /// person sees what a session still holds.
    pub(in crate::http) fn of(
        end: &'a use_cases::LogoutEnd,
        action: Option<&'a str>,
        own_page: &'a str,
        layout: &'a Layout,
    ) -> Self {
        let text = layout.text;
        let (heading, summary) = match Whole::of(&end.logout) {
            Whole::AppsAlone(_) if !end.lives_on => {
                (text.end.heading.apps_over, text.end.summary.apps_over)
            }
            known => whole(known, &text.end),
        };
        let legs = end.logout.legs.iter().zip(&end.parties);
        let legs = legs.map(|(leg, party)| party_line(leg, party, action, text));
        let left = end.left.iter().map(|party| PartyLine {
            kind: kind(&party.id, text),
            name: &party.name,
            text: text.end.leg.left,
            tone: "soft",
            try_again: None,
        });
        Self {
            layout,
            heading,
            summary,
            parties: legs.chain(left).collect(),
            locked: end.locked,
            continue_to: end.continue_to.as_deref(),
            still_signed_in: end.lives_on.then_some(own_page),
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
        Whole::Chosen => (heading.here, summary.chosen),
        Whole::ChosenPartial => (heading.here, summary.chosen_partial),
        Whole::NotAllKnown => (heading.here, summary.not_all_known),
        Whole::AppsAlone(Outcome::Complete) => (heading.chosen, summary.apps_alone),
        Whole::AppsAlone(Outcome::Partial) => (heading.chosen_here, summary.apps_alone_partial),
        Whole::AppsAlone(Outcome::LocalOnly) => (heading.chosen_here, summary.apps_alone_untold),
    }
}

fn party_line<'a>(
    leg: &Leg,
    party: &'a EndParty,
    action: Option<&'a str>,
    text: &Text,
) -> PartyLine<'a> {
    let kind = kind(&PartyId::from(&leg.party), text);
    let name = party.name.as_deref().unwrap_or(text.unnamed);
    let try_again = action.filter(|_| party.can_try_again);
    let try_again = try_again.map(|action| TryAgain { action, leg: party.leg.to_string() });
    let (text, tone) = known(leg, &text.end.leg);
    PartyLine { kind, name, text, tone, try_again }
}

fn kind(party: &PartyId, text: &Text) -> &'static str {
    match party {
        PartyId::App { .. } => text.end.app,
        PartyId::Idp { .. } => text.end.idp,
    }
}

fn known(leg: &Leg, text: &text::Legs) -> (&'static str, &'static str) {
    match leg.outcome() {
        None => (text.open, "warn"),
        Some(LegOutcome::Confirmed) => (text.confirmed, "good"),
        Some(LegOutcome::Partial) => (text.partial, "warn"),
        Some(LegOutcome::Refused) => (text.refused, "bad"),
        Some(LegOutcome::Unconfirmed) if leg.is_frame() => (text.unconfirmed_frame, "warn"),
        Some(LegOutcome::Unconfirmed) => (text.unconfirmed, "warn"),
        Some(LegOutcome::NoAnswer) => (text.no_answer, "bad"),
        Some(LegOutcome::NotSent) => (text.not_sent, "bad"),
        Some(LegOutcome::NotPossible) => (text.not_possible, "bad"),
        Some(LegOutcome::DeadLetter) => (text.dead_letter, "bad"),
    }
}
