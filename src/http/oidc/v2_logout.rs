use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::http::App;
use crate::http::error::{Explain, PageError};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::http::layer::RequestId;
use crate::http::reply::{From, browser, respond};
use crate::use_cases::Failure;

/// `GET /v2/logout`. It asks nothing, so an image or a frame on another site must not trigger it:
/// only a navigation of the whole page is answered.
pub(super) async fn handle(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    headers: HeaderMap,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    if headers.get("sec-fetch-dest").is_some_and(|destination| destination != "document") {
        let failure = Failure::Client {
            code: "not_a_navigation",
            client: String::new(),
            detail: "Sec-Fetch-Dest says that this is no navigation".into(),
        };
        return Err(explain.failure(&failure));
    }
    let params = params.map_err(|error| explain.params(error))?.params;
    let reply = app.use_cases().v2_logout(&params, &browser(&app, &cookies)).await;
    let reply = reply.map_err(|failure| explain.failure(&failure))?;
    Ok(respond(&app, &reference, reply, From::Elsewhere))
}
