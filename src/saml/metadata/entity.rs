use std::collections::VecDeque;

use super::error::{ContentFault, Found, MetadataError};
use crate::saml::EntityId;
use crate::xml::{Element, ns};

/// How many entity IDs an error message lists.
const LISTED: usize = 5;

/// An entity that is an IdP for SAML 2.0.
pub(super) struct Entity<'d> {
    pub(super) element: Element<'d>,
    pub(super) role: Element<'d>,
}

/// The entity that is meant: the one named `wanted`, or the only IdP there is. Whatever is wrong with
/// others does not matter.
pub(super) fn choose<'d>(
    root: Element<'d>,
    wanted: Option<&EntityId>,
    found: &mut Found,
) -> Result<Entity<'d>, MetadataError> {
    let providers = identity_providers(root)?;
    let named = |entity: &&Entity<'_>| match wanted {
        Some(wanted) => entity.element.attribute("entityID") == Some(wanted.as_str()),
        None => true,
    };
    let mut meant = providers.iter().filter(named);
    match (meant.next(), meant.count()) {
        (Some(only), 0) => {
            if let Some(second) = roles(only.element).nth(1) {
                found.fault(second, ContentFault::SecondRole);
            }
            Ok(Entity { ..*only })
        }
        (Some(_), more) => {
            Err(MetadataError::Ambiguous { count: more + 1, found: names(&providers) })
        }
        (None, _) => match wanted {
            Some(wanted) if !providers.is_empty() => {
                let found = names(&providers);
                Err(MetadataError::OtherEntity { wanted: wanted.clone(), found })
            }
            _ => Err(MetadataError::NoIdentityProvider),
        },
    }
}

/// Whether there is an IdP for SAML 2.0 in it.
pub(super) fn has_idp(root: Element<'_>) -> bool {
    identity_providers(root).is_ok_and(|found| !found.is_empty())
}

fn names(entities: &[Entity<'_>]) -> String {
    listed(entities.iter().filter_map(|entity| entity.element.attribute("entityID")))
}

/// The first few, and whether there are more.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names = names.into_iter();
    // Up to 1024 characters is what an entity ID may have; more is not worth a message.
    let cut = |name: &str| name.chars().take(1024).collect::<String>();
    let shown: Vec<String> = names.by_ref().take(LISTED).map(cut).collect();
    let more = if names.next().is_some() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Every entity with an IdP role for SAML 2.0. Descriptors of other protocols and of service
/// providers are passed over (SAML Metadata 2.4.1).
fn identity_providers(root: Element<'_>) -> Result<Vec<Entity<'_>>, MetadataError> {
    let mut open = VecDeque::from([root]);
    let mut found = Vec::new();
    while let Some(element) = open.pop_front() {
        if element.is(ns::MD, "EntitiesDescriptor") {
            open.extend(element.elements());
        } else if element.is(ns::MD, "EntityDescriptor") {
            found.extend(roles(element).next().map(|role| Entity { element, role }));
        } else if element == root {
            let found = root.local_name().chars().take(64).collect();
            return Err(MetadataError::NotMetadata { found, line: root.line() });
        }
    }
    Ok(found)
}

fn roles(entity: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    let speaks_saml2 = |role: &Element<'_>| {
        let protocols = role.attribute("protocolSupportEnumeration").unwrap_or_default();
        protocols.split_ascii_whitespace().any(|protocol| protocol == ns::SAMLP)
    };
    entity.children(ns::MD, "IDPSSODescriptor").filter(speaks_saml2)
}
