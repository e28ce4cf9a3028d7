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

    /// One that was derived earlier and comes from our store, or from a token of ours.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One that an administrator has read somewhere: 1 to 255 characters (OpenID Connect Core 2), none of
/// them a control character.
impl FromStr for Subject {
    type Err = InvalidSubject;
    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        let fits = (1..=255).contains(&text.chars().count());
        match fits && !text.chars().any(char::is_control) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidSubject),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a sub has 1 to 255 characters, and no control characters")]
pub struct InvalidSubject;

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
    fn what_an_administrator_sends_is_a_subject_or_is_refused() {
        let derived = Subject::derive(&[7; 32], "https://idp.test", &SubjectSource::NameId, "ada");
        assert_eq!(derived.as_str().parse(), Ok(derived.clone()));
        assert!("ada@example.org".parse::<Subject>().is_ok());
        assert!("ü".repeat(255).parse::<Subject>().is_ok());
        for wrong in ["", "a\0b", "a\nb", &"a".repeat(256)] {
            assert_eq!(wrong.parse::<Subject>(), Err(InvalidSubject), "{wrong:?}");
        }
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
