use super::message::{self, Head, MessageError};
use super::name_id::TRANSIENT;
use super::{Binding, EntityId};
use crate::clock::Timestamp;
use crate::xml::write::{WriteError, Writer};
use crate::xml::{Element, ns};

/// A request to authenticate a person (SAML Core 3.4.1). The answer is asked for by POST.
#[derive(Clone, PartialEq, Debug)]
pub struct AuthnRequest {
    pub id: String,
    pub issue_instant: Timestamp,
    /// The URL it is sent to.
    pub destination: String,
    pub issuer: EntityId,
    /// Where the answer goes, byte for byte as in our metadata.
    pub acs_url: String,
    /// The IdP must not rely on a session it has (`prompt=login`, `max_age`).
    pub force_authn: bool,
    /// The IdP must not show a page (`prompt=none`).
    pub is_passive: bool,
    pub name_id_policy: Option<NameIdPolicy>,
    /// AuthnContext classes, any of which will do. Empty: not asked for.
    pub requested_authn_context: Vec<String>,
}

/// What kind of NameID is wanted (SAML Core 3.4.1.1). `AllowCreate` is written for everything but
/// transient names, for which it means nothing (SAML Errata E14).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameIdPolicy {
    pub format: Option<String>,
}

impl NameIdPolicy {
    fn allow_create(&self) -> bool {
        self.format.as_deref() != Some(TRANSIENT)
    }
}

impl AuthnRequest {
    /// # Errors
    /// If a value holds a character that XML cannot carry.
    pub fn to_xml(&self) -> Result<String, WriteError> {
        let mut writer = Writer::new();
        let mut attributes = vec![
            ("Destination", self.destination.as_str()),
            ("AssertionConsumerServiceURL", self.acs_url.as_str()),
            ("ProtocolBinding", Binding::Post.uri()),
        ];
        attributes.extend(self.force_authn.then_some(("ForceAuthn", "true")));
        attributes.extend(self.is_passive.then_some(("IsPassive", "true")));
        let head = Head { id: &self.id, issue_instant: self.issue_instant, issuer: &self.issuer };
        message::open(&mut writer, "AuthnRequest", &head, &attributes);
        if let Some(policy) = &self.name_id_policy {
            let mut attributes = Vec::new();
            attributes.extend(policy.format.as_deref().map(|format| ("Format", format)));
            attributes.extend(policy.allow_create().then_some(("AllowCreate", "true")));
            writer.open("samlp:NameIDPolicy", &attributes);
            writer.close();
        }
        if !self.requested_authn_context.is_empty() {
            writer.open("samlp:RequestedAuthnContext", &[("Comparison", "exact")]);
            for class in &self.requested_authn_context {
                writer.leaf("saml:AuthnContextClassRef", &[], class);
            }
            writer.close();
        }
        writer.close();
        writer.finish()
    }

    /// Reads a request as an IdP does. Nothing is verified here.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub fn parse(root: Element<'_>) -> Result<Self, MessageError> {
        message::expect(root, "AuthnRequest")?;
        let mut classes = Vec::new();
        if let Some(context) = root.optional(ns::SAMLP, "RequestedAuthnContext")? {
            for class in context.children(ns::SAML, "AuthnContextClassRef") {
                classes.push(message::trim(class.text()?).to_owned());
            }
        }
        let policy = root.optional(ns::SAMLP, "NameIDPolicy")?;
        Ok(Self {
            id: message::id(root)?,
            issue_instant: message::required_time(root, "IssueInstant")?,
            destination: root.required_attribute("Destination")?.to_owned(),
            issuer: message::required_issuer(root)?,
            acs_url: root.required_attribute("AssertionConsumerServiceURL")?.to_owned(),
            force_authn: is_true(root.attribute("ForceAuthn")),
            is_passive: is_true(root.attribute("IsPassive")),
            name_id_policy: policy.map(|policy| NameIdPolicy {
                format: policy.attribute("Format").map(str::to_owned),
            }),
            requested_authn_context: classes,
        })
    }
}

/// `xs:boolean`.
pub(super) fn is_true(value: Option<&str>) -> bool {
    matches!(value.map(message::trim), Some("true" | "1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, parse};

    fn request() -> AuthnRequest {
        AuthnRequest {
            id: "_1".into(),
            issue_instant: Timestamp::from_seconds(1_795_000_000),
            destination: "https://idp.example/sso?a=1&b=2".into(),
            issuer: EntityId::parse("https://sp.example/saml/metadata").unwrap(),
            acs_url: "https://sp.example/saml/acs".into(),
            force_authn: false,
            is_passive: false,
            name_id_policy: None,
            requested_authn_context: Vec::new(),
        }
    }

    fn read(xml: &str) -> Result<AuthnRequest, MessageError> {
        AuthnRequest::parse(parse(xml.as_bytes(), &Limits::MESSAGE).unwrap().root())
    }

    #[test]
    fn requests_read_as_they_are_written() {
        let policy = |format: Option<&str>| NameIdPolicy { format: format.map(str::to_owned) };
        for request in [
            request(),
            AuthnRequest { force_authn: true, ..request() },
            AuthnRequest { is_passive: true, ..request() },
            AuthnRequest { name_id_policy: Some(policy(None)), ..request() },
            AuthnRequest { name_id_policy: Some(policy(Some(TRANSIENT))), ..request() },
            AuthnRequest {
                requested_authn_context: vec!["urn:a\"><x/>".into(), "urn:b".into()],
                ..request()
            },
        ] {
            assert_eq!(read(&request.to_xml().unwrap()).unwrap(), request);
        }
    }

    #[test]
    fn what_was_not_asked_for_is_not_written() {
        let xml = request().to_xml().unwrap();
        for name in ["ForceAuthn", "IsPassive", "NameIDPolicy", "RequestedAuthnContext", "Index"] {
            assert!(!xml.contains(name), "{name} in {xml}");
        }
        assert!(xml.contains(r#"Version="2.0""#));
        assert!(xml.contains(r#"IssueInstant="2026-11-18T11:06:40Z""#));
    }

    #[test]
    fn a_transient_name_is_never_created() {
        let with = |format: Option<&str>| AuthnRequest {
            name_id_policy: Some(NameIdPolicy { format: format.map(str::to_owned) }),
            ..request()
        };
        assert!(!with(Some(TRANSIENT)).to_xml().unwrap().contains("AllowCreate"));
        assert!(with(None).to_xml().unwrap().contains(r#"AllowCreate="true""#));
    }

    #[test]
    fn a_character_that_xml_cannot_carry_is_an_error() {
        let request = AuthnRequest { requested_authn_context: vec!["a\u{1}b".into()], ..request() };
        assert!(request.to_xml().is_err());
    }

    #[test]
    fn other_versions_and_other_messages_are_refused() {
        let xml = request().to_xml().unwrap();
        assert!(read(&xml).is_ok());
        assert_eq!(
            read(&xml.replace(r#"Version="2.0""#, r#"Version="1.1""#)),
            Err(MessageError::Version)
        );
        assert!(matches!(
            read(&xml.replace("AuthnRequest", "LogoutRequest")),
            Err(MessageError::NotA { expected: "AuthnRequest", .. })
        ));
        assert_eq!(
            read(&xml.replace("2026-11-18T", "yesterday")),
            Err(MessageError::Time { attribute: "IssueInstant" })
        );
    }
}
