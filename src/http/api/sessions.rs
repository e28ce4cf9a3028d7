use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::Admin;
use super::logouts::after_telling;
use super::problem::Problem;
use crate::http::App;
use crate::id::{BrowserSessionId, ClientId, IdpId};
use crate::oidc::{InvalidSubject, Subject};
use crate::store::SessionFilter;
use crate::use_cases::{Failure, LogoutStory, SessionListing};

/// How many sessions one answer lists, unless the request wants fewer.
const MOST: u16 = 100;

/// Which sessions: those that fit every part which is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    sub: Option<String>,
    idp: Option<IdpId>,
    client: Option<ClientId>,
    /// The `next` of the listing before.
    after: Option<BrowserSessionId>,
    limit: Option<u16>,
}

/// `GET /api/v1/sessions`: the oldest first
pub(super) async fn list(
    _: Admin,
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<SessionListing>, Problem> {
    let Query(wanted) =
        wanted.map_err(|error| Problem::wrong("invalid_query", error.body_text()))?;
    let subject = wanted.sub.as_deref().map(parse_sub).transpose()?;
    let filter = SessionFilter { subject, idp: wanted.idp, client: wanted.client };
    let limit = wanted.limit.unwrap_or(MOST).clamp(1, MOST);
    Ok(Json(app.use_cases().live_sessions(&filter, wanted.after, limit.into()).await?))
}

/// `DELETE /api/v1/sessions/{id}`: ends it, and answers with the logout as it is after `logout.wait`
pub(super) async fn end(
    _: Admin,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<LogoutStory>, Problem> {
    let unknown = |_| Problem::from(Failure::NotFound { what: "this session".into() });
    let id: BrowserSessionId = id.parse().map_err(unknown)?;
    let ended = app.use_cases().end_session_of_id(id).await?;
    Ok(Json(after_telling(&app, ended).await?))
}

pub(super) fn parse_sub(text: &str) -> Result<Subject, Problem> {
    text.parse().map_err(|error: InvalidSubject| Problem::wrong("invalid_sub", error.to_string()))
}
