use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::Admin;
use super::problem::Problem;
use crate::change::Source;
use crate::http::App;
use crate::id::ClientId;
use crate::oidc::ClientSettings;
use crate::store::FoundClient;
use crate::use_cases::Existing;

/// `POST /api/v1/clients` with the client's settings as JSON: 201, and the secret this once
pub(super) async fn create(
    _: Admin,
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let settings: ClientSettings = serde_json::from_slice(&body?)
        .map_err(|error| Problem::wrong("invalid_json", error.to_string()))?;
    let saved =
        app.use_cases().save_client(settings, None, Source::Admin, Existing::Refuse).await?;
    let mut answer = serde_json::json!(saved.client.settings());
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("client_id".into(), saved.client.id.as_str().into());
        if let Some(secret) = &saved.secret {
            fields.insert("client_secret".into(), secret.expose().into());
        }
    }
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /api/v1/clients`
pub(super) async fn list(_: Admin, State(app): State<App>) -> Result<Response, Problem> {
    let clients = app.use_cases().clients().await?;
    let rows = clients.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(serde_json::json!({ "items": rows })).into_response())
}

/// `GET /api/v1/clients/{id}`
pub(super) async fn show(
    _: Admin,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let unknown =
        |_| Problem::from(crate::use_cases::Failure::NotFound { what: "this client".into() });
    let id: ClientId = id.parse().map_err(unknown)?;
    Ok(Json(row(&app.use_cases().client(&id).await?)?).into_response())
}

/// The settings as they were saved. Secrets are not kept, so none can be shown.
fn row(found: &FoundClient) -> Result<serde_json::Value, Problem> {
    serde_json::from_str(&found.settings)
        .map_err(|error| crate::use_cases::Failure::Internal(error.to_string()).into())
}
