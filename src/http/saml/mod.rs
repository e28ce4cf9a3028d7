//! The endpoints that IdPs send browsers to.

mod acs;
mod logout;
mod metadata;

use axum::Router;
use axum::routing::{get, post};

use super::App;
use super::layer::BodyLimit;
use crate::paths;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route(paths::SAML_METADATA, get(metadata::handle))
        .route(paths::SAML_ACS, post(acs::handle))
        .route(paths::SAML_ACS_CONTINUE, get(acs::go_on).post(acs::answer))
        .route(paths::SAML_LOGOUT, get(logout::by_redirect).post(logout::by_post))
        .route(paths::SAML_LOGOUT_SOAP, post(logout::by_soap))
        .layer(BodyLimit::Saml.layer())
}
