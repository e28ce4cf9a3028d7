use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

use super::fault::{Fault, Occasion};
use super::journal::Session;
use super::{MockIdp, Refusal, STYLE};
use crate::saml::PostForm;

/// `GET /metadata`
pub(super) async fn metadata(State(idp): State<MockIdp>) -> Response {
    ([(CONTENT_TYPE, "application/samlmetadata+xml")], idp.metadata()).into_response()
}

/// `GET /style.css`
pub(super) async fn style() -> Response {
    let style = concat!(include_str!("../http/page/style.css"), include_str!("page/idp.css"));
    ([(CONTENT_TYPE, "text/css")], style).into_response()
}

impl MockIdp {
    /// The page that asks who is there. `request` is the handle of the AuthnRequest that waits.
    pub(super) fn sign_in_page(&self, request: Option<&str>, user: Option<&str>) -> Response {
        let users = self.state().users().to_vec();
        let page = SignInPage {
            style: STYLE,
            request,
            user,
            users: &users,
            personal: choices(|fault| !fault.shows_at(Occasion::Always)),
            faults: self.fault_choices(),
        };
        html(StatusCode::OK, &page)
    }

    /// Who is signed in.
    pub(super) fn home_page(&self, session: &Session) -> Response {
        let page = HomePage {
            style: STYLE,
            user: &session.user,
            name_id: &session.name_id.value,
            session_index: session.session_index.as_ref().map(|index| index.as_str()),
            since: session.authn_instant.to_string(),
            service_provider: self.trusts(),
            own: choices(|fault| fault.shows_at(Occasion::OwnRequest)),
            faults: self.fault_choices(),
        };
        html(StatusCode::OK, &page)
    }

    fn fault_choices(&self) -> FaultChoices {
        let in_force = self.plans().into_iter().map(|plan| {
            let faults: Vec<_> = plan.faults.iter().map(Fault::to_string).collect();
            let user = plan.user.map(|user| format!(" for {user}")).unwrap_or_default();
            let times = plan.times.map(|times| format!(", {times} times")).unwrap_or_default();
            format!("{}{user}{times}", faults.join(", "))
        });
        FaultChoices { in_force: in_force.collect(), known: choices(|_| true) }
    }
}

/// The service provider was told of a logout, and said this.
pub(super) fn told(status: &str) -> Response {
    html(StatusCode::OK, &ToldPage { style: STYLE, status })
}

/// The IdP's own logout, in a frame.
pub(super) fn framed_logout(url: &str) -> Response {
    html(StatusCode::OK, &FramedLogoutPage { style: STYLE, url })
}

/// The end for a browser that is not sent back.
pub(super) fn silence() -> Response {
    html(StatusCode::OK, &SilencePage { style: STYLE })
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
    users: &'a [String],
    /// Faults that one person can have.
    personal: Vec<Choice>,
    faults: FaultChoices,
}

/// What can be chosen for everybody, and what has been chosen.
struct FaultChoices {
    in_force: Vec<String>,
    known: Vec<Choice>,
}

struct Choice {
    name: &'static str,
    says: &'static str,
}

fn choices(wanted: impl Fn(Fault) -> bool) -> Vec<Choice> {
    let faults = Fault::ALL.into_iter().filter(|fault| wanted(*fault));
    faults.map(|fault| Choice { name: fault.name(), says: fault.says() }).collect()
}

#[derive(Template)]
#[template(path = "idp_home.html")]
struct HomePage<'a> {
    style: &'static str,
    user: &'a str,
    name_id: &'a str,
    session_index: Option<&'a str>,
    since: String,
    service_provider: Option<String>,
    /// Faults of a logout that the IdP begins.
    own: Vec<Choice>,
    faults: FaultChoices,
}

#[derive(Template)]
#[template(path = "idp_told.html")]
struct ToldPage<'a> {
    style: &'static str,
    status: &'a str,
}

#[derive(Template)]
#[template(path = "idp_framed_logout.html")]
struct FramedLogoutPage<'a> {
    style: &'static str,
    url: &'a str,
}

#[derive(Template)]
#[template(path = "idp_silence.html")]
struct SilencePage {
    style: &'static str,
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
