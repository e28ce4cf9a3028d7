//! The end of one logout: every party, and what is known of it.

use askama::Template;

use super::Layout;
use super::text::{self, Text};
use crate::logout::{Leg, LegOutcome, Logout, Party, Whole};

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
    pub logout: String,
}

/// One party of a logout, in words for the person.
pub(in crate::http) struct PartyLine {
    pub kind: &'static str,
    pub name: String,
    pub text: &'static str,
    /// The style class: `good`, `warn` or `bad`.
    pub tone: &'static str,
}

impl<'a> LogoutEnd<'a> {
    pub(in crate::http) fn of(
        logout: &Logout,
        continue_to: Option<&'a str>,
        locked: bool,
        layout: &'a Layout,
    ) -> Self {
        let text = layout.text;
        let (heading, summary) = whole(Whole::of(logout), &text.end);
        Self {
            layout,
            heading,
            summary,
            parties: logout.legs.iter().map(|leg| party_line(leg, text)).collect(),
            locked,
            continue_to,
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
    }
}

fn party_line(leg: &Leg, text: &Text) -> PartyLine {
    let (kind, name) = match &leg.party {
        Party::App { client, .. } => (text.end.app, client.to_string()),
        Party::Idp { idp, .. } => (text.end.idp, idp.to_string()),
    };
    let known = &text.end.leg;
    let (text, tone) = match leg.outcome() {
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
    PartyLine { kind, name, text, tone }
}
