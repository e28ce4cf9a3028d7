//! Between the connection and the handler: neither can take the other down.
//!
//! A handler runs in a task of its own. A browser that closes its connection does not stop a logout
//! half-way, a panic becomes a vague page, and nobody waits longer than the limit.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use http::StatusCode;
use tracing::Instrument as _;

use super::request_id::RequestId;

/// How long a handler may take before its client gets an answer without it.
const HANDLER_TIME: Duration = Duration::from_secs(20);

pub(super) async fn shield(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let handler = tokio::spawn(next.run(request).in_current_span());
    match tokio::time::timeout(HANDLER_TIME, handler).await {
        Ok(Ok(response)) => response,
        Ok(Err(failed)) => {
            tracing::error!(panicked = failed.is_panic(), "the handler failed");
            page(StatusCode::INTERNAL_SERVER_ERROR, id.as_ref())
        }
        Err(_) => {
            tracing::error!(limit_s = HANDLER_TIME.as_secs(), "the handler took too long");
            page(StatusCode::SERVICE_UNAVAILABLE, id.as_ref())
        }
    }
}

/// Says nothing but the reference, by which an operator finds the log line.
fn page(status: StatusCode, id: Option<&RequestId>) -> Response {
    let reference = id.map_or("", RequestId::as_str);
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Something went wrong\
         </title><h1>Something went wrong</h1><p>Please try again. If it happens again, give \
         your administrator this reference: <code>{reference}</code></p></html>"
    );
    (status, Html(page)).into_response()
}
