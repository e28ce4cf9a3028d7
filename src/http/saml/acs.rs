use axum::extract::{Extension, State};
use axum::response::Response;

use crate::http::App;
use crate::http::error::{Explain, PageError};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::http::layer::RequestId;
use crate::http::reply::{From, browser, respond};
use crate::oidc::{Duplicate, Params};
use crate::secret::Token;
use crate::use_cases::{Failure, PostedResponse};

/// `POST /saml/acs` – SAML Bindings 3.5
pub(super) async fn handle(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    let params = params.map_err(|error| explain.params(error))?.params;
    let posted = posted(&params).map_err(|failure| explain.failure(&failure))?;
    let reply = app.use_cases().acs(posted, &browser(&app, &cookies)).await;
    let reply = reply.map_err(|failure| explain.failure(&failure))?;
    Ok(respond(&app, &reference, reply, From::Elsewhere))
}

/// `GET /saml/acs/continue`: the same browser, now with its `Lax` cookies
pub(super) async fn go_on(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    let params = params.map_err(|error| explain.params(error))?.params;
    let handle = Token::received(params.single("handle").ok().flatten().unwrap_or_default());
    let reply = app.use_cases().acs_continue(&handle, &browser(&app, &cookies)).await;
    let reply = reply.map_err(|failure| explain.failure(&failure))?;
    Ok(respond(&app, &reference, reply, From::Elsewhere))
}

fn posted(params: &Params) -> Result<PostedResponse<'_>, Failure> {
    let refused = |detail: String| Failure::Idp { code: "saml.form", idp: String::new(), detail };
    let repeated = |error: Duplicate| refused(error.to_string());
    let saml_response = params.single("SAMLResponse").map_err(repeated)?;
    Ok(PostedResponse {
        saml_response: saml_response
            .ok_or_else(|| refused("the form has no SAMLResponse".into()))?,
        relay_state: params.single("RelayState").map_err(repeated)?,
    })
}
