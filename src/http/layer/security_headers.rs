//! Response headers that make browsers strict. A handler's own value always wins.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, PRAGMA, REFERRER_POLICY, SERVER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The policy of a page that needs nothing special: no script, our style and images, no frames.
pub const PAGE_CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; \
     require-trusted-types-for 'script'";

/// Device features that no page of ours uses.
pub const PERMISSIONS_POLICY: &str = "accelerometer=(), browsing-topics=(), camera=(), \
     display-capture=(), geolocation=(), gyroscope=(), microphone=(), payment=(), \
     publickey-credentials-get=(self), usb=()";

/// Two years, the least that browsers' preload lists ask for.
const HSTS: &str = "max-age=63072000; includeSubDomains";

/// `https`: whether the public URL is `https`.
pub(super) async fn add(State(https): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.remove(SERVER);
    if https {
        default(headers, STRICT_TRANSPORT_SECURITY, HSTS);
    }
    default(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(headers, REFERRER_POLICY, "no-referrer");
    default(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    default(headers, HeaderName::from_static("x-robots-tag"), "noindex");
    if !headers.contains_key(CACHE_CONTROL) {
        default(headers, CACHE_CONTROL, "no-store");
        default(headers, PRAGMA, "no-cache");
    }
    if is_html(headers) {
        add_for_pages(headers);
    }
    response
}

fn add_for_pages(headers: &mut HeaderMap) {
    default(headers, CONTENT_SECURITY_POLICY, PAGE_CSP);
    default(headers, HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY);
    default(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    // A page that an IdP may frame says so in its own policy; the older header has no such word.
    let unframed = headers
        .get(CONTENT_SECURITY_POLICY)
        .and_then(|policy| policy.to_str().ok())
        .is_some_and(|policy| policy.contains("frame-ancestors 'none'"));
    if unframed {
        default(headers, X_FRAME_OPTIONS, "DENY");
    }
}

fn default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/html"))
}
