//! HTTP as the other parties of the demo speak it: with headers, bodies and redirects in plain view.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(30);
/// The content type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// Follows no redirects, keeps no cookies and uses no proxy.
#[derive(Clone, Debug)]
pub(super) struct Http(reqwest::Client);

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// There is no answer. It names the address without its query, which carries secrets.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HttpError {
    #[error("no HTTP client: {0}")]
    Client(String),
    #[error("{url} did not answer: {reason}")]
    NoAnswer { url: String, reason: String },
}

impl Http {
    pub(super) fn new() -> Result<Self, HttpError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "these are the other parties, on loopback; what the service sends is guarded"
        )]
        let builder = reqwest::Client::builder();
        let client = builder
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| HttpError::Client(error.to_string()))?;
        Ok(Self(client))
    }

    pub(super) async fn get(
        &self,
        url: &Url,
        headers: &[(HeaderName, &str)],
    ) -> Result<Answer, HttpError> {
        send(url, with(self.0.get(url.clone()), headers)).await
    }

    pub(super) async fn post(
        &self,
        url: &Url,
        headers: &[(HeaderName, &str)],
        body: String,
    ) -> Result<Answer, HttpError> {
        send(url, with(self.0.post(url.clone()), headers).body(body)).await
    }

    pub(super) async fn post_form<N: AsRef<str>, V: AsRef<str>>(
        &self,
        url: &Url,
        headers: &[(HeaderName, &str)],
        fields: &[(N, V)],
    ) -> Result<Answer, HttpError> {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers: Vec<_> = headers.iter().cloned().chain([(CONTENT_TYPE, FORM)]).collect();
        self.post(url, &headers, body).await
    }
}

fn with(
    request: reqwest::RequestBuilder,
    headers: &[(HeaderName, &str)],
) -> reqwest::RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(name, *value))
}

async fn send(url: &Url, request: reqwest::RequestBuilder) -> Result<Answer, HttpError> {
    let no_answer = |error: reqwest::Error| {
        let mut shown = url.clone();
        shown.set_query(None);
        HttpError::NoAnswer { url: shown.into(), reason: error.without_url().to_string() }
    };
    let response = request.send().await.map_err(no_answer)?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.map_err(no_answer)?,
    })
}
