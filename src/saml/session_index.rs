/// The IdP's name of one of its sessions, byte for byte as asserted (SAML Core 2.7.2).
///
/// It is opaque to us: only the IdP that gave it knows what it means. Limit: 512 bytes, not empty.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct SessionIndex(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a SessionIndex holds 1 to 512 bytes")]
pub struct InvalidSessionIndex;

impl SessionIndex {
    /// # Errors
    /// If `text` is empty or longer than 512 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidSessionIndex> {
        match text.len() {
            1..=512 => Ok(Self(text.to_owned())),
            _ => Err(InvalidSessionIndex),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionIndex {
    type Error = InvalidSessionIndex;
    fn try_from(text: String) -> Result<Self, InvalidSessionIndex> {
        Self::parse(&text)
    }
}

impl From<SessionIndex> for String {
    fn from(index: SessionIndex) -> Self {
        index.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_trimmed_or_folded() {
        for exact in ["_a", " a ", "A::b", &"x".repeat(512)] {
            assert_eq!(SessionIndex::parse(exact).unwrap().as_str(), exact);
        }
        assert_ne!(SessionIndex::parse("a"), SessionIndex::parse("A"));
    }

    #[test]
    fn empty_and_oversized_values_are_refused() {
        assert_eq!(SessionIndex::parse(""), Err(InvalidSessionIndex));
        assert_eq!(SessionIndex::parse(&"x".repeat(513)), Err(InvalidSessionIndex));
    }
}
