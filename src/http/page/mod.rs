//! The pages that people see. They work without script and without a mouse, in light and dark.

use askama::Template;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use crate::logout::{LegOutcome, Logout, Party, explain};
use crate::oidc::Issuer;
use crate::paths;

#[derive(Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage<'a> {
    pub style: &'a str,
    pub title: &'a str,
    pub text: &'a str,
    pub reference: &'a str,
}

#[derive(Template)]
#[template(path = "choose_idp.html")]
pub(super) struct ChooseIdp<'a> {
    pub style: &'a str,
    pub choices: Vec<Link>,
}

pub(super) struct Link {
    pub name: String,
    pub url: String,
}

/// A form that goes on by itself where script runs, and by its button where it does not.
#[derive(Template)]
#[template(path = "post_form.html")]
pub(super) struct PostFormPage<'a> {
    pub style: &'a str,
    pub action: &'a str,
    pub fields: &'a [(&'static str, String)],
    pub nonce: &'a str,
}

#[derive(Template)]
#[template(path = "onward.html")]
pub(super) struct Onward<'a> {
    pub style: &'a str,
    pub url: &'a str,
}

#[derive(Template)]
#[template(path = "logout_confirm.html")]
pub(super) struct LogoutConfirm<'a> {
    pub style: &'a str,
    pub action: &'a str,
    pub app: Option<&'a str>,
    pub everywhere: bool,
    pub csrf: &'a str,
    pub target_refused: bool,
}

#[derive(Template)]
#[template(path = "logout_kept.html")]
pub(super) struct LogoutKept<'a> {
    pub style: &'a str,
}

#[derive(Template)]
#[template(path = "logout_waiting.html")]
pub(super) struct LogoutWaiting<'a> {
    pub style: &'a str,
    pub idp: &'a str,
    pub leg: &'a str,
    /// Absent where this browser came without the handle of the logout.
    pub action: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "logout_end.html")]
pub(super) struct LogoutEnd<'a> {
    pub style: &'a str,
    pub heading: &'a str,
    pub summary: &'a str,
    pub parties: Vec<PartyLine>,
    pub continue_to: Option<&'a str>,
    pub logout: Option<String>,
}

/// One party of a logout, in words for the person.
pub(super) struct PartyLine {
    pub name: String,
    pub text: &'static str,
    /// The style class: `good`, `warn` or `bad`.
    pub tone: &'static str,
}

impl<'a> LogoutEnd<'a> {
    pub(super) fn of(logout: &Logout, continue_to: Option<&'a str>, style: &'a str) -> Self {
        let parties = logout.legs.iter().map(|leg| PartyLine {
            name: match &leg.party {
                Party::App { client } => format!("App {client}"),
                Party::Idp { idp, .. } => format!("Organisation {idp}"),
            },
            text: explain::to_person(leg),
            tone: match leg.outcome() {
                Some(LegOutcome::Confirmed) => "good",
                None | Some(LegOutcome::Partial | LegOutcome::Unconfirmed) => "warn",
                Some(_) => "bad",
            },
        });
        Self {
            style,
            heading: explain::heading(logout),
            summary: explain::whole(logout),
            parties: parties.collect(),
            continue_to,
            logout: Some(logout.id.to_string()),
        }
    }

    /// Nothing is known of a logout; `summary` says why.
    pub(super) fn without_logout(heading: &'a str, summary: &'a str, style: &'a str) -> Self {
        Self { style, heading, summary, parties: Vec::new(), continue_to: None, logout: None }
    }
}

/// A page as a response body.
pub(super) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(super) fn style_url(issuer: &Issuer) -> String {
    issuer.url(paths::STYLE)
}

/// `GET /assets/style.css`
pub(super) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, include_str!("style.css")).into_response()
}
