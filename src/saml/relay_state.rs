use crate::rng::Rng;
use crate::secret::{Token, TokenHash};

/// The longest RelayState that a party may send (SAML Bindings 3.4.3), in bytes.
pub const MAX_BYTES: usize = 80;

/// A RelayState of ours: an opaque handle of 128 random bits. It stands for state that the store
/// keeps, and it is the proof that an answer comes back through the browser that was sent away.
///
/// What another party sends as RelayState is never a URL to go to. [`RelayState::received`] only
/// makes it comparable with ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayState(Token);

impl RelayState {
    pub fn generate(rng: &Rng) -> Self {
        Self(rng.handle())
    }

    /// A value that came back, if it can be one of ours at all.
    pub fn received(text: &str) -> Option<Self> {
        let ours = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let plausible = (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(ours);
        plausible.then(|| Self(Token::received(text)))
    }

    /// The value as it goes out.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the store finds the pending request by.
    pub fn hash(&self) -> TokenHash {
        self.0.hash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_short_and_comes_back_as_itself() {
        let sent = RelayState::generate(&Rng::system());
        assert!(sent.expose().len() <= MAX_BYTES);
        let back = RelayState::received(sent.expose()).unwrap();
        assert_eq!(back.hash(), sent.hash());
        assert_ne!(back, RelayState::generate(&Rng::system()));
    }

    #[test]
    fn what_cannot_be_ours_is_nothing() {
        let long = "a".repeat(MAX_BYTES + 1);
        for foreign in ["", "https://evil.example/", "javascript:alert(1)", "a b", "é", &long] {
            assert_eq!(RelayState::received(foreign), None, "{foreign}");
        }
    }
}
