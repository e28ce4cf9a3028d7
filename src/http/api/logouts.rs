use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Admin;
use super::problem::Problem;
use crate::http::App;
use crate::id::LogoutId;
use crate::logout::Logout;
use crate::use_cases::{Failure, LogoutStory};

/// How many logouts one answer lists, unless the request says otherwise, and at most.
const USUAL: u16 = 20;
const MOST: u16 = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<u16>,
}

/// `GET /api/v1/logouts`: the newest first
pub(super) async fn list(
    _: Admin,
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) =
        wanted.map_err(|error| Problem::wrong("invalid_query", error.body_text()))?;
    let limit = wanted.limit.unwrap_or(USUAL).clamp(1, MOST);
    let logouts = app.use_cases().logouts(limit.into()).await?;
    Ok(Json(serde_json::json!({ "items": logouts })).into_response())
}

/// `GET /api/v1/logouts/{id}`: who was told, how, and what came back
pub(super) async fn show(
    _: Admin,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<LogoutStory>, Problem> {
    Ok(Json(app.use_cases().logout_story(parse(&id)?).await?))
}

/// `POST /api/v1/logouts/{id}/retry`: tells the apps again that were given up or said no
pub(super) async fn retry(
    _: Admin,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<LogoutStory>, Problem> {
    let retried = app.use_cases().retry_logout(parse(&id)?).await?;
    Ok(Json(after_telling(&app, retried).await?))
}

/// The logout as it is when its parties had their moment.
pub(super) async fn after_telling(app: &App, logout: Logout) -> Result<LogoutStory, Problem> {
    let id = logout.id;
    app.use_cases().tell_soon(vec![logout]).await?;
    Ok(app.use_cases().logout_story(id).await?)
}

fn parse(id: &str) -> Result<LogoutId, Problem> {
    id.parse().map_err(|_| Problem::from(Failure::NotFound { what: "this logout".into() }))
}
