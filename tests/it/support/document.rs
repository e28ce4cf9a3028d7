//! A document at a URL on loopback, such as an IdP's metadata, that a story can replace.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

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
    /// The next answer waits for this when it is on its way.
    held: Option<oneshot::Receiver<()>>,
}

impl Document {
    pub async fn serve(body: String) -> Self {
        let shared =
            Shared { body, status: StatusCode::OK, version: 1, asked: 0, sent: 0, held: None };
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

    /// Keeps the next answer on its way until what this returns is dropped.
    pub fn hold(&self) -> oneshot::Sender<()> {
        let (release, held) = oneshot::channel();
        self.shared.lock().unwrap().held = Some(held);
        release
    }

    /// How often it was asked for, and how often it went out whole.
    pub fn counts(&self) -> (u32, u32) {
        let shared = self.shared.lock().unwrap();
        (shared.asked, shared.sent)
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, headers: HeaderMap) -> Response {
    let (answer, held) = {
        let mut shared = shared.lock().unwrap();
        (shared.answer(&headers), shared.held.take())
    };
    if let Some(held) = held {
        let _ = held.await;
    }
    answer
}

impl Shared {
    fn answer(&mut self, headers: &HeaderMap) -> Response {
        self.asked += 1;
        let etag = format!("\"{}\"", self.version);
        if self.status != StatusCode::OK {
            let elsewhere = [(header::LOCATION, "http://127.0.0.1:9/metadata")];
            return (self.status, elsewhere, String::new()).into_response();
        }
        if headers
            .get(header::IF_NONE_MATCH)
            .is_some_and(|known| known.as_bytes() == etag.as_bytes())
        {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
        }
        self.sent += 1;
        ([(header::ETAG, etag)], self.body.clone()).into_response()
    }
}
