//! What a test script talks to: faults, the journal, who is signed in, whom the IdP serves.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, LOCATION};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::fault::Fault;
use super::plan::Plan;
use super::{MockIdp, Refusal};
use crate::http::extract::{RawParams, RawParamsError, TimedBody};
use crate::oidc::Params;

/// `GET /faults`
pub(super) async fn faults(State(idp): State<MockIdp>) -> Json<Value> {
    let known = Fault::ALL.map(|fault| {
        let name = format!("{}{}", fault.name(), fault.value_syntax());
        json!({ "name": name, "says": fault.says() })
    });
    Json(json!({ "in_force": idp.plans(), "known": known }))
}

/// `POST /faults`: any number of `fault`, and `user` and `times` where they are meant.
pub(super) async fn choose(
    State(idp): State<MockIdp>,
    headers: HeaderMap,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let plan = params.map_err(Refusal::from).and_then(|raw| plan(&raw.params));
    match plan.and_then(|plan| Ok(idp.misbehave(plan)?)) {
        Ok(()) if wants_page(&headers) => {
            (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()
        }
        Ok(()) => Json(json!({ "in_force": idp.plans() })).into_response(),
        Err(refusal) => plain_refusal(StatusCode::BAD_REQUEST, &refusal),
    }
}

/// `DELETE /faults`: none is in force any more, those of the command line neither.
pub(super) async fn forget(State(idp): State<MockIdp>) -> StatusCode {
    idp.behave();
    StatusCode::NO_CONTENT
}

/// `GET /journal`
pub(super) async fn journal(State(idp): State<MockIdp>) -> Response {
    Json(idp.state().journal().lines()).into_response()
}

/// `DELETE /journal`
pub(super) async fn clear_journal(State(idp): State<MockIdp>) -> StatusCode {
    idp.state().clear_journal();
    StatusCode::NO_CONTENT
}

/// `GET /sessions`
pub(super) async fn sessions(State(idp): State<MockIdp>) -> Response {
    Json(idp.sessions()).into_response()
}

/// `POST /sp-metadata`: the service provider's metadata; with an empty body, it is looked for again
/// where it was.
pub(super) async fn service_provider(State(idp): State<MockIdp>, body: TimedBody) -> Response {
    let text = String::from_utf8_lossy(&body.0);
    let trusted = match text.trim() {
        "" => idp.fetch().await,
        metadata => idp.trust(metadata).map_err(super::FetchError::from),
    };
    match trusted {
        Ok(()) => Json(json!({ "service_provider": idp.trusts() })).into_response(),
        Err(error) => plain_refusal(StatusCode::BAD_REQUEST, &Refusal::Fetch(error)),
    }
}

fn plan(params: &Params) -> Result<Plan, Refusal> {
    let times = match params.single("times")? {
        Some(text) => Some(text.parse().map_err(|_| Refusal::Times)?),
        None => None,
    };
    let user = params.single("user")?.map(str::to_owned);
    Ok(Plan { faults: chosen_faults(params)?, user, times })
}

/// Every `fault` of a form. An empty one is none.
pub(super) fn chosen_faults(params: &Params) -> Result<Vec<Fault>, Refusal> {
    let named = params.iter().filter(|(name, value)| *name == "fault" && !value.is_empty());
    named.map(|(_, value)| Ok(value.parse()?)).collect()
}

/// A browser asks for pages, a script takes anything.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

pub(super) fn plain_refusal(status: StatusCode, refusal: &Refusal) -> Response {
    (status, format!("{refusal}\n")).into_response()
}
