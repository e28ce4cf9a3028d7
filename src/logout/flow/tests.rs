//! Logouts to try the flow on.

mod browser;
mod worker;

use std::time::Duration;

use super::*;
use crate::connection::BrowserBinding;
use crate::id::{BrowserSessionId, LogoutId};
use crate::logout::{AppChannel, Ends, LogoutDocument, Outcome, Reason, Rung, WhyLocal, retry};
use crate::oidc::{FrontchannelLogoutUri, LogoutScope, Subject};
use crate::rng::Rng;

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_000 + second)
}

fn app() -> (Party, LegState) {
    let due = LegState::Due { attempts: 0, next_try: at(30), last_error: None };
    (Party::App { client: "app".parse().unwrap(), channel: AppChannel::BackChannel }, due)
}

fn frame() -> (Party, LegState) {
    let registered = crate::oidc::RegisteredRedirectUri::parse("https://app.example/cb").unwrap();
    let location = FrontchannelLogoutUri::parse("https://app.example/out", &[registered]).unwrap();
    let channel = AppChannel::FrontChannel { location };
    (Party::App { client: "framed".parse().unwrap(), channel }, LegState::Planned)
}

fn idp(rung: Rung) -> (Party, LegState) {
    (Party::Idp { idp: "corp".parse().unwrap(), rung }, LegState::Planned)
}

fn slo() -> Rung {
    Rung::SingleLogout {
        binding: BrowserBinding::Redirect,
        location: "https://idp.example/slo".into(),
    }
}

fn asynchronous() -> Rung {
    let (binding, location) = (BrowserBinding::Redirect, "https://idp.example/slo".into());
    Rung::AsynchronousLogout { binding, location }
}

fn login_url() -> Rung {
    Rung::LoginUrl { binding: BrowserBinding::Redirect, location: "https://idp.example/sso".into() }
}

/// Leased to whoever wrote the logout.
fn soap() -> (Party, LegState) {
    let due = LegState::Due { attempts: 0, next_try: at(60), last_error: None };
    let rung = Rung::Soap { location: "https://idp.example/soap".into() };
    (Party::Idp { idp: "corp".parse().unwrap(), rung }, due)
}

/// With the longest wait that may follow.
fn tried(leg: LegId, attempt: Attempt) -> Event {
    Event::Tried { leg, attempt, jitter: Jitter::from_bytes([0xff; 2]) }
}

fn failed(logout: &Logout, position: usize, why: &str) -> Event {
    tried(logout.legs[position].id, Attempt::Failed(why.into()))
}

fn logout(legs: Vec<(Party, LegState)>) -> Logout {
    let rng = Rng::system();
    let leg =
        |(position, (party, state))| Leg::new(LegId::new(at(0), &rng), position, party, state);
    Logout {
        id: LogoutId::new(at(0), &rng),
        version: 1,
        document: LogoutDocument {
            reason: Reason::RpInitiated,
            scope: LogoutScope::AllAppsAndIdp,
            browser_session: BrowserSessionId::new(at(0), &rng),
            sid: "sid".into(),
            subject: Subject::stored("sub".into()),
            initiator: None,
            target: None,
            result_wanted: false,
            language: None,
            page_seed: String::new(),
            without_cookie: false,
            owed_answer: None,
            ends: Ends::Session,
            left: Vec::new(),
            somebody_lost: false,
        },
        created_at: at(0),
        deadline: at(600),
        answered_at: None,
        settled_at: None,
        legs: (0..).zip(legs).map(leg).collect(),
    }
}

fn here() -> Event {
    let relay_state = Rng::system().handle().hash();
    let asked = Asked { request_id: Rng::system().saml_id(), relay_state };
    Event::BrowserHere { asked, again: false }
}

fn here_again() -> Event {
    match here() {
        Event::BrowserHere { asked, .. } => Event::BrowserHere { asked, again: true },
        other => other,
    }
}

fn success(logout: &Logout, position: usize, proven: bool) -> Event {
    let outcome = match proven {
        true => LegOutcome::Confirmed,
        false => LegOutcome::Unconfirmed,
    };
    answered(logout, position, Answer { outcome, proven, detail: String::new() })
}

/// An answer to what the IdP was asked last.
fn answered(logout: &Logout, position: usize, answer: Answer) -> Event {
    let leg = &logout.legs[position];
    Event::Answered { leg: leg.id, to: leg.asked.clone(), answer }
}

fn outcomes(logout: &Logout) -> Vec<Option<LegOutcome>> {
    logout.legs.iter().map(Leg::outcome).collect()
}
