use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::token::{authorization, readable, refused, unavailable};
use crate::http::App;
use crate::http::extract::{RawParams, RawParamsError};
use crate::oidc::logout_receipt::MEDIA_TYPE;
use crate::use_cases::ReceiptAnswer;

/// `POST /connect/logout_receipt`: a signed statement for an app of the session
pub(super) async fn handle(
    State(app): State<App>,
    headers: HeaderMap,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let params = match readable(params) {
        Ok(params) => params,
        Err(error) => return refused(&error, None),
    };
    match app.use_cases().logout_receipt(&params, authorization(&headers)).await {
        Ok(ReceiptAnswer::Receipt(jwt)) => {
            ([(header::CONTENT_TYPE, MEDIA_TYPE)], jwt).into_response()
        }
        Ok(ReceiptAnswer::Refused { error, www_authenticate }) => {
            tracing::info!(code = error.code().as_str(), "a receipt is refused: {error}");
            refused(&error, www_authenticate)
        }
        Err(failure) => unavailable(&failure),
    }
}
