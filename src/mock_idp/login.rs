//! The pages that a person uses: sign in, see who is signed in, sign out of this IdP alone.

use axum::extract::State;
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};

use super::journal::Entry;
use super::person::Person;
use super::single_sign_on::COOKIE;
use super::state::SignIn;
use super::{MockIdp, Refusal, pages};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::secret::Token;

/// `GET /`
pub(super) async fn home(State(idp): State<MockIdp>, cookies: Cookies) -> Response {
    let state = idp.state();
    match cookies.get(COOKIE).and_then(|cookie| state.session(cookie)) {
        Some(session) => pages::home(session),
        None => pages::sign_in(StatusCode::OK, None, None),
    }
}

/// `POST /login`: `user`, and the `request` that is waiting, if one is.
pub(super) async fn log_in(
    State(idp): State<MockIdp>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let answer = params.map_err(Refusal::from).and_then(|raw| idp.log_in(&cookies, &raw));
    idp.or_refuse(answer)
}

/// `POST /signout`
pub(super) async fn sign_out(State(idp): State<MockIdp>, cookies: Cookies) -> Response {
    let mut state = idp.state();
    if let Some(ended) = cookies.get(COOKIE).and_then(|cookie| state.end_browser(cookie)) {
        state.record(Entry::SignedOutHere { user: ended.user });
    }
    pages::sign_in(StatusCode::OK, None, None)
}

impl MockIdp {
    fn log_in(&self, cookies: &Cookies, raw: &RawParams) -> Result<Response, Refusal> {
        let sp = self.service_provider()?;
        let user = raw.params.single("user")?.unwrap_or_default();
        let person = Person::named(user).ok_or(Refusal::UserName)?;
        let handle = raw.params.single("request")?;
        let cookie = self.0.rng.token();
        let mut state = self.state();
        let open = match handle {
            Some(handle) => Some(state.take_open(handle).ok_or(Refusal::UnknownSignIn)?),
            None => None,
        };
        let sign_in = SignIn {
            person: &person,
            old_cookie: cookies.get(COOKIE),
            cookie: cookie.expose(),
            idp: &self.0.entity_id,
            sp: &sp.entity_id,
            session_index: self.0.options.session_index,
            now: self.0.clock.now(),
        };
        let session = state.sign_in(sign_in, &self.0.rng);
        drop(state);
        let mut response = match open {
            Some(open) => self.answer(&sp, &open, &session, true)?,
            None => pages::home(&session),
        };
        response.headers_mut().append(SET_COOKIE, self.cookie(&cookie));
        Ok(response)
    }

    fn cookie(&self, value: &Token) -> HeaderValue {
        // A service provider's form comes from another site. Over plain http no browser would keep
        // a cookie that is allowed there.
        let protection = match self.0.base.starts_with("https:") {
            true => "SameSite=None; Secure",
            false => "SameSite=Lax",
        };
        let line = format!("{COOKIE}={}; Path=/; HttpOnly; {protection}", value.expose());
        HeaderValue::try_from(line).expect("a token is base64url")
    }
}
