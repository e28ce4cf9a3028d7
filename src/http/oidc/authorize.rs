use axum::extract::{Extension, State};
use axum::response::Response;

use crate::http::App;
use crate::http::error::{Explain, PageError};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::http::layer::RequestId;
use crate::http::reply::{From, browser, respond};

/// `GET|POST /connect/authorize` – OpenID Connect Core 3.1.2
pub(super) async fn handle(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    let params = params.map_err(|error| explain.params(error))?.params;
    let reply = app.use_cases().authorize(&params, &browser(&app, &cookies)).await;
    let reply = reply.map_err(|failure| explain.failure(&failure))?;
    Ok(respond(&app, &reference, reply, From::Elsewhere))
}
