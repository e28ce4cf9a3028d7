//! The browser against a small server that shows what it received.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::any;

use super::{Browser, ELSEWHERE, Page};

/// `/set` sets one cookie of each kind; `/echo` shows method, cookies and fetch metadata; `/to?URL`
/// redirects by 303, `/keep?URL` by 307; `/form?URL` posts itself, under a `form-action` of that URL.
async fn serve() -> SocketAddr {
    async fn set() -> impl axum::response::IntoResponse {
        let cookie = |value: &'static str| ("set-cookie", value);
        let strict = cookie("__Host-strict=1; Path=/; Secure; SameSite=Strict");
        let lax = cookie("__Host-lax=1; Path=/; Secure; SameSite=Lax");
        let none = cookie("__Host-none=1; Path=/; Secure; SameSite=None");
        let headers = [strict, lax, none];
        (axum::response::AppendHeaders(headers), "set")
    }
    async fn echo(method: axum::http::Method, headers: HeaderMap, body: String) -> String {
        let get = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned()
        };
        let mut cookies: Vec<_> = get("cookie").split("; ").map(str::to_owned).collect();
        cookies.sort();
        let cookies = cookies.join(" ").replace("__Host-", "").replace("=1", "");
        let (site, dest) = (get("sec-fetch-site"), get("sec-fetch-dest"));
        format!("{method} [{cookies}] {site} {dest} {} {} {body}", get("origin"), get("host"))
    }
    async fn redirect(uri: Uri) -> Response {
        let to = uri.query().unwrap_or_default().to_owned();
        let keep = uri.path() == "/keep";
        let status = if keep { StatusCode::TEMPORARY_REDIRECT } else { StatusCode::SEE_OTHER };
        (status, [("location", to)]).into_response()
    }
    async fn form(uri: Uri) -> Response {
        let to = uri.query().unwrap_or_default();
        let page = format!(
            "<body onload='document.forms[0].submit()'>\
             <form method=post action='{to}'><input type=hidden name=a value='&amp;1'></form>"
        );
        let policy = format!("default-src 'none'; form-action {to}");
        ([("content-security-policy", policy)], Html(page)).into_response()
    }
    let routes = Router::new()
        .route("/set", any(set))
        .route("/echo", any(echo))
        .route("/to", any(redirect))
        .route("/keep", any(redirect))
        .route("/form", any(form))
        .route(
            "/refresh",
            any(|| async { Html("<meta http-equiv=refresh content='0;url=/echo'>") }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn browser() -> Browser {
    let address = serve().await;
    Browser::new()
        .with_host("https://op.test", address)
        .with_host("https://idp.test", address)
        .with_host("https://www.op.test", address)
}

async fn with_cookies() -> Browser {
    let mut browser = browser().await;
    assert_eq!(browser.get("https://op.test/set").await.status, 200);
    assert_eq!(browser.jar.refused, []);
    browser
}

fn start(page: &Page) -> String {
    page.body
        .split_whitespace()
        .take_while(|word| !word.contains("http"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn what_the_person_begins_carries_every_cookie() {
    let mut browser = with_cookies().await;
    let page = browser.get("https://op.test/echo").await;
    assert_eq!(page.body, "GET [lax none strict] none document - op.test ");
    assert_eq!(browser.history().last().unwrap().cookies.len(), 3);
    let elsewhere = browser.get("https://idp.test/echo").await;
    assert_eq!(elsewhere.body, "GET [-] none document - idp.test ");
}

#[tokio::test]
async fn a_cross_site_post_carries_only_same_site_none_and_its_twin_carries_all() {
    let mut browser = with_cookies().await;
    let to = "https://op.test/echo";
    let cross = browser.post(to, &[("a", "&")], Some("https://idp.test/sso")).await;
    assert_eq!(cross.body, "POST [none] cross-site document https://idp.test op.test a=%26");
    let own = browser.post(to, &[], Some("https://op.test/form")).await;
    assert_eq!(start(&own), "POST [lax none strict] same-origin document");
}

#[tokio::test]
async fn a_cross_site_link_carries_lax_but_not_strict() {
    let mut browser = with_cookies().await;
    let page = browser.get("https://idp.test/echo").await;
    let cross = browser.click(&page, "https://op.test/echo").await;
    assert_eq!(start(&cross), "GET [lax none] cross-site document - op.test");
}

#[tokio::test]
async fn after_a_cross_site_post_a_303_to_our_own_get_brings_the_lax_cookie() {
    let mut browser = with_cookies().await;
    let idp = Some("https://idp.test/sso");
    let page = browser.post("https://op.test/to?/echo", &[], idp).await;
    assert_eq!(page.location().unwrap().as_str(), "https://op.test/echo");
    let landed = browser.hop(page).await;
    assert_eq!(start(&landed), "GET [lax none] cross-site document - op.test");
    // 307 keeps the method, and so the Lax cookie stays away.
    let page = browser.post("https://op.test/keep?/echo", &[("a", "1")], idp).await;
    let landed = browser.hop(page).await;
    assert_eq!(landed.body, "POST [none] cross-site document https://idp.test op.test a=1");
}

#[tokio::test]
async fn a_redirect_through_a_stranger_keeps_the_person_as_initiator() {
    let mut browser = with_cookies().await;
    let page = browser.open("https://idp.test/to?https://op.test/echo").await;
    assert_eq!(start(&page), "GET [lax none strict] none document - op.test");
    let paths: Vec<_> = browser.history().iter().map(|visit| visit.url.host_str()).collect();
    assert_eq!(paths, [Some("op.test"), Some("idp.test"), Some("op.test")]);
}

#[tokio::test]
async fn a_page_that_submits_itself_posts_from_its_own_site() {
    let mut browser = with_cookies().await;
    let cross = browser.open("https://idp.test/form?https://op.test/echo").await;
    assert_eq!(cross.body, "POST [none] cross-site document https://idp.test op.test a=%261");
    let sibling = browser.open("https://www.op.test/form?https://op.test/echo").await;
    assert_eq!(start(&sibling), "POST [lax none strict] same-site document");
}

#[tokio::test]
async fn form_action_holds_for_the_redirects_after_the_form() {
    let mut browser = browser().await;
    let fine = browser.open("https://op.test/form?https://op.test/to?/echo").await;
    assert_eq!(fine.status, 200);
    let blocked = tokio::spawn(async move {
        browser.open("https://op.test/form?https://op.test/to?https://idp.test/echo").await
    });
    let panic = blocked.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("form-action"), "{message}");
}

#[tokio::test]
async fn a_foreign_frame_sees_only_same_site_none_and_an_own_frame_sees_all() {
    let mut browser = with_cookies().await;
    let idp = browser.get("https://idp.test/echo").await;
    let frame = browser.load_frame(&idp, "https://op.test/echo").await;
    assert_eq!(start(&frame), "GET [none] cross-site iframe - op.test");
    let own = browser.get("https://op.test/echo").await;
    let frame = browser.load_frame(&own, "/echo").await;
    assert_eq!(start(&frame), "GET [lax none strict] same-origin iframe - op.test");
}

#[tokio::test]
async fn settles_through_refreshes_and_stops_where_nobody_serves() {
    let mut browser = with_cookies().await;
    let page = browser.open("https://op.test/refresh").await;
    assert_eq!(start(&page), "GET [lax none strict] same-origin document - op.test");
    let gone = browser.open("https://op.test/to?https://app.test/bye?state=1").await;
    assert_eq!((gone.status, gone.query("state").as_deref()), (ELSEWHERE, Some("1")));
    let page = browser.get("https://op.test/to?https://app.test/bye").await;
    let stopped = browser.follow_until(page, |next| next.host_str() == Some("app.test")).await;
    assert_eq!(stopped.status, 303);
}
