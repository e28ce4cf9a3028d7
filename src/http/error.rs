//! Errors have three faces: operators read the log, scripts read a code, and the person at the
//! browser reads a vague page with the reference that finds the log line.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::extract::{RawParamsError, language};
use super::layer::RequestId;
use super::page::{ErrorPage, Layout, Said};
use crate::language::Language;
use crate::store::StoreError;
use crate::use_cases::Failure;

/// What a page handler returns when it cannot do what was asked.
pub(super) struct PageError {
    status: StatusCode,
    said: Said,
    reference: RequestId,
    layout: Layout,
}

/// Turns failures of one request into pages.
pub(super) struct Explain<'a> {
    pub app: &'a App,
    pub reference: &'a RequestId,
    pub language: Language,
}

impl Explain<'_> {
    pub(super) fn failure(&self, failure: &Failure) -> PageError {
        let (code, hint) = (failure.code(), failure.hint());
        let layout = self.layout();
        let text = &layout.text.error;
        let (status, said) = match failure {
            Failure::Client { .. } => (StatusCode::BAD_REQUEST, text.client),
            Failure::Idp { .. } => (StatusCode::BAD_REQUEST, text.idp),
            Failure::Browser { .. } => (StatusCode::BAD_REQUEST, text.stale),
            Failure::NotFound { .. } => (StatusCode::NOT_FOUND, text.not_found),
            Failure::Store(StoreError::Corrupt(_) | StoreError::Refused { .. }) => {
                (StatusCode::INTERNAL_SERVER_ERROR, text.broken)
            }
            Failure::Contended | Failure::Overloaded | Failure::Store(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, text.busy)
            }
            Failure::Connection { .. } | Failure::Admin { .. } | Failure::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, text.failed)
            }
        };
        match status.is_server_error() {
            true => tracing::error!(code, hint, "{failure}"),
            false => tracing::warn!(code, hint, "{failure}"),
        }
        self.page(layout, status, said)
    }

    pub(super) fn params(&self, error: RawParamsError) -> PageError {
        tracing::warn!(code = error.code(), "{error}");
        let layout = self.layout();
        let said = layout.text.error.client;
        self.page(layout, error.status(), said)
    }

    fn layout(&self) -> Layout {
        Layout::new(self.app.issuer(), self.language)
    }

    fn page(&self, layout: Layout, status: StatusCode, said: Said) -> PageError {
        PageError { status, said, reference: self.reference.clone(), layout }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let page =
            ErrorPage { layout: &self.layout, said: self.said, reference: self.reference.as_str() };
        let mut response = (self.status, self.layout.html(&page)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

pub(super) async fn not_found(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    headers: HeaderMap,
) -> PageError {
    let language = language::of_header(&headers);
    let explain = Explain { app: &app, reference: &reference, language };
    explain.failure(&Failure::NotFound { what: "this path".into() })
}
