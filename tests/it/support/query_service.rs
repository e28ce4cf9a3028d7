//! A metadata query service on loopback: it knows some entities, and what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

#[derive(Clone)]
pub struct QueryService {
    /// With a path of its own.
    pub base: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// By the path as it stands in the request, not decoded.
    documents: HashMap<String, String>,
    asked: Vec<(String, String)>,
}

impl QueryService {
    pub async fn serve() -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/public", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, shared }
    }

    /// Answers with this at `entities/` and the entity ID, escaped by the caller.
    pub fn say(&self, escaped: &str, document: String) {
        let path = format!("/public/entities/{escaped}");
        self.shared.lock().unwrap().documents.insert(path, document);
    }

    /// Path and `Accept` of every request so far.
    pub fn asked(&self) -> Vec<(String, String)> {
        self.shared.lock().unwrap().asked.clone()
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Shared>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut shared = shared.lock().unwrap();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    shared.asked.push((uri.path().to_owned(), accept.unwrap_or_default().to_owned()));
    let kind = [(header::CONTENT_TYPE, "application/samlmetadata+xml")];
    match shared.documents.get(uri.path()) {
        Some(document) => (kind, document.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
