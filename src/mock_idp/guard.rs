//! Who may use the addresses that are no part of SAML: scripts, and this IdP's own pages. Any website
//! that a developer visits can post a form here, or have its own name resolved to this machine.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::HOST;
use http::{HeaderMap, StatusCode};
use url::Url;

use super::control::plain_refusal;
use super::{MockIdp, Refusal};
use crate::oidc::is_loopback;

/// 403 for a request of another website.
pub(super) async fn refuse_other_websites(
    State(idp): State<MockIdp>,
    request: Request,
    next: Next,
) -> Response {
    match check(&idp.0.base, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => plain_refusal(StatusCode::FORBIDDEN, &refusal),
    }
}

/// Browsers say where a request comes from (Fetch Metadata Request Headers 2.4), to an https or a
/// loopback address. The name in `Host` is what a website would have had to choose itself.
fn check(base: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(Refusal::OtherWebsite);
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let named = Url::parse(&format!("http://{host}")).ok();
    let known = named.is_some_and(|named| {
        let own = Url::parse(base).ok();
        is_loopback(&named) || own.is_some_and(|own| own.host() == named.host())
    });
    if known { Ok(()) } else { Err(Refusal::Host { found: host.to_owned() }) }
}
