use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::App;
use crate::http::extract::{RawParams, RawParamsError};
use crate::oidc::{ErrorCode, OAuthError, Params};
use crate::use_cases::TokenAnswer;

/// `POST /connect/token` – OpenID Connect Core 3.1.3
pub(super) async fn handle(
    State(app): State<App>,
    headers: HeaderMap,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let params = match readable(params) {
        Ok(params) => params,
        Err(error) => return refused(&error, None),
    };
    match app.use_cases().token(&params, authorization(&headers)).await {
        Ok(TokenAnswer::Tokens(tokens)) => Json(tokens).into_response(),
        Ok(TokenAnswer::Refused { error, www_authenticate }) => {
            tracing::info!(code = error.code().as_str(), "a token request is refused: {error}");
            refused(&error, www_authenticate)
        }
        Err(failure) => unavailable(&failure),
    }
}

/// What a client sent to an endpoint of its own, if it can be read (RFC 6749 5.2).
pub(super) fn readable(params: Result<RawParams, RawParamsError>) -> Result<Params, OAuthError> {
    let unreadable =
        |error: RawParamsError| OAuthError::new(ErrorCode::InvalidRequest, error.to_string());
    params.map(|raw| raw.params).map_err(unreadable)
}

/// The header, if there is one. One that is no text is one that nobody can read: not the same as none.
pub(super) fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("unreadable"))
}

pub(super) fn refused(error: &OAuthError, www_authenticate: Option<&'static str>) -> Response {
    let status = StatusCode::from_u16(error.code().status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, Json(error.to_json())).into_response();
    if let Some(value) = www_authenticate {
        let value = header::HeaderValue::from_static(value);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The store does not answer: the client may try again.
pub(super) fn unavailable(failure: &crate::use_cases::Failure) -> Response {
    tracing::error!(code = failure.code(), hint = failure.hint(), "{failure}");
    let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, "please try again");
    let headers = [(header::RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, Json(error.to_json())).into_response()
}
