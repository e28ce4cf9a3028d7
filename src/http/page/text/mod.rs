//! What the pages say, in every language: one table per language, and the compiler misses no text.
//!
//! A new text is a field here, at the page that says it, and a line in each of `en.rs`, `de.rs`,
//! `fr.rs` and `es.rs`. A new page is a struct of its own. A sentence with a name in it is
//! [`Around`] that name, and `named.html` writes it; one with a number in it is a function of that
//! number. People are addressed politely (Sie, vous, usted), in short sentences without jargon.

mod de;
mod en;
mod es;
mod fr;

use crate::language::Language;

pub(in crate::http) struct Text {
    /// On the button or link that leads to the next page.
    pub go_on: &'static str,
    /// In place of the name of an app or IdP that is not told to everybody who can open the page.
    pub unnamed: &'static str,
    pub error: Error,
    pub one_moment: OneMoment,
    pub choose_idp: ChooseIdp,
    pub confirm: Confirm,
    pub kept: Said,
    pub frames: Frames,
    pub person_page: PersonPage,
    pub waiting: Waiting,
    pub end: End,
    pub relogin: Relogin,
    pub unknown_answer: Said,
    pub nobody: Said,
}

/// A page that only says something.
#[derive(Clone, Copy)]
pub(in crate::http) struct Said {
    pub heading: &'static str,
    pub text: &'static str,
}

/// What stands before and after a name.
pub(in crate::http) struct Around(pub &'static str, pub &'static str);

pub(in crate::http) struct Error {
    pub title: &'static str,
    /// The app is at fault.
    pub client: Said,
    pub idp: Said,
    /// The page was used before, or shown to another browser.
    pub stale: Said,
    pub not_found: Said,
    /// It will not pass by itself.
    pub broken: Said,
    pub busy: Said,
    pub failed: Said,
    /// Before the reference that finds the log line.
    pub reference: &'static str,
}

pub(in crate::http) struct OneMoment {
    pub heading: &'static str,
    pub taken_on: &'static str,
    /// Where a form waits to be sent.
    pub press: &'static str,
}

pub(in crate::http) struct ChooseIdp {
    pub title: &'static str,
    pub heading: &'static str,
    pub text: &'static str,
}

pub(in crate::http) struct Confirm {
    pub title: &'static str,
    pub heading: &'static str,
    /// Around the app that asks.
    pub app: Around,
    pub app_everywhere: Around,
    pub here: &'static str,
    pub everywhere: &'static str,
    /// Before the names of those that are signed out.
    pub reaches: &'static str,
    pub target_refused: &'static str,
    pub yes: &'static str,
    pub no: &'static str,
}

/// Apps are told through the browser.
pub(in crate::http) struct Frames {
    pub title: &'static str,
    pub heading: &'static str,
    /// Before the list of them.
    pub told: &'static str,
    /// What nobody can know.
    pub hint: &'static str,
}

/// What a person wants to sign out of.
pub(in crate::http) struct PersonPage {
    pub title: &'static str,
    pub heading: &'static str,
    pub untick: &'static str,
    pub apps: &'static str,
    pub idps: &'static str,
    /// At a party.
    pub cannot_be_told: &'static str,
    pub consequence: &'static str,
    pub button: &'static str,
    pub nothing_ticked: &'static str,
    pub ended_before: &'static str,
}

pub(in crate::http) struct Waiting {
    pub title: &'static str,
    pub heading: &'static str,
    /// Around the IdP.
    pub asked: Around,
    pub hint: &'static str,
    pub again: &'static str,
    pub go_on: &'static str,
}

/// The end of a logout.
pub(in crate::http) struct End {
    pub title: &'static str,
    pub heading: Headings,
    pub summary: Summaries,
    pub app: &'static str,
    pub idp: &'static str,
    pub leg: Legs,
    /// What a re-login lock does.
    pub locked: &'static str,
    /// On the link to what the session still holds.
    pub still_signed_in: &'static str,
    /// On a button, beside an IdP.
    pub try_again: &'static str,
    pub try_again_hint: &'static str,
    pub reference: &'static str,
}

pub(in crate::http) struct Headings {
    pub everywhere: &'static str,
    pub apps: &'static str,
    pub here: &'static str,
    /// Everything that the person chose confirmed it.
    pub chosen: &'static str,
    /// What the person chose has ended here, and not everywhere.
    pub chosen_here: &'static str,
    /// Only apps ended, and the session that they were part of has ended since.
    pub apps_over: &'static str,
}

/// Somebody signs in after a logout that the IdP has not confirmed.
pub(in crate::http) struct Relogin {
    pub title: &'static str,
    /// The IdP signed them in by what was logged out.
    pub signed_in: ReloginSaid,
    /// It answered with an error when it was told to ask who they are.
    pub refused: ReloginSaid,
    pub advice: &'static str,
    pub yes: &'static str,
    pub no: &'static str,
}

pub(in crate::http) struct ReloginSaid {
    pub heading: &'static str,
    /// Around the IdP.
    pub why: Around,
}

/// The whole in a sentence or two.
pub(in crate::http) struct Summaries {
    pub everywhere: &'static str,
    pub apps: &'static str,
    /// The others were left alone on purpose.
    pub only_here: &'static str,
    pub nobody_asked: &'static str,
    pub partial: &'static str,
    /// Where the person left somebody unticked.
    pub chosen: &'static str,
    pub chosen_partial: &'static str,
    /// Where it cannot be read any more who else took part.
    pub not_all_known: &'static str,
    /// Where only apps ended, and the session lives on.
    pub apps_alone: &'static str,
    pub apps_alone_partial: &'static str,
    pub apps_alone_untold: &'static str,
    /// Where the session has ended since.
    pub apps_over: &'static str,
}

/// What is known of one party.
pub(in crate::http) struct Legs {
    pub open: &'static str,
    pub confirmed: &'static str,
    pub partial: &'static str,
    pub refused: &'static str,
    pub unconfirmed: &'static str,
    /// Of an app that was told through the browser.
    pub unconfirmed_frame: &'static str,
    pub no_answer: &'static str,
    pub not_sent: &'static str,
    pub not_possible: &'static str,
    pub dead_letter: &'static str,
    /// The person left it unticked.
    pub left: &'static str,
}

impl Text {
    pub(in crate::http) fn in_language(language: Language) -> &'static Self {
        match language {
            Language::En => &en::TEXT,
            Language::De => &de::TEXT,
            Language::Fr => &fr::TEXT,
            Language::Es => &es::TEXT,
        }
    }
}
