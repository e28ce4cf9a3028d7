//! A sample app: an OpenID Connect relying party with pages to click and sessions in memory.

mod pages;
mod relying_party;
mod sessions;
mod tokens;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};

pub(super) use relying_party::RelyingParty;
pub(super) use sessions::{Receipt, SignedIn};

use pages::Problem;
use sessions::Sessions;
use tokens::TokenError;

use crate::clock::Clock;
use crate::http::extract::{Cookies, RawParams};
use crate::rng::Rng;

/// One app. Clones share everything.
#[derive(Clone)]
pub(super) struct App(Arc<Inner>);

struct Inner {
    title: &'static str,
    relying_party: RelyingParty,
    /// Title and address of the other app.
    other: (String, String),
    clock: Clock,
    rng: Rng,
    sessions: Mutex<Sessions>,
}

impl App {
    pub(super) fn new(
        title: &'static str,
        relying_party: RelyingParty,
        other: (String, String),
        clock: Clock,
        rng: Rng,
    ) -> Self {
        let sessions = Mutex::default();
        Self(Arc::new(Inner { title, relying_party, other, clock, rng, sessions }))
    }

    pub(super) fn base(&self) -> &str {
        &self.0.relying_party.base
    }

    /// Who is signed in here now.
    pub(super) fn signed_in(&self) -> Vec<SignedIn> {
        self.sessions().signed_in()
    }

    /// The logout tokens that were accepted, the oldest first.
    pub(super) fn receipts(&self) -> Vec<Receipt> {
        self.sessions().receipts().to_vec()
    }

    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/", get(home))
            .route("/sign-in", get(sign_in))
            .route("/callback", get(callback))
            .route("/sign-out", post(sign_out))
            .route("/signed-out", get(signed_out))
            .route("/backchannel-logout", post(backchannel_logout))
            .route(pages::STYLE, get(pages::style))
            .with_state(self.clone())
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // Every change is complete when the guard is dropped, so a panic elsewhere spoils nothing.
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cookie has the client's name: on localhost both apps get the cookies of both.
    fn cookie_name(&self) -> &str {
        &self.0.relying_party.client_id
    }

    fn cookie<'c>(&self, cookies: &'c Cookies) -> Option<&'c str> {
        cookies.get(self.cookie_name())
    }

    /// Sends the browser on, with the cookie by which it is known from now on.
    fn redirect(&self, url: &str, cookie: Option<&str>) -> Result<Response, Problem> {
        let header = |text: &str| HeaderValue::from_str(text).map_err(|_| Problem::Address);
        let mut response = (StatusCode::SEE_OTHER, [(LOCATION, header(url)?)]).into_response();
        if let Some(value) = cookie {
            let name = self.cookie_name();
            let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
            response.headers_mut().append(SET_COOKIE, header(&line)?);
        }
        Ok(response)
    }
}

/// `GET /`
async fn home(State(app): State<App>, cookies: Cookies) -> Response {
    let sessions = app.sessions();
    let person = app.cookie(&cookies).and_then(|cookie| sessions.person(cookie));
    pages::home(app.0.title, &app.0.other, person)
}

/// `GET /sign-in`, where `prompt` is passed on.
async fn sign_in(
    State(app): State<App>,
    cookies: Cookies,
    raw: RawParams,
) -> Result<Response, Problem> {
    let prompt = raw.params.single("prompt")?;
    let (url, attempt) = app.0.relying_party.begin(prompt, &app.0.rng).await?;
    let fresh = app.0.rng.token();
    let cookie = app.cookie(&cookies).unwrap_or(fresh.expose());
    app.sessions().begin(cookie, attempt);
    app.redirect(&url, Some(cookie))
}

/// `GET /callback`: the answer of the provider (RFC 6749 4.1.2, RFC 9207).
async fn callback(
    State(app): State<App>,
    cookies: Cookies,
    raw: RawParams,
) -> Result<Response, Problem> {
    let cookie = app.cookie(&cookies).ok_or(Problem::UnknownSignIn)?;
    let state = raw.params.single("state")?.ok_or(Problem::UnknownSignIn)?;
    let attempt = app.sessions().take_attempt(cookie, state).ok_or(Problem::UnknownSignIn)?;
    if raw.params.single("iss")? != Some(&app.0.relying_party.issuer) {
        return Err(Problem::Issuer);
    }
    if let Some(error) = raw.params.single("error")? {
        let description = raw.params.single("error_description")?.unwrap_or_default();
        return Err(Problem::Refused { error: error.into(), description: description.into() });
    }
    let code = raw.params.single("code")?.ok_or(Problem::NoCode)?;
    let person = app.0.relying_party.redeem(code, &attempt, app.0.clock.now()).await?;
    // A new value at sign-in: whoever planted the old one is not signed in with it.
    let fresh = app.0.rng.token();
    app.sessions().sign_in(cookie, fresh.expose(), person);
    app.redirect("/", Some(fresh.expose()))
}

/// `POST /sign-out`. The session here is not ended yet: in this demo the logout token shall end it,
/// so that one sees it arrive.
async fn sign_out(State(app): State<App>, cookies: Cookies) -> Result<Response, Problem> {
    let cookie = app.cookie(&cookies).unwrap_or_default();
    let Some(person) = app.sessions().person(cookie).cloned() else {
        return app.redirect("/", None);
    };
    let state = app.0.rng.handle();
    let url = app.0.relying_party.sign_out(&person, state.expose()).await?;
    app.sessions().leave(cookie, state.expose());
    app.redirect(&url, None)
}

/// `GET /signed-out`: the browser is back. Whatever happened elsewhere, here it is signed out.
async fn signed_out(
    State(app): State<App>,
    cookies: Cookies,
    raw: RawParams,
) -> Result<Response, Problem> {
    let cookie = app.cookie(&cookies).unwrap_or_default();
    let state = raw.params.single("state")?.unwrap_or_default();
    let state_matches = app.sessions().arrive(cookie, state);
    Ok(pages::signed_out(app.0.title, state_matches))
}

/// `POST /backchannel-logout` (Back-Channel Logout 1.0, 2.5 to 2.8)
async fn backchannel_logout(State(app): State<App>, raw: RawParams) -> Response {
    match end_sessions(&app, &raw).await {
        Ok(()) => pages::token_accepted(),
        Err(problem) => pages::token_refused(&problem),
    }
}

async fn end_sessions(app: &App, raw: &RawParams) -> Result<(), Problem> {
    let token = raw.params.single("logout_token")?.unwrap_or_default();
    let token = app.0.relying_party.logout_token(token, app.0.clock.now()).await?;
    match app.sessions().end(&token) {
        true => Ok(()),
        false => Err(Problem::Token(TokenError::Replayed)),
    }
}
