//! The token endpoint: what is asked and what is answered (OpenID Connect Core 3.1.3).

use std::time::Duration;

use serde::Serialize;

use crate::secret::Token;

use super::error::{ErrorCode, OAuthError, RequestError};
use super::params::Params;
use super::scope::Scopes;

/// Everything that is read here or in the client's authentication.
const PARAMETERS: [&str; 6] =
    ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret"];

/// A request to exchange an authorization code, the only grant there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRequest {
    pub code: Token,
    pub redirect_uri: Option<String>,
    pub code_verifier: Option<String>,
}

impl TokenRequest {
    pub fn parse(params: &Params) -> Result<Self, OAuthError> {
        if let Some(duplicate) = params.duplicate_of(&PARAMETERS) {
            return Err(duplicate.into());
        }
        match params.single("grant_type")? {
            Some("authorization_code") => {}
            Some(_) => {
                let text = "grant_type must be authorization_code";
                return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, text));
            }
            None => return Err(RequestError::Missing { name: "grant_type" }.into()),
        }
        let code = params.single("code")?.ok_or(RequestError::Missing { name: "code" })?;
        Ok(Self {
            code: Token::received(code),
            redirect_uri: params.single("redirect_uri")?.map(str::to_owned),
            // Present and empty is a wrong verifier, not a missing one.
            code_verifier: params.flag("code_verifier")?.map(str::to_owned),
        })
    }
}

/// The answer to a good request (RFC 6749 5.1).
#[derive(Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    /// In seconds.
    expires_in: u64,
    id_token: String,
    scope: String,
}

impl TokenResponse {
    /// `expires_in` is the life of the access token.
    pub fn new(
        access_token: &Token,
        expires_in: Duration,
        id_token: String,
        scopes: &Scopes,
    ) -> Self {
        Self {
            access_token: access_token.expose().to_owned(),
            token_type: "Bearer",
            expires_in: expires_in.as_secs(),
            id_token,
            scope: scopes.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<TokenRequest, OAuthError> {
        TokenRequest::parse(&Params::parse(raw).unwrap())
    }

    #[test]
    fn reads_a_code_exchange() {
        let request = parse("grant_type=authorization_code&code=c&redirect_uri=u&x=1").unwrap();
        assert_eq!(request.code, Token::received("c"));
        assert_eq!(request.redirect_uri.as_deref(), Some("u"));
        assert_eq!(request.code_verifier, None);
        let empty = parse("grant_type=authorization_code&code=c&code_verifier=").unwrap();
        assert_eq!(empty.code_verifier.as_deref(), Some(""));
    }

    #[test]
    fn every_fault_has_its_code() {
        for (raw, code) in [
            ("code=c", "invalid_request"),
            ("grant_type=authorization_code", "invalid_request"),
            ("grant_type=authorization_code&code=", "invalid_request"),
            ("grant_type=authorization_code&code=c&code=c", "invalid_request"),
            ("grant_type=authorization_code&code=c&client_id=a&client_id=a", "invalid_request"),
            ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
            ("grant_type=refresh_token&refresh_token=r", "unsupported_grant_type"),
            ("grant_type=client_credentials", "unsupported_grant_type"),
        ] {
            assert_eq!(parse(raw).unwrap_err().code().as_str(), code, "{raw}");
        }
    }

    #[test]
    fn the_answer_has_the_members_of_the_rfc() {
        let scopes = Scopes::parse("openid email");
        let response = TokenResponse::new(
            &Token::received("at"),
            Duration::from_secs(300),
            "a.b.c".to_owned(),
            &scopes,
        );
        assert_eq!(
            serde_json::to_value(&response).unwrap(),
            serde_json::json!({"access_token": "at", "token_type": "Bearer", "expires_in": 300,
                               "id_token": "a.b.c", "scope": "openid email"})
        );
    }
}
