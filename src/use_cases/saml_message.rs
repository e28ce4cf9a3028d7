//! A logout message as a binding brought it.

use std::borrow::Cow;
use std::fmt::Display;

use crate::saml::binding::{post, soap};
use crate::saml::message::verify_enveloped;
use crate::saml::{Binding, MessageError, Proof, RedirectMessage};
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

    /// Reads of the message what helps to find the keys. Nothing of it is believed: anybody may have
    /// written it. The error says what cannot be read.
    pub(super) fn peek<T>(
        &self,
        read: impl FnOnce(Element<'_>) -> Result<T, MessageError>,
    ) -> Result<T, String> {
        self.read(|message| read(message).map_err(say))
    }

    /// Reads the message once it is known what its signature is worth: verification and values see the
    /// same parse. The error says what does not hold.
    pub(super) fn authenticate<T>(
        &self,
        keys: &TrustedKeys,
        read: impl FnOnce(Element<'_>, Proof) -> Result<T, MessageError>,
    ) -> Result<(T, Proof), String> {
        match self {
            Self::Redirect(message) => {
                let proof = match message.is_signed() {
                    // SAML Bindings 3.4.4.1: over the octets as they arrived, before anything is read.
                    true => message.verify(keys).map(|()| Proof::Signed).map_err(say)?,
                    false => Proof::Unsigned,
                };
                Ok((self.peek(|message| read(message, proof))?, proof))
            }
            Self::Post(_) | Self::Soap(_) => self.read(|message| {
                let proof = verify_enveloped(message, keys).map_err(say)?;
                Ok((read(message, proof).map_err(say)?, proof))
            }),
        }
    }

    fn read<T>(&self, with: impl FnOnce(Element<'_>) -> Result<T, String>) -> Result<T, String> {
        let limits = &Limits::MESSAGE;
        let xml: Cow<'_, [u8]> = match self {
            Self::Redirect(message) => message.inflate(limits.bytes).map_err(say)?.into(),
            Self::Post(message) => post::decode(message, limits.bytes).map_err(say)?.into(),
            Self::Soap(envelope) => Cow::Borrowed(envelope),
        };
        let document = parse(&xml, limits).map_err(say)?;
        with(match self {
            Self::Redirect(_) | Self::Post(_) => document.root(),
            Self::Soap(_) => soap::open(&document).map_err(say)?,
        })
    }
}

pub(super) fn say(error: impl Display) -> String {
    error.to_string()
}
