//! What goes wrong with a request, in the words of OAuth 2.0 and OpenID Connect.

use std::fmt;

use super::params::{Duplicate, ParamsError};

/// The registered error codes that this service gives (RFC 6749 4.1.2.1 and 5.2, RFC 6750 3.1,
/// OpenID Connect Core 3.1.2.6), and one of our own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidToken,
    InsufficientScope,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    AccessDenied,
    LoginRequired,
    InteractionRequired,
    AccountSelectionRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    RegistrationNotSupported,
    ServerError,
    TemporarilyUnavailable,
    /// Of our own, at the endpoint for receipts: no logout of that session that this client may read.
    UnknownSession,
}

impl ErrorCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::InteractionRequired => "interaction_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnknownSession => "unknown_session",
        }
    }

    /// The status of a direct answer that carries this error. Redirects have their own.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::UnknownSession => 404,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// An error as a client receives it, by redirect or as JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OAuthError {
    code: ErrorCode,
    description: String,
}

impl OAuthError {
    /// Characters that RFC 6749 4.1.2.1 does not allow in a description become `?`.
    pub fn new(code: ErrorCode, description: impl AsRef<str>) -> Self {
        let allowed = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        let description =
            description.as_ref().chars().map(|c| if allowed(c) { c } else { '?' }).collect();
        Self { code, description }
    }

    pub fn code(&self) -> ErrorCode {
        self.code
    }

    pub fn description(&self) -> &str {
        &self.description
    }

    /// The body of a direct answer (RFC 6749 5.2).
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"error": self.code.as_str(), "error_description": self.description})
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl std::error::Error for OAuthError {}

/// A parameter that cannot be understood. The client that built the request is at fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Undecodable(#[from] ParamsError),
    #[error(transparent)]
    Repeated(#[from] Duplicate),
    #[error("parameter {name} is missing")]
    Missing { name: &'static str },
    #[error("parameter {name} is longer than {max} bytes")]
    TooLong { name: &'static str, max: usize },
    #[error("parameter {name} is not valid")]
    Invalid { name: &'static str },
}

impl RequestError {
    /// A stable name for logs and pages.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Undecodable(_) => "parameters_undecodable",
            Self::Repeated(_) => "parameter_repeated",
            Self::Missing { .. } => "parameter_missing",
            Self::TooLong { .. } => "parameter_too_long",
            Self::Invalid { .. } => "parameter_invalid",
        }
    }
}

impl From<RequestError> for OAuthError {
    fn from(error: RequestError) -> Self {
        Self::new(ErrorCode::InvalidRequest, error.to_string())
    }
}

impl From<Duplicate> for OAuthError {
    fn from(error: Duplicate) -> Self {
        RequestError::from(error).into()
    }
}

/// An owned value of at most `max` bytes.
pub(super) fn bounded(
    name: &'static str,
    value: Option<&str>,
    max: usize,
) -> Result<Option<String>, RequestError> {
    match value {
        Some(value) if value.len() > max => Err(RequestError::TooLong { name, max }),
        other => Ok(other.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_stay_in_the_allowed_characters() {
        let error = OAuthError::new(ErrorCode::InvalidScope, "no \"é\\\" here\r\n~");
        assert_eq!(error.description(), "no ???? here??~");
        let body =
            serde_json::json!({"error": "invalid_scope", "error_description": "no ???? here??~"});
        assert_eq!(error.to_json(), body);
    }
}
