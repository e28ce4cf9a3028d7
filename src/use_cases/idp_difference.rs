use std::fmt;

use super::idps::{settings_of, wrong};
use crate::clock::Timestamp;
use crate::connection::{Connection, IdpSettings, MaxValidity};
use crate::saml::{Endpoint, IdpMetadata};
use crate::store::FoundIdp;
use crate::use_cases::Failure;
use crate::xml::verify::{PublicKey, Thumbprint};

/// What new metadata changes in a connection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Difference {
    /// There was no such connection.
    is_new: bool,
    /// The entity ID that it had.
    was: Option<String>,
    added: Vec<Thumbprint>,
    removed: Vec<Thumbprint>,
    /// Every key that was there is gone.
    all_keys_replaced: bool,
    sign_in_moved: bool,
    logout_moved: bool,
    /// NameIDs are to be encrypted, and there is no key for that any more.
    cannot_encrypt: bool,
}

impl Difference {
    pub(super) fn between(found: Option<&FoundIdp>, new: &Connection) -> Self {
        let cannot_encrypt = new.recipient().is_err();
        let Some(found) = found else { return Self { is_new: true, ..Self::default() } };
        let entity_id = new.metadata.entity_id.as_str();
        let was = (found.entity_id != entity_id).then(|| found.entity_id.clone());
        let Some(old) = as_it_was(found) else {
            return Self { was, cannot_encrypt, ..Self::default() };
        };
        let (old, new) = (&old.metadata, &new.metadata);
        let (old_keys, new_keys) = (thumbprints(old), thumbprints(new));
        let without = |from: &[Thumbprint], others: &[Thumbprint]| -> Vec<Thumbprint> {
            from.iter().filter(|key| !others.contains(key)).copied().collect()
        };
        let removed = without(&old_keys, &new_keys);
        Self {
            is_new: false,
            was,
            added: without(&new_keys, &old_keys),
            all_keys_replaced: removed.len() == old_keys.len(),
            removed,
            sign_in_moved: is_moved(&old.single_sign_on, &new.single_sign_on),
            logout_moved: is_moved(&old.single_logout, &new.single_logout),
            cannot_encrypt,
        }
    }

    /// Whether the metadata may replace what is there. `unattended`: nobody has looked at it.
    ///
    /// # Errors
    /// [`Failure::Admin`] with `entity_id_changed` or `keys_replaced`.
    pub(super) fn check(&self, new: &Connection, unattended: bool) -> Result<(), Failure> {
        let settings = &new.settings;
        if let Some(was) = &self.was
            && (unattended || settings.entity_id.is_none())
        {
            let now = &new.metadata.entity_id;
            return Err(wrong(
                "entity_id_changed",
                format!(
                    "IdP {} is {was}, and this is the metadata of {now}. Connect that one under \
                     another id. If it is the same IdP under a new name, say so with `entity_id`; \
                     its people get a new `sub` then",
                    new.id
                ),
            ));
        }
        if unattended && self.all_keys_replaced && settings.metadata_key.is_none() {
            return Err(wrong(
                "keys_replaced",
                format!(
                    "every key of IdP {} is replaced by others, and no pinned key vouches for \
                     that; load the metadata with `sloop idp add` once you have made sure of it",
                    new.id
                ),
            ));
        }
        Ok(())
    }

    /// Something that whoever runs this installation should hear of.
    pub(super) fn is_notable(&self) -> bool {
        self.was.is_some()
            || !self.added.is_empty()
            || !self.removed.is_empty()
            || self.sign_in_moved
            || self.logout_moved
            || self.cannot_encrypt
    }
}

/// It may have expired, and counts nevertheless for what it held: read at the beginning of time, and
/// without a limit, it has not.
fn as_it_was(found: &FoundIdp) -> Option<Connection> {
    let metadata_max_validity = Some(MaxValidity::Unlimited);
    let settings = IdpSettings { metadata_max_validity, ..settings_of(found).ok()? };
    let (id, metadata) = (found.id.clone(), found.metadata.as_bytes());
    let beginning = Timestamp::from_seconds(0);
    Connection::parse(id, settings, metadata, MaxValidity::Unlimited, beginning).ok()
}

fn thumbprints(metadata: &IdpMetadata) -> Vec<Thumbprint> {
    metadata.signing_keys.keys().iter().map(PublicKey::thumbprint).collect()
}

fn is_moved(old: &[Endpoint], new: &[Endpoint]) -> bool {
    let places = |endpoints: &[Endpoint]| -> Vec<_> {
        let mut places: Vec<_> = endpoints
            .iter()
            .map(|it| (it.binding.uri(), it.location.clone(), it.response_location.clone()))
            .collect();
        places.sort();
        places
    };
    places(old) != places(new)
}

/// For the audit log and for people: key thumbprints are cut to what a person compares.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |keys: &[Thumbprint]| {
            let cut = keys.iter().map(|key| key.to_string().chars().take(16).collect::<String>());
            cut.collect::<Vec<_>>().join(", ")
        };
        let mut parts = Vec::new();
        if self.is_new {
            parts.push("connected".to_owned());
        }
        if let Some(was) = &self.was {
            parts.push(format!("the entity ID was {was}"));
        }
        if !self.added.is_empty() {
            parts.push(format!("keys added: {}", short(&self.added)));
        }
        if !self.removed.is_empty() {
            parts.push(format!("keys removed: {}", short(&self.removed)));
        }
        if self.sign_in_moved {
            parts.push("sign-in URLs changed".to_owned());
        }
        if self.logout_moved {
            parts.push("logout URLs changed".to_owned());
        }
        if self.cannot_encrypt {
            parts.push(
                "no key to encrypt NameIDs for, so the IdP is not asked at logout".to_owned(),
            );
        }
        f.write_str(&parts.join("; "))
    }
}
