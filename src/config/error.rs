//! What can be wrong with the settings, and how it is mended.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Lines are counted from 1.
    File { path: PathBuf, line: usize },
    /// The name of an environment variable.
    Environment(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Why there are no settings to start with. The operator is at fault, and is told how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{place}: {key} = {value} is not usable: {mend}")]
    BadValue { place: Place, key: String, value: String, mend: String },
    #[error("{place}: {key}: {reason}")]
    BadEntry { place: Place, key: String, reason: String },
    #[error("{place}: {key} declares {id} a second time; remove one of the two entries")]
    Duplicate { place: Place, key: String, id: String },
    #[error("session.idle is longer than session.absolute; shorten it")]
    IdleBeyondAbsolute,
    #[error(
        "our SAML entity ID would be {url}, which has more than 256 bytes; set saml.entity_id \
         (SLOOP_SAML_ENTITY_ID) to a shorter URI"
    )]
    EntityIdTooLong { url: String },
    #[error(
        "database is PostgreSQL, so keys.kek_file (SLOOP_KEYS_KEK_FILE) must be set: every node \
         needs the same key, in a file of 32 bytes that only the service can read"
    )]
    NoKekFile,
    #[error(
        "listen = {listen} can be reached from outside, so trusted_proxies \
         (SLOOP_TRUSTED_PROXIES) must name the proxies in front; or listen on 127.0.0.1"
    )]
    NoTrustedProxies { listen: SocketAddr },
    #[error("{place}: {reason}")]
    Syntax { place: Place, reason: String },
    #[error("{place}: unknown key {key}{}", suggest(.meant))]
    UnknownKey { place: Place, key: String, meant: Option<&'static str> },
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error(
        "logout.deadline is less than 10 s longer than logout.wait, and pages with frames take 5 \
         s; make it longer"
    )]
    WaitBeyondDeadline,
}

impl ConfigError {
    /// Stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadValue { .. } => "bad_value",
            Self::BadEntry { .. } => "bad_entry",
            Self::Duplicate { .. } => "duplicate_entry",
            Self::IdleBeyondAbsolute => "idle_beyond_absolute",
            Self::EntityIdTooLong { .. } => "entity_id_too_long",
            Self::NoKekFile => "no_kek_file",
            Self::NoTrustedProxies { .. } => "no_trusted_proxies",
            Self::Syntax { .. } => "syntax",
            Self::UnknownKey { .. } => "unknown_key",
            Self::Unreadable { .. } => "unreadable",
            Self::WaitBeyondDeadline => "wait_beyond_deadline",
        }
    }
}

fn suggest(meant: &Option<&'static str>) -> String {
    match meant {
        Some(key) => format!("; did you mean {key}?"),
        None => "; remove it, or see the commented example for the keys there are".to_owned(),
    }
}
