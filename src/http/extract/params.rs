//! Request parameters, from the query of a GET or the form of a POST.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};

use super::body::{BodyError, TimedBody};
use crate::oidc::{Params, ParamsError};

/// The parameters of a request. A POST counts by its form alone; whatever stands in its query is
/// ignored, so that nothing is read from two places.
#[derive(Clone, Debug)]
pub struct RawParams {
    pub params: Params,
    /// The query of a GET as it came, without the `?`: the Redirect binding signs exactly these
    /// octets (SAML Bindings 3.4.4.1). `None` says that this was a form.
    pub raw_query: Option<String>,
}

impl<S: Sync> FromRequest<S> for RawParams {
    type Rejection = RawParamsError;

    async fn from_request(request: Request, state: &S) -> Result<Self, RawParamsError> {
        match *request.method() {
            Method::GET => {
                let raw = request.uri().query().unwrap_or_default().to_owned();
                Ok(Self { params: Params::parse(&raw)?, raw_query: Some(raw) })
            }
            Method::POST => {
                if !is_form(request.headers()) {
                    return Err(RawParamsError::NotAForm);
                }
                let TimedBody(body) = TimedBody::from_request(request, state).await?;
                Ok(Self { params: Params::parse(&body)?, raw_query: None })
            }
            // A HEAD must change nothing (RFC 9110 9.2.1), and these requests change something.
            _ => Err(RawParamsError::Method),
        }
    }
}

/// One `Content-Type`, of the form kind. Its parameters do not matter: the encoding of a form is
/// always percent-encoded ASCII.
fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Why a request has no parameters that can be trusted. The client is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawParamsError {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("only GET and POST carry parameters")]
    Method,
    #[error("a POST needs Content-Type: application/x-www-form-urlencoded")]
    NotAForm,
    #[error(transparent)]
    Params(#[from] ParamsError),
}

impl RawParamsError {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Body(error) => error.status(),
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Params(_) => StatusCode::BAD_REQUEST,
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Body(error) => error.code(),
            Self::Method => "method_not_allowed",
            Self::NotAForm => "not_a_form",
            Self::Params(_) => "malformed_parameters",
        }
    }
}

impl IntoResponse for RawParamsError {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn parse(
        request: http::request::Builder,
        body: &str,
    ) -> Result<RawParams, RawParamsError> {
        RawParams::from_request(request.body(Body::from(body.to_owned())).unwrap(), &()).await
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[tokio::test]
    async fn a_get_keeps_its_query_octet_by_octet() {
        let raw = "SAMLResponse=a%2bb%2Bc&RelayState=x+y&SigAlg=z";
        let got = parse(Request::get(format!("/logout?{raw}")), "").await.unwrap();
        assert_eq!(got.raw_query.as_deref(), Some(raw));
        assert_eq!(got.params.single("SAMLResponse"), Ok(Some("a+b+c")));
        let none = parse(Request::get("/logout"), "").await.unwrap();
        assert!(none.params.is_empty() && none.raw_query.as_deref() == Some(""));
    }

    #[tokio::test]
    async fn a_post_counts_by_its_form_alone() {
        for content_type in [FORM, "Application/X-WWW-Form-URLencoded; charset=UTF-8"] {
            let request = Request::post("/logout?state=query").header(CONTENT_TYPE, content_type);
            let got = parse(request, "state=form").await.unwrap();
            assert_eq!(got.params.single("state"), Ok(Some("form")));
            assert_eq!(got.raw_query, None);
        }
    }

    #[tokio::test]
    async fn a_post_that_is_no_form_is_refused() {
        let not_a_form = Some(RawParamsError::NotAForm);
        assert_eq!(parse(Request::post("/"), "a=b").await.err(), not_a_form);
        for other in ["application/json", "text/plain", "application/x-www-form-urlencodedx", ""] {
            let request = Request::post("/").header(CONTENT_TYPE, other);
            assert_eq!(parse(request, "a=b").await.err(), not_a_form, "{other}");
        }
        let twice = Request::post("/").header(CONTENT_TYPE, FORM).header(CONTENT_TYPE, FORM);
        assert_eq!(parse(twice, "a=b").await.err(), not_a_form);
    }

    #[tokio::test]
    async fn no_other_method_carries_parameters() {
        for method in ["HEAD", "PUT", "DELETE", "OPTIONS"] {
            let error =
                parse(Request::builder().method(method).uri("/?a=b"), "").await.unwrap_err();
            assert_eq!(error.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_decoded_is_a_bad_request() {
        for request in [
            parse(Request::get("/?a=%zz"), "").await,
            parse(Request::post("/").header(CONTENT_TYPE, FORM), "a=%zz").await,
        ] {
            let error = request.unwrap_err();
            assert_eq!(error, RawParamsError::Params(ParamsError::Malformed));
            assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        }
    }
}
