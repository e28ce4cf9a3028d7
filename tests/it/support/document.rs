//! A document at a URL on loopback, such as an IdP's metadata, that a story can replace.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

#[derive(Clone)]
pub struct Document {
    pub url: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    body: String,
    status: StatusCode,
    version: u32,
    asked: u32,
    sent: u32,
}

impl Document {
    pub async fn serve(body: String) -> Self {
        let shared = Shared { body, status: StatusCode::OK, version: 1, asked: 0, sent: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metadata", listener.local_addr().unwrap());
        let router = Router::new().route("/metadata", get(answer)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub fn replace(&self, body: String) {
        let mut shared = self.shared.lock().unwrap();
        shared.body = body;
        shared.version += 1;
    }

    /// Answers with this status from now on.
    pub fn status(&self, status: u16) {
        self.shared.lock().unwrap().status = StatusCode::from_u16(status).unwrap();
    }

    /// How often it was asked for, and how often it went out whole.
    pub fn counts(&self) -> (u32, u32) {
        let shared = self.shared.lock().unwrap();
        (shared.asked, shared.sent)
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, headers: HeaderMap) -> Response {
    let mut shared = shared.lock().unwrap();
    shared.asked += 1;
    let etag = format!("\"{}\"", shared.version);
    if shared.status != StatusCode::OK {
        let elsewhere = [(header::LOCATION, "http://127.0.0.1:9/metadata")];
        return (shared.status, elsewhere, String::new()).into_response();
    }
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    shared.sent += 1;
    ([(header::ETAG, etag)], shared.body.clone()).into_response()
}
