use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::http::error::PageError;
use crate::http::visit::Visit;

/// `GET /saml/metadata`: what an IdP's administrator needs of us, signed
pub(super) async fn handle(visit: Visit) -> Result<Response, PageError> {
    let metadata = visit.use_cases().sp_metadata().await;
    let metadata = metadata.map_err(|failure| visit.refuse(&failure))?;
    let headers = [(header::CONTENT_TYPE, "application/samlmetadata+xml")];
    Ok((headers, metadata).into_response())
}
