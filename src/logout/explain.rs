//! A logout in sentences, for the person at the end page and for whoever runs `sloop logout show`.

use super::{Leg, LegOutcome, LegState, Logout, Outcome, Party, Reason, Rung};
use crate::oidc::LogoutScope;

/// The whole in a few words, for the head of the end page.
pub fn heading(logout: &Logout) -> &'static str {
    match (logout.outcome(), logout.document.scope) {
        (Outcome::Complete, LogoutScope::AllAppsAndIdp) => "You are signed out everywhere",
        (Outcome::Complete, LogoutScope::AllApps) => "You are signed out of your apps",
        _ => "You are signed out here",
    }
}

/// The whole in a sentence. It never claims more than is known, and says who was left alone on
/// purpose.
pub fn whole(logout: &Logout) -> &'static str {
    match (logout.document.scope, logout.outcome()) {
        (LogoutScope::OpOnly, _) => {
            "Signed out here. Your apps and your organisation were left as they are."
        }
        (LogoutScope::AllApps, Outcome::Complete) => {
            "Every app of this session confirmed it. Your organisation's own sign-in was left as it \
             is, so the next sign-in may not ask you."
        }
        (LogoutScope::AllAppsAndIdp, Outcome::Complete) => {
            "Signed out everywhere: every party confirmed it."
        }
        (_, Outcome::LocalOnly) => "Signed out here. No other party was asked.",
        (_, Outcome::Partial) => "Signed out here. Not every other party has confirmed it.",
    }
}

pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::RpInitiated => "an app asked for it",
        Reason::SwitchedUser => "another person signed in with this browser",
        Reason::IdpInitiated => "the IdP asked for it",
        Reason::Admin => "an administrator ended the session",
        Reason::Offboarded => "an administrator signed the person out of everything",
        Reason::Expired => "the session had expired",
    }
}

/// What is known of one party.
pub fn leg(leg: &Leg) -> String {
    match &leg.state {
        LegState::Planned => "not asked yet".to_owned(),
        LegState::Waiting { since } => format!("asked at {since}, no answer yet"),
        LegState::Due { attempts: 0, .. } => "being told".to_owned(),
        LegState::Due { attempts, next_try, last_error } => {
            let error = last_error.as_deref().unwrap_or("no reason known");
            format!("told {attempts} times without success ({error}); next try at {next_try}")
        }
        LegState::Closed { outcome, detail, .. } => match detail.is_empty() {
            true => outcome.to_string(),
            false => format!("{outcome} ({detail})"),
        },
    }
}

/// How the party is told.
pub fn channel(party: &Party) -> String {
    match party {
        Party::App { .. } => "back-channel logout token".to_owned(),
        Party::Idp { rung, .. } => match rung {
            Rung::SingleLogout { binding, location } => {
                format!("LogoutRequest by {binding:?} to {location}")
            }
            Rung::Soap { location } => format!("LogoutRequest by SOAP to {location}"),
            Rung::LoginUrl { binding, location } => {
                format!("no logout URL: LogoutRequest by {binding:?} to the login URL {location}")
            }
            Rung::Url { location } => format!("the browser is sent to {location}"),
            Rung::Local { .. } => "not asked".to_owned(),
        },
    }
}

/// One outcome in words that a person understands, for the end page.
pub fn to_person(leg: &Leg) -> &'static str {
    match leg.outcome() {
        None => "We are still telling it.",
        Some(LegOutcome::Confirmed) => "Signed out.",
        Some(LegOutcome::Partial) => {
            "Signed out there, but some other services that use it may still be open."
        }
        Some(LegOutcome::Refused) => "It answered that it did not sign you out.",
        Some(LegOutcome::Unconfirmed) => {
            "We told it, but it gave no proof that you are signed out."
        }
        Some(LegOutcome::NoAnswer) => "It did not answer. You may still be signed in there.",
        Some(LegOutcome::NotSent) => "It was not told. You may still be signed in there.",
        Some(LegOutcome::NotPossible) => {
            "It offers no way to be told. You may still be signed in there."
        }
        Some(LegOutcome::DeadLetter) => {
            "It could not be reached. You may still be signed in there."
        }
    }
}
