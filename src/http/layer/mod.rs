//! What every request passes before a handler sees it, and every answer after.

mod body_limit;
mod client_address;
mod request_id;
mod security_headers;
mod shield;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::outbound::Cidr;
use crate::rng::Rng;

pub use body_limit::BodyLimit;
pub use client_address::ClientAddress;
pub use request_id::RequestId;
pub use security_headers::{PAGE_CSP, PERMISSIONS_POLICY};

/// What the layers need to know of the installation.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Whether browsers reach us by TLS.
    pub https: bool,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: Arc<[Cidr]>,
    pub rng: Rng,
}

/// Puts the layers around all routes and the fallback, the outermost last.
pub fn around(router: Router, edge: &Edge) -> Router {
    let proxies = Arc::clone(&edge.trusted_proxies);
    router
        .layer(from_fn_with_state(proxies, client_address::find))
        .layer(axum::middleware::from_fn(shield::shield))
        .layer(from_fn_with_state(edge.https, security_headers::add))
        .layer(from_fn_with_state(edge.rng.clone(), request_id::name))
}

#[cfg(test)]
mod tests;
