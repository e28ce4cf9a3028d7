//! One logout: a durable transaction with legs, a deadline and an outcome.
//!
//! [`plan`] makes the legs, [`ladder`] chooses how an IdP is asked, [`flow`] moves the whole from
//! event to event, [`outcome`] says what is known, [`retry`] when a party is told again, `try_again`
//! when the person may have an IdP asked once more, [`relogin_lock`] what is left behind where an IdP
//! has not confirmed, [`explain`] puts it into sentences for operators, and [`selection`] is what a
//! person ticked.

pub mod explain;
pub mod flow;
pub mod ladder;
pub mod outcome;
pub mod plan;
pub mod relogin_lock;
pub mod retry;
pub mod selection;
mod try_again;

use serde::{Deserialize, Serialize};

use crate::audit::{AuditEvent, AuditKind};
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, ClientId, IdpId, LegId, LogoutId};
use crate::language::Language;
use crate::oidc::{FrontchannelLogoutUri, LogoutScope, Subject, with_logout_result};
use crate::saml::{NameId, Recipient, SessionIndex};
use crate::secret::TokenHash;
use crate::session::{MOST_SESSION_INDEXES, Sid};

pub use flow::{Answer, Attempt, Decision, Event, Next};
pub use ladder::{Presence, Rung, WhyLocal};
pub use outcome::{LegOutcome, Outcome, Whole};
pub use selection::{PartyId, Selection, Ticks};

/// An aggregate: every commit that advances it names the version that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Logout {
    pub id: LogoutId,
    pub version: i64,
    pub document: LogoutDocument,
    pub created_at: Timestamp,
    pub deadline: Timestamp,
    /// No frame and no leg of an IdP is open any more: nobody waits for the browser, nor for an answer
    /// of an IdP by whichever way.
    pub answered_at: Option<Timestamp>,
    /// Every leg is closed.
    pub settled_at: Option<Timestamp>,
    pub legs: Vec<Leg>,
}

/// What stays the same from the start of a logout to its end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LogoutDocument {
    pub reason: Reason,
    pub scope: LogoutScope,
    pub browser_session: BrowserSessionId,
    pub sid: Sid,
    pub subject: Subject,
    /// The client that asked, where it is known.
    pub initiator: Option<ClientId>,
    /// Where the person goes at the end. It was checked against the client's list when the logout
    /// began, and carries the client's `state`; nothing that arrives later can change it.
    pub target: Option<String>,
    /// The target gets `logout_result`, as its client has settled.
    #[serde(default)]
    pub result_wanted: bool,
    /// The language that was asked for with the logout; else each request of the browser says which.
    #[serde(default)]
    pub language: Option<Language>,
    /// The handle of this logout's page is a keyed hash of it, so that whoever goes on with the logout
    /// can be sent to its page again. Empty in logouts of older versions.
    #[serde(default)]
    pub page_seed: String,
    /// It was begun by a hint alone: whoever did that need not be the browser of the session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_cookie: bool,
    /// The IdP that began it has no answer yet, because apps are to be told through the browser first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed_answer: Option<OwedAnswer>,
    #[serde(default)]
    pub ends: Ends,
    /// Who takes part in the session and is not told, because the person left it unticked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<PartyId>,
    /// Somebody took part in the session of whom nothing is known any more, and could not be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub somebody_lost: bool,
}

/// The LogoutResponse that a browser takes back to an IdP when it has shown the frames of apps
/// (SAML Profiles 4.4.3.4).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OwedAnswer {
    pub idp: IdpId,
    /// The ID of the IdP's LogoutRequest.
    pub request_id: String,
    /// As it came, byte for byte.
    pub relay_state: Option<String>,
    /// The IdP does not wait for it: the way ends on our page, which the IdP may have in a frame.
    pub asynchronous: bool,
}

/// What of ours a logout ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// The browser session, with everything in it.
    #[default]
    Session,
    /// The sessions of the apps that have a leg. The browser session lives on.
    Apps,
}

/// Why a logout happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// An app sent the browser to `end_session` or `/v2/logout`.
    RpInitiated,
    /// Another person signed in with the same browser.
    SwitchedUser,
    /// An IdP sent a LogoutRequest (SAML Profiles 4.4.3.2).
    IdpInitiated,
    /// An administrator ended this session.
    Admin,
    /// An administrator signed the person out of everything.
    Offboarded,
    /// The session's time was over, and apps are to hear of it.
    Expired,
    /// A person chose what to end, on our own page.
    Person,
}

/// One party to be told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Leg {
    pub id: LegId,
    pub position: u32,
    pub party: Party,
    pub state: LegState,
    /// When somebody last had a party that was given up told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_at: Option<Timestamp>,
    /// Since when an app answers that there is nothing at its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_found_since: Option<Timestamp>,
    /// When the person had the IdP asked once more, after the leg was closed. Its outcome stays until
    /// a proven answer comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_again_at: Option<Timestamp>,
    /// When an answer to `asked` was refused for the first time. That one is on record with its reason;
    /// whoever sends more of them adds nothing to the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_refused_at: Option<Timestamp>,
    /// The LogoutRequest that was sent for it; kept when the leg is closed, so that a late answer
    /// still finds it.
    #[serde(skip)]
    pub asked: Option<Asked>,
    /// Whom the IdP is asked to log out. Personal data: the store seals it.
    #[serde(skip)]
    pub principal: Option<Principal>,
}

impl Leg {
    /// As it stands in a new logout: nothing has happened to it yet.
    pub fn new(id: LegId, position: u32, party: Party, state: LegState) -> Self {
        Self {
            id,
            position,
            party,
            state,
            retried_at: None,
            not_found_since: None,
            tried_again_at: None,
            answer_refused_at: None,
            asked: None,
            principal: None,
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Party {
    App {
        client: ClientId,
        #[serde(default)]
        channel: AppChannel,
    },
    /// One IdP session, through the browser or by SOAP.
    Idp { idp: IdpId, rung: Rung },
}

/// How an app is told.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum AppChannel {
    /// By a logout token at its back-channel logout URI (Back-Channel Logout 1.0).
    #[default]
    BackChannel,
    /// By a frame in the browser (Front-Channel Logout 1.0). What comes of it nobody can know.
    FrontChannel { location: FrontchannelLogoutUri },
}

/// The NameID element and every SessionIndex exactly as the IdP asserted them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Principal {
    pub name_id: NameId,
    pub session_indexes: Vec<SessionIndex>,
    /// For whom the NameID is encrypted, if it is to be: a key that the IdP's metadata had when the
    /// logout began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypt_to: Option<Recipient>,
}

impl Principal {
    /// Whether the IdP may have begun more sessions of this person than those that it is asked to end:
    /// of more than are kept, the earliest were forgotten.
    fn may_not_be_all(&self) -> bool {
        self.session_indexes.len() >= MOST_SESSION_INDEXES
    }
}

/// Which message an answer belongs to.
#[derive(Clone, PartialEq, Debug)]
pub struct Asked {
    pub request_id: String,
    pub relay_state: TokenHash,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LegState {
    /// A leg through the browser whose turn has not come.
    Planned,
    /// The browser was sent there: to an IdP, whose answer is awaited, or to the page with an app's
    /// frame, from which it has not come back.
    Waiting { since: Timestamp },
    /// We tell this party ourselves, and it is to be tried at `next_try`. While a worker holds the
    /// lease, that is when the lease runs out.
    Due { attempts: u32, next_try: Timestamp, last_error: Option<String> },
    /// The leg has its outcome.
    Closed { outcome: LegOutcome, detail: String, at: Timestamp },
}

impl Leg {
    pub fn outcome(&self) -> Option<LegOutcome> {
        match &self.state {
            LegState::Closed { outcome, .. } => Some(*outcome),
            _ => None,
        }
    }

    pub fn is_open(&self) -> bool {
        self.outcome().is_none()
    }

    pub fn is_idp(&self) -> bool {
        matches!(self.party, Party::Idp { .. })
    }

    /// Whether it is an IdP that we ask without a browser.
    pub fn is_by_soap(&self) -> bool {
        matches!(self.party, Party::Idp { rung: Rung::Soap { .. }, .. })
    }

    /// Whether it is an IdP of which is not known any more what it asserted.
    pub fn is_unreadable(&self) -> bool {
        let why = WhyLocal::Unreadable;
        matches!(&self.party, Party::Idp { rung: Rung::Local { why: held }, .. } if *held == why)
    }

    /// Whether it is an app that is told by a frame in the browser.
    pub fn is_frame(&self) -> bool {
        matches!(self.party, Party::App { channel: AppChannel::FrontChannel { .. }, .. })
    }

    /// Names the party among those that we tell ourselves: they are told fairly, each as many at a time.
    pub fn receiver(&self) -> String {
        match &self.party {
            Party::App { client, .. } => format!("app {client}"),
            Party::Idp { idp, .. } => format!("IdP {idp}"),
        }
    }

    /// When a worker must look at this leg, if ever.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            LegState::Due { next_try, .. } => Some(*next_try),
            _ => None,
        }
    }
}

impl Logout {
    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    /// Whether the pages of this logout may say who this is. A hint alone does not show that whoever has
    /// it is the person: the app has it, too. So then they name the app that asked, and nobody else.
    pub fn may_name(&self, party: &Party) -> bool {
        let asked = |client| self.document.initiator.as_ref() == Some(client);
        !self.document.without_cookie || matches!(party, Party::App { client, .. } if asked(client))
    }

    /// The event of its beginning.
    pub fn begun(&self) -> AuditEvent {
        AuditEvent::new(AuditKind::LogoutBegun)
            .logout(self.id)
            .session(self.document.browser_session)
            .detail(explain::reason(self.document.reason))
    }

    pub fn outcome(&self) -> Outcome {
        Outcome::of(&self.legs).unless_lost(self.document.somebody_lost)
    }

    /// Where the person goes now: the target, with the result as it is known now if its client
    /// wants that.
    pub fn onward(&self) -> Option<String> {
        let target = self.document.target.as_deref()?;
        Some(match self.document.result_wanted {
            true => with_logout_result(target, self.outcome().as_str()),
            false => target.to_owned(),
        })
    }

    /// The parties that we are still to tell ourselves.
    pub fn due_legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.due_at().is_some())
    }

    /// Whether we are still telling somebody.
    pub fn is_telling(&self) -> bool {
        self.due_legs().next().is_some()
    }

    /// Whether every app of the session has confirmed that it knows. One that was left alone on purpose
    /// does not, nor does one that is not known any more.
    pub fn has_told_every_app(&self) -> bool {
        let left = self.document.left.iter().any(|party| matches!(party, PartyId::App { .. }));
        let mut apps = self.legs.iter().filter(|leg| !leg.is_idp());
        self.document.scope != LogoutScope::OpOnly
            && !left
            && !self.document.somebody_lost
            && apps.all(|leg| leg.outcome() == Some(LegOutcome::Confirmed))
    }

    /// Whether the page with frames has not done its work yet.
    pub fn has_open_frame(&self) -> bool {
        self.legs.iter().any(|leg| leg.is_open() && leg.is_frame())
    }
}
