use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use serde_json::json;

use super::relying_party::{Person, ProviderError};
use super::tokens::TokenError;
use crate::oidc::Duplicate;

pub(super) const STYLE: &str = "/style.css";

/// `GET /style.css`
pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css")], include_str!("../../http/page/style.css")).into_response()
}

pub(super) fn home(title: &str, other: &(String, String), person: Option<&Person>) -> Response {
    let (other_title, other_url) = other;
    html(StatusCode::OK, &HomePage { style: STYLE, title, other_title, other_url, person })
}

pub(super) fn signed_out(title: &str, state_matches: bool) -> Response {
    html(StatusCode::OK, &SignedOutPage { style: STYLE, title, state_matches })
}

/// Back-Channel Logout 1.0, 2.8
pub(super) fn token_accepted() -> Response {
    (StatusCode::OK, [(CACHE_CONTROL, "no-store")]).into_response()
}

pub(super) fn token_refused(problem: &Problem) -> Response {
    let error = json!({"error": "invalid_request", "error_description": problem.to_string()});
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (StatusCode::BAD_REQUEST, headers, error.to_string()).into_response()
}

/// Why a person sees another page than the one that was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Duplicate(#[from] Duplicate),
    #[error("this is not the answer to a sign-in that this browser began here")]
    UnknownSignIn,
    #[error("the answer comes from another provider")]
    Issuer,
    #[error("the provider refused: {error} {description}")]
    Refused { error: String, description: String },
    #[error("the answer holds neither a code nor an error")]
    NoCode,
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the provider named an address that is none")]
    Address,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = match &self {
            // The provider has answered as it should; it is the person who is not signed in.
            Self::Refused { .. } => StatusCode::OK,
            Self::Provider(_) | Self::Address => StatusCode::BAD_GATEWAY,
            _ => StatusCode::BAD_REQUEST,
        };
        let login_required =
            matches!(&self, Self::Refused { error, .. } if error == "login_required");
        html(status, &ProblemPage { style: STYLE, login_required, text: self.to_string() })
    }
}

#[derive(Template)]
#[template(path = "app_home.html")]
struct HomePage<'a> {
    style: &'static str,
    title: &'a str,
    other_title: &'a str,
    other_url: &'a str,
    person: Option<&'a Person>,
}

#[derive(Template)]
#[template(path = "app_signed_out.html")]
struct SignedOutPage<'a> {
    style: &'static str,
    title: &'a str,
    state_matches: bool,
}

#[derive(Template)]
#[template(path = "app_problem.html")]
struct ProblemPage {
    style: &'static str,
    login_required: bool,
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
