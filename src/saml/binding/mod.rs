//! How a message travels (SAML Bindings 2.0).

pub mod post;
pub mod redirect;
pub mod soap;

pub use post::PostForm;
pub use redirect::{RawQuery, RedirectMessage};

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use crate::xml::verify::SignatureError;

/// Some IdPs leave the padding out; it carries no information.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bindings that an endpoint may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    Redirect,
    Post,
    Soap,
}

impl Binding {
    pub fn uri(self) -> &'static str {
        match self {
            Self::Redirect => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
            Self::Post => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
            Self::Soap => "urn:oasis:names:tc:SAML:2.0:bindings:SOAP",
        }
    }

    pub fn from_uri(uri: &str) -> Option<Self> {
        [Self::Redirect, Self::Post, Self::Soap].into_iter().find(|binding| binding.uri() == uri)
    }
}

/// As the standard calls it, without its prefix.
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redirect => "Redirect",
            Self::Post => "POST",
            Self::Soap => "SOAP",
        })
    }
}

/// Where a party takes messages of one binding (SAML Metadata 2.2.2). The URLs are kept byte for
/// byte: `Destination` is compared with them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    pub binding: Binding,
    pub location: String,
    /// Where answers go, if not to `location`.
    pub response_location: Option<String>,
    /// The number that the document gives it, if any. SSO and SLO endpoints need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u16>,
    /// It takes logout requests that want no answer (Asynchronous Single Logout 1.0, 2.3).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asynchronous: bool,
}

impl Endpoint {
    /// One that takes everything at the same place.
    pub fn new(binding: Binding, location: impl Into<String>) -> Self {
        let location = location.into();
        Self { binding, location, response_location: None, index: None, asynchronous: false }
    }

    /// The URL for messages of this kind.
    pub fn location_for(&self, kind: MessageKind) -> &str {
        match (kind, &self.response_location) {
            (MessageKind::Response, Some(location)) => location,
            _ => &self.location,
        }
    }
}

/// Which of the two form fields or query parameters carries the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageKind {
    Request,
    Response,
}

impl MessageKind {
    /// The name of the form field or query parameter.
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// What came is not a message of this binding, or its query signature does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BindingError {
    #[error("there is neither a SAMLRequest nor a SAMLResponse")]
    NoMessage,
    #[error("there are both a SAMLRequest and a SAMLResponse")]
    BothKinds,
    #[error("the parameter {0} is there twice")]
    Duplicate(&'static str),
    #[error("the name of the parameter {0} is percent-encoded")]
    EncodedName(&'static str),
    #[error("a parameter is not well percent-encoded UTF-8")]
    PercentEncoding,
    #[error("there is a SigAlg without a Signature, or a Signature without a SigAlg")]
    HalfSigned,
    #[error("the message is encoded otherwise than by DEFLATE")]
    Encoding,
    #[error("{0} is not base64")]
    Base64(&'static str),
    #[error("the message is not compressed by raw DEFLATE (RFC 1951), or something follows it")]
    Deflate,
    #[error("the message is longer than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the message unpacks to more than {} times its size", redirect::MOST_RATIO)]
    Ratio,
    #[error("the message is not XML; perhaps it is compressed, which POST does not allow")]
    NotXml,
    #[error("the query is not signed")]
    Unsigned,
    #[error("the signature algorithm is not accepted")]
    Algorithm,
    /// Of a query. It holds over the octets as the IdP wrote them and over no others.
    #[error("{0}; or something between the IdP and us has encoded the query anew")]
    Signature(#[from] SignatureError),
}

impl BindingError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoMessage => "binding.no_message",
            Self::BothKinds => "binding.both_kinds",
            Self::Duplicate(_) => "binding.duplicate",
            Self::EncodedName(_) => "binding.encoded_name",
            Self::PercentEncoding => "binding.percent_encoding",
            Self::HalfSigned => "binding.half_signed",
            Self::Encoding => "binding.encoding",
            Self::Base64(_) => "binding.base64",
            Self::Deflate => "binding.deflate",
            Self::TooLarge { .. } => "binding.too_large",
            Self::Ratio => "binding.ratio",
            Self::NotXml => "binding.not_xml",
            Self::Unsigned => "binding.unsigned",
            Self::Algorithm => "binding.algorithm",
            Self::Signature(error) => error.code(),
        }
    }
}

/// Base64 as it really arrives: with line breaks (RFC 2045) or without, padded or not.
fn decode_base64(text: &str, name: &'static str) -> Result<Vec<u8>, BindingError> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    // Bytes, and all of them: the text is long, and the compiler looks at many at once.
    let decoded = if text.bytes().fold(false, |found, byte| found | is_space(&byte)) {
        BASE64.decode(text.bytes().filter(|byte| !is_space(byte)).collect::<Vec<u8>>())
    } else {
        BASE64.decode(text)
    };
    decoded.map_err(|_| BindingError::Base64(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_have_the_names_of_the_standard() {
        for binding in [Binding::Redirect, Binding::Post, Binding::Soap] {
            assert_eq!(Binding::from_uri(binding.uri()), Some(binding));
        }
        assert_eq!(Binding::from_uri("urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"), None);
    }

    #[test]
    fn answers_go_to_the_response_location() {
        let mut endpoint = Endpoint::new(Binding::Post, "https://a.example");
        endpoint.response_location = Some("https://b.example".into());
        assert_eq!(endpoint.location_for(MessageKind::Request), "https://a.example");
        assert_eq!(endpoint.location_for(MessageKind::Response), "https://b.example");
        endpoint.response_location = None;
        assert_eq!(endpoint.location_for(MessageKind::Response), "https://a.example");
    }

    #[test]
    fn base64_is_read_with_line_breaks_and_without_padding() {
        for same in ["aGVsbG8=", "aGVsbG8", "aGVs\r\nbG8=\n", " aGVs bG8"] {
            assert_eq!(decode_base64(same, "x").unwrap(), b"hello");
        }
        for bad in ["aGVsbG8-", "a", "aGVsbG9=x", "é"] {
            assert_eq!(decode_base64(bad, "x"), Err(BindingError::Base64("x")), "{bad}");
        }
    }
}
