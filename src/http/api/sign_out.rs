use axum::Json;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;

use super::Admin;
use super::problem::Problem;
use super::sessions::parse_sub;
use crate::http::App;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    sub: String,
}

/// `POST /api/v1/sign-out` with `{"sub": …}`: every session of this person ends. Answers with the
/// logouts as they are after `logout.wait`
pub(super) async fn person(
    _: Admin,
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wanted: Wanted = serde_json::from_slice(&body?)
        .map_err(|error| Problem::wrong("invalid_json", error.to_string()))?;
    let subject = parse_sub(&wanted.sub)?;
    let use_cases = app.use_cases();
    let ended = use_cases.sign_out_person(&subject).await?;
    let mut items = Vec::with_capacity(ended.len());
    for logout in use_cases.tell_soon(ended).await? {
        items.push(use_cases.logout_story(logout.id).await?);
    }
    Ok(Json(serde_json::json!({ "items": items })).into_response())
}
