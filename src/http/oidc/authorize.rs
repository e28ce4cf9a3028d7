use axum::response::Response;

use crate::http::error::PageError;
use crate::http::visit::Visit;

/// `GET|POST /connect/authorize` – OpenID Connect Core 3.1.2
pub(super) async fn handle(visit: Visit) -> Result<Response, PageError> {
    let reply = visit.use_cases().authorize(&visit.params, &visit.browser).await;
    visit.answer(reply)
}
