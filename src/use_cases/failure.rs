use crate::id::IdpId;
use crate::store::{CommitError, StoreError};

/// Why a use case could not do what was asked. `Display` is for operators, [`Failure::code`] is
/// stable, [`Failure::hint`] says what to do. The browser sees none of it, only a reference.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The developer of the app can mend it.
    #[error("request of client {client:?} refused: {detail}")]
    Client { code: &'static str, client: String, detail: String },
    /// The IdP sent something that is not accepted.
    #[error("message of IdP {idp:?} refused: {detail}")]
    Idp { code: &'static str, idp: String, detail: String },
    /// The browser came with something that is used up, too old, or another browser's.
    #[error("the browser's request is not usable: {detail}")]
    Browser { code: &'static str, detail: String },
    /// The administrator of this installation can mend it.
    #[error("IdP connection {idp:?} cannot be used: {detail}")]
    Connection { idp: IdpId, detail: String },
    /// What an administrator gave us is wrong, and says how.
    #[error("{detail}")]
    Admin { code: &'static str, detail: String },
    #[error("{what} is not known")]
    NotFound { what: String },
    /// Five times somebody else changed the same session first.
    #[error("too many changes of the same session at once")]
    Contended,
    /// More large messages than are read at once, and more of them waiting than is sensible.
    #[error("too many large messages at once")]
    Overloaded,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Failure {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Client { code, .. }
            | Self::Idp { code, .. }
            | Self::Browser { code, .. }
            | Self::Admin { code, .. } => code,
            Self::Connection { .. } => "connection_unusable",
            Self::NotFound { .. } => "not_found",
            Self::Contended => "contended",
            Self::Overloaded => "overloaded",
            Self::Store(error) => error.code(),
            Self::Internal(_) => "internal_error",
        }
    }

    pub fn hint(&self) -> &'static str {
        match self {
            Self::Client { .. } => "Compare the app's request with `sloop client show`.",
            Self::Idp { .. } => {
                "Compare the IdP's settings for this service with `sloop idp check`."
            }
            Self::Browser { .. } => "The person can begin again at the app.",
            Self::Connection { .. } => {
                "Look at `sloop idp check` and give the IdP's metadata again."
            }
            Self::Admin { .. } => "Correct the value and send it again.",
            Self::NotFound { .. } => "List what exists, and check the spelling.",
            Self::Contended => "Trying again will do.",
            Self::Overloaded => "Look who sends messages of more than 32 KiB; trying again may do.",
            Self::Store(error) => error.hint(),
            Self::Internal(_) => "This is a fault of the program. Please report it.",
        }
    }

    /// A commit that cannot be tried again.
    pub(super) fn commit(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => Self::Store(error),
            CommitError::Conflict { what } => {
                Self::Internal(format!("unexpected conflict: {what}"))
            }
            CommitError::Unknown => {
                Self::Store(StoreError::Unavailable("the outcome of a commit is unknown".into()))
            }
        }
    }

    pub(super) fn browser(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Browser { code, detail: detail.into() }
    }
}
