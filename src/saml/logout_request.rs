use std::time::Duration;

use super::message::{self, Head, MessageError};
use super::{Binding, EntityId, NameId, Recipient, SessionIndex, decryption};
use crate::clock::Timestamp;
use crate::rng::Rng;
use crate::xml::decrypt::DecryptionKey;
use crate::xml::encrypt::EncryptError;
use crate::xml::write::{WriteError, Writer};
use crate::xml::{Element, ns};

/// No request travels longer through a browser. The store remembers each for longer than this.
pub const MAX_AGE: Duration = Duration::from_secs(600);
/// Asynchronous Single Logout 2.1.
const ASLO: &str = "urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo";
/// The most SessionIndex elements that one request may name.
const MAX_SESSION_INDEXES: usize = 64;

/// SAML Core 3.7.1 and 3.2.1.
const SEQUENCE: &[&[(&str, &str)]] = &[
    &[(ns::SAML, "Issuer")],
    &[(ns::SAMLP, "Extensions")],
    &[(ns::SAML, "NameID"), (ns::SAML, "EncryptedID")],
    &[(ns::SAMLP, "SessionIndex")],
];

/// A request to end a person's sessions (SAML Core 3.7.1).
#[derive(Clone, PartialEq, Debug)]
pub struct LogoutRequest {
    pub id: String,
    pub issue_instant: Timestamp,
    /// After this the request means nothing any more.
    pub not_on_or_after: Option<Timestamp>,
    pub destination: Option<String>,
    pub issuer: EntityId,
    /// Exactly as it was asserted (SAML Profiles 4.4.4.1).
    pub name_id: NameId,
    /// Every SessionIndex that was asserted. None: every session of that person with the issuer.
    pub session_indexes: Vec<SessionIndex>,
    pub reason: Option<LogoutReason>,
    /// Whoever sent it does not wait for an answer (Asynchronous Single Logout 2.2).
    pub asynchronous: bool,
}

/// A request that is not meant for us, now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestMismatch {
    #[error("Destination is not the address that it came to")]
    Destination,
    #[error("it is signed but does not say for which address")]
    NoDestination,
    #[error("its NotOnOrAfter has passed")]
    Expired,
    #[error("it was issued more than {} minutes ago", MAX_AGE.as_secs() / 60)]
    TooOld,
    #[error("its IssueInstant has not come yet")]
    NotYetIssued,
}

impl RequestMismatch {
    pub fn code(self) -> &'static str {
        match self {
            Self::Destination => "saml.request_destination",
            Self::NoDestination => "saml.request_no_destination",
            Self::Expired => "saml.request_expired",
            Self::TooOld => "saml.request_too_old",
            Self::NotYetIssued => "saml.request_not_yet_issued",
        }
    }
}

/// Where and when a request arrived.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Arrival<'a> {
    /// The URL that it came to.
    pub at: &'a str,
    pub by: Binding,
    pub now: Timestamp,
    /// How far the clocks may differ.
    pub clock_skew: Duration,
}

/// Why a session ends: a URI (SAML Core 3.7.3 and Errata E10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogoutReason {
    /// The person wants it.
    User,
    /// An administrator wants it.
    Admin,
    Other(String),
}

impl LogoutReason {
    pub fn uri(&self) -> &str {
        match self {
            Self::User => "urn:oasis:names:tc:SAML:2.0:logout:user",
            Self::Admin => "urn:oasis:names:tc:SAML:2.0:logout:admin",
            Self::Other(uri) => uri,
        }
    }

    pub fn from_uri(uri: &str) -> Self {
        [Self::User, Self::Admin]
            .into_iter()
            .find(|reason| reason.uri() == uri)
            .unwrap_or_else(|| Self::Other(uri.to_owned()))
    }
}

impl LogoutRequest {
    /// The elements stand in the order of the schema: Issuer, NameID, SessionIndex.
    ///
    /// # Errors
    /// If a value holds a character that XML cannot carry.
    pub fn to_xml(&self) -> Result<String, WriteError> {
        self.write(|name_id, writer| {
            name_id.write(writer);
            Ok(())
        })
    }

    /// The same with the NameID encrypted (SAML Core 3.7.1).
    ///
    /// # Errors
    /// As above, and if OpenSSL cannot encrypt.
    pub fn to_encrypted_xml(&self, to: &Recipient, rng: &Rng) -> Result<String, EncryptError> {
        self.write(|name_id, writer| to.write(&name_id.to_xml()?, "EncryptedID", rng, writer))
    }

    fn write<E: From<WriteError>>(
        &self,
        name_id: impl FnOnce(&NameId, &mut Writer) -> Result<(), E>,
    ) -> Result<String, E> {
        let mut writer = Writer::new();
        let not_on_or_after = self.not_on_or_after.map(|time| time.to_string());
        let mut attributes = Vec::new();
        attributes.extend(self.destination.as_deref().map(|url| ("Destination", url)));
        attributes.extend(not_on_or_after.as_deref().map(|time| ("NotOnOrAfter", time)));
        attributes.extend(self.reason.as_ref().map(|reason| ("Reason", reason.uri())));
        let head = Head { id: &self.id, issue_instant: self.issue_instant, issuer: &self.issuer };
        message::open(&mut writer, "LogoutRequest", &head, &attributes);
        if self.asynchronous {
            writer.open("samlp:Extensions", &[]);
            writer.leaf("aslo:Asynchronous", &[("xmlns:aslo", ASLO)], "").close();
        }
        name_id(&self.name_id, &mut writer)?;
        for index in &self.session_indexes {
            writer.leaf("samlp:SessionIndex", &[], index.as_str());
        }
        writer.close();
        Ok(writer.finish()?)
    }

    /// Who says to have sent this, and its ID: enough to find the keys, and to answer a request whose
    /// rest is not understood.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub fn head(root: Element<'_>) -> Result<(EntityId, String), MessageError> {
        message::expect(root, "LogoutRequest")?;
        Ok((message::required_issuer(root)?, message::id(root)?))
    }

    /// Whether this is meant for us, now. A signed message names its Destination, unless it comes by
    /// SOAP (SAML Bindings 3.4.5.2 and 3.5.5.2).
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, arrival: &Arrival<'_>) -> Result<(), RequestMismatch> {
        let Arrival { at, by, now, clock_skew } = *arrival;
        match &self.destination {
            Some(destination) if destination == at => {}
            Some(_) => return Err(RequestMismatch::Destination),
            None if by == Binding::Soap => {}
            None => return Err(RequestMismatch::NoDestination),
        }
        if self.not_on_or_after.is_some_and(|end| now >= end.plus(clock_skew)) {
            return Err(RequestMismatch::Expired);
        }
        if now >= self.issue_instant.plus(MAX_AGE).plus(clock_skew) {
            return Err(RequestMismatch::TooOld);
        }
        if now < self.issue_instant.minus(clock_skew) {
            return Err(RequestMismatch::NotYetIssued);
        }
        Ok(())
    }

    /// Reads a request whose NameID is not encrypted. Nothing is verified here.
    ///
    /// # Errors
    /// What is missing or malformed; an identifier other than a NameID; more than 64 SessionIndexes.
    pub fn parse(root: Element<'_>) -> Result<Self, MessageError> {
        if root.optional(ns::SAML, "EncryptedID")?.is_some() {
            return Err(MessageError::Unsupported("EncryptedID"));
        }
        Self::parse_encrypted(root, &[])
    }

    /// Reads a request whose NameID may be encrypted to one of these keys (SAML Core 3.7.1). To be
    /// called when its signature has been verified, not before: until then anybody can have us
    /// decrypt.
    ///
    /// # Errors
    /// As [`LogoutRequest::parse`], and what cannot be decrypted.
    pub fn parse_encrypted(
        root: Element<'_>,
        keys: &[DecryptionKey],
    ) -> Result<Self, MessageError> {
        message::expect(root, "LogoutRequest")?;
        let mut session_indexes = Vec::new();
        for index in root.children(ns::SAMLP, "SessionIndex") {
            if session_indexes.len() == MAX_SESSION_INDEXES {
                let limit = MAX_SESSION_INDEXES;
                return Err(MessageError::TooMany { element: "SessionIndex", limit });
            }
            session_indexes.push(SessionIndex::parse(index.text()?)?);
        }
        let read = Self {
            id: message::id(root)?,
            issue_instant: message::required_time(root, "IssueInstant")?,
            not_on_or_after: message::time(root, "NotOnOrAfter")?,
            destination: root.attribute("Destination").map(str::to_owned),
            issuer: message::required_issuer(root)?,
            name_id: match decryption::name_id(root, keys)? {
                Some(name_id) => name_id,
                None => NameId::read(root.required(ns::SAML, "NameID")?)?,
            },
            session_indexes,
            reason: root.attribute("Reason").map(LogoutReason::from_uri),
            asynchronous: match root.optional(ns::SAMLP, "Extensions")? {
                Some(extensions) => extensions.children(ASLO, "Asynchronous").next().is_some(),
                None => false,
            },
        };
        message::in_order(root, SEQUENCE)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, parse};

    fn request() -> LogoutRequest {
        LogoutRequest {
            id: "_1".into(),
            issue_instant: Timestamp::from_seconds(1_795_000_000),
            not_on_or_after: Some(Timestamp::from_seconds(1_795_000_300)),
            destination: Some("https://idp.example/slo".into()),
            issuer: EntityId::parse("https://sp.example/saml/metadata").unwrap(),
            name_id: NameId {
                value: " a</saml:NameID><x/> ".into(),
                format: None,
                name_qualifier: Some(String::new()),
                sp_name_qualifier: Some("https://sp.example".into()),
                sp_provided_id: None,
            },
            session_indexes: ["one", " <two>&\" "]
                .map(|index| SessionIndex::parse(index).unwrap())
                .to_vec(),
            reason: Some(LogoutReason::User),
            asynchronous: false,
        }
    }

    fn read(xml: &str) -> Result<LogoutRequest, MessageError> {
        LogoutRequest::parse(parse(xml.as_bytes(), &Limits::MESSAGE).unwrap().root())
    }

    #[test]
    fn requests_read_as_they_are_written() {
        for request in [
            request(),
            LogoutRequest { session_indexes: Vec::new(), reason: None, ..request() },
            LogoutRequest { not_on_or_after: None, destination: None, ..request() },
            LogoutRequest { asynchronous: true, ..request() },
            LogoutRequest { reason: Some(LogoutReason::Other("urn:x".into())), ..request() },
        ] {
            assert_eq!(read(&request.to_xml().unwrap()).unwrap(), request);
        }
    }

    #[test]
    fn the_elements_stand_in_the_order_of_the_schema() {
        let xml = request().to_xml().unwrap();
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let names: Vec<_> = document.root().elements().map(Element::local_name).collect();
        assert_eq!(names, ["Issuer", "NameID", "SessionIndex", "SessionIndex"]);
    }

    #[test]
    fn every_request_names_a_person_in_a_way_that_we_can_read() {
        let xml = request().to_xml().unwrap();
        assert!(read(&xml).is_ok());
        let renamed = |name| read(&xml.replace("saml:NameID", name));
        assert_eq!(renamed("saml:EncryptedID"), Err(MessageError::Unsupported("EncryptedID")));
        assert_eq!(renamed("saml:BaseID"), Err(MessageError::Unsupported("BaseID")));
        assert!(matches!(renamed("saml:Nobody"), Err(MessageError::Shape(_))));
    }

    #[test]
    fn too_many_and_empty_session_indexes_are_refused() {
        let with = |count: usize, text: &str| {
            let index = format!("<samlp:SessionIndex>{text}</samlp:SessionIndex>").repeat(count);
            let bare = LogoutRequest { session_indexes: Vec::new(), ..request() };
            let end = "</samlp:LogoutRequest>";
            read(&bare.to_xml().unwrap().replace(end, &format!("{index}{end}")))
        };
        assert_eq!(with(64, "a").unwrap().session_indexes.len(), 64);
        assert!(matches!(with(65, "a"), Err(MessageError::TooMany { limit: 64, .. })));
        assert!(matches!(with(1, ""), Err(MessageError::SessionIndex(_))));
    }

    #[test]
    fn an_issuer_is_required_and_is_an_entity() {
        let xml = request().to_xml().unwrap();
        let format = |format: &str| {
            read(&xml.replace("<saml:Issuer>", &format!(r#"<saml:Issuer Format="{format}">"#)))
        };
        assert!(format("urn:oasis:names:tc:SAML:2.0:nameid-format:entity").is_ok());
        assert_eq!(format("urn:other"), Err(MessageError::IssuerFormat));
        assert!(matches!(
            read(&xml.replace("saml:Issuer", "saml:Other")),
            Err(MessageError::Shape(_))
        ));
        assert!(matches!(
            read(&xml.replace("https://sp.example/saml/metadata", "")),
            Err(MessageError::Issuer(_))
        ));
    }
}
