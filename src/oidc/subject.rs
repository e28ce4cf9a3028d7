//! The `sub` of a person: stable, opaque, and never shared by two IdPs.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::keys::keyed_hash;

/// A `sub`, as it stands in ID tokens, userinfo and logout tokens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subject(String);

impl Subject {
    /// The subject of whom one IdP calls `value`.
    ///
    /// `key` belongs to the installation and never changes. The same value from another IdP, or
    /// from another source of the same IdP, is another person. The result has 43 characters.
    pub fn derive(
        key: &[u8; 32],
        idp_entity_id: &str,
        source: &SubjectSource,
        value: &str,
    ) -> Self {
        let source = source.to_string();
        let parts = [idp_entity_id.as_bytes(), source.as_bytes(), value.as_bytes()];
        Self(URL_SAFE_NO_PAD.encode(keyed_hash(key, &parts)))
    }

    /// One that was derived earlier and comes from our store, from a token of ours, or from an
    /// administrator who read it there.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What of an assertion says who somebody is: `name_id`, or `attribute:NAME`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SubjectSource {
    /// The NameID. A transient one gives a subject that lasts as long as the session.
    #[default]
    NameId,
    /// The only value of an attribute that is stable and never given to somebody else.
    Attribute(String),
}

impl FromStr for SubjectSource {
    type Err = SubjectSourceError;
    fn from_str(text: &str) -> Result<Self, SubjectSourceError> {
        match text.strip_prefix("attribute:") {
            Some("") => Err(SubjectSourceError::NoName),
            Some(name) if name.len() <= 256 => Ok(Self::Attribute(name.to_owned())),
            Some(_) => Err(SubjectSourceError::NameTooLong),
            None if text == "name_id" => Ok(Self::NameId),
            None => Err(SubjectSourceError::Unknown),
        }
    }
}

impl fmt::Display for SubjectSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameId => f.write_str("name_id"),
            Self::Attribute(name) => write!(f, "attribute:{name}"),
        }
    }
}

impl TryFrom<String> for SubjectSource {
    type Error = SubjectSourceError;
    fn try_from(text: String) -> Result<Self, SubjectSourceError> {
        text.parse()
    }
}

impl From<SubjectSource> for String {
    fn from(source: SubjectSource) -> Self {
        source.to_string()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubjectSourceError {
    #[error("not a subject source; write name_id or attribute:NAME")]
    Unknown,
    #[error("names no attribute; write attribute:NAME")]
    NoName,
    #[error("the attribute name is longer than 256 bytes")]
    NameTooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(idp: &str, source: &str, value: &str) -> Subject {
        Subject::derive(&[1; 32], idp, &source.parse().unwrap(), value)
    }

    #[test]
    fn a_subject_is_stable_ascii_and_short() {
        let subject = derive("https://idp.example", "name_id", "ällice");
        assert_eq!(subject, derive("https://idp.example", "name_id", "ällice"));
        assert_eq!(subject.as_str().len(), 43);
        assert!(subject.as_str().is_ascii());
    }

    #[test]
    fn nobody_shares_a_subject() {
        let alice = derive("https://idp.example", "name_id", "alice");
        for other in [
            derive("https://idp2.example", "name_id", "alice"),
            derive("https://idp.example", "attribute:uid", "alice"),
            derive("https://idp.example", "name_id", "Alice"),
            derive("https://idp.examplename_id", "name_id", "alice"),
            Subject::derive(&[2; 32], "https://idp.example", &SubjectSource::NameId, "alice"),
        ] {
            assert_ne!(other, alice);
        }
    }

    #[test]
    fn sources_are_written_as_on_the_command_line() {
        for text in ["name_id", "attribute:uid", "attribute:urn:oid:0.9.2342.19200300.100.1.1"] {
            assert_eq!(text.parse::<SubjectSource>().unwrap().to_string(), text);
        }
        for (text, error) in [
            ("nameid", SubjectSourceError::Unknown),
            ("", SubjectSourceError::Unknown),
            ("attribute:", SubjectSourceError::NoName),
        ] {
            assert_eq!(text.parse::<SubjectSource>(), Err(error), "{text}");
        }
    }
}
