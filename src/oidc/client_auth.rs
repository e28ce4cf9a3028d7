//! How a client proves who it is at the token endpoint (RFC 6749 2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::id::ClientId;
use crate::secret::{Token, TokenHash};

use super::client::Client;
use super::error::{ErrorCode, OAuthError, RequestError};
use super::params::{Params, decode};

/// What a request brought along. Nothing is proved until [`ClientCredentials::verify`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientCredentials {
    pub client_id: ClientId,
    method: Method,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Method {
    /// `client_secret_basic`.
    Basic(Token),
    /// `client_secret_post`.
    Post(Token),
    /// `none`: a public client that only names itself.
    None,
}

impl ClientCredentials {
    /// Reads the `Authorization` header and the form. One method at most (RFC 6749 2.3).
    pub fn parse(authorization: Option<&str>, params: &Params) -> Result<Self, ClientAuthError> {
        if params.single("client_assertion")?.is_some() {
            return Err(ClientAuthError::UnsupportedMethod);
        }
        let client_id = params.single("client_id")?.map(parse_id).transpose()?;
        let secret = params.single("client_secret")?;
        let Some(authorization) = authorization else {
            let client_id = client_id.ok_or(ClientAuthError::Missing)?;
            let method = secret.map_or(Method::None, |s| Method::Post(Token::received(s)));
            return Ok(Self { client_id, method });
        };
        if secret.is_some() {
            return Err(ClientAuthError::TwoMethods);
        }
        let (basic_id, secret) = basic(authorization)?;
        if client_id.is_some_and(|id| id != basic_id) {
            return Err(ClientAuthError::TwoMethods);
        }
        Ok(Self { client_id: basic_id, method: Method::Basic(secret) })
    }

    /// Checks the credentials against the client of that id and the hashes of its secrets: two
    /// while one is being replaced. Call it for an unknown client too, with `None`: it does the
    /// same work, so that the time tells nothing about which clients exist.
    pub fn verify(
        &self,
        client: Option<&Client>,
        secrets: &[TokenHash],
    ) -> Result<(), ClientAuthError> {
        let (Method::Basic(secret) | Method::Post(secret)) = &self.method else {
            return match client {
                Some(client) if client.public && client.id == self.client_id => Ok(()),
                _ => Err(ClientAuthError::Failed { basic: false }),
            };
        };
        let hash = secret.hash();
        let unknown = [TokenHash::of(b"")];
        let compared = if secrets.is_empty() { &unknown[..] } else { secrets };
        let mut equal = false;
        for known in compared {
            equal |= openssl::memcmp::eq(hash.as_bytes(), known.as_bytes());
        }
        match client {
            Some(client)
                if equal
                    && !secrets.is_empty()
                    && !client.public
                    && client.id == self.client_id =>
            {
                Ok(())
            }
            _ => Err(ClientAuthError::Failed { basic: matches!(self.method, Method::Basic(_)) }),
        }
    }
}

/// Why a client is not believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClientAuthError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("the client does not say who it is")]
    Missing,
    #[error("the client uses more than one way to say who it is")]
    TwoMethods,
    #[error("the client uses a way of authentication that is not supported")]
    UnsupportedMethod,
    #[error("the Authorization header is not a valid Basic header")]
    MalformedHeader,
    #[error("client authentication failed")]
    Failed { basic: bool },
}

impl ClientAuthError {
    /// The `WWW-Authenticate` of the answer: demanded where the header was tried (RFC 6749 5.2).
    pub const fn www_authenticate(&self) -> Option<&'static str> {
        match self {
            Self::MalformedHeader | Self::Failed { basic: true } => {
                Some(r#"Basic realm="token", charset="UTF-8""#)
            }
            _ => None,
        }
    }
}

impl From<super::params::Duplicate> for ClientAuthError {
    fn from(error: super::params::Duplicate) -> Self {
        Self::Request(error.into())
    }
}

impl From<ClientAuthError> for OAuthError {
    fn from(error: ClientAuthError) -> Self {
        let code = match &error {
            ClientAuthError::Request(_) | ClientAuthError::TwoMethods => ErrorCode::InvalidRequest,
            _ => ErrorCode::InvalidClient,
        };
        Self::new(code, error.to_string())
    }
}

/// An id that cannot exist is answered as one that does not.
fn parse_id(text: &str) -> Result<ClientId, ClientAuthError> {
    text.parse().map_err(|_| ClientAuthError::Failed { basic: false })
}

/// RFC 6749 2.3.1: id and secret are form-encoded before they are joined and put into base64.
fn basic(header: &str) -> Result<(ClientId, Token), ClientAuthError> {
    let malformed = || ClientAuthError::MalformedHeader;
    let (scheme, encoded) = header.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(ClientAuthError::MalformedHeader);
    }
    let pair = STANDARD.decode(encoded).map_err(|_| malformed())?;
    let colon = pair.iter().position(|&byte| byte == b':').ok_or_else(malformed)?;
    let (id, secret) = pair.split_at_checked(colon).ok_or_else(malformed)?;
    let secret = secret.get(1..).unwrap_or_default();
    let id = decode(id).map_err(|_| malformed())?;
    let secret = decode(secret).map_err(|_| malformed())?;
    let id = id.parse().map_err(|_| ClientAuthError::Failed { basic: true })?;
    Ok((id, Token::received(&secret)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::client::ClientSettings;
    use crate::oidc::client::tests::{client, settings};

    const SECRET: &str = "0123456789 abcdef:%+~é";
    const ENCODED: &str = "0123456789+abcdef%3A%25%2B~%C3%A9";

    fn header(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn authenticate(authorization: Option<&str>, form: &str) -> Result<(), ClientAuthError> {
        let params = Params::parse(form).unwrap();
        let hashes = [TokenHash::of(b"the newer secret"), TokenHash::of(SECRET.as_bytes())];
        ClientCredentials::parse(authorization, &params)?.verify(Some(&client()), &hashes)
    }

    #[test]
    fn basic_and_post_are_accepted() {
        let good = header(&format!("app:{ENCODED}"));
        assert_eq!(authenticate(Some(&good), ""), Ok(()));
        assert_eq!(authenticate(Some(&good.replace("Basic", "bAsIc")), "client_id=app"), Ok(()));
        assert_eq!(authenticate(None, &format!("client_id=app&client_secret={ENCODED}")), Ok(()));
        assert_eq!(authenticate(None, "client_id=app&client_secret=the+newer+secret"), Ok(()));
    }

    #[test]
    fn wrong_credentials_fail_and_say_how_to_try_again() {
        for pair in
            ["app:wrong", "app:", "app:%00", "other:x", "a b:x", ":x", &format!("app:{SECRET}x")]
        {
            let Err(error) = authenticate(Some(&header(pair)), "") else { panic!("{pair}") };
            assert!(error.www_authenticate().is_some(), "{pair}");
            assert_eq!(OAuthError::from(error).code().status(), 401, "{pair}");
        }
        for form in [
            "client_id=app&client_secret=wrong",
            "client_id=app&client_secret=",
            "client_id=app&client_secret=%00",
            "client_id=app",
            "client_id=a+b",
            "",
            "client_id=app&client_assertion=x.y.z",
        ] {
            let Err(error) = authenticate(None, form) else { panic!("{form}") };
            assert_eq!(error.www_authenticate(), None, "{form}");
            assert_eq!(OAuthError::from(error).code().status(), 401, "{form}");
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        for bad in [
            "Basic",
            "Basic ",
            "Basic !!!",
            "Bearer x",
            "",
            "Basic  YTpi",
            "Basic YTpi=",
            "Basic YTpi, Basic YTpi",
            &header("no colon"),
            &header("app:%zz"),
        ] {
            let error = authenticate(Some(bad), "").unwrap_err();
            assert_eq!(error, ClientAuthError::MalformedHeader, "{bad}");
        }
    }

    #[test]
    fn two_methods_are_a_bad_request() {
        let good = header(&format!("app:{ENCODED}"));
        for form in [&format!("client_secret={ENCODED}"), "client_id=other"] {
            let error = authenticate(Some(&good), form).unwrap_err();
            assert_eq!(error, ClientAuthError::TwoMethods, "{form}");
            assert_eq!(OAuthError::from(error).code(), ErrorCode::InvalidRequest);
        }
        let twice = authenticate(None, "client_id=app&client_id=app").unwrap_err();
        assert_eq!(OAuthError::from(twice).code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn only_a_public_client_needs_no_secret_and_it_must_not_send_one() {
        let public = Client::parse(ClientSettings { public: true, ..settings() }).unwrap();
        let params = |form: &str| Params::parse(form).unwrap();
        let named = ClientCredentials::parse(None, &params("client_id=app")).unwrap();
        assert_eq!(named.verify(Some(&public), &[]), Ok(()));
        assert!(named.verify(Some(&client()), &[]).is_err());
        assert!(named.verify(None, &[]).is_err());
        let form = params("client_id=app&client_secret=x");
        let with_secret = ClientCredentials::parse(None, &form).unwrap();
        assert!(with_secret.verify(Some(&public), &[TokenHash::of(b"x")]).is_err());
        assert!(with_secret.verify(Some(&client()), &[TokenHash::of(b"x")]).is_ok());
        assert!(with_secret.verify(Some(&client()), &[]).is_err());
        assert!(with_secret.verify(None, &[TokenHash::of(b"x")]).is_err());
        // A client that has no secret yet is not opened by an empty one.
        let empty = ClientCredentials::parse(Some(&header("app:")), &params("")).unwrap();
        assert!(empty.verify(Some(&client()), &[]).is_err());
    }

    #[test]
    fn secrets_never_show_in_debug_output() {
        let form = Params::parse("client_id=app&client_secret=hunter2").unwrap();
        let credentials = ClientCredentials::parse(None, &form).unwrap();
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
