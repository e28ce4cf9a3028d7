//! Scopes: what an app asks to learn.

use std::fmt;

/// A scope of OpenID Connect Core 5.4 that this service honours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    OpenId,
    Profile,
    Email,
    Address,
    Phone,
}

impl Scope {
    pub const ALL: [Self; 5] =
        [Self::OpenId, Self::Profile, Self::Email, Self::Address, Self::Phone];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::Profile => "profile",
            Self::Email => "email",
            Self::Address => "address",
            Self::Phone => "phone",
        }
    }
}

/// The scopes of one request, each once.
#[derive(Clone, PartialEq, Eq, Default, Debug, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Reads a space-separated list. Order does not matter, and unknown values are left out
    /// (OpenID Connect Core 3.1.2.1).
    pub fn parse(text: &str) -> Self {
        let wanted = |scope: &Scope| text.split(' ').any(|value| value == scope.as_str());
        Self(Scope::ALL.into_iter().filter(wanted).collect())
    }

    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

impl From<String> for Scopes {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_repeated_and_misspelt_values_are_left_out() {
        let scopes = Scopes::parse("email  openid nonsense Email email offline_access");
        assert_eq!(scopes.to_string(), "openid email");
        assert!(scopes.contains(Scope::OpenId) && !scopes.contains(Scope::Profile));
        assert_eq!(Scopes::parse("openid\tprofile"), Scopes::default());
    }
}
