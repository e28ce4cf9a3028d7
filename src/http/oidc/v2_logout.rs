use axum::http::HeaderMap;
use axum::response::Response;

use crate::http::error::PageError;
use crate::http::visit::Visit;
use crate::use_cases::Failure;

/// `GET /v2/logout`. It asks nothing, so an image or a frame on another site must not trigger it:
/// only a navigation of the whole page is answered.
pub(super) async fn handle(headers: HeaderMap, visit: Visit) -> Result<Response, PageError> {
    if headers.get("sec-fetch-dest").is_some_and(|destination| destination != "document") {
        return Err(visit.refuse(&Failure::Client {
            code: "not_a_navigation",
            client: String::new(),
            detail: "Sec-Fetch-Dest says that this is no navigation".into(),
        }));
    }
    let reply = visit.use_cases().v2_logout(&visit.params, &visit.browser).await;
    visit.answer(reply)
}
