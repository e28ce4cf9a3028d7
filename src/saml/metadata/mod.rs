//! What an IdP says of itself (SAML Metadata 2.0).

mod address;
pub mod aggregate;
mod description;
mod endpoints;
mod entity;
mod error;
mod key_value;
mod keys;
mod location;
mod recipient;
mod signed;
mod validity;

use std::time::Duration;

use super::authn_request::is_true;
use super::{Endpoint, EntityId, NoRecipient, Recipient};
use crate::clock::Timestamp;
use crate::xml::verify::TrustedKeys;
use crate::xml::{Limits, ns, parse};

pub use address::{InvalidMetadataUrl, MetadataUrl, NoEntity, redacted};
pub use endpoints::OtherEndpoint;
pub use error::{ContentFault, Finding, Findings, MetadataError, MetadataWarning};
pub use keys::{CertificateInfo, KeyInfo, KeyUse, MOST_SIGNING_KEYS};
pub(crate) use location::is_loopback;
pub use location::{LocationFault, check as check_location};
pub use signed::{InvalidMetadataKey, MetadataKey, SignedMetadataFault};

use error::Found;

/// An IdP that can be used: it can be asked, and its answers can be verified.
#[derive(Clone, Debug)]
pub struct IdpMetadata {
    pub entity_id: EntityId,
    /// The earliest `validUntil` of the entity and of what stands around and in it.
    pub valid_until: Option<Timestamp>,
    /// The shortest `cacheDuration`, likewise: how long to wait before looking for a new version.
    pub cache_duration: Option<Duration>,
    pub signature: MetadataSignature,
    pub want_authn_requests_signed: bool,
    /// In the order of the document. Bindings that we do not speak are left out.
    pub single_sign_on: Vec<Endpoint>,
    /// As above; empty if the IdP has no single logout.
    pub single_logout: Vec<Endpoint>,
    /// What else it offers, and nobody here uses.
    pub other_endpoints: Vec<OtherEndpoint>,
    pub signing_keys: TrustedKeys,
    /// The same keys for people to look at, in the same order.
    pub key_info: Vec<KeyInfo>,
    /// Keys for encryption alone. They verify nothing.
    pub encryption_keys: Vec<KeyInfo>,
    /// For which of its keys something is encrypted.
    pub recipient: Result<Recipient, NoRecipient>,
    pub name_id_formats: Vec<String>,
    pub display_name: Option<String>,
    /// Domains that the IdP may speak for (`shibmd:Scope`); none given means that it says nothing.
    pub scopes: Vec<String>,
    /// A page of the IdP for people whose sign-in failed there.
    pub error_url: Option<String>,
    pub warnings: Vec<MetadataWarning>,
}

/// What a document must fulfil beside being understood. By default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requirements<'k> {
    /// The pinned key, which must have signed the root element.
    pub signed_by: Option<&'k MetadataKey>,
    /// The root element must have a `validUntil`, at most this far ahead: whoever keeps an old document
    /// from being replaced cannot do so for longer (SAML V2.0 Implementation Profile IIP-MD04).
    pub max_validity: Option<Duration>,
}

/// Whether somebody vouches for the document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataSignature {
    None,
    /// The root element is signed, and no key is pinned to check it with.
    Unchecked,
    /// The pinned key has signed the root element.
    Verified,
}

impl IdpMetadata {
    /// Reads an `EntityDescriptor`, or the entity `wanted` of an `EntitiesDescriptor`. A single IdP
    /// in the file needs no choice. At most 2 MiB; [`aggregate::find`] takes one entity out of more.
    ///
    /// # Errors
    /// Whatever would make the IdP unusable or unsafe, with element, line and reason: no signing
    /// key, no sign-in URL, a URL that is not `https` (`http` only on a loopback host), metadata
    /// that has expired.
    pub fn parse(
        xml: &[u8],
        wanted: Option<&EntityId>,
        now: Timestamp,
    ) -> Result<Self, MetadataError> {
        Self::parse_as_required(xml, wanted, Requirements::default(), now)
    }

    /// As [`IdpMetadata::parse`], for a document of which more is asked. With a pinned key nothing is
    /// read that it has not signed.
    ///
    /// # Errors
    /// As above, and what it does not fulfil.
    pub fn parse_as_required(
        xml: &[u8],
        wanted: Option<&EntityId>,
        required: Requirements<'_>,
        now: Timestamp,
    ) -> Result<Self, MetadataError> {
        let document = parse(xml, &Limits::METADATA)?;
        let root = match required.signed_by {
            Some(key) => key.verify(&document)?,
            None => document.root(),
        };
        let is_signed = root.children(ns::DS, "Signature").next().is_some();
        let signature = match (required.signed_by, is_signed) {
            (Some(_), _) => MetadataSignature::Verified,
            (None, true) => MetadataSignature::Unchecked,
            (None, false) => MetadataSignature::None,
        };
        let mut found = Found::default();
        let entity::Entity { element, role } = entity::choose(root, wanted, &mut found)?;
        let entity_id = match element.required_attribute("entityID") {
            Ok(text) => {
                EntityId::parse(text).map_err(|_| found.fault(element, ContentFault::EntityId)).ok()
            }
            Err(error) => {
                found.shape(error);
                None
            }
        };
        let validity = validity::read(role, now, &mut found);
        if let Some(most) = required.max_validity {
            validity::check_root(root, most, now, &mut found);
        }
        let keys = keys::read(role, now, &mut found);
        let endpoints = endpoints::read(role, &mut found);
        if endpoints.single_logout.is_empty() {
            found.warn(|| MetadataWarning::NoSingleLogout);
        }
        let name_id_formats = description::name_id_formats(role, &mut found);
        let scopes = description::scopes(element, role, &mut found);
        let error_url = description::error_url(role, &mut found);
        let warnings = found.finish()?;
        // Whatever is missing here was a fault above.
        let (Some(entity_id), Some(signing_keys)) = (entity_id, keys.trusted) else {
            return Err(MetadataError::NoIdentityProvider);
        };
        Ok(Self {
            entity_id,
            valid_until: validity.until,
            cache_duration: validity.cache,
            signature,
            want_authn_requests_signed: is_true(role.attribute("WantAuthnRequestsSigned")),
            single_sign_on: endpoints.single_sign_on,
            single_logout: endpoints.single_logout,
            other_endpoints: endpoints.others,
            signing_keys,
            key_info: keys.signing,
            encryption_keys: keys.encryption,
            recipient: keys.recipient,
            name_id_formats,
            display_name: description::display_name(element, role),
            scopes,
            error_url,
            warnings,
        })
    }
}

#[cfg(test)]
mod tests;
