//! The admin REST API: bearer token in, JSON out, errors as `application/problem+json` (RFC 9457).

mod clients;
mod identity_providers;
mod logouts;
mod problem;
mod sessions;
mod sign_out;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};

use super::App;
use super::layer::BodyLimit;
use crate::paths;
use crate::secret::Token;
use problem::Problem;

pub(super) fn routes() -> Router<App> {
    let idps = Router::new()
        .route(
            paths::API_IDENTITY_PROVIDERS,
            get(identity_providers::list).post(identity_providers::save),
        )
        .route(&format!("{}/{{id}}", paths::API_IDENTITY_PROVIDERS), get(identity_providers::show))
        .route(
            &format!("{}/{{id}}/refresh", paths::API_IDENTITY_PROVIDERS),
            post(identity_providers::refresh),
        )
        .layer(BodyLimit::Metadata.layer());
    let clients = Router::new()
        .route(paths::API_CLIENTS, get(clients::list).post(clients::create))
        .route(&format!("{}/{{id}}", paths::API_CLIENTS), get(clients::show))
        .layer(BodyLimit::AdminJson.layer());
    let sessions = Router::new()
        .route(paths::API_SESSIONS, get(sessions::list))
        .route(&format!("{}/{{id}}", paths::API_SESSIONS), delete(sessions::end))
        .route(paths::API_SIGN_OUT, post(sign_out::person))
        .layer(BodyLimit::AdminJson.layer());
    let logouts = Router::new()
        .route(paths::API_LOGOUTS, get(logouts::list))
        .route(&format!("{}/{{id}}", paths::API_LOGOUTS), get(logouts::show))
        .route(&format!("{}/{{id}}/retry", paths::API_LOGOUTS), post(logouts::retry))
        .layer(BodyLimit::AdminJson.layer());
    idps.merge(clients).merge(sessions).merge(logouts)
}

/// Every handler of the API takes this first: without a valid token nothing else is looked at.
pub(super) struct Admin;

impl axum::extract::FromRequestParts<App> for Admin {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        app: &App,
    ) -> Result<Self, Response> {
        let bearer = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
        let Some((_, token)) = bearer else { return Err(Problem::unauthorized().into_response()) };
        match app.use_cases().is_admin(&Token::received(token)).await {
            Ok(true) => Ok(Self),
            Ok(false) => Err(Problem::unauthorized().into_response()),
            Err(failure) => Err(Problem::of(&failure).into_response()),
        }
    }
}
