use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

use super::journal::Session;
use super::{MockIdp, Refusal, STYLE};
use crate::saml::PostForm;

/// `GET /metadata`
pub(super) async fn metadata(State(idp): State<MockIdp>) -> Response {
    ([(CONTENT_TYPE, "application/samlmetadata+xml")], idp.metadata()).into_response()
}

/// `GET /style.css`
pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css")], include_str!("../http/page/style.css")).into_response()
}

/// The page that asks who is there. `request` is the handle of the AuthnRequest that waits.
pub(super) fn sign_in(status: StatusCode, request: Option<&str>, user: Option<&str>) -> Response {
    html(status, &SignInPage { style: STYLE, request, user })
}

/// Who is signed in.
pub(super) fn home(session: &Session) -> Response {
    let session_index = session.session_index.as_ref().map(|index| index.as_str());
    html(
        StatusCode::OK,
        &HomePage {
            style: STYLE,
            user: &session.user,
            name_id: &session.name_id.value,
            session_index,
            since: session.authn_instant.to_string(),
        },
    )
}

/// A form that submits itself to the service provider.
pub(super) fn post_form(form: &PostForm) -> Response {
    html(StatusCode::OK, &PostFormPage { style: STYLE, action: &form.action, fields: &form.fields })
}

pub(super) fn refusal(refusal: &Refusal) -> Response {
    let page = RefusalPage { style: STYLE, code: refusal.code(), text: refusal.to_string() };
    html(StatusCode::BAD_REQUEST, &page)
}

#[derive(Template)]
#[template(path = "idp_sign_in.html")]
struct SignInPage<'a> {
    style: &'static str,
    request: Option<&'a str>,
    user: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "idp_home.html")]
struct HomePage<'a> {
    style: &'static str,
    user: &'a str,
    name_id: &'a str,
    session_index: Option<&'a str>,
    since: String,
}

#[derive(Template)]
#[template(path = "idp_post_form.html")]
struct PostFormPage<'a> {
    style: &'static str,
    action: &'a str,
    fields: &'a [(&'static str, String)],
}

#[derive(Template)]
#[template(path = "idp_refusal.html")]
struct RefusalPage {
    style: &'static str,
    code: &'static str,
    text: String,
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    match page.render() {
        Ok(html) => (status, headers, html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
