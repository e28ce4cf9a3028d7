//! The end of one logout: every party, and what is known of it.

use askama::Template;

use super::Layout;
use super::text::{self, Text};
use crate::logout::{Ends, Leg, LegOutcome, Logout, Outcome, PartyId, Whole};

#[derive(Template)]
#[template(path = "logout_end.html")]
pub(in crate::http) struct LogoutEnd<'a> {
    pub layout: &'a Layout,
    pub heading: &'static str,
    pub summary: &'static str,
    pub parties: Vec<PartyLine>,
    /// A re-login lock holds.
    pub locked: bool,
    pub continue_to: Option<&'a str>,
    /// Our own page, where the session lives on.
    pub still_signed_in: Option<&'a str>,
    pub logout: String,
}

/// One party of a logout, in words for the person.
pub(in crate::http) struct PartyLine {
    pub kind: &'static str,
    pub name: String,
    pub text: &'static str,
    /// The style class: `good`, `warn`, `bad` or `soft`.
    pub tone: &'static str,
}

impl<'a> LogoutEnd<'a> {
    /// `own_page` is where a person sees what a session still holds.
    pub(in crate::http) fn of(
        logout: &Logout,
        continue_to: Option<&'a str>,
        locked: bool,
        own_page: &'a str,
        layout: &'a Layout,
    ) -> Self {
        let text = layout.text;
        let parties = logout.legs.iter().map(|leg| party_line(leg, text));
        let left = logout.document.left.iter();
        let left = left.map(|party| line(party, text, text.end.leg.left, "soft"));
        let (heading, summary) = whole(Whole::of(logout), &text.end);
        Self {
            layout,
            heading,
            summary,
            parties: parties.chain(left).collect(),
            locked,
            continue_to,
            still_signed_in: (logout.document.ends == Ends::Apps).then_some(own_page),
            logout: logout.id.to_string(),
        }
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
        Whole::AppsAlone(Outcome::Complete) => (heading.chosen, summary.apps_alone),
        Whole::AppsAlone(Outcome::Partial) => (heading.chosen_here, summary.apps_alone_partial),
        Whole::AppsAlone(Outcome::LocalOnly) => (heading.chosen_here, summary.apps_alone_untold),
    }
}

fn party_line(leg: &Leg, text: &Text) -> PartyLine {
    let known = &text.end.leg;
    let (said, tone) = match leg.outcome() {
        None => (known.open, "warn"),
        Some(LegOutcome::Confirmed) => (known.confirmed, "good"),
        Some(LegOutcome::Partial) => (known.partial, "warn"),
        Some(LegOutcome::Refused) => (known.refused, "bad"),
        Some(LegOutcome::Unconfirmed) if leg.is_frame() => (known.unconfirmed_frame, "warn"),
        Some(LegOutcome::Unconfirmed) => (known.unconfirmed, "warn"),
        Some(LegOutcome::NoAnswer) => (known.no_answer, "bad"),
        Some(LegOutcome::NotSent) => (known.not_sent, "bad"),
        Some(LegOutcome::NotPossible) => (known.not_possible, "bad"),
        Some(LegOutcome::DeadLetter) => (known.dead_letter, "bad"),
    };
    line(&PartyId::from(&leg.party), text, said, tone)
}

fn line(party: &PartyId, text: &Text, said: &'static str, tone: &'static str) -> PartyLine {
    let (kind, name) = match party {
        PartyId::App { client } => (text.end.app, client.to_string()),
        PartyId::Idp { idp } => (text.end.idp, idp.to_string()),
    };
    PartyLine { kind, name, text: said, tone }
}
