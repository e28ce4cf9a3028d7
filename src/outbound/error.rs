//! What can go wrong with a request that leaves this machine.

use std::error::Error;

use super::guard::{Refusal, ResolveError};

/// Why there is no client. The configuration or the machine is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("ca_file holds no certificate; it must be PEM with BEGIN CERTIFICATE lines")]
    BadRoots,
}

/// Why a request has no answer. It names a class only: what the other side said stays unknown, so
/// that nobody reads an inner network by way of our error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("blocked: {0}")]
    Blocked(#[from] Refusal),
    #[error("too many requests to this host are under way")]
    Busy,
    #[error("no connection")]
    Connect,
    #[error("the connection ended before the answer")]
    Interrupted,
    #[error("not an http or https URL with a host")]
    NotHttp,
    #[error("the name has no address")]
    Resolve,
    #[error("no answer in time")]
    Timeout,
    #[error("the TLS handshake failed; is the certificate valid and its issuer known?")]
    Tls,
    #[error("the answer is larger than {max} bytes")]
    TooLarge { max: usize },
}

impl SendError {
    /// Whether the same request may succeed later without anybody changing a setting.
    pub fn is_transient(self) -> bool {
        !matches!(self, Self::Blocked(_) | Self::NotHttp | Self::TooLarge { .. })
    }

    /// Stable name for logs, API and CLI.
    pub fn code(self) -> &'static str {
        match self {
            Self::Blocked(_) => "blocked",
            Self::Busy => "busy",
            Self::Connect => "connect",
            Self::Interrupted => "interrupted",
            Self::NotHttp => "not_http",
            Self::Resolve => "resolve",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// The class of what the HTTP library met. TLS failures are told by their cause from OpenSSL.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            match cause.downcast_ref::<ResolveError>() {
                Some(ResolveError::Refused(refusal)) => return Self::Blocked(*refusal),
                Some(ResolveError::NoAddress) => return Self::Resolve,
                Some(ResolveError::Timeout) => return Self::Timeout,
                None => {}
            }
            if cause.is::<openssl::error::ErrorStack>() {
                return Self::Tls;
            }
            source = cause.source();
        }
        match error {
            error if error.is_timeout() => Self::Timeout,
            error if error.is_connect() => Self::Connect,
            _ => Self::Interrupted,
        }
    }
}
