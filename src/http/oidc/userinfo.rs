use axum::Json;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::token::unavailable;
use crate::http::App;
use crate::http::extract::RawParams;
use crate::oidc::{BearerError, Params, userinfo};

/// `GET|POST /connect/userinfo` – OpenID Connect Core 5.3
pub(super) async fn handle(State(app): State<App>, request: Request) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization =
        authorization.map(|value| value.to_str().unwrap_or("unreadable").to_owned());
    let query = Params::parse(request.uri().query().unwrap_or_default()).unwrap_or_default();
    let form = match *request.method() {
        Method::POST => form(request).await,
        _ => Params::default(),
    };
    let token = match userinfo::bearer_token(authorization.as_deref(), &form, &query) {
        Ok(token) => token,
        Err(error) => return refused(error),
    };
    match app.use_cases().userinfo(&token).await {
        Ok(Ok(claims)) => Json(claims).into_response(),
        Ok(Err(error)) => refused(error),
        Err(failure) => unavailable(&failure),
    }
}

/// A POST may have a form, or nothing at all.
async fn form(request: Request) -> Params {
    use axum::extract::FromRequest as _;
    match RawParams::from_request(request, &()).await {
        Ok(form) => form.params,
        Err(_) => Params::default(),
    }
}

fn refused(error: BearerError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    (status, [(header::WWW_AUTHENTICATE, error.www_authenticate())]).into_response()
}
