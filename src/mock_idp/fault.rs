//! What this IdP does wrong, or otherwise than most, when it is told to. Each fault is something that
//! real IdPs do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::single_logout::UNKNOWN_PRINCIPAL;
use crate::saml::status::REQUEST_DENIED;
use crate::saml::{Status, StatusCode};

/// The longest that an answer may be kept back, in seconds: an hour.
const SLOWEST: f64 = 3_600.0;

/// One fault. Its name and value are the same on the command line, at `/faults` and in the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    Partial,
    Refused(Refused),
    NoAnswer,
    Slow(Duration),
    WrongInResponseTo,
    WrongIssuer,
    Unsigned,
    BadlySigned,
    LostRelayState,
    LowerCasePercent,
    IdpInitiated,
    NoSessionIndex,
    EncryptedNameId,
    IgnoresForceAuthn,
    RefusesForceAuthn,
    NewNameId,
    Asynchronous,
    IframeLogout,
    RedirectOnly,
    PostOnly,
    SoapOnly,
    LoginUrlOnly,
    ExpiredCertificate,
    RolledKey(RolledKey),
}

/// With which status a LogoutRequest is refused (SAML Core 3.2.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    Requester,
    Responder,
    VersionMismatch,
    RequestDenied,
    UnknownPrincipal,
    /// A top level that no standard knows.
    UnknownStatus,
}

/// Whether the key that signs stands in the metadata already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RolledKey {
    /// It does, before the former one.
    Announced,
    /// It does not: the metadata has the former one only.
    Unannounced,
}

/// When a fault shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// When a person signs in.
    SignIn,
    /// When a LogoutRequest is answered.
    Answer,
    /// When the IdP itself begins a logout.
    OwnRequest,
    /// In the metadata, and so all the time.
    Always,
}

impl Fault {
    /// Every fault, with the value that it has if none is given.
    pub const ALL: [Self; 24] = [
        Self::Partial,
        Self::Refused(Refused::Responder),
        Self::NoAnswer,
        Self::Slow(Duration::from_secs(2)),
        Self::WrongInResponseTo,
        Self::WrongIssuer,
        Self::Unsigned,
        Self::BadlySigned,
        Self::LostRelayState,
        Self::LowerCasePercent,
        Self::IdpInitiated,
        Self::NoSessionIndex,
        Self::EncryptedNameId,
        Self::IgnoresForceAuthn,
        Self::RefusesForceAuthn,
        Self::NewNameId,
        Self::Asynchronous,
        Self::IframeLogout,
        Self::RedirectOnly,
        Self::PostOnly,
        Self::SoapOnly,
        Self::LoginUrlOnly,
        Self::ExpiredCertificate,
        Self::RolledKey(RolledKey::Announced),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Refused(_) => "refused",
            Self::NoAnswer => "no-answer",
            Self::Slow(_) => "slow",
            Self::WrongInResponseTo => "wrong-in-response-to",
            Self::WrongIssuer => "wrong-issuer",
            Self::Unsigned => "unsigned",
            Self::BadlySigned => "badly-signed",
            Self::LostRelayState => "lost-relay-state",
            Self::LowerCasePercent => "lower-case-percent",
            Self::IdpInitiated => "idp-initiated",
            Self::NoSessionIndex => "no-session-index",
            Self::EncryptedNameId => "encrypted-name-id",
            Self::IgnoresForceAuthn => "ignores-force-authn",
            Self::RefusesForceAuthn => "refuses-force-authn",
            Self::NewNameId => "new-name-id",
            Self::Asynchronous => "asynchronous",
            Self::IframeLogout => "iframe-logout",
            Self::RedirectOnly => "redirect-only",
            Self::PostOnly => "post-only",
            Self::SoapOnly => "soap-only",
            Self::LoginUrlOnly => "login-url-only",
            Self::ExpiredCertificate => "expired-certificate",
            Self::RolledKey(_) => "rolled-key",
        }
    }

    /// What may follow the name, as help shows it.
    pub fn value_syntax(self) -> &'static str {
        match self {
            Self::Refused(_) => "[=STATUS]",
            Self::Slow(_) => "[=SECONDS]",
            Self::RolledKey(_) => "[=unannounced]",
            _ => "",
        }
    }

    /// What it does, in one line.
    pub fn says(self) -> &'static str {
        match self {
            Self::Partial => "ends its session and answers PartialLogout",
            Self::Refused(_) => {
                "keeps its session and answers responder (default), requester, version-mismatch, \
                 request-denied, unknown-principal or unknown-status"
            }
            Self::NoAnswer => "ends its session and never sends the browser back",
            Self::Slow(_) => "answers later; 2 seconds by default, 0.5 is possible",
            Self::WrongInResponseTo => "answers another request than the one that was sent",
            Self::WrongIssuer => "writes in the name of another IdP",
            Self::Unsigned => "signs neither its answers nor its own LogoutRequests",
            Self::BadlySigned => "changes what it has signed",
            Self::LostRelayState => "leaves the RelayState out of its answers",
            Self::LowerCasePercent => "percent-encodes like AD FS (%2b), and signs over that",
            Self::IdpInitiated => {
                "begins a logout of its own by SOAP while it is asked for one, then answers"
            }
            Self::NoSessionIndex => "names no session, neither at sign-in nor at its own logout",
            Self::EncryptedNameId => "encrypts the NameID, at sign-in and at its own logout",
            Self::IgnoresForceAuthn => "answers from its session although it was told to ask again",
            Self::RefusesForceAuthn => "answers RequestUnsupported if it is told to ask again",
            Self::NewNameId => "names at its own logout another NameID than it asserted",
            Self::Asynchronous => "says at its own logout that it wants no answer (aslo)",
            Self::IframeLogout => "loads its own LogoutRequest in a frame of its page",
            Self::RedirectOnly => "offers single logout by Redirect only",
            Self::PostOnly => "offers single logout by POST only",
            Self::SoapOnly => "offers single logout by SOAP only",
            Self::LoginUrlOnly => "offers no single logout: the metadata has a login URL only",
            Self::ExpiredCertificate => "has an expired certificate around its key",
            Self::RolledKey(_) => {
                "signs with a new key; the metadata has it beside the former one, or not yet"
            }
        }
    }

    /// Whether it shows then.
    pub fn shows_at(self, occasion: Occasion) -> bool {
        match self {
            Self::Partial
            | Self::Refused(_)
            | Self::NoAnswer
            | Self::Slow(_)
            | Self::WrongInResponseTo
            | Self::LostRelayState
            | Self::IdpInitiated => occasion == Occasion::Answer,
            Self::WrongIssuer | Self::Unsigned | Self::BadlySigned | Self::LowerCasePercent => {
                matches!(occasion, Occasion::Answer | Occasion::OwnRequest)
            }
            Self::NoSessionIndex | Self::EncryptedNameId => {
                matches!(occasion, Occasion::SignIn | Occasion::OwnRequest)
            }
            Self::IgnoresForceAuthn | Self::RefusesForceAuthn => occasion == Occasion::SignIn,
            Self::NewNameId | Self::Asynchronous | Self::IframeLogout => {
                occasion == Occasion::OwnRequest
            }
            Self::RedirectOnly
            | Self::PostOnly
            | Self::SoapOnly
            | Self::LoginUrlOnly
            | Self::ExpiredCertificate
            | Self::RolledKey(_) => occasion == Occasion::Always,
        }
    }
}

/// What is no fault. It names what is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FaultError {
    #[error("there is no fault {0:?}; there are {names}", names = names())]
    Unknown(String),
    #[error("the fault {name} takes {takes}, not {found:?}")]
    Value { name: &'static str, takes: String, found: String },
}

fn names() -> String {
    Fault::ALL.map(|fault| format!("{}{}", fault.name(), fault.value_syntax())).join(", ")
}

impl FromStr for Fault {
    type Err = FaultError;

    /// `NAME` or `NAME=VALUE`.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let known = Self::ALL.into_iter().find(|fault| fault.name() == name);
        let known = known.ok_or_else(|| FaultError::Unknown(name.to_owned()))?;
        let Some(value) = value else { return Ok(known) };
        let wrong = |takes: &str| FaultError::Value {
            name: known.name(),
            takes: takes.to_owned(),
            found: value.to_owned(),
        };
        match known {
            Self::Refused(_) => {
                let found = Refused::ALL.into_iter().find(|status| status.name() == value);
                let names = Refused::ALL.map(Refused::name).join(", ");
                found.map(Self::Refused).ok_or_else(|| wrong(&names))
            }
            Self::Slow(_) => {
                let seconds =
                    value.parse().ok().filter(|seconds| (0.0..=SLOWEST).contains(seconds));
                let found = seconds.map(Duration::from_secs_f64);
                found.map(Self::Slow).ok_or_else(|| wrong("0 to 3600 seconds"))
            }
            Self::RolledKey(_) => match value {
                "announced" => Ok(Self::RolledKey(RolledKey::Announced)),
                "unannounced" => Ok(Self::RolledKey(RolledKey::Unannounced)),
                _ => Err(wrong("announced or unannounced")),
            },
            _ => Err(wrong("no value")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Refused(status) => write!(f, "={}", status.name()),
            Self::Slow(delay) => write!(f, "={}", delay.as_secs_f64()),
            Self::RolledKey(RolledKey::Unannounced) => f.write_str("=unannounced"),
            _ => Ok(()),
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Refused {
    const ALL: [Self; 6] = [
        Self::Requester,
        Self::Responder,
        Self::VersionMismatch,
        Self::RequestDenied,
        Self::UnknownPrincipal,
        Self::UnknownStatus,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Responder => "responder",
            Self::VersionMismatch => "version-mismatch",
            Self::RequestDenied => "request-denied",
            Self::UnknownPrincipal => "unknown-principal",
            Self::UnknownStatus => "unknown-status",
        }
    }

    /// What is answered.
    pub(super) fn status(self) -> Status {
        let (code, nested) = match self {
            Self::Requester => (StatusCode::Requester, None),
            Self::Responder => (StatusCode::Responder, None),
            Self::VersionMismatch => (StatusCode::VersionMismatch, None),
            Self::RequestDenied => (StatusCode::Responder, Some(REQUEST_DENIED)),
            Self::UnknownPrincipal => (StatusCode::Requester, Some(UNKNOWN_PRINCIPAL)),
            Self::UnknownStatus => (StatusCode::Other("urn:example:status:Tuesday".into()), None),
        };
        let nested = nested.map(str::to_owned).into_iter().collect();
        Status { code, nested, message: Some("the test IdP was told to refuse".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        let more = ["refused=unknown-status", "slow=0.25", "rolled-key=unannounced"];
        let more = more.map(|text| text.parse::<Fault>().unwrap());
        for fault in Fault::ALL.into_iter().chain(more) {
            assert_eq!(fault.to_string().parse(), Ok(fault), "{fault}");
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.to_string());
        }
        assert_eq!("slow".parse(), Ok(Fault::Slow(Duration::from_secs(2))));
        assert_eq!("slow=0.5".parse(), Ok(Fault::Slow(Duration::from_millis(500))));
        assert_eq!("rolled-key=announced".parse(), Ok(Fault::RolledKey(RolledKey::Announced)));
    }

    #[test]
    fn what_is_none_is_told_what_there_is() {
        let error = |text: &str| text.parse::<Fault>().unwrap_err().to_string();
        for fault in Fault::ALL {
            assert!(error("no-such-fault").contains(fault.name()), "{fault}");
        }
        for text in ["", "Partial", "partial ", "=", "slow-ish"] {
            assert!(error(text).starts_with("there is no fault"), "{text}");
        }
        for text in [
            "partial=1",
            "slow=",
            "slow=-1",
            "slow=3601",
            "slow=NaN",
            "slow=inf",
            "refused=",
            "refused=Success",
            "rolled-key=old",
        ] {
            let name = text.split('=').next().unwrap();
            assert!(error(text).starts_with(&format!("the fault {name} takes")), "{text}");
        }
    }

    #[test]
    fn the_page_for_app_teams_names_every_fault() {
        let page = include_str!("../../docs/mock-idp.md");
        for fault in Fault::ALL {
            let named = format!("`{}{}`", fault.name(), fault.value_syntax());
            assert!(page.contains(&named), "{named}");
        }
    }

    #[test]
    fn every_fault_shows_at_some_time_and_has_its_line() {
        use Occasion::{Always, Answer, OwnRequest, SignIn};
        for fault in Fault::ALL {
            let shows = [SignIn, Answer, OwnRequest].into_iter().any(|at| fault.shows_at(at));
            assert_ne!(shows, fault.shows_at(Always), "{fault}: now and then, or always");
            assert!(!fault.says().is_empty() && !fault.says().contains("  "), "{fault}");
        }
    }
}
