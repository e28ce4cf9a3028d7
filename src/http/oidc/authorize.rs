use axum::response::Response;

use crate::http::error::PageError;
use crate::http::visit::Visit;
use crate::paths;

/// `GET|POST /connect/authorize` – OpenID Connect Core 3.1.2
pub(super) async fn handle(visit: Visit) -> Result<Response, PageError> {
    if visit.is_post_without_session() {
        // Another site's form carries no `Lax` cookie. A GET of ours does, if there is one.
        return Ok(visit.again_by_get(paths::AUTHORIZE));
    }
    let reply = visit.use_cases().authorize(&visit.params, &visit.browser).await;
    visit.answer(reply)
}
