/// The longest name that a person may type, in characters.
const MAX_NAME: usize = 64;

/// Somebody, made up from a user name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Person {
    pub(super) user: String,
}

impl Person {
    /// `None` if the name is not 1 to 64 ASCII letters, digits, dots, hyphens and underscores, with
    /// a letter or digit at the start.
    pub(super) fn named(text: &str) -> Option<Self> {
        let user = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let fits = user.len() <= MAX_NAME
            && user.starts_with(|c: char| c.is_ascii_alphanumeric())
            && user.chars().all(plain);
        fits.then(|| Self { user: user.to_owned() })
    }

    /// `example.com` belongs to nobody (RFC 2606 3).
    pub(super) fn email(&self) -> String {
        format!("{}@example.com", self.user)
    }

    pub(super) fn given_name(&self) -> String {
        let mut letters = self.user.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    }

    pub(super) fn surname(&self) -> &'static str {
        "Example"
    }
}

/// A user name as somebody wrote it, if a person can have it.
///
/// # Errors
/// What a user name is made of.
pub fn user_name(text: &str) -> Result<String, String> {
    let wrong = || "letters, digits, dots, hyphens and underscores, at most 64".to_owned();
    Person::named(text).map(|person| person.user).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_makes_a_person() {
        let ada = Person::named(" ada ").unwrap();
        assert_eq!(ada.email(), "ada@example.com");
        assert_eq!((ada.given_name().as_str(), ada.surname()), ("Ada", "Example"));
        assert!(Person::named(&"a".repeat(MAX_NAME)).is_some());
    }

    #[test]
    fn other_names_make_nobody() {
        let long = "a".repeat(MAX_NAME + 1);
        for name in ["", " ", ".ada", "ada lovelace", "<ada>", "a@b", "é", &long] {
            assert_eq!(Person::named(name), None, "{name}");
        }
    }
}
