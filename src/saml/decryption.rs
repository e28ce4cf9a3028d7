//! What an IdP may encrypt for us, and what we make of it: an Assertion (SAML Core 2.3.4) or a
//! NameID (SAML Core 2.2.4). Encryption is never taken as proof of who wrote it.

use super::message::MessageError;
use super::name_id::NameId;
use super::response::{Rejection, no_other_assertion};
use crate::xml::decrypt::{Cbc, DecryptionKey, decrypt};
use crate::xml::verify::{self, SignedElement, TrustedKeys};
use crate::xml::{Element, ns};

/// With what we decrypt, and what we insist on for one IdP.
#[derive(Clone, Copy, Debug)]
pub struct Decryption<'k> {
    /// All are tried; two during a roll-over.
    pub keys: &'k [DecryptionKey],
    /// For ciphertext that no signature covers.
    pub cbc: Cbc,
    /// Refuses an Assertion that is not encrypted.
    pub required: bool,
}

impl Decryption<'_> {
    /// For whom nothing can be encrypted, and who insists on nothing.
    pub const NONE: Self = Self { keys: &[], cbc: Cbc::Refused, required: false };

    /// Decrypts an EncryptedAssertion and verifies the signature within, if there is one. A
    /// signature that covers the ciphertext does not excuse one that does not hold.
    pub(super) fn assertion<T>(
        &self,
        encrypted: Element<'_>,
        covered: bool,
        keys: &TrustedKeys,
        then: impl FnOnce(Element<'_>, Option<SignedElement<'_>>) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        let cbc = if covered { Cbc::Accepted } else { self.cbc };
        decrypt(encrypted, self.keys, cbc, |assertion| {
            expect(assertion, "Assertion")?;
            no_other_assertion(assertion)?;
            let document = assertion.document();
            verify::check_ids(document)?;
            let mut signed = None;
            for (holder, signature) in verify::signatures_only_in(document, &[assertion])? {
                signed = Some(verify::verify(holder, signature, keys)?);
            }
            then(assertion, signed)
        })?
    }
}

/// The NameID in a Subject or a LogoutRequest, decrypted if need be. The caller has verified what
/// it stands in, so AES-CBC is safe there: its ciphertext cannot have been changed.
///
/// # Errors
/// Two identifiers, a BaseID, what cannot be decrypted, and what is no NameID then.
pub(super) fn name_id(
    parent: Element<'_>,
    keys: &[DecryptionKey],
) -> Result<Option<NameId>, MessageError> {
    if parent.optional(ns::SAML, "BaseID")?.is_some() {
        return Err(MessageError::Unsupported("BaseID"));
    }
    let plain = parent.optional(ns::SAML, "NameID")?;
    match (plain, parent.optional(ns::SAML, "EncryptedID")?) {
        (None, None) => Ok(None),
        (Some(name_id), None) => Ok(Some(NameId::read(name_id)?)),
        (None, Some(encrypted)) => decrypt(encrypted, keys, Cbc::Accepted, |name_id| {
            expect(name_id, "NameID")?;
            Ok(Some(NameId::read(name_id)?))
        })?,
        (Some(_), Some(_)) => Err(MessageError::TooMany { element: "NameID", limit: 1 }),
    }
}

fn expect(found: Element<'_>, expected: &'static str) -> Result<(), MessageError> {
    if found.is(ns::SAML, expected) {
        return Ok(());
    }
    let found = found.local_name().chars().take(64).collect();
    Err(MessageError::Decrypted { expected, found })
}
