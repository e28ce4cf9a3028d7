//! Where a relying party hears of logouts: a back-channel endpoint for tokens, and a page for frames.
//! They write down what comes and answer as they are told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};

use super::{RelyingParty, lock};

/// What the back-channel endpoint answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Status(u16),
    /// Sends the caller there.
    Redirect {
        status: u16,
        to: SocketAddr,
    },
    /// This status, and how many seconds to wait (`Retry-After`).
    Later(u16, u32),
    /// Takes the request and never answers.
    Hang,
}

/// A frame of this app that a browser loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadedFrame {
    /// The query, as it came.
    pub query: String,
    /// Whether a cookie of the app's own came with it.
    pub has_cookie: bool,
}

#[derive(Debug)]
pub(super) struct LogoutEndpoints {
    answer: Mutex<Answer>,
    received: Mutex<Vec<String>>,
    frames: Mutex<Vec<LoadedFrame>>,
    /// The app forbids everybody to have its pages in a frame.
    refuses_frames: Mutex<bool>,
    /// How long a frame takes; `None`: it never comes.
    frame_takes: Mutex<Option<Duration>>,
}

impl Default for LogoutEndpoints {
    fn default() -> Self {
        Self {
            answer: Mutex::new(Answer::Status(200)),
            received: Mutex::default(),
            frames: Mutex::default(),
            refuses_frames: Mutex::default(),
            frame_takes: Mutex::new(Some(Duration::ZERO)),
        }
    }
}

impl LogoutEndpoints {
    pub(super) fn routes(own: &Arc<Self>) -> Router {
        Router::new()
            .route("/backchannel-logout", post(receive))
            .route("/frontchannel-logout", get(load_frame))
            .with_state(Arc::clone(own))
    }
}

impl RelyingParty {
    /// What the back channel answers from now on.
    pub fn answer_back_channel_with(&self, answer: Answer) {
        *lock(&self.logout.answer) = answer;
    }

    /// Every logout token received, as it came, whatever was answered.
    pub fn received_logout_tokens(&self) -> Vec<String> {
        lock(&self.logout.received).clone()
    }

    /// Every frame loaded so far, oldest first.
    pub fn loaded_frames(&self) -> Vec<LoadedFrame> {
        lock(&self.logout.frames).clone()
    }

    /// From now on it answers with `X-Frame-Options: DENY`.
    pub fn refuse_frames(&self) {
        *lock(&self.logout.refuses_frames) = true;
    }

    /// How long its frames take from now on; `None`: they never come.
    pub fn load_frames_in(&self, time: Option<Duration>) {
        *lock(&self.logout.frame_takes) = time;
    }
}

async fn load_frame(
    State(own): State<Arc<LogoutEndpoints>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let query = uri.query().unwrap_or_default().to_owned();
    let has_cookie = headers.contains_key("cookie");
    let takes = *lock(&own.frame_takes);
    match takes {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
    lock(&own.frames).push(LoadedFrame { query, has_cookie });
    match *lock(&own.refuses_frames) {
        true => ([("x-frame-options", "DENY")], Html("signed out")).into_response(),
        false => Html("signed out").into_response(),
    }
}

async fn receive(
    State(own): State<Arc<LogoutEndpoints>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let form = "application/x-www-form-urlencoded";
    let is_form = headers.get("content-type").is_some_and(|value| value == form);
    let fields: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).collect();
    let token = match fields.as_slice() {
        [(name, token)] if is_form && name == "logout_token" => token.clone().into_owned(),
        _ => return StatusCode::BAD_REQUEST.into_response(),
    };
    lock(&own.received).push(token);
    let answer = *lock(&own.answer);
    match answer {
        Answer::Status(status) => status_code(status).into_response(),
        Answer::Redirect { status, to } => {
            (status_code(status), [("location", format!("http://{to}/"))]).into_response()
        }
        Answer::Later(status, seconds) => {
            (status_code(status), [("retry-after", seconds.to_string())]).into_response()
        }
        Answer::Hang => std::future::pending().await,
    }
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("an HTTP status")
}
