//! How large a request body may be, by kind of endpoint.

use axum::Extension;
use axum::extract::DefaultBodyLimit;

/// A kind of body. The extractors of `http::extract` and of axum honour the layer; a route without
/// one has axum's 2 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLimit {
    /// Forms of OAuth and OpenID Connect: 32 KiB.
    Form,
    /// SAML messages by POST and SOAP: 512 KiB.
    Saml,
    /// JSON of the admin API: 256 KiB.
    AdminJson,
    /// Uploaded metadata: 2 MiB.
    Metadata,
}

impl BodyLimit {
    pub const fn bytes(self) -> usize {
        match self {
            Self::Form => 32 * 1024,
            Self::Saml => 512 * 1024,
            Self::AdminJson => 256 * 1024,
            Self::Metadata => 2 * 1024 * 1024,
        }
    }

    /// The layer for a route: `.layer(BodyLimit::Form.layer())`.
    /// What says how long it is can be refused before it comes; what does not is cut off.
    pub fn layer(self) -> (Extension<Self>, DefaultBodyLimit) {
        (Extension(self), DefaultBodyLimit::max(self.bytes()))
    }
}
