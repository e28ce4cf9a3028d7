use super::error::{ContentFault, Found};
use super::location;
use crate::saml::authn_request::is_true;
use crate::saml::{Binding, Endpoint};
use crate::xml::{Element, ns};

/// Asynchronous Single Logout Protocol Extension 1.0.
const ASYNC_SLO: &str = "urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo";

/// What the role offers.
pub(super) struct Endpoints {
    pub(super) single_sign_on: Vec<Endpoint>,
    pub(super) single_logout: Vec<Endpoint>,
    /// Those that nobody here speaks, for people to read.
    pub(super) others: Vec<OtherEndpoint>,
}

/// An endpoint that is not used, because its service or its binding is none of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherEndpoint {
    pub service: String,
    /// The URI of the binding.
    pub binding: String,
}

/// Every endpoint of the role, in the order of the document. The URLs are checked even where the
/// binding is not ours: a file with such a URL is not to be trusted.
pub(super) fn read(role: Element<'_>, found: &mut Found) -> Endpoints {
    let mut endpoints =
        Endpoints { single_sign_on: Vec::new(), single_logout: Vec::new(), others: Vec::new() };
    for element in role.elements().filter(|element| element.namespace() == ns::MD) {
        if found.is_full() {
            break;
        }
        if element.attribute("Location").is_none() && !element.local_name().ends_with("Service") {
            continue;
        }
        let Some((binding, endpoint)) = endpoint(element, found) else { continue };
        match (element.local_name(), endpoint) {
            ("SingleSignOnService", Some(endpoint)) => endpoints.single_sign_on.push(endpoint),
            ("SingleLogoutService", Some(endpoint)) => endpoints.single_logout.push(endpoint),
            (service, _) => {
                let binding = binding.chars().take(200).collect();
                endpoints.others.push(OtherEndpoint { service: service.to_owned(), binding });
            }
        }
    }
    if !endpoints.single_sign_on.iter().any(through_browser) {
        found.fault(role, ContentFault::NoSingleSignOn);
    }
    endpoints
}

fn through_browser(endpoint: &Endpoint) -> bool {
    endpoint.binding != Binding::Soap
}

/// The URI of its binding, and what it is if that is one of ours.
fn endpoint<'d>(element: Element<'d>, found: &mut Found) -> Option<(&'d str, Option<Endpoint>)> {
    let location = found.take(element.required_attribute("Location"));
    let response_location = element.attribute("ResponseLocation");
    let binding = found.take(element.required_attribute("Binding"))?;
    for (attribute, url) in [("Location", location), ("ResponseLocation", response_location)] {
        if let Some(url) = url
            && let Err(fault) = location::check(url)
        {
            let value = url.chars().take(200).collect();
            found.fault(element, ContentFault::Location { attribute, value, fault });
        }
    }
    let endpoint = Binding::from_uri(binding).zip(location).map(|(binding, location)| Endpoint {
        binding,
        location: location.to_owned(),
        response_location: response_location.map(str::to_owned),
        index: element.attribute("index").and_then(|index| index.trim().parse().ok()),
        asynchronous: is_true(element.attribute_ns(ASYNC_SLO, "supportsAsynchronous")),
    });
    Some((binding, endpoint))
}
