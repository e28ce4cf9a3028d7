//! Request bodies with a limit on size and on time.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_LENGTH;

use crate::http::layer::BodyLimit;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(15);

/// A whole body, no larger than the route's `BodyLimit`, that arrived within 15 seconds.
#[derive(Clone, Debug)]
pub struct TimedBody(pub Bytes);

impl<S: Sync> FromRequest<S> for TimedBody {
    type Rejection = BodyError;

    async fn from_request(request: Request, _: &S) -> Result<Self, BodyError> {
        let limit = request.extensions().get::<BodyLimit>().map_or(usize::MAX, |it| it.bytes());
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|text| text.to_str().ok());
        if announced.and_then(|text| text.parse::<usize>().ok()).is_some_and(|it| it > limit) {
            return Err(BodyError::TooLarge);
        }
        read(request, BODY_TIME).await.map(Self)
    }
}

async fn read(request: Request, limit: Duration) -> Result<Bytes, BodyError> {
    match tokio::time::timeout(limit, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(BodyError::TooLarge)
        }
        Ok(Err(_)) => Err(BodyError::Interrupted),
        Err(_) => Err(BodyError::TooSlow),
    }
}

/// Why a body was not read. The client is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body did not arrive whole")]
    Interrupted,
    #[error("the body is too large")]
    TooLarge,
    #[error("the body took too long to arrive")]
    TooSlow,
}

impl BodyError {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Interrupted => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Interrupted => "body_interrupted",
            Self::TooLarge => "body_too_large",
            Self::TooSlow => "body_too_slow",
        }
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let never = Request::new(axum::body::Body::new(Silent));
        let result = read(never, Duration::from_millis(20)).await;
        assert_eq!(result, Err(BodyError::TooSlow));
        let whole = read(Request::new("whole".into()), Duration::from_millis(200)).await;
        assert_eq!(whole, Ok(Bytes::from_static(b"whole")));
    }

    /// A body whose sender stays silent.
    struct Silent;

    impl hyper::body::Body for Silent {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
}
