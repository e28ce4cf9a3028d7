use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::http::App;
use crate::http::error::{Explain, PageError};
use crate::http::layer::RequestId;

/// `GET /saml/metadata`: what an IdP's administrator needs of us, signed
pub(super) async fn handle(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    let metadata = app.use_cases().sp_metadata().await;
    let metadata = metadata.map_err(|failure| explain.failure(&failure))?;
    let headers = [(header::CONTENT_TYPE, "application/samlmetadata+xml")];
    Ok((headers, metadata).into_response())
}
