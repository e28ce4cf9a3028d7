//! What an IdP says of itself (SAML Metadata 2.0).

mod keys;
mod location;

use std::collections::VecDeque;

use super::authn_request::is_true;
use super::message::trim;
use super::{Binding, Endpoint, EntityId};
use crate::clock::Timestamp;
use crate::xml::verify::TrustedKeys;
use crate::xml::{Document, Element, Limits, ParseError, ShapeError, ns, parse};

pub use keys::{CertificateInfo, KeyInfo};
pub use location::LocationFault;

/// An IdP that can be used: it can be asked, and its answers can be verified.
#[derive(Clone, Debug)]
pub struct IdpMetadata {
    pub entity_id: EntityId,
    /// The earliest `validUntil` of the entity and of what stands around and in it.
    pub valid_until: Option<Timestamp>,
    pub want_authn_requests_signed: bool,
    /// In the order of the document. Bindings that we do not speak are left out.
    pub single_sign_on: Vec<Endpoint>,
    /// As above; empty if the IdP has no single logout.
    pub single_logout: Vec<Endpoint>,
    pub signing_keys: TrustedKeys,
    /// The same keys for people to look at, in the same order.
    pub key_info: Vec<KeyInfo>,
    pub name_id_formats: Vec<String>,
    pub display_name: Option<String>,
    pub warnings: Vec<MetadataWarning>,
}

/// The metadata cannot be used. The text says where and why, for whoever wrote or sent the file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataError {
    #[error(transparent)]
    Xml(#[from] ParseError),
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error("line {line}: the document is a {found}, not SAML metadata")]
    NotMetadata { found: String, line: u32 },
    #[error("the metadata names no identity provider that speaks SAML 2.0")]
    NoIdentityProvider,
    #[error("the metadata has no identity provider {wanted}; it names {found}")]
    OtherEntity { wanted: EntityId, found: String },
    #[error("the metadata names {count} identity providers; say which one is meant: {found}")]
    Ambiguous { count: usize, found: String },
    #[error("line {line}: the metadata was valid until {at}")]
    Expired { at: Timestamp, line: u32 },
    #[error("line {line}: {element}: {fault}")]
    Content { element: &'static str, line: u32, fault: ContentFault },
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContentFault {
    #[error("the entityID is not an absolute URI of at most 1024 characters")]
    EntityId,
    #[error("{0} is not a date and time")]
    Time(&'static str),
    #[error("{attribute} {value:?} {fault}")]
    Location { attribute: &'static str, value: String, fault: LocationFault },
    #[error("there is no SingleSignOnService by HTTP-Redirect or HTTP-POST")]
    NoSingleSignOn,
    #[error(
        "the certificate is not base64 or not X.509; was it cut or changed when it was copied?"
    )]
    Certificate,
    #[error("there is no key that can verify signatures ({0})")]
    NoSigningKey(String),
    #[error("there are two for SAML 2.0 in one entity")]
    SecondRole,
}

/// It works, but somebody should look at it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataWarning {
    /// Certificates are only containers of keys here, so an old one still works (SAML V2.0 Metadata
    /// Interoperability Profile 2.6.1). Other service providers of that IdP may refuse it.
    #[error("the certificate {subject} expired on {at}")]
    CertificateExpired { subject: String, at: Timestamp },
    #[error("line {line}: a signing key is not used: {reason}")]
    KeyIgnored { line: u32, reason: String },
    #[error("there is no SingleLogoutService by HTTP-Redirect or HTTP-POST")]
    NoSingleLogout,
}

impl MetadataError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(_) => "metadata.xml",
            Self::Shape(error) => error.code(),
            Self::NotMetadata { .. } => "metadata.not_metadata",
            Self::NoIdentityProvider => "metadata.no_identity_provider",
            Self::OtherEntity { .. } => "metadata.other_entity",
            Self::Ambiguous { .. } => "metadata.ambiguous",
            Self::Expired { .. } => "metadata.expired",
            Self::Content { fault, .. } => match fault {
                ContentFault::EntityId => "metadata.entity_id",
                ContentFault::Time(_) => "metadata.time",
                ContentFault::Location { .. } => "metadata.location",
                ContentFault::NoSingleSignOn => "metadata.no_single_sign_on",
                ContentFault::Certificate => "metadata.certificate",
                ContentFault::NoSigningKey(_) => "metadata.no_signing_key",
                ContentFault::SecondRole => "metadata.second_role",
            },
        }
    }

    fn content(element: Element<'_>, name: &'static str, fault: ContentFault) -> Self {
        Self::Content { element: name, line: element.line(), fault }
    }
}

impl IdpMetadata {
    /// Reads an `EntityDescriptor`, or the entity `wanted` of an `EntitiesDescriptor`. A single IdP
    /// in the file needs no choice. At most 2 MiB.
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
        let document = parse(xml, &Limits::METADATA)?;
        let entity = choose(identity_providers(&document)?, wanted)?;
        let role = entity.role;
        let valid_until = entity.valid_until(now)?;
        let found = keys::read(role, now)?;
        let single_sign_on = endpoints(role, "SingleSignOnService")?;
        if !single_sign_on.iter().any(through_browser) {
            let fault = ContentFault::NoSingleSignOn;
            return Err(MetadataError::content(role, "IDPSSODescriptor", fault));
        }
        let single_logout = endpoints(role, "SingleLogoutService")?;
        let mut warnings = found.warnings;
        if !single_logout.iter().any(through_browser) {
            warnings.push(MetadataWarning::NoSingleLogout);
        }
        let mut name_id_formats = Vec::new();
        for format in role.children(ns::MD, "NameIDFormat") {
            name_id_formats.push(trim(format.text()?).to_owned());
        }
        Ok(Self {
            entity_id: entity.id,
            valid_until,
            want_authn_requests_signed: is_true(role.attribute("WantAuthnRequestsSigned")),
            single_sign_on,
            single_logout,
            signing_keys: found.trusted,
            key_info: found.info,
            name_id_formats,
            display_name: display_name(entity.element, role),
            warnings,
        })
    }
}

fn through_browser(endpoint: &Endpoint) -> bool {
    endpoint.binding != Binding::Soap
}

/// An entity with the role that makes it an IdP.
struct Entity<'d> {
    id: EntityId,
    element: Element<'d>,
    role: Element<'d>,
}

impl Entity<'_> {
    /// What stands further in can only shorten (SAML Metadata 2.3.1, Errata E76), so the earliest
    /// counts.
    fn valid_until(&self, now: Timestamp) -> Result<Option<Timestamp>, MetadataError> {
        let mut earliest: Option<Timestamp> = None;
        let mut here = Some(self.role);
        while let Some(element) = here {
            if let Some(text) = element.attribute("validUntil") {
                let fault = ContentFault::Time("validUntil");
                let at = Timestamp::parse(text)
                    .ok_or_else(|| MetadataError::content(element, "descriptor", fault))?;
                if at <= now {
                    return Err(MetadataError::Expired { at, line: element.line() });
                }
                earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
            }
            here = element.parent();
        }
        Ok(earliest)
    }
}

/// Every entity with an IdP role for SAML 2.0. Descriptors of other protocols and of service
/// providers are passed over (SAML Metadata 2.4.1).
fn identity_providers<'d>(document: &'d Document<'d>) -> Result<Vec<Entity<'d>>, MetadataError> {
    let root = document.root();
    let mut open = VecDeque::from([root]);
    let mut found = Vec::new();
    while let Some(element) = open.pop_front() {
        if element.is(ns::MD, "EntitiesDescriptor") {
            open.extend(element.elements());
        } else if element.is(ns::MD, "EntityDescriptor") {
            if let Some(role) = identity_provider_role(element)? {
                let id =
                    EntityId::parse(element.required_attribute("entityID")?).map_err(|_| {
                        MetadataError::content(element, "EntityDescriptor", ContentFault::EntityId)
                    })?;
                found.push(Entity { id, element, role });
            }
        } else if element == root {
            let found = root.local_name().chars().take(64).collect();
            return Err(MetadataError::NotMetadata { found, line: root.line() });
        }
    }
    Ok(found)
}

fn identity_provider_role(entity: Element<'_>) -> Result<Option<Element<'_>>, MetadataError> {
    let speaks_saml2 = |role: &Element<'_>| {
        let protocols = role.attribute("protocolSupportEnumeration").unwrap_or_default();
        protocols.split_ascii_whitespace().any(|protocol| protocol == ns::SAMLP)
    };
    let mut roles = entity.children(ns::MD, "IDPSSODescriptor").filter(speaks_saml2);
    let first = roles.next();
    match roles.next() {
        None => Ok(first),
        Some(second) => {
            Err(MetadataError::content(second, "IDPSSODescriptor", ContentFault::SecondRole))
        }
    }
}

fn choose<'d>(
    mut found: Vec<Entity<'d>>,
    wanted: Option<&EntityId>,
) -> Result<Entity<'d>, MetadataError> {
    let names = |entities: &[Entity<'_>]| {
        let shown: Vec<&str> = entities.iter().take(5).map(|entity| entity.id.as_str()).collect();
        let more = if entities.len() > shown.len() { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    let all = names(&found);
    if let Some(wanted) = wanted {
        found.retain(|entity| entity.id == *wanted);
    }
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (Some(_), more) => Err(MetadataError::Ambiguous { count: more + 1, found: all }),
        (None, _) => match wanted {
            Some(wanted) if !all.is_empty() => {
                Err(MetadataError::OtherEntity { wanted: wanted.clone(), found: all })
            }
            _ => Err(MetadataError::NoIdentityProvider),
        },
    }
}

fn endpoints(role: Element<'_>, name: &'static str) -> Result<Vec<Endpoint>, MetadataError> {
    let mut endpoints = Vec::new();
    for element in role.children(ns::MD, name) {
        let read = |attribute: &'static str| match element.attribute(attribute) {
            None => Ok(None),
            Some(url) => match location::check(url) {
                Ok(()) => Ok(Some(url.to_owned())),
                Err(fault) => {
                    let value = url.chars().take(200).collect();
                    let fault = ContentFault::Location { attribute, value, fault };
                    Err(MetadataError::content(element, name, fault))
                }
            },
        };
        // Checked even where the binding is not ours: a file with such a URL is not to be trusted.
        let response_location = read("ResponseLocation")?;
        let location = read("Location")?;
        if let Some(binding) = Binding::from_uri(element.required_attribute("Binding")?) {
            let location = match location {
                Some(location) => location,
                None => element.required_attribute("Location")?.to_owned(),
            };
            endpoints.push(Endpoint { binding, location, response_location });
        }
    }
    Ok(endpoints)
}

/// The name for people: of the user interface extension, else of the organisation; English, else
/// whatever comes first. It is not ours: escape it.
fn display_name(entity: Element<'_>, role: Element<'_>) -> Option<String> {
    let extensions = role.children(ns::MD, "Extensions").next();
    let info = extensions.and_then(|extensions| extensions.children(ns::MDUI, "UIInfo").next());
    let organisation = entity.children(ns::MD, "Organization").next();
    [(info, ns::MDUI, "DisplayName"), (organisation, ns::MD, "OrganizationDisplayName")]
        .into_iter()
        .find_map(|(parent, namespace, name)| {
            let names: Vec<_> = parent?.children(namespace, name).collect();
            let english = |name: &&Element<'_>| name.attribute_ns(ns::XML, "lang") == Some("en");
            let chosen = names.iter().find(english).or(names.first())?;
            let text: String = trim(chosen.text().ok()?).chars().take(200).collect();
            (!text.is_empty()).then_some(text)
        })
}

#[cfg(test)]
mod tests;
