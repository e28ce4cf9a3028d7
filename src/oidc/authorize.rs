//! The authorization request (OpenID Connect Core 3.1.2).
//!
//! It is read in two stages. Until client and redirect URI are known to belong together, an error
//! is a page of ours: a redirect would make us an open redirector (RFC 9700 4.11.2). After that, an
//! error goes back to the client.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{ClientId, IdpId};

use super::authorization_response::Reply;
use super::client::Client;
use super::error::{ErrorCode, OAuthError, RequestError, bounded};
use super::params::Params;
use super::pkce::CodeChallenge;
use super::redirect_uri::RedirectUriError;
use super::scope::{Scope, Scopes};

/// Longest `state`, in bytes.
pub const MAX_STATE_BYTES: usize = 2048;
/// Longest `nonce`, in bytes. It travels in ID tokens, and these travel in URLs at logout.
const MAX_NONCE_BYTES: usize = 1024;
/// Longest `scope`, in bytes.
const MAX_SCOPE_BYTES: usize = 1024;
/// Longest `login_hint`, and longest single `acr_values` entry, in bytes.
const MAX_HINT_BYTES: usize = 512;
/// Most `acr_values` that are passed on.
const MAX_ACR_VALUES: usize = 8;

/// Everything that is read here. Repeating any of these is an error, repeating others is not ours
/// to judge.
const PARAMETERS: [&str; 20] = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "acr_values",
    "id_token_hint",
    "idp",
    "connection",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "registration",
    "ui_locales",
];

/// A valid authorization request. It is kept in the store while the person is at the IdP.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    pub client_id: ClientId,
    pub reply: Reply,
    pub scopes: Scopes,
    pub nonce: Option<String>,
    pub code_challenge: Option<CodeChallenge>,
    pub prompt: Prompt,
    /// Oldest sign-in that will do, in seconds.
    pub max_age: Option<u32>,
    pub login_hint: Option<String>,
    /// Wanted authentication contexts, the most wanted first.
    pub acr_values: Vec<String>,
    /// The IdP the client asks for, by `idp` or `connection`. Whether it may is not checked here.
    pub idp: Option<IdpId>,
    /// Not verified yet; see [`super::IdTokenHint`].
    pub id_token_hint: Option<String>,
}

/// What the person may be asked (`prompt`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Whatever is needed.
    #[default]
    AsNeeded,
    /// Nothing: no page of ours or of the IdP.
    None,
    /// These at least.
    Ask { login: bool, select_account: bool },
}

/// The client that a request names, so that it can be looked up for [`AuthorizeRequest::parse`].
/// An error here is a page.
pub fn client_id(params: &Params) -> Result<ClientId, RequestError> {
    params
        .single("client_id")?
        .ok_or(RequestError::Missing { name: "client_id" })?
        .parse()
        .map_err(|_| RequestError::Invalid { name: "client_id" })
}

impl AuthorizeRequest {
    /// Reads a request of `client`, which the caller has found by [`client_id`].
    pub fn parse(params: &Params, client: &Client) -> Result<Self, AuthorizeError> {
        if client_id(params)? != client.id {
            return Err(RequestError::Invalid { name: "client_id" }.into());
        }
        let redirect_uri = params
            .single("redirect_uri")
            .map_err(RequestError::from)?
            .ok_or(RequestError::Missing { name: "redirect_uri" })?;
        let redirect_uri = client.redirect_uri(redirect_uri)?;
        // Core 3.1.2.6: a response mode that we do not have leaves no way to answer the client.
        match params.single("response_mode") {
            Ok(None | Some("query")) => {}
            Ok(Some(_)) => return Err(AuthorizeError::ResponseMode),
            Err(duplicate) => return Err(RequestError::from(duplicate).into()),
        }
        // A repeated or overlong state cannot be returned; the error then goes without one.
        let state = params.single("state").ok().flatten();
        let state = state.filter(|state| state.len() <= MAX_STATE_BYTES).map(str::to_owned);
        let reply = Reply { redirect_uri, state };
        Self::parse_rest(params, client, reply.clone())
            .map_err(|error| AuthorizeError::Redirect { reply, error })
    }

    /// Whether the person must sign in anew whatever session there is: `prompt=login`, or
    /// `max_age=0`, which means the same (OpenID Connect Core 3.1.2.1).
    pub fn forces_login(&self) -> bool {
        matches!(self.prompt, Prompt::Ask { login: true, .. }) || self.max_age == Some(0)
    }

    /// Whether a sign-in of that time is older than `max_age` allows.
    pub fn is_too_old(&self, auth_time: Timestamp, now: Timestamp) -> bool {
        self.max_age.is_some_and(|max| now.since(auth_time).as_secs() > u64::from(max))
    }

    fn parse_rest(params: &Params, client: &Client, reply: Reply) -> Result<Self, OAuthError> {
        if let Some(duplicate) = params.duplicate_of(&PARAMETERS) {
            return Err(duplicate.into());
        }
        for (name, code) in [
            ("request", ErrorCode::RequestNotSupported),
            ("request_uri", ErrorCode::RequestUriNotSupported),
            ("registration", ErrorCode::RegistrationNotSupported),
        ] {
            if params.single(name)?.is_some() {
                return Err(OAuthError::new(code, format!("{name} is not supported")));
            }
        }
        match params.single("response_type")? {
            Some("code") => {}
            Some(_) => {
                let code = ErrorCode::UnsupportedResponseType;
                return Err(OAuthError::new(code, "response_type must be code"));
            }
            None => return Err(RequestError::Missing { name: "response_type" }.into()),
        }
        bounded("state", params.single("state")?, MAX_STATE_BYTES)?;
        let hint = |name| {
            // Core 15.1: hints never cause an error.
            let value = params.single(name).ok().flatten();
            value.filter(|value| value.len() <= MAX_HINT_BYTES)
        };
        Ok(Self {
            client_id: client.id.clone(),
            reply,
            scopes: scopes(params)?,
            nonce: bounded("nonce", params.single("nonce")?, MAX_NONCE_BYTES)?,
            code_challenge: code_challenge(params, client)?,
            prompt: prompt(params.single("prompt")?)?,
            max_age: params.single("max_age")?.map(max_age).transpose()?,
            login_hint: hint("login_hint").map(str::to_owned),
            acr_values: acr_values(params.single("acr_values")?.unwrap_or_default()),
            idp: idp(params)?,
            id_token_hint: params.single("id_token_hint")?.map(str::to_owned),
        })
    }
}

/// Why an authorization request is not carried out, and where that is said.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// A page: who sent the request is not known.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A page: the redirect URI is not the client's.
    #[error("redirect_uri {0}")]
    RedirectUri(#[from] RedirectUriError),
    /// A page: there is no such way to answer.
    #[error("response_mode must be query")]
    ResponseMode,
    /// A redirect to the client by [`Reply::error`].
    #[error("{error}")]
    Redirect { reply: Reply, error: OAuthError },
}

impl AuthorizeError {
    /// A stable name for logs and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Request(error) => error.code(),
            Self::RedirectUri(error) => error.code(),
            Self::ResponseMode => "response_mode_unknown",
            Self::Redirect { error, .. } => error.code().as_str(),
        }
    }
}

fn scopes(params: &Params) -> Result<Scopes, OAuthError> {
    let scope = bounded("scope", params.single("scope")?, MAX_SCOPE_BYTES)?;
    let scopes = Scopes::parse(&scope.unwrap_or_default());
    if scopes.contains(Scope::OpenId) {
        Ok(scopes)
    } else {
        Err(OAuthError::new(ErrorCode::InvalidScope, "scope must contain openid"))
    }
}

fn code_challenge(params: &Params, client: &Client) -> Result<Option<CodeChallenge>, OAuthError> {
    let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidRequest, text);
    let method = params.single("code_challenge_method")?;
    match params.single("code_challenge")? {
        Some(challenge) => CodeChallenge::parse(challenge, method)
            .map(Some)
            .map_err(|error| invalid(&error.to_string())),
        None if method.is_some() => Err(invalid("code_challenge is missing")),
        None if client.public => Err(invalid("a public client must send code_challenge")),
        None => Ok(None),
    }
}

/// Core 3.1.2.1: `none` stands alone; values that we do not know are no error.
fn prompt(text: Option<&str>) -> Result<Prompt, OAuthError> {
    let Some(text) = text else { return Ok(Prompt::AsNeeded) };
    let has = |value: &str| text.split(' ').any(|other| other == value);
    let several = text.split(' ').filter(|value| !value.is_empty()).count() > 1;
    match (has("none"), has("login"), has("select_account")) {
        (true, ..) if several => {
            Err(OAuthError::new(ErrorCode::InvalidRequest, "prompt=none must stand alone"))
        }
        (true, ..) => Ok(Prompt::None),
        (false, false, false) => Ok(Prompt::AsNeeded),
        (false, login, select_account) => Ok(Prompt::Ask { login, select_account }),
    }
}

fn max_age(text: &str) -> Result<u32, RequestError> {
    let invalid = RequestError::Invalid { name: "max_age" };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid);
    }
    // More seconds than fit are more than any session lives.
    text.parse::<u64>().map(|age| u32::try_from(age).unwrap_or(u32::MAX)).map_err(|_| invalid)
}

/// They go into an AuthnRequest, so they keep to what a URI may consist of.
fn acr_values(text: &str) -> Vec<String> {
    let usable = |value: &&str| {
        !value.is_empty()
            && value.len() <= MAX_HINT_BYTES
            && value.bytes().all(|c| c.is_ascii_graphic())
    };
    text.split(' ').filter(usable).take(MAX_ACR_VALUES).map(str::to_owned).collect()
}

fn idp(params: &Params) -> Result<Option<IdpId>, OAuthError> {
    let id = match (params.single("idp")?, params.single("connection")?) {
        (Some(idp), Some(connection)) if idp != connection => {
            let text = "idp and connection name different identity providers";
            return Err(OAuthError::new(ErrorCode::InvalidRequest, text));
        }
        (idp, connection) => idp.or(connection),
    };
    let invalid = |_| RequestError::Invalid { name: "idp" }.into();
    id.map(|id| id.parse().map_err(invalid)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::client::ClientSettings;
    use crate::oidc::client::tests::{client, settings};

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const REQUIRED: [(&str, &str); 4] = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", "https://app.example.com/cb"),
        ("scope", "openid email"),
    ];

    /// The required parameters with some replaced, added, or (by an empty value) taken away.
    fn request(changes: &[(&str, &str)]) -> Params {
        let kept = REQUIRED.iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name));
        kept.chain(changes).copied().collect()
    }

    fn parse(changes: &[(&str, &str)]) -> Result<AuthorizeRequest, AuthorizeError> {
        AuthorizeRequest::parse(&request(changes), &client())
    }

    fn redirected(changes: &[(&str, &str)]) -> (&'static str, Option<String>) {
        match parse(changes) {
            Err(AuthorizeError::Redirect { reply, error }) => (error.code().as_str(), reply.state),
            other => panic!("{changes:?} gave {other:?}"),
        }
    }

    #[test]
    fn reads_a_whole_request() {
        let request = parse(&[
            ("state", "s"),
            ("nonce", "n"),
            ("prompt", "login create"),
            ("max_age", "60"),
            ("login_hint", "a@example.com"),
            ("acr_values", "urn:a  urn:b"),
            ("connection", "acme"),
            ("id_token_hint", "x.y.z"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("response_mode", "query"),
            ("extra", "1"),
            ("extra", "2"),
            ("ui_locales", "xx-YY"),
            ("display", "page"),
        ])
        .unwrap();
        assert_eq!(request.reply.state.as_deref(), Some("s"));
        assert_eq!(request.scopes.to_string(), "openid email");
        assert_eq!(request.prompt, Prompt::Ask { login: true, select_account: false });
        assert_eq!(request.acr_values, ["urn:a", "urn:b"]);
        assert_eq!(request.idp, Some("acme".parse().unwrap()));
        assert!(request.code_challenge.is_some());
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<AuthorizeRequest>(&json).unwrap(), request);
    }

    #[test]
    fn empty_parameters_are_absent() {
        let request = parse(&[("prompt", ""), ("max_age", ""), ("request", "")]).unwrap();
        assert_eq!((request.prompt, request.max_age), (Prompt::AsNeeded, None));
    }

    #[test]
    fn an_unknown_caller_gets_a_page() {
        for (changes, code) in [
            (&[("client_id", "")][..], "parameter_missing"),
            (&[("client_id", "other")], "parameter_invalid"),
            (&[("client_id", "app"), ("client_id", "app")], "parameter_repeated"),
            (&[("redirect_uri", "")], "parameter_missing"),
            (&[("redirect_uri", "https://evil.test/cb")], "uri_not_registered"),
            (&[("redirect_uri", "javascript:alert(1)")], "uri_not_registered"),
            (
                &[("redirect_uri", ""), ("redirect_uri[]", "https://app.example.com/cb")],
                "parameter_missing",
            ),
            (&[("response_mode", "bogus")], "response_mode_unknown"),
            (&[("response_mode", "fragment")], "response_mode_unknown"),
        ] {
            let error = parse(changes).unwrap_err();
            assert!(!matches!(error, AuthorizeError::Redirect { .. }), "{changes:?}");
            assert_eq!(error.code(), code, "{changes:?}");
        }
        let uri = ("redirect_uri", "https://app.example.com/cb");
        assert_eq!(parse(&[uri, uri]).unwrap_err().code(), "parameter_repeated");
    }

    #[test]
    fn a_known_client_gets_the_error_with_its_state() {
        let state = Some("s".to_owned());
        for (changes, code) in [
            (&[("response_type", "")][..], "invalid_request"),
            (&[("response_type", "token")], "unsupported_response_type"),
            (&[("response_type", "code id_token")], "unsupported_response_type"),
            (&[("scope", "")], "invalid_scope"),
            (&[("scope", "email")], "invalid_scope"),
            (&[("request", "x")], "request_not_supported"),
            (&[("request_uri", "https://x")], "request_uri_not_supported"),
            (&[("registration", "{}")], "registration_not_supported"),
            (&[("prompt", "none login")], "invalid_request"),
            (&[("max_age", "-1")], "invalid_request"),
            (&[("max_age", "1.5")], "invalid_request"),
            (&[("nonce", "a"), ("nonce", "a")], "invalid_request"),
            (&[("nonce", &"n".repeat(1025))], "invalid_request"),
            (&[("idp", "a"), ("connection", "b")], "invalid_request"),
            (&[("idp", "a b")], "invalid_request"),
            (&[("code_challenge", CHALLENGE)], "invalid_request"),
            (
                &[("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
                "invalid_request",
            ),
            (&[("code_challenge_method", "S256")], "invalid_request"),
        ] {
            let changes = [changes, &[("state", "s")]].concat();
            assert_eq!(redirected(&changes), (code, state.clone()), "{changes:?}");
        }
        // A state that cannot be given back is left out.
        assert_eq!(redirected(&[("state", "a"), ("state", "b")]), ("invalid_request", None));
        assert_eq!(redirected(&[("state", &"a".repeat(2049))]), ("invalid_request", None));
        assert!(parse(&[("state", &"a".repeat(2048))]).is_ok());
    }

    #[test]
    fn a_public_client_must_use_pkce() {
        let public = Client::parse(ClientSettings { public: true, ..settings() }).unwrap();
        let without = AuthorizeRequest::parse(&request(&[]), &public);
        assert_eq!(without.unwrap_err().code(), "invalid_request");
        let pkce = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
        assert!(AuthorizeRequest::parse(&request(&pkce), &public).is_ok());
    }

    #[test]
    fn prompts_and_ages() {
        let prompt = |text| parse(&[("prompt", text)]).unwrap().prompt;
        assert_eq!(prompt("none"), Prompt::None);
        assert_eq!(prompt("create"), Prompt::AsNeeded);
        assert_eq!(prompt("consent"), Prompt::AsNeeded);
        assert_eq!(prompt("select_account"), Prompt::Ask { login: false, select_account: true });
        assert!(parse(&[("prompt", "login")]).unwrap().forces_login());
        assert!(parse(&[("max_age", "0")]).unwrap().forces_login());
        let request = parse(&[("max_age", "60")]).unwrap();
        assert!(!request.forces_login());
        let at = Timestamp::from_seconds;
        assert!(!request.is_too_old(at(1000), at(1060)));
        assert!(request.is_too_old(at(1000), at(1061)));
        assert!(!parse(&[]).unwrap().is_too_old(at(0), at(1_000_000)));
        assert_eq!(parse(&[("max_age", "99999999999")]).unwrap().max_age, Some(u32::MAX));
    }

    #[test]
    fn odd_hints_are_no_errors() {
        let long = "x".repeat(5000);
        let request = parse(&[("login_hint", &long), ("acr_values", &long)]).unwrap();
        assert_eq!((request.login_hint, request.acr_values.len()), (None, 0));
        assert_eq!(parse(&[("acr_values", "1 2")]).unwrap().acr_values, ["1", "2"]);
    }
}
