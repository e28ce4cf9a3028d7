use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::response::{Html, IntoResponse as _};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, PRAGMA};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::http::extract::RawParams;

fn router() -> Router {
    let framed = || async {
        ([(CONTENT_SECURITY_POLICY, "frame-ancestors https://idp.example")], Html("framed"))
    };
    Router::new()
        .route("/json", get(|| async { "1" }))
        .route("/page", get(|| async { Html("page") }))
        .route("/framed", get(framed))
        .route("/cached", get(|| async { ([(CACHE_CONTROL, "public, max-age=3600")], "keys") }))
        .route("/panic/{handle}", get(panics))
        .route("/id", get(|Extension(id): Extension<RequestId>| async move { id.to_string() }))
        .route(
            "/who",
            get(|Extension(who): Extension<ClientAddress>| async move { who.0.to_string() }),
        )
        .route(
            "/form",
            post(|params: RawParams| async move { params.params.iter().count().to_string() })
                .layer(BodyLimit::Form.layer()),
        )
}

async fn panics() -> StatusCode {
    panic!("a secret that must not reach the page")
}

fn edge(https: bool) -> Edge {
    let proxy: Cidr = "127.0.0.1".parse().unwrap();
    Edge { https, trusted_proxies: Arc::new([proxy]), rng: Rng::system() }
}

async fn send(request: Request<Body>) -> Response<Body> {
    around(router(), &edge(true)).oneshot(request).await.unwrap()
}

async fn fetch(path: &str) -> (StatusCode, HeaderMap, String) {
    let response = send(Request::get(path).body(Body::empty()).unwrap()).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_answer_carries_the_headers_even_a_refusal() {
    for (path, status) in [("/json", 200), ("/page", 200), ("/nowhere", 404), ("/form", 405)] {
        let (answered, headers, _) = fetch(path).await;
        assert_eq!(answered, status, "{path}");
        for (name, value) in [
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-robots-tag", "noindex"),
            ("cache-control", "no-store"),
            ("pragma", "no-cache"),
        ] {
            assert_eq!(headers[name], value, "{name} of {path}");
        }
        assert_eq!(headers["x-request-id"].len(), 22);
        assert!(!headers.contains_key("server"));
    }
}

#[tokio::test]
async fn without_tls_nothing_is_said_about_tls() {
    let request = Request::get("/json").body(Body::empty()).unwrap();
    let response = around(router(), &edge(false)).oneshot(request).await.unwrap();
    assert!(!response.headers().contains_key("strict-transport-security"));
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn pages_are_locked_down_and_their_own_policy_wins() {
    let (_, page, _) = fetch("/page").await;
    assert_eq!(page[CONTENT_SECURITY_POLICY], PAGE_CSP);
    assert_eq!(page["x-frame-options"], "DENY");
    assert_eq!(page["cross-origin-opener-policy"], "same-origin");
    assert_eq!(page["permissions-policy"], PERMISSIONS_POLICY);
    let (_, framed, _) = fetch("/framed").await;
    assert_eq!(framed[CONTENT_SECURITY_POLICY], "frame-ancestors https://idp.example");
    assert!(!framed.contains_key("x-frame-options"));
    let (_, json, _) = fetch("/json").await;
    assert!(!json.contains_key(CONTENT_SECURITY_POLICY));
}

#[tokio::test]
async fn what_may_be_cached_says_so_itself() {
    let (_, headers, _) = fetch("/cached").await;
    assert_eq!(headers[CACHE_CONTROL], "public, max-age=3600");
    assert!(!headers.contains_key(PRAGMA));
}

#[tokio::test]
async fn a_panic_becomes_a_vague_page_with_the_reference() {
    let (status, headers, page) = fetch("/panic/handle").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.contains(headers["x-request-id"].to_str().unwrap()), "{page}");
    assert!(!page.contains("secret"), "{page}");
    assert_eq!(headers[CONTENT_SECURITY_POLICY], PAGE_CSP);
}

#[tokio::test]
async fn the_reference_is_ours_and_new_each_time() {
    let request = Request::get("/id").header("x-request-id", "chosen").body(Body::empty());
    let response = send(request.unwrap()).await;
    let sent = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let seen = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(seen, sent);
    assert_ne!(sent, "chosen");
    assert_ne!(fetch("/id").await.2, sent);
}

#[tokio::test]
async fn the_client_is_found_behind_the_proxy() {
    for (peer, client) in [("127.0.0.1:9", "198.51.100.7"), ("203.0.113.9:9", "203.0.113.9")] {
        let mut request =
            Request::get("/who").header("x-forwarded-for", "198.51.100.7").body(Body::empty());
        let extensions = request.as_mut().unwrap().extensions_mut();
        extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        let body = send(request.unwrap()).await.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), client);
    }
}

#[tokio::test]
async fn a_form_has_the_limit_of_its_route() {
    let limit = BodyLimit::Form.bytes();
    for (length, status) in [(limit, 200), (limit + 1, 413)] {
        // Once with the length announced, and once in pieces of unknown number.
        let whole = format!("a={}", "x".repeat(length - 2));
        for body in [Body::from(whole.clone()), Body::new(Body::from(whole).map_frame(|f| f))] {
            let request = Request::post("/form")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body)
                .unwrap();
            assert_eq!(send(request).await.status(), status, "{length}");
        }
    }
}

#[tokio::test]
async fn a_handler_ends_its_work_when_the_browser_leaves() {
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let work = move || async move {
        tokio::time::sleep(Duration::from_millis(60)).await;
        seen.store(true, Ordering::SeqCst);
        Bytes::new().into_response()
    };
    let app = around(Router::new().route("/", get(work)), &edge(true));
    let request = Request::get("/").body(Body::empty()).unwrap();
    let gone = tokio::time::timeout(Duration::from_millis(10), app.oneshot(request)).await;
    assert!(gone.is_err() && !ended.load(Ordering::SeqCst));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(ended.load(Ordering::SeqCst));
}
