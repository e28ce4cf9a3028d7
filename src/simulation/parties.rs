//! Who takes part besides us, and what is true of them, whatever our database says.

use super::installation::{ATTRIBUTE, TRANSIENT, entity, idp};
use crate::change::LogoutQuestion;
use crate::clock::Timestamp;
use crate::id::{IdpId, LegId, LogoutId};
use crate::logout::{Asked, LegOutcome, Ticks};
use crate::oidc::{Subject, SubjectSource};
use crate::saml::{LogoutRequest, NameId, SessionIndex};
use crate::secret::{Token, TokenHash};

pub(super) const BROWSERS: usize = 3;

/// A browser with its cookies. Two of them belong to the same person.
#[derive(Default)]
pub(super) struct Browser {
    pub(super) session: Option<Token>,
    pub(super) transactions: Vec<(String, Token)>,
    pub(super) relogin: Option<Token>,
}

/// A session of a person at an IdP.
pub(super) struct IdpLogin {
    pub(super) idp: usize,
    pub(super) browser: usize,
    pub(super) person: usize,
    pub(super) name: NameId,
    pub(super) index: Option<SessionIndex>,
    pub(super) since: Timestamp,
    pub(super) alive: bool,
}

/// One assertion that an IdP made.
pub(super) struct SignIn {
    pub(super) idp: usize,
    pub(super) assertion_id: String,
    pub(super) name: NameId,
    pub(super) subject: Subject,
    pub(super) index: Option<SessionIndex>,
    pub(super) instant: Timestamp,
    /// The step at which we asked for it; nothing, if nobody asks any more.
    pub(super) asked: Option<u64>,
    /// The browser was sent back to its app with a code.
    pub(super) completed: bool,
}

/// What one answer of an IdP to a LogoutRequest of ours says, and whether it can be believed.
pub(super) struct IssuedAnswer {
    pub(super) request_id: String,
    pub(super) idp: usize,
    pub(super) says: LegOutcome,
    pub(super) is_proof: bool,
    pub(super) delivered: bool,
    /// Whom it is about, where it came back by SOAP.
    pub(super) by_soap: Option<NameId>,
}

/// A LogoutRequest of an IdP, or of somebody who says to be one.
pub(super) struct IssuedRequest {
    pub(super) idp: usize,
    pub(super) is_genuine: bool,
    pub(super) request: LogoutRequest,
    pub(super) url: String,
    /// The IdP was told that it was carried out.
    pub(super) answered: Option<u64>,
}

/// What an app was told over the back channel and agreed to, and at which step.
pub(super) struct Told {
    pub(super) app: usize,
    pub(super) sid: String,
    pub(super) at: u64,
}

/// What a person sent back of their own page, and with which session cookie.
pub(super) struct Ticked {
    pub(super) cookie: Option<TokenHash>,
    pub(super) ticks: Ticks,
}

/// Tokens that an app holds.
pub(super) struct Tokens {
    pub(super) app: usize,
    pub(super) access: Token,
    pub(super) id_token: String,
    pub(super) sid: String,
}

/// What is true outside.
#[derive(Default)]
pub(super) struct Truth {
    pub(super) logins: Vec<IdpLogin>,
    pub(super) sign_ins: Vec<SignIn>,
    pub(super) answers: Vec<IssuedAnswer>,
    pub(super) requests: Vec<IssuedRequest>,
    pub(super) told: Vec<Told>,
    /// What apps said no to for good.
    pub(super) declined: Vec<Told>,
    pub(super) jtis: std::collections::BTreeSet<String>,
    pub(super) gave_up: Vec<LegId>,
    /// Every target that was asked for, and is registered.
    pub(super) targets: Vec<String>,
    /// Whom an administrator was told to be signed out of everything; and the steps at which that
    /// began and was answered.
    pub(super) off_boarded: Vec<(Subject, u64, u64)>,
    /// Every question that was asked, also when it is answered.
    pub(super) questions: std::collections::BTreeMap<TokenHash, LogoutQuestion>,
    /// Every question that an IdP was asked through a browser, also when another has taken its place.
    pub(super) asked: Vec<(Asked, LogoutId)>,
    pub(super) ticked: Vec<Ticked>,
    /// Assertions that their person said yes to, although a re-login lock refused them.
    pub(super) anyway: std::collections::BTreeSet<String>,
    /// The steps at which a node did not hear what became of its commit.
    pub(super) unknown: Vec<u64>,
}

/// The name that an IdP has for a person, with every attribute that a NameID can have. The last one
/// makes a new name for every `login`.
pub(super) fn name_of(idp: usize, person: usize, login: usize) -> NameId {
    let text = |text: &str| Some(text.to_owned());
    NameId {
        value: match idp {
            TRANSIENT => format!("somebody {login}"),
            _ => format!("person {person} <of> idp & {idp} "),
        },
        format: match idp {
            TRANSIENT => text(crate::saml::name_id::TRANSIENT),
            3 => None,
            _ => text(crate::saml::name_id::PERSISTENT),
        },
        name_qualifier: match idp {
            0 => Some(entity(0).to_string()),
            1 => text(""),
            _ => None,
        },
        sp_name_qualifier: if idp == 0 { text(super::installation::SP) } else { None },
        sp_provided_id: if idp == 2 { text("ours \u{e9}") } else { None },
    }
}

/// The `sub` of a person who comes by this IdP.
pub(super) fn subject_of(idp: usize, person: usize) -> Subject {
    let (source, value) = match idp {
        TRANSIENT => (SubjectSource::Attribute(ATTRIBUTE.to_owned()), format!("person {person}")),
        _ => (SubjectSource::NameId, name_of(idp, person, 0).value),
    };
    Subject::derive(&[1; 32], entity(idp).as_str(), &source, &value)
}

pub(super) fn number_of(id: &IdpId) -> usize {
    (0..super::installation::IDPS).find(|number| idp(*number) == *id).expect("one of our IdPs")
}

impl Browser {
    pub(super) fn cookies(&self) -> crate::use_cases::Browser {
        crate::use_cases::Browser {
            session: self.session.clone(),
            transactions: self.transactions.clone(),
            relogin: self.relogin.clone(),
        }
    }
}
