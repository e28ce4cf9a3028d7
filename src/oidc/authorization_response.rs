//! The authorization response: a redirect back to the client (OpenID Connect Core 3.1.2.5 and
//! 3.1.2.6).

use serde::{Deserialize, Serialize};

use crate::secret::Token;

use super::error::OAuthError;
use super::issuer::Issuer;
use super::redirect_uri::RedirectUri;

/// Where the response goes, and the client's `state`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    pub redirect_uri: RedirectUri,
    pub state: Option<String>,
}

impl Reply {
    /// The URL that hands out a code. `iss` tells the client which provider answers (RFC 9207 2).
    pub fn success(&self, issuer: &Issuer, code: &Token) -> String {
        self.with(issuer, &[("code", code.expose())])
    }

    /// The URL that reports an error.
    pub fn error(&self, issuer: &Issuer, error: &OAuthError) -> String {
        self.with(
            issuer,
            &[("error", error.code().as_str()), ("error_description", error.description())],
        )
    }

    fn with(&self, issuer: &Issuer, parameters: &[(&str, &str)]) -> String {
        let mut parameters = parameters.to_vec();
        if let Some(state) = &self.state {
            parameters.push(("state", state));
        }
        parameters.push(("iss", issuer.as_str()));
        self.redirect_uri.with(&parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::ErrorCode;

    fn reply(state: Option<&str>) -> Reply {
        let redirect_uri = RedirectUri::stored("https://app.example.com/cb".to_owned());
        Reply { redirect_uri, state: state.map(str::to_owned) }
    }

    #[test]
    fn every_response_carries_state_and_issuer() {
        let issuer = Issuer::parse("https://login.example.com/t1").unwrap();
        let reply = self::reply(Some("a&b"));
        assert_eq!(
            reply.success(&issuer, &Token::received("c0de")),
            "https://app.example.com/cb?code=c0de&state=a%26b\
             &iss=https%3A%2F%2Flogin.example.com%2Ft1"
        );
        let reply = self::reply(None);
        let error = OAuthError::new(ErrorCode::LoginRequired, "no session");
        assert_eq!(
            reply.error(&issuer, &error),
            "https://app.example.com/cb?error=login_required&error_description=no%20session\
             &iss=https%3A%2F%2Flogin.example.com%2Ft1"
        );
    }
}
