use std::fmt::Display;
use std::str::FromStr;

use axum::Json;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;

use super::Admin;
use super::problem::Problem;
use crate::change::Source;
use crate::connection::IdpSettings;
use crate::http::App;
use crate::id::IdpId;
use crate::use_cases::{IdpReport, SaveIdp};

/// The settings of an upload stand in its query, because its body is the metadata itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    id: String,
    entity_id: Option<String>,
    subject: Option<String>,
    fallback: Option<String>,
    /// Several, separated by commas.
    domains: Option<String>,
}

/// `POST /api/v1/identity-providers?id=NAME` with the metadata XML as the body: 201 for a new
/// connection, 200 for new metadata of one that exists
pub(super) async fn save(
    _: Admin,
    State(app): State<App>,
    upload: Result<Query<Upload>, QueryRejection>,
    metadata: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Query(upload) =
        upload.map_err(|error| Problem::wrong("invalid_query", error.body_text()))?;
    let id: IdpId = upload
        .id
        .parse()
        .map_err(|error| Problem::wrong("invalid_id", format!("id {:?}: {error}", upload.id)))?;
    let exists = app.use_cases().has_idp(&id).await?;
    let settings = settings(upload)?;
    let metadata = metadata?.to_vec();
    let report =
        app.use_cases().save_idp(SaveIdp { id, settings, metadata, source: Source::Admin }).await?;
    let status = if exists { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(report)).into_response())
}

/// `GET /api/v1/identity-providers`
pub(super) async fn list(_: Admin, State(app): State<App>) -> Result<Response, Problem> {
    let listed = app.use_cases().idps().await?;
    let rows = listed.into_iter().map(|(id, report)| match report {
        Ok(report) => serde_json::json!(report),
        Err(problem) => serde_json::json!({"id": id, "unusable": problem}),
    });
    let rows: Vec<_> = rows.collect();
    Ok(Json(serde_json::json!({ "items": rows })).into_response())
}

/// `GET /api/v1/identity-providers/{id}`
pub(super) async fn show(
    _: Admin,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<IdpReport>, Problem> {
    let unknown =
        |_| Problem::from(crate::use_cases::Failure::NotFound { what: "this IdP".into() });
    let id: IdpId = id.parse().map_err(unknown)?;
    Ok(Json(app.use_cases().idp(&id).await?))
}

fn settings(upload: Upload) -> Result<IdpSettings, Problem> {
    let mut settings = IdpSettings::default();
    if let Some(text) = upload.entity_id {
        settings.entity_id = Some(parse("entity_id", &text)?);
    }
    if let Some(text) = upload.subject {
        settings.subject = parse("subject", &text)?;
    }
    if let Some(text) = upload.fallback {
        settings.fallback = parse("fallback", &text)?;
    }
    let domains = upload.domains.unwrap_or_default();
    for domain in domains.split(',').map(str::trim).filter(|domain| !domain.is_empty()) {
        settings.domains.push(parse("domains", domain)?);
    }
    Ok(settings)
}

/// A setting of the query; what is wrong with it is told with its name and value.
fn parse<T: FromStr<Err: Display>>(key: &str, text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error| Problem::wrong("invalid_setting", format!("{key} {text:?}: {error}")))
}
