//! What an authorization code is bound to, and the check of those who bring it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::ClientId;

use super::error::{ErrorCode, OAuthError};
use super::pkce::{self, CodeChallenge, PkceError};
use super::redirect_uri::RedirectUri;
use super::token::TokenRequest;

/// The circumstances under which a code was given out. The code itself is random and kept as a
/// hash; that it is used once only is for the store to see to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeBinding {
    pub client_id: ClientId,
    pub redirect_uri: RedirectUri,
    pub code_challenge: Option<CodeChallenge>,
    pub expires_at: Timestamp,
}

impl CodeBinding {
    /// Whether `client`, which has authenticated itself, may exchange the code with this request
    /// (OpenID Connect Core 3.1.3.2).
    pub fn check(
        &self,
        request: &TokenRequest,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<(), CodeError> {
        if self.client_id != *client {
            return Err(CodeError::OtherClient);
        }
        if now >= self.expires_at {
            return Err(CodeError::Expired);
        }
        if request.redirect_uri.as_deref() != Some(self.redirect_uri.as_str()) {
            return Err(CodeError::OtherRedirectUri);
        }
        Ok(pkce::check(self.code_challenge.as_ref(), request.code_verifier.as_deref())?)
    }
}

/// Why a code is not exchanged. All of these are `invalid_grant` to the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodeError {
    #[error("the code was given to another client")]
    OtherClient,
    #[error("the code has expired")]
    Expired,
    #[error("redirect_uri is not the one of the authorization request")]
    OtherRedirectUri,
    #[error(transparent)]
    Pkce(#[from] PkceError),
}

impl CodeError {
    /// A stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherClient => "code_of_other_client",
            Self::Expired => "code_expired",
            Self::OtherRedirectUri => "code_redirect_uri_differs",
            Self::Pkce(_) => "code_verifier_wrong",
        }
    }
}

impl From<CodeError> for OAuthError {
    fn from(error: CodeError) -> Self {
        match error {
            // Whoever stole a code learns nothing about it.
            CodeError::OtherClient | CodeError::Expired => {
                Self::new(ErrorCode::InvalidGrant, "the code is unknown, used or expired")
            }
            other => Self::new(ErrorCode::InvalidGrant, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Token;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn check(change: fn(&mut TokenRequest), client: &str, now: i64) -> Result<(), CodeError> {
        let binding = CodeBinding {
            client_id: "app".parse().unwrap(),
            redirect_uri: RedirectUri::stored("https://a/cb".to_owned()),
            code_challenge: Some(CodeChallenge::parse(CHALLENGE, Some("S256")).unwrap()),
            expires_at: Timestamp::from_seconds(60),
        };
        let mut request = TokenRequest {
            code: Token::received("c"),
            redirect_uri: Some("https://a/cb".to_owned()),
            code_verifier: Some(VERIFIER.to_owned()),
        };
        change(&mut request);
        binding.check(&request, &client.parse().unwrap(), Timestamp::from_seconds(now))
    }

    #[test]
    fn the_right_client_in_time_with_the_same_uri_and_the_verifier() {
        assert_eq!(check(|_| {}, "app", 59), Ok(()));
        assert_eq!(check(|_| {}, "app", 60), Err(CodeError::Expired));
        assert_eq!(check(|_| {}, "other", 59), Err(CodeError::OtherClient));
        let other_uri = Err(CodeError::OtherRedirectUri);
        assert_eq!(check(|r| r.redirect_uri = None, "app", 59), other_uri);
        assert_eq!(check(|r| r.redirect_uri = Some("https://a/cb2".into()), "app", 59), other_uri);
        let missing = Err(CodeError::Pkce(PkceError::MissingVerifier));
        assert_eq!(check(|r| r.code_verifier = None, "app", 59), missing);
        let wrong = Err(CodeError::Pkce(PkceError::Mismatch));
        assert_eq!(check(|r| r.code_verifier = Some("x".repeat(43)), "app", 59), wrong);
    }

    #[test]
    fn a_thief_and_a_latecomer_read_the_same_words() {
        let words = OAuthError::from(CodeError::OtherClient);
        assert_eq!(words, OAuthError::from(CodeError::Expired));
        assert_eq!(words.code(), ErrorCode::InvalidGrant);
    }
}
