//! One IdP connection: what its metadata says, and what this installation has settled about it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::display_name::DisplayName;
use crate::id::IdpId;
use crate::oidc::{ClaimMap, ClaimMapError, SubjectSource};
use crate::saml::{Binding, EntityId, IdpMetadata, InvalidMetadataKey, MetadataError, MetadataKey};

/// An IdP that can be used: metadata understood, settings checked.
#[derive(Debug)]
pub struct Connection {
    pub id: IdpId,
    pub settings: IdpSettings,
    pub metadata: IdpMetadata,
    /// How its attributes become claims.
    pub claims: ClaimMap,
}

impl Connection {
    /// # Errors
    /// What is wrong with the metadata, with element, line and reason, or with the claim map.
    pub fn parse(
        id: IdpId,
        settings: IdpSettings,
        metadata: &[u8],
        now: Timestamp,
    ) -> Result<Self, ConnectionError> {
        let (wanted, pinned) = (settings.entity_id.as_ref(), settings.metadata_key.as_ref());
        let metadata = IdpMetadata::parse_pinned(metadata, wanted, pinned, now)?;
        let claims = ClaimMap::with_overrides(settings.claims.clone())?;
        Ok(Self { id, settings, metadata, claims })
    }

    /// What people call it: as its metadata says, else by its id.
    pub fn name(&self) -> String {
        let given = self.metadata.display_name.as_deref().and_then(DisplayName::cleaned);
        given.map_or_else(|| self.id.to_string(), String::from)
    }
}

/// Why a connection cannot be used. An administrator can mend it.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error("claims: {0}")]
    Claims(#[from] ClaimMapError),
}

impl ConnectionError {
    /// Stable: it stands in the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Metadata(error) => error.code(),
            Self::Claims(_) => "claims_invalid",
        }
    }
}

/// What an administrator may settle per IdP. The keys have the same names in TOML, on the command
/// line and in the API; `claims` has a place in TOML only. The defaults suit an IdP that follows the standard.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct IdpSettings {
    /// Which entity of an `EntitiesDescriptor` is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
    /// The key that must have signed the metadata, if one is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_key: Option<MetadataKey>,
    /// Where the person's identity comes from.
    pub subject: SubjectSource,
    /// What happens at logout when the IdP has no logout URL.
    pub fallback: Fallback,
    pub without_session_index: WithoutSessionIndex,
    pub unsigned_logout_response: UnsignedLogoutResponse,
    /// Answer this IdP's LogoutRequests with Success even where an app could not be told: for IdPs that
    /// break off their own logout at a PartialLogout.
    pub always_success: bool,
    /// Off only where the IdP does not check signatures of AuthnRequests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_requests: Option<bool>,
    /// Whether AES-CBC is decrypted although no signature covers the ciphertext. Only for an IdP that
    /// can neither use AES-GCM nor sign the Response.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_cbc: bool,
    /// Whether an Assertion must be encrypted; as `[saml] require_encryption` says if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_encryption: Option<bool>,
    /// The binding for LogoutRequests where the IdP offers several; Redirect if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo_binding: Option<BrowserBinding>,
    /// The binding for AuthnRequests where the IdP offers several; Redirect if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sso_binding: Option<BrowserBinding>,
    /// E-mail domains whose people belong to this IdP (`login_hint`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<EmailDomain>,
    /// Attribute name → claim, beside and above the default map.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
}

/// Some settings, to be changed in a connection that exists or is new. What is `None` stays.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SettingsChange {
    pub entity_id: Option<EntityId>,
    pub metadata_key: Option<Pin>,
    pub subject: Option<SubjectSource>,
    pub fallback: Option<Fallback>,
    pub without_session_index: Option<WithoutSessionIndex>,
    pub unsigned_logout_response: Option<UnsignedLogoutResponse>,
    pub always_success: Option<bool>,
    pub sign_requests: Option<bool>,
    pub allow_cbc: Option<bool>,
    pub require_encryption: Option<bool>,
    pub slo_binding: Option<BrowserBinding>,
    pub sso_binding: Option<BrowserBinding>,
    pub domains: Option<Vec<EmailDomain>>,
}

impl SettingsChange {
    pub fn apply(self, settings: IdpSettings) -> IdpSettings {
        IdpSettings {
            entity_id: self.entity_id.or(settings.entity_id),
            metadata_key: match self.metadata_key {
                Some(Pin::Key(key)) => Some(key),
                Some(Pin::Nothing) => None,
                None => settings.metadata_key,
            },
            subject: self.subject.unwrap_or(settings.subject),
            fallback: self.fallback.unwrap_or(settings.fallback),
            without_session_index: self
                .without_session_index
                .unwrap_or(settings.without_session_index),
            unsigned_logout_response: self
                .unsigned_logout_response
                .unwrap_or(settings.unsigned_logout_response),
            always_success: self.always_success.unwrap_or(settings.always_success),
            sign_requests: self.sign_requests.or(settings.sign_requests),
            allow_cbc: self.allow_cbc.unwrap_or(settings.allow_cbc),
            require_encryption: self.require_encryption.or(settings.require_encryption),
            slo_binding: self.slo_binding.or(settings.slo_binding),
            sso_binding: self.sso_binding.or(settings.sso_binding),
            domains: self.domains.unwrap_or(settings.domains),
            claims: settings.claims,
        }
    }
}

/// A key to pin for metadata, or `none`: then nobody need have signed it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum Pin {
    Nothing,
    Key(MetadataKey),
}

impl FromStr for Pin {
    type Err = InvalidMetadataKey;
    fn from_str(text: &str) -> Result<Self, InvalidMetadataKey> {
        match text.trim() {
            "none" => Ok(Self::Nothing),
            key => key.parse().map(Self::Key),
        }
    }
}

impl TryFrom<String> for Pin {
    type Error = InvalidMetadataKey;
    fn try_from(text: String) -> Result<Self, InvalidMetadataKey> {
        text.parse()
    }
}

/// A binding that goes through the browser.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrowserBinding {
    Redirect,
    Post,
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

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingError {
    #[error("fallback {0:?} is none of `login-url`, `url:URL` and `local`")]
    Fallback(String),
    #[error("fallback URL {0:?} is not an https URL without credentials")]
    FallbackUrl(String),
    #[error("{0:?} is not a DNS name such as example.com")]
    Domain(String),
}

impl FromStr for Fallback {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        match (text, text.strip_prefix("url:")) {
            ("login-url", _) => Ok(Self::LoginUrl),
            ("local", _) => Ok(Self::Local),
            (_, Some(url)) => {
                let parsed =
                    url::Url::parse(url).map_err(|_| SettingError::FallbackUrl(url.to_owned()))?;
                let plain = parsed.username().is_empty() && parsed.password().is_none();
                if !plain || !(parsed.scheme() == "https" || is_loopback_http(&parsed)) {
                    return Err(SettingError::FallbackUrl(url.to_owned()));
                }
                Ok(Self::Url(parsed.into()))
            }
            _ => Err(SettingError::Fallback(text.to_owned())),
        }
    }
}

fn is_loopback_http(url: &url::Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
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
string_serde!(Fallback, EmailDomain);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_as_they_are_written() {
        let settings: IdpSettings = serde_json::from_str(
            r#"{"subject":"attribute:mail","fallback":"url:https://idp.example/bye","domains":["Example.COM"],"slo_binding":"post"}"#,
        )
        .unwrap();
        assert_eq!(settings.subject, SubjectSource::Attribute("mail".into()));
        assert_eq!(settings.fallback, Fallback::Url("https://idp.example/bye".into()));
        assert_eq!(settings.domains[0].as_str(), "example.com");
        let again = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<IdpSettings>(&again).unwrap(), settings);
        assert_eq!(serde_json::from_str::<IdpSettings>("{}").unwrap(), IdpSettings::default());
    }

    #[test]
    fn what_is_not_a_setting_is_refused() {
        for bad in [
            r#"{"subject":"attribute:"}"#,
            r#"{"subject":"mail"}"#,
            r#"{"fallback":"nowhere"}"#,
            r#"{"fallback":"url:javascript:alert(1)"}"#,
            r#"{"fallback":"url:http://idp.example/bye"}"#,
            r#"{"fallback":"url:https://u:p@idp.example/bye"}"#,
            r#"{"domains":["a b"]}"#,
            r#"{"unknown":1}"#,
        ] {
            assert!(serde_json::from_str::<IdpSettings>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_domain_of_an_address() {
        assert_eq!(EmailDomain::of_address("Ada@Example.com").unwrap().as_str(), "example.com");
        assert_eq!(EmailDomain::of_address("ada"), None);
        assert_eq!(EmailDomain::of_address("ada@"), None);
    }
}
