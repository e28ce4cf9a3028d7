//! A logout message as a binding brought it.

use std::borrow::Cow;
use std::fmt::Display;

use crate::saml::binding::{post, soap};
use crate::saml::message::verify_enveloped;
use crate::saml::{Binding, MessageError, Proof, RedirectMessage};
use crate::use_cases::{Failure, UseCases};
use crate::xml::verify::TrustedKeys;
use crate::xml::{Element, Limits, parse};

pub(super) enum Arrived<'m> {
    Redirect(&'m RedirectMessage<'m>),
    /// The form field.
    Post(&'m str),
    /// The request's body.
    Soap(&'m [u8]),
}

impl Arrived<'_> {
    pub(super) fn binding(&self) -> Binding {
        match self {
            Self::Redirect(_) => Binding::Redirect,
            Self::Post(_) => Binding::Post,
            Self::Soap(_) => Binding::Soap,
        }
    }

    /// The XML that was carried, at most 256 KiB of it.
    fn unpack(&self) -> Result<Cow<'_, [u8]>, String> {
        let limit = Limits::MESSAGE.bytes;
        Ok(match self {
            Self::Redirect(message) => message.inflate(limit).map_err(say)?.into(),
            Self::Post(message) => post::decode(message, limit).map_err(say)?.into(),
            Self::Soap(envelope) => Cow::Borrowed(envelope),
        })
    }

    fn read<T>(
        &self,
        xml: &[u8],
        with: impl FnOnce(Element<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let document = parse(xml, &Limits::MESSAGE).map_err(say)?;
        with(match self {
            Self::Redirect(_) | Self::Post(_) => document.root(),
            Self::Soap(_) => soap::open(&document).map_err(say)?,
        })
    }

    /// What the signature of a query is worth, over the octets as they arrived and before anything is
    /// unpacked (SAML Bindings 3.4.4.1). `None`: this binding has none there.
    fn query_proof(&self, keys: &TrustedKeys) -> Result<Option<Proof>, String> {
        match self {
            Self::Redirect(message) if message.is_signed() => {
                message.verify(keys).map(|()| Some(Proof::Signed)).map_err(say)
            }
            Self::Redirect(_) => Ok(Some(Proof::Unsigned)),
            Self::Post(_) | Self::Soap(_) => Ok(None),
        }
    }
}

impl UseCases {
    /// Reads of the message what helps to find the keys. Nothing of it is believed: anybody may have
    /// written it. The inner error says what cannot be read.
    pub(super) async fn peek<T>(
        &self,
        arrived: &Arrived<'_>,
        read: impl FnOnce(Element<'_>) -> Result<T, MessageError>,
    ) -> Result<Result<T, String>, Failure> {
        let xml = match arrived.unpack() {
            Ok(xml) => xml,
            Err(reason) => return Ok(Err(reason)),
        };
        let _turn = self.xml_turn(xml.len()).await?;
        Ok(arrived.read(&xml, |message| read(message).map_err(say)))
    }

    /// Reads the message once it is known what its signature is worth: verification and values see the
    /// same parse. The inner error says what does not hold.
    pub(super) async fn authenticate<T>(
        &self,
        arrived: &Arrived<'_>,
        keys: &TrustedKeys,
        read: impl FnOnce(Element<'_>, Proof) -> Result<T, MessageError>,
    ) -> Result<Result<(T, Proof), String>, Failure> {
        let unpacked = arrived.query_proof(keys).and_then(|query| Ok((query, arrived.unpack()?)));
        let (query, xml) = match unpacked {
            Ok(unpacked) => unpacked,
            Err(reason) => return Ok(Err(reason)),
        };
        let _turn = self.xml_turn(xml.len()).await?;
        Ok(arrived.read(&xml, |message| {
            let proof = match query {
                Some(proof) => proof,
                None => verify_enveloped(message, keys).map_err(say)?,
            };
            Ok((read(message, proof).map_err(say)?, proof))
        }))
    }
}

pub(super) fn say(error: impl Display) -> String {
    error.to_string()
}
