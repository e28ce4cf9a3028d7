//! HTTP POST (SAML Bindings 3.5): the message is a base64 form field, signed inside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{BindingError, MessageKind, decode_base64};

/// A form that the browser submits to the other side. Whoever renders it escapes every value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostForm {
    pub action: String,
    pub fields: Vec<(&'static str, String)>,
}

impl PostForm {
    /// `xml` must be signed already.
    pub fn new(kind: MessageKind, xml: &str, relay_state: Option<&str>, action: &str) -> Self {
        let mut fields = vec![(kind.parameter(), STANDARD.encode(xml))];
        fields.extend(relay_state.map(|value| ("RelayState", value.to_owned())));
        Self { action: action.to_owned(), fields }
    }
}

/// The XML in a form field, at most `limit` bytes of it.
///
/// # Errors
/// If the value is too large, not base64, or holds something else than XML.
pub fn decode(value: &str, limit: usize) -> Result<Vec<u8>, BindingError> {
    // Base64 takes four bytes for three; as much again is left for line breaks.
    if value.len() / 8 * 3 > limit {
        return Err(BindingError::TooLarge { limit });
    }
    let xml = decode_base64(value, "the message")?;
    match xml.first() {
        _ if xml.len() > limit => Err(BindingError::TooLarge { limit }),
        Some(b'<' | b' ' | b'\t' | b'\r' | b'\n' | 0xEF) => Ok(xml),
        _ => Err(BindingError::NotXml),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_form_carries_is_decoded_again() {
        let form = PostForm::new(MessageKind::Response, "<a>é</a>", Some("\"><x>"), "https://idp");
        assert_eq!(form.action, "https://idp");
        let [(name, value), relay_state] = form.fields.as_slice() else { panic!("{form:?}") };
        assert_eq!(*name, "SAMLResponse");
        assert_eq!(decode(value, 100).unwrap(), "<a>é</a>".as_bytes());
        assert_eq!(*relay_state, ("RelayState", "\"><x>".to_owned()));
        let bare = PostForm::new(MessageKind::Request, "<a/>", None, "https://idp");
        assert_eq!(bare.fields, [("SAMLRequest", STANDARD.encode("<a/>"))]);
    }

    #[test]
    fn the_size_is_limited_before_and_after_decoding() {
        let message = |bytes: usize| STANDARD.encode(format!("<{}", "a".repeat(bytes - 1)));
        assert_eq!(decode(&message(300), 300).unwrap().len(), 300);
        assert_eq!(decode(&message(301), 300), Err(BindingError::TooLarge { limit: 300 }));
        assert_eq!(decode(&message(30_000), 300), Err(BindingError::TooLarge { limit: 300 }));
    }

    #[test]
    fn line_breaks_are_fine_and_compressed_bodies_are_named() {
        let encoded = STANDARD.encode("<a>1234567890</a>");
        let wrapped: String = encoded.chars().flat_map(|c| [c, '\n']).collect();
        assert_eq!(decode(&wrapped, 100).unwrap(), b"<a>1234567890</a>");
        assert_eq!(decode(&STANDARD.encode(b"\xb3\x49\xb4\x03"), 100), Err(BindingError::NotXml));
        assert_eq!(decode("", 100), Err(BindingError::NotXml));
        assert!(matches!(decode("<a/>", 100), Err(BindingError::Base64(_))));
    }
}
