//! `/logout`: SAML single logout, by Redirect and by POST.

use axum::extract::{Extension, State};
use axum::response::Response;

use crate::http::App;
use crate::http::error::{Explain, PageError};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::http::layer::RequestId;
use crate::http::reply::{From, browser, redirect, respond};
use crate::oidc::Duplicate;
use crate::paths;
use crate::saml::{BindingError, MessageKind, RawQuery};
use crate::use_cases::Failure;

/// `GET /logout` – SAML Bindings 3.4
pub(super) async fn by_redirect(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    let raw = params.map_err(|error| explain.params(error))?.raw_query.unwrap_or_default();
    let refused = |error: BindingError| explain.failure(&refused(error.code(), &error));
    let message = match RawQuery::new(&raw).parse() {
        Ok(message) => message,
        // Somebody came by hand, without any message: to sign out.
        Err(BindingError::NoMessage) => {
            return Ok(redirect(&app.issuer().url(paths::END_SESSION)));
        }
        Err(error) => return Err(refused(error)),
    };
    if message.kind() == MessageKind::Request {
        return Err(explain.failure(&idp_initiated()));
    }
    let browser = browser(&app, &cookies);
    let reply = app.use_cases().logout_response_by_redirect(&message, &browser).await;
    let reply = reply.map_err(|failure| explain.failure(&failure))?;
    Ok(respond(&app, &reference, reply, From::Elsewhere))
}

/// `POST /logout` – SAML Bindings 3.5
pub(super) async fn by_post(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    let params = params.map_err(|error| explain.params(error))?.params;
    let repeated = |error: Duplicate| explain.failure(&refused("saml.form", &error));
    let request = params.single("SAMLRequest").map_err(repeated)?;
    let response = params.single("SAMLResponse").map_err(repeated)?;
    let relay_state = params.single("RelayState").map_err(repeated)?;
    let message = match (request, response) {
        (None, Some(message)) => message,
        (Some(_), None) => return Err(explain.failure(&idp_initiated())),
        _ => {
            let error = BindingError::NoMessage;
            return Err(explain.failure(&refused(error.code(), &error)));
        }
    };
    let browser = browser(&app, &cookies);
    let reply = app.use_cases().logout_response_by_post(message, relay_state, &browser).await;
    let reply = reply.map_err(|failure| explain.failure(&failure))?;
    Ok(respond(&app, &reference, reply, From::Elsewhere))
}

fn refused(code: &'static str, error: &impl std::fmt::Display) -> Failure {
    Failure::Idp { code, idp: String::new(), detail: error.to_string() }
}

/// Our metadata offers single logout for answers; a logout that an IdP begins is not served.
fn idp_initiated() -> Failure {
    refused("saml.logout_request", &"this service does not serve logouts that an IdP begins")
}
