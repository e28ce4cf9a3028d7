use std::fmt;
use std::str::FromStr;

/// The name of a SAML party: an absolute URI, kept and compared byte for byte (SAML Core 8.3.6).
///
/// The standard's limit is 1024 characters. A URL is the usual form, and `urn:` names occur too.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityId(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an entity ID is an absolute URI of at most 1024 characters, without spaces")]
pub struct InvalidEntityId;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("our entity ID is an absolute URI of at most 256 bytes, without spaces")]
pub struct InvalidOwnEntityId;

impl EntityId {
    /// # Errors
    /// If `text` has no URI scheme, holds a space or control character, or is too long.
    pub fn parse(text: &str) -> Result<Self, InvalidEntityId> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidEntityId)?;
        let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c));
        let printable = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        if scheme_ok && printable && !rest.is_empty() && text.chars().count() <= 1024 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidEntityId)
        }
    }

    /// An entity ID that we go by ourselves: at most 256 bytes, which every product can store
    /// (SAML2int SDP-MD06). IdPs have names that are longer, and theirs are taken as they are.
    ///
    /// # Errors
    /// As [`EntityId::parse`], and if it is longer.
    pub fn parse_own(text: &str) -> Result<Self, InvalidOwnEntityId> {
        let id = Self::parse(text).ok().filter(|_| text.len() <= Self::LONGEST_OWN);
        id.ok_or(InvalidOwnEntityId)
    }

    const LONGEST_OWN: usize = 256;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for EntityId {
    type Err = InvalidEntityId;
    fn from_str(text: &str) -> Result<Self, InvalidEntityId> {
        Self::parse(text)
    }
}

impl TryFrom<String> for EntityId {
    type Error = InvalidEntityId;
    fn try_from(text: String) -> Result<Self, InvalidEntityId> {
        Self::parse(&text)
    }
}

impl From<EntityId> for String {
    fn from(id: EntityId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_uris_are_kept_as_they_are() {
        let longest = format!("https://idp.example/{}", "a".repeat(1024 - 20));
        for good in [
            "https://idp.example/metadata",
            "HTTPS://IdP.example/Metadata/",
            "http://adfs.example/adfs/services/trust",
            "urn:example:idp",
            &longest,
        ] {
            assert_eq!(EntityId::parse(good).unwrap().as_str(), good);
        }
        assert_ne!(
            EntityId::parse("https://idp.example/").unwrap(),
            EntityId::parse("https://idp.example").unwrap()
        );
    }

    #[test]
    fn our_own_is_shorter() {
        let of = |bytes: usize| format!("https://sp.example/{}", "a".repeat(bytes - 19));
        assert_eq!(EntityId::parse_own(&of(256)).unwrap().as_str().len(), 256);
        assert_eq!(EntityId::parse_own(&of(257)), Err(InvalidOwnEntityId));
        assert!(EntityId::parse(&of(257)).is_ok(), "an IdP's may have that");
        assert_eq!(
            EntityId::parse_own(&of(256).replacen("aa", "é", 1)).unwrap().as_str().len(),
            256
        );
        assert_eq!(EntityId::parse_own("sp.example"), Err(InvalidOwnEntityId));
    }

    #[test]
    fn anything_else_is_refused() {
        let too_long = format!("https://idp.example/{}", "a".repeat(1024 - 19));
        for bad in ["", "idp", ":x", "https:", "https://a b", " https://a", "1a:b", &too_long] {
            assert_eq!(EntityId::parse(bad), Err(InvalidEntityId), "{bad}");
        }
    }
}
