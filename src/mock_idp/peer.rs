//! HTTP to the service provider: its metadata, and SOAP.

use std::sync::OnceLock;
use std::time::Duration;

use http::header::CONTENT_TYPE;

use super::single_logout::SOAP_TYPE;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Follows no redirects and uses no proxy. Made when it is first needed: reading the system's root
/// certificates takes a while.
#[derive(Default)]
pub(super) struct Peer(OnceLock<reqwest::Client>);

/// The service provider cannot be reached, or answers that something is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PeerError {
    #[error("no HTTP client: {0}")]
    Client(String),
    #[error("{url} did not answer: {reason}")]
    NoAnswer { url: String, reason: String },
    #[error("{url} answered {status}: {body}")]
    Status { url: String, status: u16, body: String },
}

impl PeerError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Client(_) => "peer_client",
            Self::NoAnswer { .. } => "peer_no_answer",
            Self::Status { .. } => "peer_status",
        }
    }
}

impl Peer {
    /// The body of a 200.
    pub(super) async fn get(&self, url: &str) -> Result<String, PeerError> {
        send(url, self.client()?.get(url)).await
    }

    /// As above, of the answer to a SOAP envelope. SOAP 1.1 6.1.1 wants a SOAPAction; SAML has none
    /// that means anything (SAML Bindings 3.2.3.1).
    pub(super) async fn post_soap(&self, url: &str, envelope: String) -> Result<String, PeerError> {
        let headers = [(CONTENT_TYPE.as_str(), SOAP_TYPE), ("SOAPAction", "\"\"")];
        let request = self.client()?.post(url).body(envelope);
        let with = |request: reqwest::RequestBuilder, (name, value): (&str, &str)| {
            request.header(name, value)
        };
        send(url, headers.into_iter().fold(request, with)).await
    }

    fn client(&self) -> Result<&reqwest::Client, PeerError> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the other party, for tests; what the service sends is guarded"
        )]
        let builder = reqwest::Client::builder();
        let client = builder
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| PeerError::Client(error.to_string()))?;
        Ok(self.0.get_or_init(|| client))
    }
}

async fn send(url: &str, request: reqwest::RequestBuilder) -> Result<String, PeerError> {
    let no_answer = |error: reqwest::Error| PeerError::NoAnswer {
        url: url.to_owned(),
        reason: error.without_url().to_string(),
    };
    let response = request.send().await.map_err(no_answer)?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(no_answer)?;
    match status {
        200 => Ok(body),
        status => {
            let body = body.chars().take(200).collect();
            Err(PeerError::Status { url: url.to_owned(), status, body })
        }
    }
}
