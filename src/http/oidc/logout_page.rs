use axum::extract::{Extension, Path, State};
use axum::response::Response;

use crate::http::App;
use crate::http::error::{Explain, PageError};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::http::layer::RequestId;
use crate::http::reply::{From, browser, respond};
use crate::secret::Token;
use crate::use_cases::{Failure, PageAnswer};

/// `GET /connect/logout/{handle}`: the question, the wait or the end of one logout
pub(super) async fn show(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    Path(handle): Path<String>,
    cookies: Cookies,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    let handle = Token::received(&handle);
    let reply = app.use_cases().logout_page(&handle, &browser(&app, &cookies)).await;
    let reply = reply.map_err(|failure| explain.failure(&failure))?;
    Ok(respond(&app, &reference, reply, From::Elsewhere))
}

/// `POST /connect/logout/{handle}`: what the person pressed
pub(super) async fn answer(
    State(app): State<App>,
    Extension(reference): Extension<RequestId>,
    Path(handle): Path<String>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Result<Response, PageError> {
    let explain = Explain { app: &app, reference: &reference };
    let params = params.map_err(|error| explain.params(error))?.params;
    let field = |name| params.single(name).ok().flatten().unwrap_or_default();
    let answer = match field("answer") {
        "yes" => PageAnswer::SignOut,
        "no" => PageAnswer::StaySignedIn,
        "continue" => PageAnswer::GoOn,
        _ => {
            let detail = "the form has no such button".into();
            return Err(explain.failure(&Failure::Browser { code: "answer", detail }));
        }
    };
    let handle = Token::received(&handle);
    let browser = browser(&app, &cookies);
    let reply = app.use_cases().answer_logout_page(&handle, answer, field("csrf"), &browser).await;
    let reply = reply.map_err(|failure| explain.failure(&failure))?;
    Ok(respond(&app, &reference, reply, From::OurForm))
}
