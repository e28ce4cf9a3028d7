//! A request as it arrives by either binding, with what its signature is worth.

use super::Refusal;
use crate::http::extract::RawParams;
use crate::saml::binding::post;
use crate::saml::message::verify_enveloped;
use crate::saml::{Binding, MessageKind, Proof, RawQuery};
use crate::xml::verify::TrustedKeys;
use crate::xml::{Limits, parse};

/// Longest message, in bytes of XML.
const MAX_BYTES: usize = 256 * 1024;

/// A SAMLRequest. Its signature has been looked at, but it is the caller who acts on it: a
/// LogoutRequest that is refused still stands in the journal.
pub(super) struct Received {
    pub(super) binding: Binding,
    pub(super) xml: Vec<u8>,
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

    fn by_redirect(query: &str, keys: &TrustedKeys) -> Result<Self, Refusal> {
        let message = RawQuery::new(query).parse()?;
        if message.kind() != MessageKind::Request {
            return Err(Refusal::NotARequest);
        }
        let signature = match message.is_signed() {
            true => message.verify(keys).map_err(Refusal::from),
            false => Err(Refusal::Unsigned),
        };
        Ok(Self {
            binding: Binding::Redirect,
            xml: message.inflate(MAX_BYTES)?,
            relay_state: message.relay_state().map(str::to_owned),
            signature,
        })
    }

    fn by_post(raw: &RawParams, keys: &TrustedKeys) -> Result<Self, Refusal> {
        let Some(value) = raw.params.single(MessageKind::Request.parameter())? else {
            return Err(Refusal::NotARequest);
        };
        let xml = post::decode(value, MAX_BYTES)?;
        let signature = match verify_enveloped(parse(&xml, &Limits::MESSAGE)?.root(), keys) {
            Ok(Proof::Signed) => Ok(()),
            Ok(Proof::Unsigned) => Err(Refusal::Unsigned),
            Err(error) => Err(error.into()),
        };
        let relay_state = raw.params.flag("RelayState")?.map(str::to_owned);
        Ok(Self { binding: Binding::Post, xml, relay_state, signature })
    }
}
