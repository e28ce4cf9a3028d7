//! The pages that people see. They work without script and without a mouse, in light and dark, and
//! in every language.

mod logout_end;
mod person_page;
mod text;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::language::Language;
use crate::oidc::Issuer;
use crate::paths;

pub(super) use logout_end::LogoutEnd;
pub(super) use person_page::{FormSecrets, PersonPage};
pub(super) use text::{ReloginSaid, Said, Text};

/// What all pages have in common; `page.html` writes it.
pub(super) struct Layout {
    pub style: String,
    pub language: Language,
    pub text: &'static Text,
}

impl Layout {
    pub(super) fn new(issuer: &Issuer, language: Language) -> Self {
        Self { style: issuer.url(paths::STYLE), language, text: Text::in_language(language) }
    }

    /// A page as a response.
    pub(super) fn html(&self, page: &impl Template) -> Response {
        match page.render() {
            Ok(text) => {
                let language = HeaderValue::from_static(self.language.tag());
                let vary = HeaderValue::from_static("Accept-Language");
                let headers = [(header::CONTENT_LANGUAGE, language), (header::VARY, vary)];
                (headers, Html(text)).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "a page could not be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage<'a> {
    pub layout: &'a Layout,
    pub said: Said,
    pub reference: &'a str,
}

/// A page that only says something.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct Notice<'a> {
    pub layout: &'a Layout,
    pub said: Said,
}

#[derive(Template)]
#[template(path = "choose_idp.html")]
pub(super) struct ChooseIdp<'a> {
    pub layout: &'a Layout,
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
    pub layout: &'a Layout,
    pub action: &'a str,
    pub fields: &'a [(&'static str, String)],
    pub nonce: &'a str,
}

#[derive(Template)]
#[template(path = "onward.html")]
pub(super) struct Onward<'a> {
    pub layout: &'a Layout,
    pub url: &'a str,
}

#[derive(Template)]
#[template(path = "logout_confirm.html")]
pub(super) struct LogoutConfirm<'a> {
    pub layout: &'a Layout,
    pub action: &'a str,
    pub app: Option<&'a str>,
    pub everywhere: bool,
    /// The names of those that are signed out.
    pub parties: Vec<String>,
    pub csrf: &'a str,
    pub target_refused: bool,
}

/// One frame for each app. It goes on when all have loaded or their time is over; a link does so at
/// once, and is the way past a frame that hangs where no script runs.
#[derive(Template)]
#[template(path = "logout_frames.html")]
pub(super) struct LogoutFrames<'a> {
    pub layout: &'a Layout,
    /// What is over already.
    pub heading: &'static str,
    pub frames: Vec<Link>,
    pub onward: &'a str,
    pub seconds: u64,
    pub nonce: &'a str,
}

#[derive(Template)]
#[template(path = "logout_waiting.html")]
pub(super) struct LogoutWaiting<'a> {
    pub layout: &'a Layout,
    pub idp: &'a str,
    pub leg: &'a str,
    /// Absent where this browser came without the handle of the logout.
    pub action: Option<&'a str>,
}

/// The IdP signed somebody in by what was logged out, or will not ask them who they are.
#[derive(Template)]
#[template(path = "relogin.html")]
pub(super) struct Relogin<'a> {
    pub layout: &'a Layout,
    pub said: &'a ReloginSaid,
    pub action: &'a str,
    /// Name and value of the field that says what is asked about.
    pub about: (&'static str, &'a str),
    pub idp: &'a str,
    pub csrf: &'a str,
}

/// `GET /assets/style.css`
pub(super) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, include_str!("style.css")).into_response()
}

#[cfg(test)]
mod tests;
