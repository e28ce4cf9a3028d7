//! The app's side of OpenID Connect: authorization code with PKCE, state and nonce, and logout.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::super::http::{Answer, Http, HttpError};
use super::tokens::{Expected, IdToken, LogoutToken, TokenError};
use crate::clock::Timestamp;
use crate::keys::{JwkError, JwkSet, VerifyingKey};
use crate::rng::Rng;

const SCOPE: &str = "openid profile email";

/// What an app knows of itself and of its provider before anything happens.
#[derive(Clone, Debug)]
pub(in crate::demo) struct RelyingParty {
    pub(in crate::demo) http: Http,
    pub(in crate::demo) issuer: String,
    pub(in crate::demo) client_id: String,
    pub(in crate::demo) client_secret: String,
    /// The app's own address.
    pub(in crate::demo) base: String,
}

/// A sign-in under way: what must come back, and what proves that it was us who began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attempt {
    pub(super) state: String,
    nonce: String,
    verifier: String,
}

/// Somebody who is signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Person {
    pub(super) subject: String,
    pub(super) sid: String,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    /// Proves at logout which app asks, and about which session.
    pub(super) id_token: String,
}

/// Why somebody is not signed in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum ProviderError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{what} answered {status}: {body}")]
    Status { what: &'static str, status: u16, body: String },
    #[error("{0} is not the JSON it should be")]
    Json(&'static str),
    #[error("the provider's document has no usable {0}")]
    Metadata(&'static str),
    #[error("the provider calls itself {found:?}")]
    Issuer { found: String },
    #[error("the provider's keys cannot be read: {0}")]
    Keys(#[from] JwkError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("userinfo is about somebody else")]
    OtherPerson,
}

/// The provider as it describes itself. It is asked anew each time: an app of a demo has no traffic
/// to save, and so it never holds keys that were rotated away.
struct Provider {
    document: Value,
}

impl RelyingParty {
    /// Where the browser goes to sign in.
    pub(super) async fn begin(
        &self,
        prompt: Option<&str>,
        rng: &Rng,
    ) -> Result<(String, Attempt), ProviderError> {
        let text = |token: crate::secret::Token| token.expose().to_owned();
        // 256 random bits in base64url have 43 characters, the least that RFC 7636 4.1 allows.
        let attempt = Attempt {
            state: text(rng.handle()),
            nonce: text(rng.handle()),
            verifier: text(rng.token()),
        };
        let challenge = URL_SAFE_NO_PAD.encode(openssl::sha::sha256(attempt.verifier.as_bytes()));
        let mut url = self.discover().await?.endpoint("authorization_endpoint")?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("scope", SCOPE)
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(prompt.map(|prompt| ("prompt", prompt)));
        Ok((url.into(), attempt))
    }

    /// Redeems a code, and asks who it is about.
    pub(super) async fn redeem(
        &self,
        code: &str,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<Person, ProviderError> {
        let provider = self.discover().await?;
        // RFC 6749 2.3.1: both halves are form-encoded before they are joined.
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(&self.client_id), encode(&self.client_secret));
        let basic = format!("Basic {}", STANDARD.encode(pair));
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri()),
            ("code_verifier", &attempt.verifier),
        ];
        let url = provider.endpoint("token_endpoint")?;
        let answer = self.http.post_form(&url, &[(AUTHORIZATION, &basic)], &fields).await?;
        let tokens = json(answer, "the token endpoint")?;
        let token = |name: &'static str| {
            tokens.get(name).and_then(Value::as_str).ok_or(ProviderError::Json("the token answer"))
        };
        let raw = token("id_token")?;
        let keys = self.keys(&provider).await?;
        let id_token = IdToken::verify(raw, &self.expected(&keys, now), &attempt.nonce)?;

        let url = provider.endpoint("userinfo_endpoint")?;
        let bearer = format!("Bearer {}", token("access_token")?);
        let answer = self.http.get(&url, &[(AUTHORIZATION, &bearer)]).await?;
        let claims = json(answer, "userinfo")?;
        let claim = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        // OpenID Connect Core 5.3.2
        if claim("sub").as_deref() != Some(&id_token.subject) {
            return Err(ProviderError::OtherPerson);
        }
        let both_names = || Some(format!("{} {}", claim("given_name")?, claim("family_name")?));
        Ok(Person {
            name: claim("name").or_else(both_names),
            email: claim("email"),
            subject: id_token.subject,
            sid: id_token.sid,
            id_token: raw.to_owned(),
        })
    }

    /// Where the browser goes to sign out (RP-Initiated Logout 1.0, 2).
    pub(super) async fn sign_out(
        &self,
        person: &Person,
        state: &str,
    ) -> Result<String, ProviderError> {
        let mut url = self.discover().await?.endpoint("end_session_endpoint")?;
        url.query_pairs_mut()
            .append_pair("id_token_hint", &person.id_token)
            .append_pair("client_id", &self.client_id)
            .append_pair("post_logout_redirect_uri", &format!("{}/signed-out", self.base))
            .append_pair("state", state);
        Ok(url.into())
    }

    pub(super) async fn logout_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<LogoutToken, ProviderError> {
        let keys = self.keys(&self.discover().await?).await?;
        Ok(LogoutToken::verify(token, &self.expected(&keys, now))?)
    }

    fn redirect_uri(&self) -> String {
        format!("{}/callback", self.base)
    }

    fn expected<'a>(&'a self, keys: &'a [VerifyingKey], now: Timestamp) -> Expected<'a> {
        Expected { issuer: &self.issuer, client_id: &self.client_id, keys, now }
    }

    /// OpenID Connect Discovery 4.
    async fn discover(&self) -> Result<Provider, ProviderError> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        let url = Url::parse(&url).map_err(|_| ProviderError::Metadata("issuer"))?;
        let document = json(self.http.get(&url, &[]).await?, "discovery")?;
        match document.get("issuer").and_then(Value::as_str) {
            Some(issuer) if issuer == self.issuer => Ok(Provider { document }),
            found => Err(ProviderError::Issuer { found: found.unwrap_or_default().to_owned() }),
        }
    }

    async fn keys(&self, provider: &Provider) -> Result<Vec<VerifyingKey>, ProviderError> {
        let url = provider.endpoint("jwks_uri")?;
        let answer = success(self.http.get(&url, &[]).await?, "the key set")?;
        Ok(JwkSet::parse(answer.body.as_bytes())?)
    }
}

impl Provider {
    fn endpoint(&self, name: &'static str) -> Result<Url, ProviderError> {
        let url = self.document.get(name).and_then(Value::as_str);
        url.and_then(|url| Url::parse(url).ok()).ok_or(ProviderError::Metadata(name))
    }
}

fn success(answer: Answer, what: &'static str) -> Result<Answer, ProviderError> {
    match answer.status {
        200 => Ok(answer),
        status => Err(ProviderError::Status { what, status, body: answer.body }),
    }
}

fn json(answer: Answer, what: &'static str) -> Result<Value, ProviderError> {
    let answer = success(answer, what)?;
    serde_json::from_str(&answer.body).map_err(|_| ProviderError::Json(what))
}
