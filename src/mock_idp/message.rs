//! A message as it arrives by any binding, with what its signature is worth.

use super::Refusal;
use crate::http::extract::RawParams;
use crate::saml::binding::{post, soap};
use crate::saml::message::verify_enveloped;
use crate::saml::{Binding, MessageKind, Proof, RawQuery};
use crate::xml::verify::TrustedKeys;
use crate::xml::{Document, Element, Limits, parse};

/// Longest message, in bytes of XML.
const MAX_BYTES: usize = 256 * 1024;

/// A message. Its signature has been looked at, but it is the caller who acts on it: a
/// LogoutRequest that is refused still stands in the journal.
pub(super) struct Received {
    pub(super) kind: MessageKind,
    pub(super) binding: Binding,
    /// By SOAP, the envelope.
    xml: Vec<u8>,
    pub(super) relay_state: Option<String>,
    pub(super) signature: Result<(), Refusal>,
}

impl Received {
    pub(super) fn read(raw: &RawParams, keys: &TrustedKeys) -> Result<Self, Refusal> {
        match &raw.raw_query {
            Some(query) => Self::by_redirect(query, keys),
            None => Self::by_post(raw, keys),
        }
    }

    /// A request, and nothing else.
    pub(super) fn read_request(raw: &RawParams, keys: &TrustedKeys) -> Result<Self, Refusal> {
        let received = Self::read(raw, keys)?;
        match received.kind {
            MessageKind::Request => Ok(received),
            MessageKind::Response => Err(Refusal::NotARequest),
        }
    }

    /// A message in a SOAP envelope, of the kind that the caller waits for.
    pub(super) fn in_envelope(
        kind: MessageKind,
        envelope: &[u8],
        keys: &TrustedKeys,
    ) -> Result<Self, Refusal> {
        let document = parse(envelope, &Limits::MESSAGE)?;
        let signature = signature_of(soap::open(&document)?, keys);
        drop(document);
        let xml = envelope.to_owned();
        Ok(Self { kind, binding: Binding::Soap, xml, relay_state: None, signature })
    }

    pub(super) fn document(&self) -> Result<Document<'_>, Refusal> {
        Ok(parse(&self.xml, &Limits::MESSAGE)?)
    }

    /// The message in its document.
    pub(super) fn message<'d>(&self, document: &'d Document<'_>) -> Result<Element<'d>, Refusal> {
        match self.binding {
            Binding::Soap => Ok(soap::open(document)?),
            Binding::Redirect | Binding::Post => Ok(document.root()),
        }
    }

    fn by_redirect(query: &str, keys: &TrustedKeys) -> Result<Self, Refusal> {
        let message = RawQuery::new(query).parse()?;
        let signature = match message.is_signed() {
            true => message.verify(keys).map_err(Refusal::from),
            false => Err(Refusal::Unsigned),
        };
        Ok(Self {
            kind: message.kind(),
            binding: Binding::Redirect,
            xml: message.inflate(MAX_BYTES)?,
            relay_state: message.relay_state().map(str::to_owned),
            signature,
        })
    }

    fn by_post(raw: &RawParams, keys: &TrustedKeys) -> Result<Self, Refusal> {
        let field = |kind: MessageKind| raw.params.single(kind.parameter());
        let (kind, value) = match (field(MessageKind::Request)?, field(MessageKind::Response)?) {
            (Some(value), None) => (MessageKind::Request, value),
            (None, Some(value)) => (MessageKind::Response, value),
            _ => return Err(Refusal::NotARequest),
        };
        let xml = post::decode(value, MAX_BYTES)?;
        let signature = signature_of(parse(&xml, &Limits::MESSAGE)?.root(), keys);
        let relay_state = raw.params.flag("RelayState")?.map(str::to_owned);
        Ok(Self { kind, binding: Binding::Post, xml, relay_state, signature })
    }
}

fn signature_of(message: Element<'_>, keys: &TrustedKeys) -> Result<(), Refusal> {
    match verify_enveloped(message, keys) {
        Ok(Proof::Signed) => Ok(()),
        Ok(Proof::Unsigned) => Err(Refusal::Unsigned),
        Err(error) => Err(error.into()),
    }
}
