//! The pages that a person uses: sign in, see who is signed in, sign out of this IdP alone.

use axum::extract::State;
use axum::response::Response;
use http::HeaderValue;
use http::header::SET_COOKIE;

use super::control::chosen_faults;
use super::fault::Occasion;
use super::journal::Entry;
use super::person::Person;
use super::plan::{Faults, Plan};
use super::single_sign_on::COOKIE;
use super::state::SignIn;
use super::{MockIdp, Refusal};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::secret::Token;

/// `GET /`
pub(super) async fn home(State(idp): State<MockIdp>, cookies: Cookies) -> Response {
    let session = cookies.get(COOKIE).and_then(|cookie| idp.state().session(cookie).cloned());
    match session {
        Some(session) => idp.home_page(&session),
        None => idp.sign_in_page(None, None),
    }
}

/// `POST /login`: `user`, the `request` that is waiting, if one is, and any number of `fault` for this
/// person from now on.
pub(super) async fn log_in(
    State(idp): State<MockIdp>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let answer = match params {
        Ok(raw) => idp.log_in(&cookies, &raw).await,
        Err(error) => Err(error.into()),
    };
    idp.or_refuse(answer)
}

/// `POST /signout`
pub(super) async fn sign_out(State(idp): State<MockIdp>, cookies: Cookies) -> Response {
    if let Some(ended) = cookies.get(COOKIE).and_then(|cookie| idp.state().end_browser(cookie)) {
        let entry = Entry::SignedOutHere { user: ended.user };
        idp.state().record(idp.0.clock.now(), entry);
    }
    idp.sign_in_page(None, None)
}

impl MockIdp {
    async fn log_in(&self, cookies: &Cookies, raw: &RawParams) -> Result<Response, Refusal> {
        let sp = self.known_service_provider().await?;
        let user = raw.params.single("user")?.unwrap_or_default();
        let person = Person::named(user).ok_or(Refusal::UserName)?;
        let handle = raw.params.single("request")?;
        let chosen = chosen_faults(&raw.params)?;
        if !chosen.is_empty() {
            self.misbehave(Plan::of(chosen).for_user(&person.user))?;
        }
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
        let faults = match open {
            Some(_) => state.faults(Occasion::SignIn, Some(&person.user)),
            None => Faults::default(),
        };
        drop(state);
        let mut response = match open {
            Some(open) => self.answer(&sp, &open, &session, true, &faults)?,
            None => self.home_page(&session),
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
