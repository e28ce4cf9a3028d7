use std::fmt;
use std::time::Duration;

use super::location::LocationFault;
use super::signed::SignedMetadataFault;
use crate::clock::Timestamp;
use crate::duration;
use crate::saml::EntityId;
use crate::xml::{Element, ParseError, ShapeError};

/// How many findings are told at once. Finding a line counts from the start of the document, so a
/// file full of faults must not cost the square of its size.
const MOST_FINDINGS: usize = 20;

/// The metadata cannot be used. The text says where and why, for whoever wrote or sent the file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataError {
    #[error(transparent)]
    Xml(#[from] ParseError),
    #[error("line {line}: the document is a {found}, not SAML metadata")]
    NotMetadata { found: String, line: u32 },
    #[error("the metadata names no identity provider that speaks SAML 2.0")]
    NoIdentityProvider,
    #[error("the metadata has no identity provider {wanted}; it names {found}")]
    OtherEntity { wanted: EntityId, found: String },
    #[error("the metadata names {count} identity providers; say which one is meant: {found}")]
    Ambiguous { count: usize, found: String },
    /// A key is pinned, and it has not signed this document.
    #[error(transparent)]
    Signature(#[from] SignedMetadataFault),
    /// The chosen entity is not understood whole. Everything that is wrong with it, up to 20.
    #[error("{0}")]
    Content(Findings),
}

/// One or more, in the order in which they were found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Findings(Vec<Finding>);

/// One thing that is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {element}: {fault}")]
pub struct Finding {
    /// The local name of the element.
    pub element: String,
    /// Counted from 1.
    pub line: u32,
    pub fault: ContentFault,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContentFault {
    #[error("the entityID is not an absolute URI of at most 1024 characters")]
    EntityId,
    #[error("{attribute} is not {kind}")]
    Time { attribute: &'static str, kind: &'static str },
    #[error("the metadata was valid until {at}")]
    Expired { at: Timestamp },
    #[error(
        "there is no validUntil, and one at most {} ahead is asked for (metadata_max_validity)",
        duration::written(*.most)
    )]
    NoValidUntil { most: Duration },
    #[error(
        "validUntil {until} is more than {} ahead, which is the most (metadata_max_validity)",
        duration::written(*.most)
    )]
    ValidTooLong { until: Timestamp, most: Duration },
    #[error("{attribute} {value:?} {fault}")]
    Location { attribute: &'static str, value: String, fault: LocationFault },
    #[error("there is no SingleSignOnService by HTTP-Redirect or HTTP-POST")]
    NoSingleSignOn,
    #[error(
        "the certificate is not base64 or not X.509; was it cut or changed when it was copied?"
    )]
    Certificate,
    #[error("the KeyValue and the certificate beside it hold different keys")]
    KeyMismatch,
    #[error("use is {0:?}, and only \"signing\" and \"encryption\" are defined")]
    KeyUse(String),
    #[error("there is no key that can verify signatures ({0})")]
    NoSigningKey(String),
    #[error("there are more than {most} signing keys; an IdP in a key rollover has two or three")]
    TooManyKeys { most: usize },
    #[error(
        "there are two for SAML 2.0 in one entity, and nothing says which one counts \
         (SAML Metadata 2.4)"
    )]
    SecondRole,
    #[error("there is no {0}")]
    Missing(String),
    #[error("there is no attribute {0}")]
    MissingAttribute(String),
    #[error("there is more than one {0}")]
    Repeated(String),
    #[error("it must hold text only")]
    NotText,
}

/// It works, but somebody should look at it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataWarning {
    /// Certificates are only containers of keys here, so an old one still works (SAML V2.0 Metadata
    /// Interoperability Profile 2.6.1). Other service providers of that IdP may refuse it.
    #[error("the certificate {subject} expired on {at}; its key still counts here")]
    CertificateExpired { subject: String, at: Timestamp },
    #[error("line {line}: {element}: a signing key is not used: {reason}")]
    KeyIgnored { element: String, line: u32, reason: String },
    #[error(
        "line {line}: an X509Data holds several certificates; only the first one's key is used, \
         the others are taken for its issuers"
    )]
    ChainIgnored { line: u32 },
    #[error("line {line}: a Scope is a regular expression, and those are not used")]
    ScopeIgnored { line: u32 },
    #[error("there is no SingleLogoutService by HTTP-Redirect, HTTP-POST or SOAP")]
    NoSingleLogout,
}

impl MetadataError {
    /// Stable; of several findings that of the first.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(_) => "metadata.xml",
            Self::NotMetadata { .. } => "metadata.not_metadata",
            Self::NoIdentityProvider => "metadata.no_identity_provider",
            Self::OtherEntity { .. } => "metadata.other_entity",
            Self::Ambiguous { .. } => "metadata.ambiguous",
            Self::Signature(fault) => fault.code(),
            Self::Content(findings) => {
                findings.0.first().map_or("metadata.content", |first| first.fault.code())
            }
        }
    }

    /// What is wrong with the content; empty where the document did not get that far.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Content(findings) => findings.as_slice(),
            _ => &[],
        }
    }
}

impl ContentFault {
    pub fn code(&self) -> &'static str {
        match self {
            Self::EntityId => "metadata.entity_id",
            Self::Time { .. } => "metadata.time",
            Self::Expired { .. } => "metadata.expired",
            Self::NoValidUntil { .. } => "metadata.no_valid_until",
            Self::ValidTooLong { .. } => "metadata.valid_too_long",
            Self::Location { .. } => "metadata.location",
            Self::NoSingleSignOn => "metadata.no_single_sign_on",
            Self::Certificate => "metadata.certificate",
            Self::KeyMismatch => "metadata.key_mismatch",
            Self::KeyUse(_) => "metadata.key_use",
            Self::NoSigningKey(_) => "metadata.no_signing_key",
            Self::TooManyKeys { .. } => "metadata.too_many_keys",
            Self::SecondRole => "metadata.second_role",
            Self::Missing(_) => "metadata.missing_element",
            Self::MissingAttribute(_) => "metadata.missing_attribute",
            Self::Repeated(_) => "metadata.repeated_element",
            Self::NotText => "metadata.not_text",
        }
    }
}

impl Findings {
    pub fn as_slice(&self) -> &[Finding] {
        &self.0
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, finding) in self.0.iter().enumerate() {
            let separator = if count == 0 { "" } else { "; " };
            write!(f, "{separator}{finding}")?;
        }
        Ok(())
    }
}

/// What is found while an entity is read: faults, which refuse it, and warnings.
#[derive(Default)]
pub(super) struct Found {
    faults: Vec<Finding>,
    warnings: Vec<MetadataWarning>,
}

impl Found {
    pub(super) fn fault(&mut self, element: Element<'_>, fault: ContentFault) {
        if !self.is_full() {
            let (element, line) = (element.local_name().to_owned(), element.line());
            self.faults.push(Finding { element, line, fault });
        }
    }

    pub(super) fn shape(&mut self, error: ShapeError) {
        if self.is_full() {
            return;
        }
        let (element, line, fault) = match error {
            ShapeError::Missing { parent, child, line } => {
                (parent, line, ContentFault::Missing(child))
            }
            ShapeError::Repeated { parent, child, line } => {
                (parent, line, ContentFault::Repeated(child))
            }
            ShapeError::MissingAttribute { element, attribute, line } => {
                (element, line, ContentFault::MissingAttribute(attribute))
            }
            ShapeError::NotText { element, line } => (element, line, ContentFault::NotText),
        };
        self.faults.push(Finding { element, line, fault });
    }

    /// A value, or nothing and a finding.
    pub(super) fn take<T>(&mut self, result: Result<T, ShapeError>) -> Option<T> {
        result.map_err(|error| self.shape(error)).ok()
    }

    pub(super) fn warn(&mut self, warning: impl FnOnce() -> MetadataWarning) {
        if self.warnings.len() < MOST_FINDINGS {
            self.warnings.push(warning());
        }
    }

    /// Nothing more is told, so nothing more need be looked for.
    pub(super) fn is_full(&self) -> bool {
        self.fault_count() >= MOST_FINDINGS
    }

    pub(super) fn fault_count(&self) -> usize {
        self.faults.len()
    }

    pub(super) fn reasons(&self) -> Vec<String> {
        self.warnings.iter().map(MetadataWarning::to_string).collect()
    }

    /// The warnings, if there was no fault.
    pub(super) fn finish(self) -> Result<Vec<MetadataWarning>, MetadataError> {
        if self.faults.is_empty() {
            Ok(self.warnings)
        } else {
            Err(MetadataError::Content(Findings(self.faults)))
        }
    }
}
