use axum::extract::Path;
use axum::response::Response;

use crate::http::error::PageError;
use crate::http::visit::Visit;
use crate::secret::Token;
use crate::use_cases::{Failure, PageAnswer};

/// `GET /connect/logout/{handle}`: the question, the frames, the wait or the end of one logout
pub(super) async fn show(Path(handle): Path<String>, visit: Visit) -> Result<Response, PageError> {
    let (handle, use_cases) = (Token::received(&handle), visit.use_cases());
    let mark = visit.params.single("request").ok().flatten();
    let reply = match visit.params.single("frames") {
        Ok(Some("done")) => use_cases.frames_done(&handle, mark).await,
        _ => use_cases.logout_page(&handle, mark, &visit.browser).await,
    };
    visit.answer(reply)
}

/// `POST /connect/logout/{handle}`: what the person pressed
pub(super) async fn answer(
    Path(handle): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let field = |name| visit.params.single(name).ok().flatten().unwrap_or_default();
    let answer = match (field("answer"), field("leg").parse().ok()) {
        ("yes", _) => PageAnswer::SignOut,
        ("no", _) => PageAnswer::StaySignedIn,
        ("again", _) => PageAnswer::AskAgain,
        ("continue", leg) => PageAnswer::GoOn(leg),
        ("try_again", Some(leg)) => PageAnswer::TryAgain(leg),
        _ => {
            let detail = "the form has no such button".into();
            return Err(visit.refuse(&Failure::Browser { code: "answer", detail }));
        }
    };
    let (handle, csrf) = (Token::received(&handle), field("csrf"));
    let use_cases = visit.use_cases();
    let reply = use_cases.answer_logout_page(&handle, answer, csrf, &visit.browser).await;
    visit.answer_form(reply)
}
