use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::http::App;
use crate::oidc::discovery;

/// `GET /.well-known/openid-configuration`, and the same by its OAuth name
pub(in crate::http) async fn document(State(app): State<App>) -> Response {
    let keys = app.use_cases().keys();
    public(discovery::document(app.issuer(), keys.oidc.algorithms()))
}

/// `GET /jwks.json`
pub(super) async fn jwks(State(app): State<App>) -> Response {
    public(app.use_cases().keys().oidc.jwks().to_json())
}

/// For everybody, browsers' scripts included, and for an hour.
fn public(document: serde_json::Value) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    (headers, Json(document)).into_response()
}
