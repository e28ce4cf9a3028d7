//! What all protocol messages have in common (SAML Core 3.2).

use crate::clock::Timestamp;
use crate::saml::name_id::NameIdError;
use crate::saml::{EntityId, InvalidEntityId, InvalidSessionIndex};
use crate::xml::decrypt::DecryptError;
use crate::xml::verify::{self, SignatureError, TrustedKeys};
use crate::xml::write::Writer;
use crate::xml::{Element, ShapeError, ns};

/// The `Format` of an Issuer, if it has one at all (SAML Profiles 4.1.4.2).
const ENTITY_FORMAT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
/// An ID goes into the store and into logs. Real ones have some forty characters.
const MAX_ID_BYTES: usize = 256;

/// A protocol message does not say what its schema and profile ask for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageError {
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    NameId(#[from] NameIdError),
    #[error(transparent)]
    SessionIndex(#[from] InvalidSessionIndex),
    #[error("the message is a {found}, not a {expected}")]
    NotA { expected: &'static str, found: String },
    #[error("Version is not 2.0")]
    Version,
    #[error("the ID is empty or longer than {MAX_ID_BYTES} bytes")]
    Id,
    #[error("{attribute} is not a date and time")]
    Time { attribute: &'static str },
    #[error("the Issuer is not an entity ID")]
    Issuer(#[from] InvalidEntityId),
    #[error("the Issuer has a Format other than entity")]
    IssuerFormat,
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    #[error("line {line}: {element} does not belong there in the order of the schema")]
    Order { element: String, line: u32 },
    #[error("there are more than {limit} elements {element}")]
    TooMany { element: &'static str, limit: usize },
    #[error(transparent)]
    Decryption(#[from] DecryptError),
    #[error("what was encrypted is a {found}, not a {expected}")]
    Decrypted { expected: &'static str, found: String },
}

impl MessageError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shape(error) => error.code(),
            Self::NameId(error) => error.code(),
            Self::SessionIndex(_) => "saml.session_index",
            Self::NotA { .. } => "saml.wrong_message",
            Self::Version => "saml.version",
            Self::Id => "saml.id",
            Self::Time { .. } => "saml.time",
            Self::Issuer(_) => "saml.issuer_malformed",
            Self::IssuerFormat => "saml.issuer_format",
            Self::Unsupported(_) => "saml.unsupported",
            Self::Order { .. } => "saml.order",
            Self::TooMany { .. } => "saml.too_many",
            Self::Decryption(error) => error.code(),
            Self::Decrypted { .. } => "saml.decrypted_other",
        }
    }
}

/// What is known of who wrote a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// A key of the IdP signed it.
    Signed,
    /// Nobody signed it: anybody may have written it.
    Unsigned,
}

/// Verifies a message of the POST or SOAP binding, whose signature is in the message element (SAML
/// Bindings 3.5.4 and 3.2). A message without any signature is [`Proof::Unsigned`]; one with a
/// signature that does not hold is an error.
///
/// # Errors
/// Repeated IDs in the document, a signature elsewhere than in the message, or one that does not
/// verify.
pub fn verify_enveloped(message: Element<'_>, keys: &TrustedKeys) -> Result<Proof, SignatureError> {
    let document = message.document();
    verify::check_ids(document)?;
    match verify::signatures_only_in(document, &[message])?.as_slice() {
        [] => Ok(Proof::Unsigned),
        signatures => {
            for (parent, signature) in signatures {
                verify::verify(*parent, *signature, keys)?;
            }
            Ok(Proof::Signed)
        }
    }
}

/// Checks the name and version of a message's root element.
pub(super) fn expect(root: Element<'_>, local: &'static str) -> Result<(), MessageError> {
    if !root.is(ns::SAMLP, local) {
        let found = root.local_name().chars().take(64).collect();
        return Err(MessageError::NotA { expected: local, found });
    }
    version(root)
}

/// SAML Core 4.1.3: another version is not processed.
pub(super) fn version(element: Element<'_>) -> Result<(), MessageError> {
    match element.required_attribute("Version")? {
        "2.0" => Ok(()),
        _ => Err(MessageError::Version),
    }
}

pub(super) fn id(element: Element<'_>) -> Result<String, MessageError> {
    let id = element.required_attribute("ID")?;
    match id.len() {
        1..=MAX_ID_BYTES => Ok(id.to_owned()),
        _ => Err(MessageError::Id),
    }
}

pub(super) fn time(
    element: Element<'_>,
    attribute: &'static str,
) -> Result<Option<Timestamp>, MessageError> {
    let Some(text) = element.attribute(attribute) else { return Ok(None) };
    Timestamp::parse(text).map(Some).ok_or(MessageError::Time { attribute })
}

pub(super) fn required_time(
    element: Element<'_>,
    attribute: &'static str,
) -> Result<Timestamp, MessageError> {
    element.required_attribute(attribute)?;
    time(element, attribute)?.ok_or(MessageError::Time { attribute })
}

/// The `saml:Issuer` child, if there is one.
pub(super) fn issuer(element: Element<'_>) -> Result<Option<EntityId>, MessageError> {
    let Some(issuer) = element.optional(ns::SAML, "Issuer")? else { return Ok(None) };
    match issuer.attribute("Format") {
        None | Some(ENTITY_FORMAT) => Ok(Some(EntityId::parse(trim(issuer.text()?))?)),
        Some(_) => Err(MessageError::IssuerFormat),
    }
}

pub(super) fn required_issuer(element: Element<'_>) -> Result<EntityId, MessageError> {
    element.required(ns::SAML, "Issuer")?;
    issuer(element)?.ok_or(MessageError::Issuer(InvalidEntityId))
}

/// Checks the children of `parent` against the sequence of its schema, in which each place has its
/// choice of elements. Somebody who reads the first element, or the last, or by the place where it
/// must stand, then reads what we read. How often an element occurs is for its reader to check, and
/// where a signature stands for [`verify_enveloped`] and its like: some IdPs append it.
pub(super) fn in_order(
    parent: Element<'_>,
    sequence: &[&[(&str, &str)]],
) -> Result<(), MessageError> {
    let mut reached = 0;
    for child in parent.elements().filter(|child| !child.is(ns::DS, "Signature")) {
        let belongs = |choice: &&[(&str, &str)]| {
            choice.iter().any(|(namespace, local)| child.is(namespace, local))
        };
        match sequence.iter().position(belongs) {
            Some(place) if place >= reached => reached = place,
            _ => {
                let element = child.local_name().chars().take(64).collect();
                return Err(MessageError::Order { element, line: child.line() });
            }
        }
    }
    Ok(())
}

/// Without the white space that pretty-printing puts around URIs.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// Opens the root element of a message of ours and writes its Issuer. `more` are the attributes of
/// this kind of message. The caller closes the element.
pub(super) fn open(writer: &mut Writer, local: &str, head: &Head<'_>, more: &[(&str, &str)]) {
    let instant = head.issue_instant.to_string();
    let mut attributes = vec![
        ("xmlns:samlp", ns::SAMLP),
        ("xmlns:saml", ns::SAML),
        ("ID", head.id),
        ("Version", "2.0"),
        ("IssueInstant", instant.as_str()),
    ];
    attributes.extend_from_slice(more);
    writer.open(&format!("samlp:{local}"), &attributes);
    // No Format and no qualifiers: AD FS refuses them (MSIS7074).
    writer.leaf("saml:Issuer", &[], head.issuer.as_str());
}

/// The attributes that every message of ours carries.
pub(super) struct Head<'a> {
    pub(super) id: &'a str,
    pub(super) issue_instant: Timestamp,
    pub(super) issuer: &'a EntityId,
}
