//! Who must be told.

use std::sync::Arc;

use super::{
    AppChannel, Leg, LegOutcome, LegState, Party, PartyId, Presence, Principal, Rung, WhyLocal,
    retry,
};
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::id::{ClientId, IdpId, IdpSessionId, LegId};
use crate::oidc::{Client, LogoutScope};
use crate::rng::Rng;
use crate::session::{BrowserSession, IdpSession};

/// What the plan must know of the parties besides the session itself.
pub trait Parties {
    fn client(&self, id: &ClientId) -> Option<Arc<Client>>;
    fn connection(&self, id: &IdpId) -> Option<Arc<Connection>>;
    /// Apps that are no part of the session any more, and are told of its end all the same.
    fn told_again(&self) -> &[ClientId];
}

/// Apps that were ended alone, by the legs of those logouts, the oldest first: those that have not
/// confirmed it since they last took part, and do not take part again.
pub fn still_to_confirm(session: &BrowserSession, alone: &[Leg]) -> Vec<ClientId> {
    let mut open: Vec<ClientId> = Vec::new();
    for leg in alone {
        let Party::App { client, .. } = &leg.party else { continue };
        open.retain(|other| other != client);
        if leg.outcome() != Some(LegOutcome::Confirmed) {
            open.push(client.clone());
        }
    }
    open.retain(|client| !session.has_app(client));
    open
}

/// One leg for every app of the session, the one that asked included (RP-Initiated Logout 1.0 2),
/// and one for every IdP session, as far as the scope goes. Who is in `left` gets none. Apps that
/// were ended alone and may not have heard of it are told again.
///
/// Legs of parties that we tell ourselves begin leased, because whoever writes the logout also tells
/// them at once; if it dies first, the lease runs out and another worker takes over.
pub fn legs(
    session: &BrowserSession,
    scope: LogoutScope,
    left: &[PartyId],
    idps: &IdpLegs,
    parties: &impl Parties,
    now: Timestamp,
    rng: &Rng,
) -> Vec<Leg> {
    let mut plan: Vec<(Party, LegState, Option<Principal>)> = Vec::new();
    if scope != LogoutScope::OpOnly {
        let apps = session.app_sessions.iter().map(|app| &app.client);
        let told = apps.filter(|app| !left.contains(&PartyId::of_app(app)));
        plan.extend(told.chain(parties.told_again()).map(|app| {
            let client = parties.client(app);
            let (channel, state) = app_leg(client.as_deref(), idps, now);
            (Party::App { client: app.clone(), channel }, state, None)
        }));
    }
    if scope == LogoutScope::AllAppsAndIdp {
        let mut asked: Vec<_> = session
            .idp_sessions
            .iter()
            .filter(|held| !left.contains(&PartyId::Idp { idp: held.idp.clone() }))
            .map(|idp| idp_leg(idp, parties.connection(&idp.idp).as_deref(), idps, now))
            .collect();
        let lost = session.unreadable_idps();
        let lost = lost.filter(|idp| !left.contains(&PartyId::Idp { idp: (*idp).clone() }));
        asked.extend(lost.map(|idp| unreadable_leg(idp, idps, now)));
        asked.sort_by_key(|(party, ..)| match party {
            Party::Idp { rung, .. } => rung.order(),
            Party::App { .. } => u8::MAX,
        });
        plan.extend(asked);
    }
    let leg = |(position, (party, state, principal))| {
        let leg = Leg::new(LegId::new(now, rng), position, party, state);
        Leg { principal, ..leg }
    };
    (0..).zip(plan).map(leg).collect()
}

/// What becomes of the session's IdP sessions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IdpLegs {
    /// A browser is there to carry messages to them.
    Ask,
    /// Nobody is there: those are asked that take messages from us directly.
    AskDirectly,
    /// The IdP itself has just signed another person in with this browser. A LogoutRequest for the
    /// former one could end the new session there, so none is sent, and the leg says so.
    Skip,
    /// This IdP, by each of its ids, began the logout, with a browser or without: it has ended the
    /// sessions that it named, and waits for our answer.
    BegunBy { ids: Vec<IdpId>, named: Vec<IdpSessionId>, presence: Presence },
}

impl IdpLegs {
    fn presence(&self) -> Presence {
        match self {
            Self::AskDirectly => Presence::Nobody,
            Self::Ask | Self::Skip => Presence::Browser,
            Self::BegunBy { presence, .. } => *presence,
        }
    }
}

/// An app that registered both is told by the back channel only: that one can be confirmed
/// (Front-Channel Logout 1.0 4.1 warns of the other).
fn app_leg(client: Option<&Client>, idps: &IdpLegs, now: Timestamp) -> (AppChannel, LegState) {
    let not_possible = |why| (AppChannel::BackChannel, closed(LegOutcome::NotPossible, why, now));
    let Some(client) = client else {
        return not_possible("the app is not registered any more");
    };
    if client.backchannel_logout_uri.is_some() {
        return (AppChannel::BackChannel, leased(now));
    }
    let Some(location) = client.frontchannel_logout_uri.clone() else {
        return not_possible("the app has no logout URI, back-channel or front-channel");
    };
    let not_sent = |why| closed(LegOutcome::NotSent, why, now);
    let state = match (idps, idps.presence()) {
        (IdpLegs::Skip, _) => not_sent("the browser went on with another person's sign-in"),
        (_, Presence::Nobody) => not_sent("no browser was there to load its frame"),
        (_, Presence::Browser) => LegState::Planned,
    };
    (AppChannel::FrontChannel { location }, state)
}

fn idp_leg(
    session: &IdpSession,
    connection: Option<&Connection>,
    idps: &IdpLegs,
    now: Timestamp,
) -> (Party, LegState, Option<Principal>) {
    let rung = Rung::choose(connection, &session.signed_in, idps.presence());
    let state = match (&rung, idps) {
        (_, IdpLegs::BegunBy { named, .. }) if named.contains(&session.id) => {
            closed(LegOutcome::Confirmed, "it began this logout", now)
        }
        (_, IdpLegs::BegunBy { ids, .. }) if ids.contains(&session.idp) => {
            let why = "it began this logout for another of its sessions";
            closed(LegOutcome::NotSent, why, now)
        }
        (Rung::Local { why }, _) => closed(LegOutcome::NotPossible, why.as_str(), now),
        (_, IdpLegs::BegunBy { .. }) => {
            closed(LegOutcome::NotSent, "the logout was begun by another IdP", now)
        }
        (_, IdpLegs::Skip) => {
            let why = "another person has signed in with this browser, so nothing was sent";
            closed(LegOutcome::NotSent, why, now)
        }
        (Rung::Soap { .. }, _) => leased(now),
        _ => LegState::Planned,
    };
    let principal = session.signed_in.name_id.clone().map(|name_id| Principal {
        name_id,
        session_indexes: session.signed_in.session_indexes.clone(),
        encrypt_to: connection.and_then(|found| found.recipient().ok().flatten().cloned()),
    });
    (Party::Idp { idp: session.idp.clone(), rung }, state, principal)
}

/// It is not known whom such an IdP would have to be asked about.
fn unreadable_leg(
    idp: &IdpId,
    idps: &IdpLegs,
    now: Timestamp,
) -> (Party, LegState, Option<Principal>) {
    let why = WhyLocal::Unreadable;
    let state = match idps {
        IdpLegs::BegunBy { ids, .. } if ids.contains(idp) => {
            let detail =
                "it began this logout; which of its sessions this was cannot be read any more";
            closed(LegOutcome::NotSent, detail, now)
        }
        _ => closed(LegOutcome::NotPossible, why.as_str(), now),
    };
    (Party::Idp { idp: idp.clone(), rung: Rung::Local { why } }, state, None)
}

fn leased(now: Timestamp) -> LegState {
    LegState::Due { attempts: 0, next_try: now.plus(retry::LEASE), last_error: None }
}

fn closed(outcome: LegOutcome, detail: &str, at: Timestamp) -> LegState {
    LegState::Closed { outcome, detail: detail.to_owned(), at }
}

impl WhyLocal {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoConnection => "the connection to this IdP was removed or cannot be used",
            Self::NoNameId => "the IdP asserted no NameID, and a LogoutRequest needs one",
            Self::Configured => "this IdP is set to `fallback = local`",
            Self::NoSessionIndex => {
                "the IdP asserted no SessionIndex, and is set to `without_session_index = \
                 next_rung` and `fallback = local`"
            }
            Self::NoEndpoint => "the IdP's metadata has no URL that a browser could be sent to",
            Self::Unreadable => "what this IdP asserted cannot be read any more",
            Self::NoBrowser => "no browser is there, and this IdP can only be asked through one",
            Self::SwitchedOff => {
                "this IdP is set to `single_logout = false` and `fallback = local`"
            }
            Self::NoEncryptionKey => {
                "`encrypt_name_id` is set, and the IdP's metadata has no key to encrypt for"
            }
        }
    }
}
