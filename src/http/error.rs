//! Errors have three faces: operators read the log, scripts read a code, and the person at the
//! browser reads a vague page with the reference that finds the log line.

use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::extract::RawParamsError;
use super::layer::RequestId;
use super::page;
use crate::store::StoreError;
use crate::use_cases::Failure;

/// What a page handler returns when it cannot do what was asked.
pub(super) struct PageError {
    status: StatusCode,
    title: &'static str,
    text: &'static str,
    reference: RequestId,
    style: String,
}

/// Turns failures of one request into pages.
pub(super) struct Explain<'a> {
    pub app: &'a App,
    pub reference: &'a RequestId,
}

impl Explain<'_> {
    pub(super) fn failure(&self, failure: &Failure) -> PageError {
        let (code, hint) = (failure.code(), failure.hint());
        let (status, title, text) = match failure {
            Failure::Client { .. } => (
                StatusCode::BAD_REQUEST,
                "This app sent something we cannot use",
                "The app that brought you here has to be corrected by those who run it.",
            ),
            Failure::Idp { .. } => (
                StatusCode::BAD_REQUEST,
                "A message of your organisation cannot be used",
                "What its sign-in service sent could not be accepted. Please try again from the app.",
            ),
            Failure::Browser { .. } => (
                StatusCode::BAD_REQUEST,
                "This page is not valid any more",
                "It may have been used already, or it is too old. Please begin again at the app.",
            ),
            Failure::NotFound { .. } => {
                (StatusCode::NOT_FOUND, "There is nothing here", "The address may be mistyped.")
            }
            Failure::Store(StoreError::Corrupt(_) | StoreError::Refused { .. }) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "Please tell those who run this service.",
            ),
            Failure::Contended | Failure::Overloaded | Failure::Store(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Please try again in a moment",
                "The service is busy or a part of it is not reachable.",
            ),
            Failure::Connection { .. } | Failure::Admin { .. } | Failure::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "Please try again. If it happens again, tell those who run this service.",
            ),
        };
        match status.is_server_error() {
            true => tracing::error!(code, hint, "{failure}"),
            false => tracing::warn!(code, hint, "{failure}"),
        }
        self.page(status, title, text)
    }

    pub(super) fn params(&self, error: RawParamsError) -> PageError {
        tracing::warn!(code = error.code(), "{error}");
        self.page(
            error.status(),
            "This app sent something we cannot use",
            "The app that brought you here has to be corrected by those who run it.",
        )
    }

    fn page(&self, status: StatusCode, title: &'static str, text: &'static str) -> PageError {
        PageError {
            status,
            title,
            text,
            reference: self.reference.clone(),
            style: page::style_url(self.app.issuer()),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let page = page::ErrorPage {
            style: &self.style,
            title: self.title,
            text: self.text,
            reference: self.reference.as_str(),
        };
        let mut response = (self.status, page::html(&page)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

pub(super) async fn not_found(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
) -> PageError {
    let explain = Explain { app: &app, reference: &reference };
    explain.failure(&Failure::NotFound { what: "this path".into() })
}
