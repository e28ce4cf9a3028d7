//! The values that settings of a connection can have.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;
use crate::saml::Binding;
use crate::saml::metadata::{LocationFault, check_location, is_loopback, redacted};

/// A binding that goes through the browser.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrowserBinding {
    Redirect,
    Post,
}

impl fmt::Display for BrowserBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Binding::from(*self).fmt(f)
    }
}

impl From<BrowserBinding> for Binding {
    fn from(binding: BrowserBinding) -> Self {
        match binding {
            BrowserBinding::Redirect => Self::Redirect,
            BrowserBinding::Post => Self::Post,
        }
    }
}

/// What to do when the assertion carried no SessionIndex.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutSessionIndex {
    /// Ask with the NameID alone; the IdP then ends every session of that person with us
    /// (SAML Core 3.7.3.1).
    #[default]
    NameIdOnly,
    /// Do not ask; use the fallback.
    NextRung,
}

/// What an unsigned LogoutResponse is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsignedLogoutResponse {
    /// It moves the person on and proves nothing.
    #[default]
    Unconfirmed,
    /// It counts, where both InResponseTo and RelayState match.
    Accept,
}

/// By what the LogoutRequests of an IdP find the sessions that they mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogoutRequestMatch {
    /// NameID with its qualifiers, and SessionIndex where both sides have one (SAML Core 3.7.3.1).
    #[default]
    NameId,
    /// A request that names sessions means those, whatever its NameID says: for IdPs that write another
    /// NameID into a LogoutRequest than they assert. Without a SessionIndex it is as above.
    SessionIndex,
}

impl LogoutRequestMatch {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A URL that takes LogoutRequests, kept byte for byte.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogoutUrl(String);

impl LogoutUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LogoutUrl {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        match check_location(text) {
            Ok(()) => Ok(Self(text.to_owned())),
            Err(fault) => Err(SettingError::LogoutUrl { url: redacted(text), fault }),
        }
    }
}

impl fmt::Display for LogoutUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A setting that can be taken away again, with `none`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String", bound = "T: FromStr, T::Err: fmt::Display")]
pub enum Setting<T> {
    Nothing,
    To(T),
}

impl<T> Setting<T> {
    pub fn value(self) -> Option<T> {
        match self {
            Self::Nothing => None,
            Self::To(value) => Some(value),
        }
    }
}

impl<T: FromStr> FromStr for Setting<T> {
    type Err = T::Err;
    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            "none" => Ok(Self::Nothing),
            text => text.parse().map(Self::To),
        }
    }
}

impl<T: FromStr> TryFrom<String> for Setting<T> {
    type Error = T::Err;
    fn try_from(text: String) -> Result<Self, T::Err> {
        text.parse()
    }
}

/// What happens when the IdP has no logout URL.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fallback {
    /// The LogoutRequest goes to the login URL.
    #[default]
    LoginUrl,
    /// The browser is sent to this URL, without a message.
    Url(String),
    /// Only our side ends.
    Local,
}

/// A DNS name in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailDomain(String);

/// How far ahead the `validUntil` of metadata may be, and so whether there must be one
/// (SAML2int SDP-MD03, SAML V2.0 Implementation Profile IIP-MD04).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MaxValidity {
    /// Metadata need not say how long it is valid.
    #[default]
    Unlimited,
    /// From one hour to 366 days.
    AtMost(Duration),
}

impl MaxValidity {
    const SHORTEST: Duration = Duration::from_secs(3600);
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);

    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::Unlimited => None,
            Self::AtMost(limit) => Some(limit),
        }
    }
}

impl FromStr for MaxValidity {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let refused = || SettingError::MaxValidity(text.to_owned());
        match text {
            "none" => Ok(Self::Unlimited),
            _ => {
                let limit = duration::parse(text).ok_or_else(refused)?;
                let fits = (Self::SHORTEST..=Self::LONGEST).contains(&limit);
                if fits { Ok(Self::AtMost(limit)) } else { Err(refused()) }
            }
        }
    }
}

impl fmt::Display for MaxValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("none"),
            Self::AtMost(limit) => f.write_str(&duration::written(*limit)),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingError {
    #[error("fallback {0:?} is none of `login-url`, `url:URL` and `local`")]
    Fallback(String),
    #[error("fallback URL {0:?} is not an https URL without credentials")]
    FallbackUrl(String),
    #[error("{0:?} is not a DNS name such as example.com")]
    Domain(String),
    #[error("logout URL {url:?} {fault}")]
    LogoutUrl { url: String, fault: LocationFault },
    #[error("{0:?} is neither `none` nor a duration from 1h to 366d such as 14d")]
    MaxValidity(String),
}

impl FromStr for Fallback {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        match (text, text.strip_prefix("url:")) {
            ("login-url", _) => Ok(Self::LoginUrl),
            ("local", _) => Ok(Self::Local),
            (_, Some(url)) => {
                let parsed =
                    url::Url::parse(url).map_err(|_| SettingError::FallbackUrl(redacted(url)))?;
                let plain = parsed.username().is_empty() && parsed.password().is_none();
                let safe = match parsed.scheme() {
                    "https" => true,
                    "http" => is_loopback(&parsed),
                    _ => false,
                };
                if !plain || !safe {
                    return Err(SettingError::FallbackUrl(redacted(url)));
                }
                Ok(Self::Url(parsed.into()))
            }
            _ => Err(SettingError::Fallback(text.to_owned())),
        }
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginUrl => f.write_str("login-url"),
            Self::Url(url) => write!(f, "url:{url}"),
            Self::Local => f.write_str("local"),
        }
    }
}

impl EmailDomain {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain of an e-mail address, if it has one.
    pub fn of_address(address: &str) -> Option<Self> {
        address.rsplit_once('@').and_then(|(_, domain)| domain.parse().ok())
    }
}

impl FromStr for EmailDomain {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        };
        match text.len() {
            1..=253 if text.split('.').all(label) => Ok(Self(text.to_ascii_lowercase())),
            _ => Err(SettingError::Domain(text.to_owned())),
        }
    }
}

impl fmt::Display for EmailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! string_serde {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = SettingError;
            fn try_from(text: String) -> Result<Self, SettingError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )*};
}
string_serde!(Fallback, EmailDomain, LogoutUrl, MaxValidity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_an_address() {
        assert_eq!(EmailDomain::of_address("Ada@Example.com").unwrap().as_str(), "example.com");
        assert_eq!(EmailDomain::of_address("ada"), None);
        assert_eq!(EmailDomain::of_address("ada@"), None);
    }

    #[test]
    fn a_limit_of_validity_is_none_or_a_sensible_time() {
        for text in ["none", "1h", "14d", "366d"] {
            assert_eq!(text.parse::<MaxValidity>().unwrap().to_string(), text);
        }
        for bad in ["", "0s", "59m", "367d", "14", "P14D", "off"] {
            assert!(bad.parse::<MaxValidity>().is_err(), "{bad}");
        }
    }
}
