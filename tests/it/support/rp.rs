//! A relying party for tests: it signs people in with the code flow, and is told of logouts on its
//! back channel. It checks every token itself, with OpenSSL directly and none of the service's code,
//! so that signer and verifier cannot only agree with each other.

mod logout_endpoints;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use sloop::clock::Clock;
use sloop::rng::Rng;
use url::Url;

use super::jwt::{self, Claims, Jwt};
use super::wire;
use logout_endpoints::LogoutEndpoints;
pub use logout_endpoints::{Answer, LoadedFrame};

/// The OpenID Provider as a relying party knows it: its issuer, and where that is served.
#[derive(Clone, Debug)]
pub struct Provider {
    pub issuer: String,
    pub address: SocketAddr,
}

#[derive(Debug)]
pub struct RelyingParty {
    pub client_id: String,
    /// `None`: a public client.
    pub client_secret: Option<String>,
    /// The public address; see [`RelyingParty::start`] for what is below it.
    pub origin: String,
    address: SocketAddr,
    provider: Provider,
    clock: Clock,
    logout: Arc<LogoutEndpoints>,
    /// Each session that this app believes to be live, by its `sid`.
    signed_in: Mutex<BTreeMap<String, Session>>,
}

#[derive(Debug)]
struct Session {
    sub: String,
    /// How many logout tokens had come before it began: those are about others.
    begun_after: usize,
}

/// One sign-in on its way: what the app keeps between the request and the callback.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub url: Url,
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

#[derive(Clone, Debug)]
pub struct Tokens {
    pub access_token: String,
    /// As received, for `id_token_hint`.
    pub id_token: String,
    /// The ID token's claims, verified.
    pub claims: Claims,
    /// The whole answer.
    pub answer: Value,
}

/// Why a sign-in failed: what the provider said, or what this app does not believe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// An `error` at the callback.
    Callback(String),
    /// Status and `error` of the token endpoint.
    Token(u16, String),
    /// What is wrong with an answer.
    Unbelievable(String),
}

impl RelyingParty {
    /// Listens on loopback: `/callback`, `/signed-out` and the two for logouts are its pages. Client
    /// id and secret are fields, to be set once the client is registered.
    pub async fn start(client_id: &str, provider: Provider) -> Self {
        let logout = Arc::new(LogoutEndpoints::default());
        let routes = Router::new()
            .route("/callback", get(|| async { Html("<title>App</title>signed in") }))
            .route("/signed-out", get(|| async { Html("<title>App</title>signed out") }))
            .merge(LogoutEndpoints::routes(&logout));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            client_id: client_id.to_owned(),
            client_secret: None,
            origin: format!("http://{address}"),
            address,
            provider,
            clock: Clock::system(),
            logout,
            signed_in: Mutex::default(),
        }
    }

    /// Gives it another public address, such as `https://one.test`, which the test browser must map
    /// to [`RelyingParty::address`]. The back channel stays on loopback.
    pub fn with_origin(mut self, origin: &str) -> Self {
        origin.clone_into(&mut self.origin);
        self
    }

    /// Times in tokens are compared with this clock.
    pub fn with_clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// Moves to another provider, or to where it listens now.
    pub fn at(mut self, provider: Provider) -> Self {
        self.provider = provider;
        self
    }

    /// The provider was started again, and listens elsewhere.
    pub fn provider_moved(&mut self, provider: Provider) {
        self.provider = provider;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn redirect_uri(&self) -> String {
        format!("{}/callback", self.origin)
    }

    pub fn post_logout_redirect_uri(&self) -> String {
        format!("{}/signed-out", self.origin)
    }

    pub fn backchannel_logout_uri(&self) -> String {
        format!("http://{}/backchannel-logout", self.address)
    }

    pub fn frontchannel_logout_uri(&self) -> String {
        format!("{}/frontchannel-logout", self.origin)
    }

    /// Begins a sign-in with state, nonce and PKCE (S256). `extra` adds parameters.
    pub async fn begin(&self, extra: &[(&str, &str)]) -> Attempt {
        let discovery = self.discovery().await;
        let random = || Rng::system().token().expose().to_owned();
        let (state, nonce, verifier) = (random(), random(), random());
        let challenge = URL_SAFE_NO_PAD.encode(openssl::sha::sha256(verifier.as_bytes()));
        let mut url = Url::parse(text(&discovery, "authorization_endpoint")).expect("a URL");
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("scope", "openid profile email")
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(extra);
        Attempt { url, state, nonce, verifier }
    }

    /// Ends a sign-in: `callback` is where the browser was sent. Checks `state` and `iss` (RFC 9207),
    /// redeems the code, and verifies the ID token.
    pub async fn finish(&self, attempt: &Attempt, callback: &Url) -> Result<Tokens, Failure> {
        if !callback.as_str().starts_with(&self.redirect_uri()) {
            return Err(unbelievable(format!("{callback} is not the redirect URI")));
        }
        let parameter = |name: &str| {
            let mut values = callback.query_pairs().filter(|(key, _)| key == name);
            values.next().map(|(_, value)| value.into_owned())
        };
        if parameter("state").as_deref() != Some(attempt.state.as_str()) {
            return Err(unbelievable("another state"));
        }
        if parameter("iss").as_deref() != Some(self.provider.issuer.as_str()) {
            return Err(unbelievable("another iss at the callback"));
        }
        if let Some(error) = parameter("error") {
            return Err(Failure::Callback(error));
        }
        let code = parameter("code").ok_or_else(|| unbelievable("no code"))?;
        self.redeem(attempt, &code).await
    }

    /// Redeems a code at the token endpoint.
    pub async fn redeem(&self, attempt: &Attempt, code: &str) -> Result<Tokens, Failure> {
        let mut fields = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri()),
            ("code_verifier", attempt.verifier.clone()),
        ];
        if self.client_secret.is_none() {
            fields.push(("client_id", self.client_id.clone()));
        }
        let endpoint = text(&self.discovery().await, "token_endpoint").to_owned();
        let response = self.post(&endpoint, &fields, self.basic()).await;
        let answer = response.json();
        if response.status != 200 {
            let error = answer["error"].as_str().unwrap_or_default().to_owned();
            return Err(Failure::Token(response.status, error));
        }
        let id_token = answer["id_token"].as_str().ok_or_else(|| unbelievable("no id_token"))?;
        let claims = self.believe_id_token(id_token, attempt).await?;
        if let Some(sid) = claims.get("sid").and_then(Value::as_str) {
            let sub = claims["sub"].as_str().unwrap_or_default().to_owned();
            let begun_after = self.received_logout_tokens().len();
            lock(&self.signed_in).insert(sid.to_owned(), Session { sub, begun_after });
        }
        Ok(Tokens {
            access_token: text(&answer, "access_token").to_owned(),
            id_token: id_token.to_owned(),
            claims,
            answer,
        })
    }

    /// Status and body of userinfo.
    pub async fn userinfo(&self, access_token: &str) -> wire::Response {
        let endpoint = text(&self.discovery().await, "userinfo_endpoint").to_owned();
        let header = ("Authorization".to_owned(), format!("Bearer {access_token}"));
        self.call("GET", &endpoint, vec![header], String::new()).await
    }

    /// The URL that begins a logout from this app.
    pub async fn logout_url(&self, parameters: &[(&str, &str)]) -> Url {
        let discovery = self.discovery().await;
        let mut url = Url::parse(text(&discovery, "end_session_endpoint")).expect("a URL");
        url.query_pairs_mut().extend_pairs(parameters);
        url
    }

    /// The claims of every logout token received, each verified by Back-Channel Logout 1.0, 2.6; the
    /// sessions that they name end here: without a `sid` all of that person.
    pub async fn logouts(&self) -> Result<Vec<Claims>, String> {
        let mut believed = Vec::new();
        for (position, token) in self.received_logout_tokens().into_iter().enumerate() {
            let claims = self.believe_logout_token(&token).await?;
            lock(&self.signed_in).retain(|sid, session| {
                let named = match claims.get("sid") {
                    Some(named) => named == sid,
                    None => claims["sub"] == session.sub,
                };
                !named || position < session.begun_after
            });
            believed.push(claims);
        }
        Ok(believed)
    }

    /// Whether this app believes that the session is live: signed in, and not told otherwise.
    pub async fn is_signed_in(&self, sid: &str) -> bool {
        self.logouts().await.expect("logout tokens that hold");
        lock(&self.signed_in).contains_key(sid)
    }

    pub async fn discovery(&self) -> Value {
        let url = format!("{}/.well-known/openid-configuration", self.provider.issuer);
        let response = self.call("GET", &url, Vec::new(), String::new()).await;
        assert_eq!(response.status, 200, "discovery: {}", response.body);
        response.json()
    }

    async fn verified(&self, token: &str) -> Result<Jwt, String> {
        let uri = text(&self.discovery().await, "jwks_uri").to_owned();
        let jwks = self.call("GET", &uri, Vec::new(), String::new()).await.json();
        jwt::verify(token, &jwks)
    }

    async fn believe_id_token(&self, token: &str, attempt: &Attempt) -> Result<Claims, Failure> {
        let claims = self.verified(token).await.map_err(unbelievable)?.claims;
        let now = self.clock.now().as_seconds();
        jwt::check_id_token(&claims, &self.provider.issuer, &self.client_id, &attempt.nonce, now)
            .map_err(|what| unbelievable(format!("{what} of the ID token: {claims:?}")))?;
        Ok(claims)
    }

    async fn believe_logout_token(&self, token: &str) -> Result<Claims, String> {
        let jwt = self.verified(token).await?;
        let now = self.clock.now().as_seconds();
        jwt::check_logout_token(&jwt, &self.provider.issuer, &self.client_id, now)
            .map_err(|what| format!("{what} of the logout token: {jwt:?}"))?;
        Ok(jwt.claims)
    }

    fn basic(&self) -> Vec<(String, String)> {
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let Some(secret) = &self.client_secret else { return Vec::new() };
        let pair = format!("{}:{}", encode(&self.client_id), encode(secret));
        vec![("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(pair)))]
    }

    async fn post(
        &self,
        url: &str,
        fields: &[(&str, String)],
        mut headers: Vec<(String, String)>,
    ) -> wire::Response {
        let form = "application/x-www-form-urlencoded";
        headers.push(("Content-Type".to_owned(), form.to_owned()));
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        self.call("POST", url, headers, body.extend_pairs(fields).finish()).await
    }

    /// A request from server to server.
    async fn call(
        &self,
        method: &str,
        url: &str,
        headers: Vec<(String, String)>,
        body: String,
    ) -> wire::Response {
        assert!(url.starts_with(&self.provider.issuer), "{url} is not the issuer's");
        let url = Url::parse(url).expect("a URL");
        let host = url.host_str().unwrap_or_default();
        let request = wire::Request {
            method: method.to_owned(),
            target: url[url::Position::BeforePath..].to_owned(),
            host: url.port().map_or(host.to_owned(), |port| format!("{host}:{port}")),
            headers,
            body,
        };
        wire::send(self.provider.address, request).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

fn unbelievable(what: impl Into<String>) -> Failure {
    Failure::Unbelievable(what.into())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is no text in {value}"))
}

#[cfg(test)]
mod tests;
