//! HTTP in: requests become values, what use cases return becomes responses. No rule lives here.

mod api;
mod content_policy;
mod error;
pub mod extract;
pub mod layer;
mod oidc;
mod page;
mod person_page;
mod reply;
mod saml;
mod visit;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::oidc::Issuer;
use crate::paths;
use crate::use_cases::UseCases;

pub use layer::Edge;

/// What every handler is given.
#[derive(Clone)]
pub struct App {
    use_cases: UseCases,
    cookies: extract::CookiePolicy,
}

impl App {
    fn issuer(&self) -> &Issuer {
        &self.use_cases.settings().issuer
    }
}

/// All routes, below the path of the issuer if it has one.
pub fn router(use_cases: UseCases, edge: &Edge) -> Router {
    let issuer = use_cases.settings().issuer.clone();
    let app = App { cookies: extract::CookiePolicy::of(&issuer), use_cases };
    let routes = Router::new()
        .merge(oidc::routes())
        .merge(saml::routes())
        .merge(api::routes())
        .route(paths::HEALTHZ, get(healthz))
        .route(paths::READYZ, get(readyz))
        .route(paths::STYLE, get(page::style));
    let router = match issuer.path() {
        "" => routes,
        path => Router::new().nest(path, routes),
    };
    let router = router
        // RFC 8414 3: the well-known part stands before the issuer's path.
        .route(
            &crate::oidc::discovery::authorization_server_path(&issuer),
            get(oidc::discovery::document),
        )
        .fallback(error::not_found)
        .with_state(app);
    layer::around(router, edge)
}

/// The process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Requests can be served: the store answers.
async fn readyz(State(app): State<App>) -> Response {
    match app.use_cases.is_ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let headers = [(header::RETRY_AFTER, "1")];
            (StatusCode::SERVICE_UNAVAILABLE, headers, "not ready\n").into_response()
        }
    }
}
