//! HTTP Redirect (SAML Bindings 3.4): the message is compressed into the query string, and the
//! signature is over the query string's own bytes.

use std::borrow::Cow;
use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::{BindingError, MessageKind, decode_base64};
use crate::xml::algorithm::SignatureAlgorithm;
use crate::xml::sign::{SignError, SigningKey};
use crate::xml::verify::TrustedKeys;

/// How many times its size a message may have when it is unpacked. Real ones have two to five times;
/// DEFLATE could do a thousand, and what is cheap to send would be dear to read.
pub(super) const MOST_RATIO: usize = 100;

/// The only encoding there is (SAML Bindings 3.4.4.1).
const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";

/// Longest URL that is sure to arrive, in bytes. Web servers and proxies commonly cut off or refuse
/// request lines of 8 KiB; 1 KiB is left for whatever they put in front of the path. A sender that
/// has another binding to choose uses it for longer messages.
pub const MAX_URL_BYTES: usize = 7 * 1024;

/// The whole URL that carries a message. An endpoint that has a query already keeps it.
///
/// # Errors
/// If the key cannot sign.
pub fn encode(
    kind: MessageKind,
    xml: &str,
    relay_state: Option<&str>,
    endpoint: &str,
    key: Option<&SigningKey>,
) -> Result<String, SignError> {
    let mut query = format!("{}={}", kind.parameter(), percent_encode(&deflate(xml)));
    if let Some(relay_state) = relay_state {
        query.push_str("&RelayState=");
        query.push_str(&percent_encode(relay_state));
    }
    if let Some(key) = key {
        // These bytes are signed, and exactly these are sent.
        query.push_str("&SigAlg=");
        query.push_str(&percent_encode(key.signature_algorithm().uri()));
        let signature = STANDARD.encode(key.sign_octets(query.as_bytes())?);
        query.push_str("&Signature=");
        query.push_str(&percent_encode(&signature));
    }
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    Ok(format!("{endpoint}{separator}{query}"))
}

/// A query string exactly as it was received. Nothing may have decoded it before.
#[derive(Clone, Copy)]
pub struct RawQuery<'q>(&'q str);

/// A message of the Redirect binding. Nothing of it is believed yet: [`RedirectMessage::verify`]
/// first, then [`RedirectMessage::inflate`].
#[derive(Debug)]
pub struct RedirectMessage<'q> {
    kind: MessageKind,
    message: Raw<'q>,
    relay_state: Option<Raw<'q>>,
    signature: Option<QuerySignature<'q>>,
}

#[derive(Debug)]
struct QuerySignature<'q> {
    algorithm: Raw<'q>,
    value: Raw<'q>,
}

/// A value as received, and what it means.
#[derive(Debug)]
struct Raw<'q> {
    octets: &'q str,
    decoded: Cow<'q, str>,
}

/// The parameters that belong to the binding. Every other one is outside the signature and ignored.
const PARAMETERS: [&str; 6] =
    ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"];

impl<'q> RawQuery<'q> {
    pub fn new(raw: &'q str) -> Self {
        Self(raw)
    }

    /// Finds the message.
    ///
    /// # Errors
    /// [`BindingError::NoMessage`] if there is none. Any ambiguity is an error: a repeated
    /// parameter, both kinds of message, half a signature, another encoding.
    pub fn parse(self) -> Result<RedirectMessage<'q>, BindingError> {
        let mut found: [Option<Raw<'q>>; 6] = Default::default();
        for pair in self.0.split('&') {
            let (name, octets) = pair.split_once('=').unwrap_or((pair, ""));
            let Ok(decoded_name) = percent_decode(name) else { continue };
            let known =
                PARAMETERS.iter().zip(&mut found).find(|(known, _)| **known == decoded_name);
            let Some((known, slot)) = known else { continue };
            if name != *known {
                return Err(BindingError::EncodedName(known));
            }
            if slot.is_some() {
                return Err(BindingError::Duplicate(known));
            }
            *slot = Some(Raw { octets, decoded: percent_decode(octets)? });
        }
        let [request, response, relay_state, algorithm, value, encoding] = found;
        if encoding.is_some_and(|encoding| encoding.decoded != DEFLATE) {
            return Err(BindingError::Encoding);
        }
        let (kind, message) = match (request, response) {
            (Some(_), Some(_)) => return Err(BindingError::BothKinds),
            (None, None) => return Err(BindingError::NoMessage),
            (Some(message), None) => (MessageKind::Request, message),
            (None, Some(message)) => (MessageKind::Response, message),
        };
        let signature = match (algorithm, value) {
            (Some(algorithm), Some(value)) => Some(QuerySignature { algorithm, value }),
            (None, None) => None,
            _ => return Err(BindingError::HalfSigned),
        };
        Ok(RedirectMessage { kind, message, relay_state, signature })
    }
}

impl RedirectMessage<'_> {
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    pub fn relay_state(&self) -> Option<&str> {
        self.relay_state.as_ref().map(|relay_state| relay_state.decoded.as_ref())
    }

    /// Whether there is a signature; whether it holds is for [`RedirectMessage::verify`] to say.
    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// Verifies the query signature over the bytes as they were received: IdPs differ in how they
    /// percent-encode (AD FS and Entra write lower-case hexadecimal), so nothing is encoded again.
    /// A RelayState that is there was signed, even an empty one (SAML Bindings 3.4.4.1).
    ///
    /// # Errors
    /// [`BindingError::Unsigned`] if there is no signature; a signature that does not hold.
    pub fn verify(&self, keys: &TrustedKeys) -> Result<(), BindingError> {
        let signature = self.signature.as_ref().ok_or(BindingError::Unsigned)?;
        let algorithm = SignatureAlgorithm::from_uri(&signature.algorithm.decoded)
            .ok_or(BindingError::Algorithm)?;
        let value = decode_base64(&signature.value.decoded, "Signature")?;
        let mut signed = format!("{}={}", self.kind.parameter(), self.message.octets);
        if let Some(relay_state) = &self.relay_state {
            signed.push_str("&RelayState=");
            signed.push_str(relay_state.octets);
        }
        signed.push_str("&SigAlg=");
        signed.push_str(signature.algorithm.octets);
        Ok(keys.verify_octets(algorithm, signed.as_bytes(), &value)?)
    }

    /// The XML, at most `limit` bytes of it. Decompress only what has been verified, or what is
    /// needed to find out who should have signed it.
    ///
    /// # Errors
    /// If it is not one raw DEFLATE stream in base64, or unpacks to more than `limit` bytes.
    pub fn inflate(&self, limit: usize) -> Result<Vec<u8>, BindingError> {
        let compressed = decode_base64(&self.message.decoded, self.kind.parameter())?;
        let most = limit.min(compressed.len().saturating_mul(MOST_RATIO));
        let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let mut inflated = Vec::new();
        let mut stream = DeflateDecoder::new(compressed.as_slice()).take(most);
        stream.read_to_end(&mut inflated).map_err(|_| BindingError::Deflate)?;
        if inflated.len() > limit {
            return Err(BindingError::TooLarge { limit });
        }
        if inflated.len() > compressed.len().saturating_mul(MOST_RATIO) {
            return Err(BindingError::Ratio);
        }
        match stream.into_inner().into_inner() {
            [] if !inflated.is_empty() => Ok(inflated),
            _ => Err(BindingError::Deflate),
        }
    }
}

fn deflate(xml: &str) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(xml.as_bytes()).and_then(|()| encoder.finish());
    STANDARD.encode(written.expect("writing to a Vec does not fail"))
}

/// Everything but the unreserved characters of RFC 3986 2.3 is escaped.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
    encoded
}

/// `application/x-www-form-urlencoded`, where `+` is a space.
fn percent_decode(text: &str) -> Result<Cow<'_, str>, BindingError> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    let digit = |byte: Option<u8>| {
        let digit = char::from(byte?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (digit(bytes.next()), digit(bytes.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(BindingError::PercentEncoding),
            },
            other => other,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| BindingError::PercentEncoding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::fixture::{idp_key, other_key, trusted};

    const LIMIT: usize = 1000;

    /// The query of a signed message.
    fn signed(relay_state: Option<&str>) -> String {
        let url =
            encode(MessageKind::Response, "<a>é</a>", relay_state, "https://sp", Some(idp_key()));
        url.unwrap().strip_prefix("https://sp?").unwrap().to_owned()
    }

    fn verify(query: &str) -> Result<Vec<u8>, BindingError> {
        let message = RawQuery::new(query).parse()?;
        message.verify(&trusted(&[idp_key()]))?;
        message.inflate(LIMIT)
    }

    fn unsigned(value: &[u8]) -> String {
        format!("SAMLRequest={}", percent_encode(&STANDARD.encode(value)))
    }

    fn inflate(query: &str) -> Result<Vec<u8>, BindingError> {
        RawQuery::new(query).parse()?.inflate(LIMIT)
    }

    #[test]
    fn a_signed_message_is_verified_and_unpacked() {
        for relay_state in [None, Some(""), Some("a b+c&d=é%2f"), Some(&"x".repeat(500))] {
            let query = signed(relay_state);
            assert_eq!(verify(&query).unwrap(), "<a>é</a>".as_bytes());
            let message = RawQuery::new(&query).parse().unwrap();
            assert_eq!(message.relay_state(), relay_state);
            assert_eq!(message.kind(), MessageKind::Response);
            assert!(message.is_signed());
            assert!(matches!(
                message.verify(&trusted(&[other_key()])),
                Err(BindingError::Signature(_))
            ));
            assert_eq!(message.verify(&trusted(&[other_key(), idp_key()])), Ok(()));
        }
    }

    #[test]
    fn the_order_in_the_url_is_free_and_other_parameters_do_not_count() {
        let query = signed(Some("state"));
        let mut parts: Vec<_> = query.split('&').collect();
        parts.reverse();
        parts.insert(1, "foo=1&foo=%zz");
        assert!(verify(&parts.join("&")).is_ok());
    }

    #[test]
    fn the_signature_is_over_the_received_bytes() {
        // As AD FS and Entra do: lower-case escapes, and the signature over them.
        let xml = percent_encode(&deflate("<a/>")).replace("%2B", "%2b").replace("%3D", "%3d");
        let algorithm = percent_encode(idp_key().signature_algorithm().uri());
        let algorithm = algorithm.replace("%3A", "%3a").replace("%2F", "%2f");
        let octets = format!("SAMLResponse={xml}&RelayState=a+b:/%c3%a9&SigAlg={algorithm}");
        let signature = STANDARD.encode(idp_key().sign_octets(octets.as_bytes()).unwrap());
        let query = format!("{octets}&Signature={}", percent_encode(&signature));
        assert_eq!(verify(&query).unwrap(), b"<a/>");
        let message = RawQuery::new(&query).parse().unwrap();
        assert_eq!(message.relay_state(), Some("a b:/é"));
        // The same values encoded otherwise are not what was signed.
        assert!(verify(&query.replace("a+b", "a%20b")).is_err());
        assert!(verify(&query.replace("%c3", "%C3")).is_err());
    }

    #[test]
    fn a_relay_state_cannot_be_added_changed_or_removed() {
        let (with, without) = (signed(Some("state")), signed(None));
        assert!(verify(&with).is_ok() && verify(&without).is_ok());
        for bad in [
            with.replace("RelayState=state", "RelayState=other"),
            with.replace("RelayState=state", "RelayState="),
            with.replace("&RelayState=state", ""),
            format!("{without}&RelayState=x"),
            format!("{without}&RelayState="),
        ] {
            assert!(matches!(verify(&bad), Err(BindingError::Signature(_))), "{bad}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let query = signed(Some("state"));
        let parse = |query: String| RawQuery::new(&query).parse().map(|_| ());
        assert_eq!(parse(query.clone()), Ok(()));
        for name in ["SAMLResponse", "RelayState", "SigAlg", "Signature"] {
            for doubled in [format!("{query}&{name}=x"), format!("{name}&{query}")] {
                assert_eq!(parse(doubled), Err(BindingError::Duplicate(name)));
            }
        }
        for both in [format!("{query}&SAMLRequest=x"), format!("SAMLRequest=&{query}")] {
            assert_eq!(parse(both), Err(BindingError::BothKinds));
        }
        assert_eq!(
            parse(format!("{query}&SAML%52equest=x")),
            Err(BindingError::EncodedName("SAMLRequest"))
        );
        let without = |name: &str| {
            let kept = query.split('&').filter(|pair| !pair.starts_with(name));
            kept.collect::<Vec<_>>().join("&")
        };
        assert_eq!(parse(without("SigAlg")), Err(BindingError::HalfSigned));
        assert_eq!(parse(without("Signature")), Err(BindingError::HalfSigned));
        assert_eq!(parse(without("SAMLResponse")), Err(BindingError::NoMessage));
        assert_eq!(parse(String::new()), Err(BindingError::NoMessage));
        assert_eq!(parse("SAMLRequest=%4".into()), Err(BindingError::PercentEncoding));
        assert_eq!(parse("SAMLRequest=%ff".into()), Err(BindingError::PercentEncoding));
    }

    #[test]
    fn only_deflate_is_an_encoding() {
        let with = |encoding: &str| verify(&format!("{}&SAMLEncoding={encoding}", signed(None)));
        assert!(with(DEFLATE).is_ok());
        assert!(with(&percent_encode(DEFLATE)).is_ok());
        assert_eq!(with(""), Err(BindingError::Encoding));
        assert_eq!(with("urn:other"), Err(BindingError::Encoding));
    }

    #[test]
    fn an_unsigned_message_is_never_verified() {
        let url = encode(MessageKind::Request, "<a/>", None, "https://sp", None).unwrap();
        let query = url.strip_prefix("https://sp?").unwrap();
        let message = RawQuery::new(query).parse().unwrap();
        assert!(!message.is_signed());
        assert_eq!(message.verify(&trusted(&[idp_key()])), Err(BindingError::Unsigned));
        assert_eq!(message.inflate(LIMIT).unwrap(), b"<a/>");
    }

    #[test]
    fn algorithms_that_are_not_signatures_by_a_trusted_key_are_refused() {
        let query = signed(None);
        let own = percent_encode(idp_key().signature_algorithm().uri());
        for other in ["http://www.w3.org/2000/09/xmldsig#rsa-sha1", "none", "hmac-sha256", ""] {
            let other = query.replace(&own, &percent_encode(other));
            assert_eq!(verify(&other), Err(BindingError::Algorithm));
        }
    }

    #[test]
    fn unpacking_is_limited_and_takes_one_stream_only() {
        let compressed = |bytes: usize| {
            let text = "a".repeat(bytes);
            STANDARD.decode(deflate(&text)).unwrap()
        };
        assert_eq!(inflate(&unsigned(&compressed(LIMIT))).unwrap().len(), LIMIT);
        let too_large = Err(BindingError::TooLarge { limit: LIMIT });
        assert_eq!(inflate(&unsigned(&compressed(LIMIT + 1))), too_large);
        assert_eq!(inflate(&unsigned(&compressed(10_000_000))), too_large);
        let one = compressed(10);
        let mut cut = one.clone();
        cut.truncate(one.len() - 2);
        let zlib = [&[0x78, 0x9c][..], &one].concat();
        for bad in [[&one[..], b"x"].concat(), [&one[..], &one].concat(), cut, zlib, Vec::new()] {
            assert_eq!(inflate(&unsigned(&bad)), Err(BindingError::Deflate));
        }
        assert_eq!(inflate("SAMLRequest=%3C"), Err(BindingError::Base64("SAMLRequest")));
    }

    #[test]
    fn unpacking_is_in_proportion_to_what_came() {
        let inflate = |bytes: &[u8], limit| {
            let query = unsigned(bytes);
            RawQuery::new(&query).parse().unwrap().inflate(limit).map(|xml| xml.len())
        };
        let bomb = STANDARD.decode(deflate(&"a".repeat(8 * 1024 * 1024))).unwrap();
        assert!(bomb.len() < 8 * 1024 + 512, "{}", bomb.len());
        assert_eq!(inflate(&bomb, usize::MAX), Err(BindingError::Ratio));
        assert_eq!(inflate(&bomb, 256 * 1024), Err(BindingError::TooLarge { limit: 256 * 1024 }));
        // Small ones are no exception.
        let small = STANDARD.decode(deflate(&"<a b=''/>".repeat(20_000))).unwrap();
        assert!(small.len() * 100 < 180_000, "{}", small.len());
        assert_eq!(inflate(&small, 256 * 1024), Err(BindingError::Ratio));
        // What a message could be is none of it.
        let even = STANDARD.decode(deflate(&"<a>0123456789</a>".repeat(40))).unwrap();
        assert_eq!(inflate(&even, 256 * 1024), Ok(680));
    }

    #[test]
    fn an_endpoint_keeps_its_own_query() {
        let to = |endpoint| encode(MessageKind::Request, "<a/>", None, endpoint, None).unwrap();
        assert!(
            to("https://idp/slo?tenant=1").starts_with("https://idp/slo?tenant=1&SAMLRequest=")
        );
        assert!(to("https://idp/slo").starts_with("https://idp/slo?SAMLRequest="));
    }
}
