use axum::response::Response;

use crate::http::error::PageError;
use crate::http::visit::Visit;
use crate::use_cases::Arrival;

/// `GET|POST /connect/endsession` and its aliases – RP-Initiated Logout 1.0 2
pub(super) async fn handle(visit: Visit) -> Result<Response, PageError> {
    let arrival = match visit.raw_query {
        Some(_) => Arrival::Get,
        None => Arrival::Post,
    };
    let reply = visit.use_cases().end_session(&visit.params, &visit.browser, arrival).await;
    visit.answer(reply)
}
