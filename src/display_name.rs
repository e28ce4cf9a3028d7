//! What people call a party.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, in characters.
pub const MAX_CHARS: usize = 100;

/// One line of text that stands in sentences of ours without disturbing them: no control
/// characters, and none that turn the direction of what follows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DisplayName(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("is not a name; use 1 to {MAX_CHARS} characters, without control characters")]
pub struct InvalidDisplayName;

impl DisplayName {
    /// What somebody else calls a party, as far as it can be shown: what disturbs is left out, and
    /// what is too long is cut. `None` if nothing is left.
    pub fn cleaned(text: &str) -> Option<Self> {
        let shown: String = text.chars().filter(|c| is_shown(*c)).collect();
        let shown: String = shown.trim().chars().take(MAX_CHARS).collect();
        shown.parse().ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DisplayName {
    type Err = InvalidDisplayName;
    fn from_str(text: &str) -> Result<Self, InvalidDisplayName> {
        let text = text.trim();
        let fits = (1..=MAX_CHARS).contains(&text.chars().count());
        match fits && text.chars().all(is_shown) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidDisplayName),
        }
    }
}

/// The control characters of Unicode, its line and paragraph separators, and its marks, embeddings,
/// overrides and isolates of direction (UAX 9). A joiner belongs to words of some languages.
fn is_shown(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'))
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DisplayName {
    type Error = InvalidDisplayName;
    fn try_from(text: String) -> Result<Self, InvalidDisplayName> {
        text.parse()
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_plain_text() {
        for name in
            ["Wiki", "  Wiki ", "Löhne & Gehälter <HR>", "人事", "می\u{200c}خواهم", "👩\u{200d}💻"]
        {
            assert_eq!(name.parse::<DisplayName>().unwrap().as_str(), name.trim());
        }
        assert!("é".repeat(MAX_CHARS).parse::<DisplayName>().is_ok());
        for bad in [
            String::new(),
            " \t ".to_owned(),
            "é".repeat(MAX_CHARS + 1),
            "a\nb".to_owned(),
            "a\r\nSet-Cookie: b".to_owned(),
            "a\0b".to_owned(),
            "a\u{85}b".to_owned(),
            "a\u{2028}b".to_owned(),
            "bank\u{202e}moc".to_owned(),
            "a\u{2066}b".to_owned(),
        ] {
            assert_eq!(bad.parse::<DisplayName>(), Err(InvalidDisplayName), "{bad:?}");
        }
    }

    #[test]
    fn what_others_call_a_party_is_cleaned() {
        let cleaned = |text: &str| DisplayName::cleaned(text).map(String::from);
        assert_eq!(cleaned(" A\u{202e}cme\n Ltd \u{7}").as_deref(), Some("Acme Ltd"));
        assert_eq!(cleaned("\u{202e}\u{2069}\n"), None);
        assert_eq!(cleaned(&"x".repeat(500)), Some("x".repeat(MAX_CHARS)));
    }
}
