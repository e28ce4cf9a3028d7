//! Everybody who takes part in this browser's session, with a box to tick.

use askama::Template;

use super::Layout;
use crate::logout::PartyId;
use crate::secret::Token;
use crate::use_cases::{ListedParty, NothingEnded};

#[derive(Template)]
#[template(path = "person_page.html")]
pub(in crate::http) struct PersonPage<'a> {
    layout: &'a Layout,
    action: &'a str,
    secrets: FormSecrets,
    groups: [Group; 2],
    /// Why the page is shown once more; then nothing is ticked.
    notice: Option<&'static str>,
}

/// What the form brings back as it is.
pub(in crate::http) struct FormSecrets {
    pub page_seed: String,
    pub handle: Token,
    pub csrf: String,
}

/// Boxes of one kind.
struct Group {
    legend: &'static str,
    /// Of each box.
    name: &'static str,
    /// Of the field that says what was shown.
    shown: &'static str,
    parties: Vec<(String, ListedParty)>,
}

impl<'a> PersonPage<'a> {
    pub(in crate::http) fn of(
        parties: Vec<ListedParty>,
        secrets: FormSecrets,
        nothing_ended: Option<NothingEnded>,
        action: &'a str,
        layout: &'a Layout,
    ) -> Self {
        let text = &layout.text.person_page;
        let group = |legend, name, shown| Group { legend, name, shown, parties: Vec::new() };
        let mut apps = group(text.apps, "app", "shown_apps");
        let mut idps = group(text.idps, "idp", "shown_idps");
        for party in parties {
            match &party.id {
                PartyId::App { client } => apps.parties.push((client.to_string(), party)),
                PartyId::Idp { idp } => idps.parties.push((idp.to_string(), party)),
            }
        }
        let notice = nothing_ended.map(|why| match why {
            NothingEnded::NothingTicked => text.nothing_ticked,
            NothingEnded::EndedBefore => text.ended_before,
        });
        Self { layout, action, secrets, groups: [apps, idps], notice }
    }
}

impl Group {
    /// What the form says it has shown.
    fn ids(&self) -> String {
        self.parties.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(" ")
    }
}
