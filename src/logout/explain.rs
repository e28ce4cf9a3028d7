//! A logout in sentences, for whoever runs `sloop logout show`. What the person reads stands with the
//! pages.

use super::{AppChannel, Leg, LegState, Logout, Outcome, Party, Reason, Rung, Whole};

/// Why an app that was ended alone is not told of it any more.
pub const JOINED_AGAIN: &str = "the person has signed in to the app again since";

/// The whole in a sentence. It never claims more than is known, and says who was left alone on
/// purpose.
pub fn whole(logout: &Logout) -> &'static str {
    match Whole::of(logout) {
        Whole::OnlyHere => "Signed out here. The apps and the IdPs were left as they are.",
        Whole::Apps => {
            "Every app of this session confirmed it. The IdP's own sign-in was left as it is, so \
             the next sign-in may not ask the person."
        }
        Whole::Everywhere => "The session has ended everywhere: every party confirmed it.",
        Whole::NobodyAsked => "Signed out here. No other party was asked.",
        Whole::Partial => "Signed out here. Not every other party has confirmed it.",
        Whole::Chosen => {
            "Signed out here. Everybody whom the person chose confirmed it; the others were left \
             as they are."
        }
        Whole::ChosenPartial => {
            "Signed out here. Not everybody whom the person chose has confirmed it; the others \
             were left as they are."
        }
        Whole::NotAllKnown => {
            "Signed out here. A part of this session cannot be read any more: who else took part in it \
             is not known, and was not told."
        }
        Whole::AppsAlone(Outcome::Complete) => {
            "The session lived on without the apps that the person chose; every one of them \
             confirmed it."
        }
        Whole::AppsAlone(Outcome::Partial) => {
            "The session lived on without the apps that the person chose; not every one of them \
             has confirmed it."
        }
        Whole::AppsAlone(Outcome::LocalOnly) => {
            "The session lived on without the apps that the person chose; none of them was told."
        }
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
        Reason::Person => "a person chose what to end on our own page",
    }
}

/// What is known of one party.
pub fn leg(leg: &Leg) -> String {
    match &leg.state {
        LegState::Planned => "not asked yet".to_owned(),
        LegState::Waiting { since } if leg.is_frame() => {
            format!("its frame was given to the browser at {since}")
        }
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
pub fn channel(leg: &Leg) -> String {
    let encrypted = match &leg.principal {
        Some(principal) if principal.encrypt_to.is_some() => ", its NameID encrypted",
        _ => "",
    };
    match &leg.party {
        Party::App { channel: AppChannel::BackChannel, .. } => {
            "back-channel logout token".to_owned()
        }
        Party::App { channel: AppChannel::FrontChannel { location }, .. } => {
            format!("front-channel logout: a frame in the browser, {}", location.as_str())
        }
        Party::Idp { rung, .. } => match rung {
            Rung::SingleLogout { binding, location } => {
                format!("LogoutRequest by {binding} to {location}{encrypted}")
            }
            Rung::Soap { location } => format!("LogoutRequest by SOAP to {location}{encrypted}"),
            Rung::AsynchronousLogout { binding, location } => {
                format!(
                    "LogoutRequest by {binding} to {location}, which asks for no answer{encrypted}"
                )
            }
            Rung::LoginUrl { binding, location } => {
                format!(
                    "not by single logout: LogoutRequest by {binding} to the login URL \
                     {location}{encrypted}"
                )
            }
            Rung::Url { location } => {
                format!("not by single logout: the browser is sent to {location}")
            }
            Rung::Local { .. } => "not asked".to_owned(),
        },
    }
}
