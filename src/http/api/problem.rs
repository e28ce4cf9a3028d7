use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::use_cases::Failure;

/// Codes of requests that contradict what is there.
const CONFLICTS: [&str; 8] = [
    "client_exists",
    "domain_taken",
    "entity_id_changed",
    "entity_id_taken",
    "idp_disabled",
    "keys_replaced",
    "no_metadata_url",
    "nothing_to_retry",
];

/// What went wrong, for the administrator's script (RFC 9457), with our stable `code`.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    hint: &'static str,
}

impl Problem {
    pub(super) fn of(failure: &Failure) -> Self {
        let (status, title) = match failure {
            Failure::Admin { code, .. } if CONFLICTS.contains(code) => {
                (StatusCode::CONFLICT, "This conflicts with what exists")
            }
            Failure::NotFound { .. } => (StatusCode::NOT_FOUND, "There is no such thing"),
            Failure::Store(_) | Failure::Contended | Failure::Overloaded => {
                (StatusCode::SERVICE_UNAVAILABLE, "The service is busy")
            }
            Failure::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "This is a fault of the service")
            }
            _ => (StatusCode::BAD_REQUEST, "What was sent cannot be used"),
        };
        // What is inside the service is for its log only.
        let detail = match failure {
            Failure::Store(_) | Failure::Internal(_) => {
                tracing::error!(code = failure.code(), "{failure}");
                "see the log of the service".to_owned()
            }
            other => other.to_string(),
        };
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            code: failure.code(),
            detail,
            hint: failure.hint(),
        }
    }

    pub(super) fn unauthorized() -> Self {
        Self {
            kind: "about:blank",
            title: "An admin token is needed",
            status: 401,
            code: "unauthorized",
            detail: "the request has no valid bearer token".to_owned(),
            hint: "`sloop admin token` issues one; send it as `Authorization: Bearer …`.",
        }
    }

    pub(super) fn wrong(code: &'static str, detail: impl Into<String>) -> Self {
        Self::of(&Failure::Admin { code, detail: detail.into() })
    }
}

/// The body did not arrive whole: it is longer than its route allows, or the connection broke.
impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        let status = rejection.status();
        if status != StatusCode::PAYLOAD_TOO_LARGE {
            return Self::wrong("unreadable_body", rejection.body_text());
        }
        Self {
            kind: "about:blank",
            title: "What was sent is too large",
            status: status.as_u16(),
            code: "too_large",
            detail: rejection.body_text(),
            hint: "Send only what is meant: of a federation's metadata, the one entity.",
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::of(&failure)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
