//! What an entity says of itself beyond keys and endpoints.

use super::error::{ContentFault, Found, MetadataWarning};
use super::location;
use crate::saml::authn_request::is_true;
use crate::saml::message::trim;
use crate::xml::{Element, ns};

const SHIBMD: &str = "urn:mace:shibboleth:metadata:1.0";
/// How many values of one kind are kept.
const MOST: usize = 64;

/// The name for people: of the user interface extension, else of the organisation; English, else
/// whatever comes first. It is not ours: escape it.
pub(super) fn display_name(entity: Element<'_>, role: Element<'_>) -> Option<String> {
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

/// The NameID formats that the IdP can give, in its order.
pub(super) fn name_id_formats(role: Element<'_>, found: &mut Found) -> Vec<String> {
    let formats = role.children(ns::MD, "NameIDFormat").take(MOST);
    formats
        .filter_map(|format| found.take(format.text()).map(|text| trim(text).to_owned()))
        .collect()
}

/// The domains that the IdP may speak for (`shibmd:Scope`), of the entity and of the role. Regular
/// expressions are passed over: a careless one covers the world.
pub(super) fn scopes(entity: Element<'_>, role: Element<'_>, found: &mut Found) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    let extensions = [entity, role].into_iter().flat_map(|it| it.children(ns::MD, "Extensions"));
    for scope in extensions.flat_map(|it| it.children(SHIBMD, "Scope")).take(MOST) {
        let Some(text) = found.take(scope.text()).map(trim) else { continue };
        if is_true(scope.attribute("regexp")) {
            found.warn(|| MetadataWarning::ScopeIgnored { line: scope.line() });
        } else if !text.is_empty() && !scopes.iter().any(|known| known == text) {
            scopes.push(text.to_owned());
        }
    }
    scopes
}

/// Where the IdP would have people sent when a sign-in failed there (SAML Metadata 2.4.1).
pub(super) fn error_url(role: Element<'_>, found: &mut Found) -> Option<String> {
    let url = role.attribute("errorURL")?;
    if let Err(fault) = location::check_page(url) {
        let (attribute, value) = ("errorURL", url.chars().take(200).collect());
        found.fault(role, ContentFault::Location { attribute, value, fault });
    }
    Some(url.to_owned())
}
