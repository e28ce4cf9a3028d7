//! What a person ticked on our own page, and what follows from it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Party;
use crate::id::{ClientId, IdpId};
use crate::oidc::LogoutScope;
use crate::session::{AppSession, BrowserSession};

/// Which party, without how it is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PartyId {
    App { client: ClientId },
    Idp { idp: IdpId },
}

/// The form as it came back. What was shown counts too: a party that came into the session after the
/// page was written has been neither ticked nor left.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ticks {
    pub shown: Vec<PartyId>,
    pub ticked: Vec<PartyId>,
}

/// What the ticks mean for a session as it is now.
#[derive(Clone, PartialEq, Debug)]
pub enum Selection {
    /// Nothing of it is ticked.
    Nothing,
    /// The browser session ends. Whoever is in `left` is not told.
    Session { scope: LogoutScope, left: Vec<PartyId> },
    /// These app sessions end, and the browser session lives on with everybody else.
    Apps { ended: Vec<AppSession>, left: Vec<PartyId> },
}

impl Ticks {
    /// An IdP can only be asked to sign the person out together with our session, and a session with
    /// all its apps gone is worth nothing: both end it. Who came in unseen then goes with it, because
    /// a logout errs on the side of signed out; where the session lives on, nobody unseen is touched.
    pub fn of(&self, session: &BrowserSession) -> Selection {
        let there = parties(session);
        if !there.iter().any(|party| self.ticked.contains(party)) {
            return Selection::Nothing;
        }
        let (apps, idps): (Vec<_>, Vec<_>) =
            there.into_iter().partition(|party| matches!(party, PartyId::App { .. }));
        let refused = |party: &PartyId| self.shown.contains(party) && !self.ticked.contains(party);
        if idps.iter().any(|idp| self.ticked.contains(idp)) {
            let left = apps.into_iter().chain(idps).filter(refused).collect();
            Selection::Session { scope: LogoutScope::AllAppsAndIdp, left }
        } else if !apps.iter().any(refused) {
            Selection::Session { scope: LogoutScope::AllApps, left: idps }
        } else {
            let ticked = |app: &&AppSession| self.ticked.contains(&PartyId::of_app(&app.client));
            let ended: Vec<_> = session.app_sessions.iter().filter(ticked).cloned().collect();
            let kept = |party: &PartyId| !self.ticked.contains(party);
            Selection::Apps { ended, left: apps.into_iter().filter(kept).chain(idps).collect() }
        }
    }
}

/// Everybody who takes part in a session: its apps as they joined, then each IdP once.
pub fn parties(session: &BrowserSession) -> Vec<PartyId> {
    let mut parties: Vec<_> =
        session.app_sessions.iter().map(|app| PartyId::of_app(&app.client)).collect();
    let held = session.idp_sessions.iter().map(|held| &held.idp);
    for idp in held.chain(session.unreadable_idps()) {
        let idp = PartyId::Idp { idp: idp.clone() };
        if !parties.contains(&idp) {
            parties.push(idp);
        }
    }
    parties
}

impl PartyId {
    pub fn of_app(client: &ClientId) -> Self {
        Self::App { client: client.clone() }
    }
}

impl From<&Party> for PartyId {
    fn from(party: &Party) -> Self {
        match party {
            Party::App { client, .. } => Self::of_app(client),
            Party::Idp { idp, .. } => Self::Idp { idp: idp.clone() },
        }
    }
}

/// As `sloop logout show` prints it.
impl fmt::Display for PartyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App { client } => write!(f, "app {client}"),
            Self::Idp { idp } => write!(f, "IdP {idp}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::{AppSessionId, BrowserSessionId, IdpSessionId};
    use crate::oidc::Subject;
    use crate::rng::Rng;
    use crate::session::{IdpSession, Lifetime, SignedIn};

    /// Apps in small letters, IdPs in capitals; an IdP that stands twice has two IdP sessions.
    fn session(parties: &str) -> BrowserSession {
        let (now, rng) = (Timestamp::from_seconds(1), Rng::system());
        let minute = Duration::from_secs(60);
        let lifetime = Lifetime { idle: minute, absolute: minute };
        let id = BrowserSessionId::new(now, &rng);
        let subject = Subject::stored("sub".into());
        let mut session = BrowserSession::begin(id, "sid".into(), subject, lifetime, now);
        for party in named(parties) {
            match party {
                PartyId::App { client } => {
                    session.join(AppSessionId::new(now, &rng), &client, now);
                }
                PartyId::Idp { idp } => session.idp_sessions.push(IdpSession {
                    id: IdpSessionId::new(now, &rng),
                    idp,
                    signed_in: SignedIn {
                        name_id: None,
                        session_indexes: Vec::new(),
                        authn_instant: now,
                        authn_context: None,
                        session_not_on_or_after: None,
                        claims: serde_json::Map::new(),
                    },
                }),
            }
        }
        session
    }

    fn named(parties: &str) -> Vec<PartyId> {
        let party = |name: char| match name.is_uppercase() {
            true => PartyId::Idp { idp: name.to_string().parse().unwrap() },
            false => PartyId::App { client: name.to_string().parse().unwrap() },
        };
        parties.chars().map(party).collect()
    }

    fn names<'p>(parties: impl IntoIterator<Item = &'p PartyId>) -> String {
        let name = |party: &'p PartyId| match party {
            PartyId::App { client } => client.as_str(),
            PartyId::Idp { idp } => idp.as_str(),
        };
        parties.into_iter().map(name).collect()
    }

    fn selected(in_session: &str, shown: &str, ticked: &str) -> String {
        let ticks = Ticks { shown: named(shown), ticked: named(ticked) };
        match ticks.of(&session(in_session)) {
            Selection::Nothing => "nothing".into(),
            Selection::Session { scope, left } => format!("{scope:?} but {}", names(&left)),
            Selection::Apps { ended, left } => {
                let ended: String = ended.iter().map(|app| app.client.as_str()).collect();
                format!("{ended} of them, not {}", names(&left))
            }
        }
    }

    #[test]
    fn every_way_to_tick_two_apps_and_an_idp() {
        for (ticked, meant) in [
            ("abX", "AllAppsAndIdp but "),
            ("ab", "AllApps but X"),
            ("aX", "AllAppsAndIdp but b"),
            ("X", "AllAppsAndIdp but ab"),
            ("a", "a of them, not bX"),
            ("b", "b of them, not aX"),
            ("", "nothing"),
        ] {
            assert_eq!(selected("abX", "abX", ticked), meant, "{ticked}");
        }
    }

    #[test]
    fn one_of_two_idps_may_be_left_and_each_is_a_party_once() {
        assert_eq!(selected("aXXY", "aXY", "aX"), "AllAppsAndIdp but Y");
        assert_eq!(selected("aXXY", "aXY", "a"), "AllApps but XY");
        assert_eq!(selected("aXXY", "aXY", "Y"), "AllAppsAndIdp but aX");
        assert_eq!(names(&parties(&session("aXXY"))), "aXY");
    }

    #[test]
    fn who_came_in_unseen_goes_with_the_session_or_is_not_touched() {
        // App c and IdP Y joined after the page was shown.
        assert_eq!(selected("abcXY", "abX", "abX"), "AllAppsAndIdp but ");
        assert_eq!(selected("abcXY", "abX", "ab"), "AllApps but XY");
        assert_eq!(selected("abcXY", "abX", "aX"), "AllAppsAndIdp but b");
        assert_eq!(selected("abcXY", "abX", "a"), "a of them, not bcXY");
    }

    #[test]
    fn what_has_ended_meanwhile_is_no_longer_part_of_it() {
        assert_eq!(selected("bX", "abX", "a"), "nothing");
        assert_eq!(selected("bX", "abX", "ab"), "AllApps but X");
        assert_eq!(selected("bX", "abX", "abX"), "AllAppsAndIdp but ");
        assert_eq!(selected("bcX", "abcX", "ab"), "b of them, not cX");
    }

    #[test]
    fn what_was_never_shown_can_be_ticked_all_the_same() {
        assert_eq!(selected("abX", "", "a"), "AllApps but X");
        assert_eq!(selected("abX", "b", "a"), "a of them, not bX");
        assert_eq!(selected("abX", "abX", "zZ"), "nothing");
    }
}
