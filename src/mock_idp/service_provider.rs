//! The other side's metadata, as an IdP reads it (SAML Metadata 2.4.4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::saml::{Binding, Endpoint, EntityId, MessageKind};
use crate::xml::verify::{KeyError, PublicKey, TrustedKeys};
use crate::xml::{Element, Limits, ParseError, ShapeError, ns, parse};

/// A service provider: where it takes answers, and with which keys it signs requests.
#[derive(Clone, Debug)]
pub(super) struct ServiceProvider {
    pub(super) entity_id: EntityId,
    /// The addresses for answers to an AuthnRequest, by POST.
    pub(super) assertion_consumers: Vec<String>,
    pub(super) single_logout: Vec<Endpoint>,
    pub(super) keys: TrustedKeys,
    /// The first certificate that we may encrypt to, in DER.
    pub(super) encryption_certificate: Option<Vec<u8>>,
}

/// What is wrong with a service provider's metadata.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ServiceProviderError {
    #[error(transparent)]
    Xml(#[from] ParseError),
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error("the root element is not an EntityDescriptor")]
    NotAnEntity,
    #[error("the entityID is not an absolute URI")]
    EntityId,
    #[error("there is no AssertionConsumerService with the POST binding")]
    NoAssertionConsumer,
    #[error("line {line}: the certificate cannot be read")]
    Certificate { line: u32 },
    #[error("line {line}: {error}")]
    Key { line: u32, error: KeyError },
    #[error("there is no signing certificate; this IdP answers only to signed requests")]
    NoKey,
}

impl ServiceProviderError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(error) => error.code(),
            Self::Shape(error) => error.code(),
            Self::NotAnEntity => "sp_metadata.not_an_entity",
            Self::EntityId => "sp_metadata.entity_id",
            Self::NoAssertionConsumer => "sp_metadata.no_assertion_consumer",
            Self::Certificate { .. } => "sp_metadata.certificate",
            Self::Key { error, .. } => error.code(),
            Self::NoKey => "sp_metadata.no_key",
        }
    }
}

impl ServiceProvider {
    pub(super) fn parse(xml: &[u8]) -> Result<Self, ServiceProviderError> {
        let document = parse(xml, &Limits::METADATA)?;
        let entity = document.root();
        if !entity.is(ns::MD, "EntityDescriptor") {
            return Err(ServiceProviderError::NotAnEntity);
        }
        let entity_id = EntityId::parse(entity.required_attribute("entityID")?)
            .map_err(|_| ServiceProviderError::EntityId)?;
        let role = entity.required(ns::MD, "SPSSODescriptor")?;

        let assertion_consumers: Vec<String> = endpoints(role, "AssertionConsumerService")?
            .into_iter()
            .filter(|endpoint| endpoint.binding == Binding::Post)
            .map(|endpoint| endpoint.location)
            .collect();
        if assertion_consumers.is_empty() {
            return Err(ServiceProviderError::NoAssertionConsumer);
        }
        let mut keys = Vec::new();
        for (line, der) in certificates(role, "signing")? {
            let key = PublicKey::from_certificate_der(&der);
            keys.push(key.map_err(|error| ServiceProviderError::Key { line, error })?);
        }
        let mut to_encrypt = certificates(role, "encryption")?.into_iter();
        let encryption_certificate = to_encrypt.next().map(|(_, der)| der);
        Ok(Self {
            entity_id,
            assertion_consumers,
            single_logout: endpoints(role, "SingleLogoutService")?,
            keys: TrustedKeys::new(keys).map_err(|_| ServiceProviderError::NoKey)?,
            encryption_certificate,
        })
    }

    /// Where a LogoutRequest of our own goes, by this binding or else by the first that there is.
    pub(super) fn logout_requests(&self, by: Option<Binding>) -> Option<(Binding, &str)> {
        let offered = |binding: Binding| {
            let endpoint = self.single_logout.iter().find(|it| it.binding == binding)?;
            Some((binding, endpoint.location.as_str()))
        };
        match by {
            Some(binding) => offered(binding),
            None => [Binding::Redirect, Binding::Post, Binding::Soap].into_iter().find_map(offered),
        }
    }

    /// Where the answer to a LogoutRequest goes: by the binding that the request came with, or else
    /// by another one.
    pub(super) fn logout_answers(&self, asked_by: Binding) -> Option<(Binding, &str)> {
        let same = self.single_logout.iter().find(|endpoint| endpoint.binding == asked_by);
        let mut others = self.single_logout.iter().filter(|other| other.binding != Binding::Soap);
        let endpoint = same.or_else(|| others.next())?;
        Some((endpoint.binding, endpoint.location_for(MessageKind::Response)))
    }
}

/// The endpoints of one kind, without those of bindings that are not known here.
fn endpoints(role: Element<'_>, local: &str) -> Result<Vec<Endpoint>, ShapeError> {
    let mut endpoints = Vec::new();
    for element in role.children(ns::MD, local) {
        let Some(binding) = Binding::from_uri(element.required_attribute("Binding")?) else {
            continue;
        };
        let response_location = element.attribute("ResponseLocation").map(str::to_owned);
        let endpoint = Endpoint::new(binding, element.required_attribute("Location")?);
        endpoints.push(Endpoint { response_location, ..endpoint });
    }
    Ok(endpoints)
}

/// The certificates for one purpose, each with its line. A key without a `use` serves both (SAML
/// Metadata 2.4.1.1).
fn certificates(
    role: Element<'_>,
    purpose: &str,
) -> Result<Vec<(u32, Vec<u8>)>, ServiceProviderError> {
    let mut found = Vec::new();
    for descriptor in role.children(ns::MD, "KeyDescriptor") {
        if descriptor.attribute("use").is_some_and(|usage| usage != purpose) {
            continue;
        }
        let info = descriptor.required(ns::DS, "KeyInfo")?;
        for data in info.children(ns::DS, "X509Data") {
            for certificate in data.children(ns::DS, "X509Certificate") {
                let line = certificate.line();
                let base64: String = certificate.text()?.split_ascii_whitespace().collect();
                let der = STANDARD
                    .decode(base64)
                    .map_err(|_| ServiceProviderError::Certificate { line })?;
                found.push((line, der));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::keys::{KeyAlgorithm, SigningKey, certificate};

    /// Metadata of a service provider with these elements in its role.
    fn metadata(inner: &str) -> String {
        format!(
            r#"<EntityDescriptor xmlns="{}" entityID="urn:sp"><SPSSODescriptor>{inner}</SPSSODescriptor></EntityDescriptor>"#,
            ns::MD
        )
    }

    fn endpoint(element: &str, binding: Binding, location: &str, more: &str) -> String {
        format!(r#"<{element} Binding="{}" Location="{location}" {more}/>"#, binding.uri())
    }

    fn key(purpose: &str) -> String {
        let key = SigningKey::generate(KeyAlgorithm::Es256, 0).unwrap();
        let now = Timestamp::from_seconds(1_795_000_000);
        let valid = std::time::Duration::from_secs(60);
        let der = certificate::self_signed(key.private_key(), "sp", now, valid, [1; 16]).unwrap();
        format!(
            r#"<KeyDescriptor {purpose}><KeyInfo xmlns="{}"><X509Data><X509Certificate>
            {}
            </X509Certificate></X509Data></KeyInfo></KeyDescriptor>"#,
            ns::DS,
            STANDARD.encode(der)
        )
    }

    fn parsed(inner: &str) -> Result<ServiceProvider, ServiceProviderError> {
        ServiceProvider::parse(metadata(inner).as_bytes())
    }

    #[test]
    fn keys_for_signing_and_addresses_by_post_are_read() {
        let acs = |binding, url| endpoint("AssertionConsumerService", binding, url, "");
        let keys = [key(""), key(r#"use="signing""#), key(r#"use="encryption""#)].concat();
        let consumers =
            [acs(Binding::Redirect, "http://a/0"), acs(Binding::Post, "http://a/1")].concat();
        let sp = parsed(&(keys + &consumers)).unwrap();
        assert_eq!(sp.entity_id.as_str(), "urn:sp");
        assert_eq!(sp.keys.keys().len(), 2);
        assert_eq!(sp.assertion_consumers, ["http://a/1"]);
        assert_eq!(sp.logout_answers(Binding::Post), None);
    }

    #[test]
    fn answers_to_a_logout_go_back_by_the_binding_they_were_asked_by() {
        let slo = |binding, url, more| endpoint("SingleLogoutService", binding, url, more);
        let inner = [
            key(""),
            slo(Binding::Soap, "http://a/soap", ""),
            slo(Binding::Redirect, "http://a/r", r#"ResponseLocation="http://a/answers""#),
            slo(Binding::Post, "http://a/p", ""),
            endpoint("AssertionConsumerService", Binding::Post, "http://a", ""),
        ];
        let sp = parsed(&inner.concat()).unwrap();
        let redirect = Some((Binding::Redirect, "http://a/answers"));
        assert_eq!(sp.logout_requests(None), Some((Binding::Redirect, "http://a/r")));
        assert_eq!(sp.logout_requests(Some(Binding::Soap)), Some((Binding::Soap, "http://a/soap")));
        assert_eq!(sp.logout_answers(Binding::Redirect), redirect);
        assert_eq!(sp.logout_answers(Binding::Post), Some((Binding::Post, "http://a/p")));
        let without_post = parsed(&[&inner[..3], &inner[4..]].concat().concat()).unwrap();
        assert_eq!(without_post.logout_answers(Binding::Post), redirect);
        assert_eq!(without_post.logout_requests(Some(Binding::Post)), None);
    }

    #[test]
    fn metadata_that_no_idp_could_use_is_refused() {
        let acs = endpoint("AssertionConsumerService", Binding::Post, "http://a", "");
        let refused = |inner: &str| parsed(inner).err();
        assert_eq!(refused(&key("")), Some(ServiceProviderError::NoAssertionConsumer));
        assert_eq!(refused(&acs), Some(ServiceProviderError::NoKey));
        let for_encryption = key(r#"use="encryption""#) + &acs;
        assert_eq!(refused(&for_encryption), Some(ServiceProviderError::NoKey));
        let broken = key("").replace("<X509Certificate>", "<X509Certificate>!") + &acs;
        assert_eq!(refused(&broken), Some(ServiceProviderError::Certificate { line: 1 }));
        assert!(parsed(&(key("") + &acs)).is_ok());
        let idp = ServiceProvider::parse(b"<EntityDescriptor/>").err();
        assert_eq!(idp, Some(ServiceProviderError::NotAnEntity));
    }
}
