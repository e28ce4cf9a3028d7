//! The UserInfo endpoint (OpenID Connect Core 5.3), and bearer tokens (RFC 6750).

use serde_json::{Map, Value};

use crate::secret::Token;

use super::claims::released;
use super::error::ErrorCode;
use super::params::Params;
use super::scope::Scopes;
use super::subject::Subject;

/// The document: `sub` always, and what the scopes release.
pub fn document(sub: &Subject, claims: &Map<String, Value>, scopes: &Scopes) -> Value {
    let mut document = released(claims, scopes);
    document.insert("sub".to_owned(), Value::from(sub.as_str()));
    Value::Object(document)
}

/// Finds the access token in the `Authorization` header or in the form of a POST (RFC 6750 2.1 and
/// 2.2). `query` is looked at only to refuse a token in the URL, where logs would keep it.
pub fn bearer_token(
    authorization: Option<&str>,
    form: &Params,
    query: &Params,
) -> Result<Token, BearerError> {
    if !matches!(query.flag("access_token"), Ok(None)) {
        return Err(BearerError::InQuery);
    }
    let form = form.single("access_token").map_err(|_| BearerError::Several)?;
    match (authorization, form) {
        (None, None) => Err(BearerError::Missing),
        (Some(_), Some(_)) => Err(BearerError::Several),
        (None, Some(token)) => token68(token),
        (Some(header), None) => match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token68(token),
            _ => Err(BearerError::Malformed),
        },
    }
}

/// Why a request for a protected resource is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BearerError {
    #[error("no access token")]
    Missing,
    #[error("more than one access token")]
    Several,
    #[error("the access token must not stand in the URL")]
    InQuery,
    #[error("not a Bearer header")]
    Malformed,
    /// For the caller to say: unknown, expired, or its session has ended.
    #[error("the access token is unknown or has expired")]
    Invalid,
}

impl BearerError {
    /// The error code; none where the client did not try to authenticate (RFC 6750 3.1).
    pub const fn error_code(self) -> Option<ErrorCode> {
        match self {
            Self::Missing => None,
            Self::Several | Self::InQuery | Self::Malformed => Some(ErrorCode::InvalidRequest),
            Self::Invalid => Some(ErrorCode::InvalidToken),
        }
    }

    pub const fn status(self) -> u16 {
        match self.error_code() {
            None => 401,
            Some(code) => code.status(),
        }
    }

    /// The `WWW-Authenticate` header of the answer.
    pub fn www_authenticate(self) -> String {
        match self.error_code() {
            None => "Bearer".to_owned(),
            Some(code) => {
                format!(r#"Bearer error="{}", error_description="{self}""#, code.as_str())
            }
        }
    }
}

/// RFC 6750 2.1: `b64token`.
fn token68(token: &str) -> Result<Token, BearerError> {
    let body = token.trim_end_matches('=');
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~+/".contains(&c);
    match !body.is_empty() && body.bytes().all(plain) {
        true => Ok(Token::received(token)),
        false => Err(BearerError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(header: Option<&str>, form: &str, query: &str) -> Result<Token, BearerError> {
        let params = |raw: &str| Params::parse(raw).unwrap();
        bearer_token(header, &params(form), &params(query))
    }

    #[test]
    fn a_token_comes_in_the_header_or_in_the_form() {
        let token = Ok(Token::received("ab-._~+/12=="));
        assert_eq!(find(Some("Bearer ab-._~+/12=="), "", ""), token);
        assert_eq!(find(Some("bearer ab-._~+/12=="), "", "x=1"), token);
        assert_eq!(find(None, "access_token=ab-._~%2B/12%3D%3D", ""), token);
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        for (header, form, query, error) in [
            (None, "", "", BearerError::Missing),
            (None, "access_token=", "", BearerError::Missing),
            (None, "", "access_token=ab", BearerError::InQuery),
            (Some("Bearer ab"), "", "access_token=", BearerError::InQuery),
            (Some("Bearer ab"), "", "access_token=a&access_token=b", BearerError::InQuery),
            (Some("Bearer ab"), "access_token=ab", "", BearerError::Several),
            (None, "access_token=a&access_token=a", "", BearerError::Several),
            (Some("Bearer"), "", "", BearerError::Malformed),
            (Some("Bearer "), "", "", BearerError::Malformed),
            (Some("Bearer ="), "", "", BearerError::Malformed),
            (Some("Bearer a b"), "", "", BearerError::Malformed),
            (Some("Basic YTpi"), "", "", BearerError::Malformed),
        ] {
            assert_eq!(find(header, form, query), Err(error), "{header:?} {form} {query}");
        }
    }

    #[test]
    fn answers_follow_rfc_6750() {
        assert_eq!((BearerError::Missing.status(), BearerError::Invalid.status()), (401, 401));
        assert_eq!(BearerError::InQuery.status(), 400);
        assert_eq!(BearerError::Missing.www_authenticate(), "Bearer");
        let invalid = BearerError::Invalid.www_authenticate();
        assert!(invalid.starts_with(r#"Bearer error="invalid_token", "#), "{invalid}");
    }

    #[test]
    fn the_subject_is_always_there_and_always_ours() {
        let claims = json!({"sub": "evil", "email": "a@example.com", "name": "A"});
        let claims = claims.as_object().unwrap();
        let sub = Subject::stored("u".to_owned());
        assert_eq!(document(&sub, claims, &Scopes::parse("openid")), json!({"sub": "u"}));
        assert_eq!(
            document(&sub, claims, &Scopes::parse("openid email")),
            json!({"sub": "u", "email": "a@example.com"})
        );
    }
}
