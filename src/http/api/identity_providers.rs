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
use crate::connection::{
    BrowserBinding, Fallback, LogoutRequestMatch, LogoutUrl, MaxValidity, Pin, Setting,
    SettingError, SettingsChange, UnsignedLogoutResponse, WithoutSessionIndex,
};
use crate::http::App;
use crate::id::IdpId;
use crate::oidc::SubjectSource;
use crate::saml::EntityId;
use crate::saml::metadata::MetadataUrl;
use crate::use_cases::{Failure, IdpReport, Refreshed, SaveIdp};

/// The settings of an upload stand in its query, because its body is the metadata itself. For a
/// connection that exists, what is not mentioned stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    id: String,
    entity_id: Option<EntityId>,
    metadata_key: Option<Pin>,
    metadata_max_validity: Option<MaxValidity>,
    /// Instead of a body.
    metadata_url: Option<String>,
    subject: Option<SubjectSource>,
    single_logout: Option<bool>,
    fallback: Option<Fallback>,
    encrypt_name_id: Option<bool>,
    without_session_index: Option<WithoutSessionIndex>,
    unsigned_logout_response: Option<UnsignedLogoutResponse>,
    asynchronous_logout: Option<bool>,
    always_success: Option<bool>,
    withhold_logout_response: Option<bool>,
    logout_request_match: Option<LogoutRequestMatch>,
    logout_response_issuer: Option<Setting<EntityId>>,
    sign_requests: Option<bool>,
    allow_cbc: Option<bool>,
    require_encryption: Option<bool>,
    slo_url: Option<Setting<LogoutUrl>>,
    slo_binding: Option<BrowserBinding>,
    sso_binding: Option<BrowserBinding>,
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
    let exists = app.use_cases().idp_settings(&id).await?.is_some();
    let url = upload
        .metadata_url
        .as_deref()
        .map(str::parse::<MetadataUrl>)
        .transpose()
        .map_err(|error| Problem::wrong("invalid_setting", format!("metadata_url: {error}")))?;
    let settings = change(upload)?.into();
    let metadata = metadata?.to_vec();
    let report = match url {
        Some(url) if metadata.is_empty() => app.use_cases().connect_idp(id, settings, &url).await?,
        Some(_) => {
            let detail = "metadata_url and a body: send one of them";
            return Err(Problem::wrong("invalid_query", detail));
        }
        None => {
            let wanted = SaveIdp { id, settings, metadata, source: Source::Admin };
            app.use_cases().save_idp(wanted).await?
        }
    };
    let status = if exists { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(report)).into_response())
}

/// `POST /api/v1/identity-providers/{id}/refresh`: looks for new metadata where it came from
pub(super) async fn refresh(
    _: Admin,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Refreshed>, Problem> {
    let id: IdpId = id.parse().map_err(unknown)?;
    Ok(Json(app.use_cases().refresh_idp(&id).await?))
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
    let id: IdpId = id.parse().map_err(unknown)?;
    Ok(Json(app.use_cases().idp(&id).await?))
}

fn unknown<E>(_: E) -> Problem {
    Problem::from(Failure::NotFound { what: "this IdP".into() })
}

fn change(upload: Upload) -> Result<SettingsChange, Problem> {
    let domain = |text: &str| {
        text.parse().map_err(|error: SettingError| {
            Problem::wrong("invalid_setting", format!("domains: {error}"))
        })
    };
    let domains = upload.domains.map(|list| {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(domain).collect::<Result<Vec<_>, _>>()
    });
    Ok(SettingsChange {
        entity_id: upload.entity_id,
        metadata_key: upload.metadata_key,
        metadata_max_validity: upload.metadata_max_validity,
        subject: upload.subject,
        single_logout: upload.single_logout,
        fallback: upload.fallback,
        encrypt_name_id: upload.encrypt_name_id,
        without_session_index: upload.without_session_index,
        unsigned_logout_response: upload.unsigned_logout_response,
        asynchronous_logout: upload.asynchronous_logout,
        always_success: upload.always_success,
        withhold_logout_response: upload.withhold_logout_response,
        logout_request_match: upload.logout_request_match,
        logout_response_issuer: upload.logout_response_issuer,
        sign_requests: upload.sign_requests,
        allow_cbc: upload.allow_cbc,
        require_encryption: upload.require_encryption,
        slo_url: upload.slo_url,
        slo_binding: upload.slo_binding,
        sso_binding: upload.sso_binding,
        domains: domains.transpose()?,
    })
}
