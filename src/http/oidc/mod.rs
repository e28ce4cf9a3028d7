//! The endpoints that apps call, and those that their people come to.

mod authorize;
pub(super) mod discovery;
mod end_session;
mod logout_page;
mod logout_receipt;
mod token;
mod userinfo;
mod v2_logout;

use axum::Router;
use axum::routing::{get, post};

use super::App;
use super::layer::BodyLimit;
use crate::paths;

pub(super) fn routes() -> Router<App> {
    let end_session = || get(end_session::handle).post(end_session::handle);
    let mut routes = Router::new()
        .route(paths::OPENID_CONFIGURATION, get(discovery::document))
        .route(paths::JWKS, get(discovery::jwks))
        .route(paths::AUTHORIZE, get(authorize::handle).post(authorize::handle))
        .route(paths::TOKEN, post(token::handle))
        .route(paths::USERINFO, get(userinfo::handle).post(userinfo::handle))
        .route(paths::END_SESSION, end_session())
        .route(paths::LOGOUT_RECEIPT, post(logout_receipt::handle))
        .route(paths::V2_LOGOUT, get(v2_logout::handle))
        .route(
            &format!("{}/{{handle}}", paths::LOGOUT_PAGE),
            get(logout_page::show).post(logout_page::answer),
        );
    for alias in paths::END_SESSION_ALIASES {
        routes = routes.route(alias, end_session());
    }
    routes.layer(BodyLimit::Form.layer())
}
