//! One IdP connection: what its metadata says, and what this installation has settled about it.

mod value;

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::display_name::DisplayName;
use crate::id::IdpId;
use crate::oidc::{ClaimMap, ClaimMapError, SubjectSource};
use crate::saml::metadata::Requirements;
use crate::saml::{
    Binding, Endpoint, EntityId, IdpMetadata, InvalidMetadataKey, MetadataError, MetadataKey,
    NoRecipient, Recipient,
};

pub use value::{
    BrowserBinding, EmailDomain, Fallback, LogoutRequestMatch, LogoutUrl, MaxValidity, Setting,
    SettingError, UnsignedLogoutResponse, WithoutSessionIndex,
};

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
    /// `max_validity` counts where the connection has no setting of its own.
    ///
    /// # Errors
    /// What is wrong with the metadata, with element, line and reason, or with the claim map.
    pub fn parse(
        id: IdpId,
        settings: IdpSettings,
        metadata: &[u8],
        max_validity: MaxValidity,
        now: Timestamp,
    ) -> Result<Self, ConnectionError> {
        let required = Requirements {
            signed_by: settings.metadata_key.as_ref(),
            max_validity: settings.metadata_max_validity.unwrap_or(max_validity).limit(),
        };
        let wanted = settings.entity_id.as_ref();
        let mut metadata = IdpMetadata::parse_as_required(metadata, wanted, required, now)?;
        if let Some(url) = &settings.slo_url {
            let binding = settings.slo_binding.unwrap_or(BrowserBinding::Redirect).into();
            metadata.single_logout.retain(|endpoint| endpoint.binding == Binding::Soap);
            metadata.single_logout.insert(0, Endpoint::new(binding, url.as_str()));
        }
        let claims = ClaimMap::with_overrides(settings.claims.clone())?;
        Ok(Self { id, settings, metadata, claims })
    }

    /// Where LogoutRequests may go: nowhere if single logout is switched off.
    pub fn logout_endpoints(&self) -> &[Endpoint] {
        match self.settings.single_logout {
            Some(false) => &[],
            _ => &self.metadata.single_logout,
        }
    }

    /// For whom the NameID of a LogoutRequest is encrypted, if it is to be.
    ///
    /// # Errors
    /// If it is to be, and cannot.
    pub fn recipient(&self) -> Result<Option<&Recipient>, NoRecipient> {
        match (self.settings.encrypt_name_id, &self.metadata.recipient) {
            (false, _) => Ok(None),
            (true, Ok(recipient)) => Ok(Some(recipient)),
            (true, Err(why)) => Err(*why),
        }
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
/// line and in the API; `claims` has a place in TOML only. The defaults suit an IdP that follows
/// the standard.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct IdpSettings {
    /// Which entity of an `EntitiesDescriptor` is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
    /// The key that must have signed the metadata, if one is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_key: Option<MetadataKey>,
    /// How long its metadata may be valid; as `[saml] metadata_max_validity` says if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_max_validity: Option<MaxValidity>,
    /// Where the person's identity comes from.
    pub subject: SubjectSource,
    /// Off where the IdP's single logout does harm: then nothing goes to its logout URL, and `fallback`
    /// counts. What the IdP begins itself still counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_logout: Option<bool>,
    /// What happens at logout when the IdP has no logout URL, or it is not used.
    pub fallback: Fallback,
    /// Whether the NameID of our LogoutRequests is encrypted, for a key of the IdP's metadata. Without
    /// such a key the IdP is not asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encrypt_name_id: bool,
    pub without_session_index: WithoutSessionIndex,
    pub unsigned_logout_response: UnsignedLogoutResponse,
    /// Tell the IdP that nobody waits for its answer, and do not (Asynchronous Single Logout 2.1): for
    /// IdPs that end a logout on a page of their own. They are asked last.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asynchronous_logout: bool,
    /// Answer this IdP's LogoutRequests with Success even where an app could not be told: for IdPs that
    /// break off their own logout at a PartialLogout.
    pub always_success: bool,
    /// Answer none of this IdP's LogoutRequests that come through a browser: for IdPs that break off
    /// their own logout at any answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub withhold_logout_response: bool,
    /// By what this IdP's LogoutRequests find the sessions that they mean.
    #[serde(skip_serializing_if = "LogoutRequestMatch::is_default")]
    pub logout_request_match: LogoutRequestMatch,
    /// Another Issuer that its LogoutResponses may name. Everything else of them is judged as ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logout_response_issuer: Option<EntityId>,
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
    /// Where LogoutRequests go, whatever the metadata says; for an IdP whose logout URL stands in its
    /// documentation only. By `slo_binding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo_url: Option<LogoutUrl>,
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
    pub metadata_max_validity: Option<MaxValidity>,
    pub subject: Option<SubjectSource>,
    pub single_logout: Option<bool>,
    pub fallback: Option<Fallback>,
    pub encrypt_name_id: Option<bool>,
    pub without_session_index: Option<WithoutSessionIndex>,
    pub unsigned_logout_response: Option<UnsignedLogoutResponse>,
    pub asynchronous_logout: Option<bool>,
    pub always_success: Option<bool>,
    pub withhold_logout_response: Option<bool>,
    pub logout_request_match: Option<LogoutRequestMatch>,
    pub logout_response_issuer: Option<Setting<EntityId>>,
    pub sign_requests: Option<bool>,
    pub allow_cbc: Option<bool>,
    pub require_encryption: Option<bool>,
    pub slo_url: Option<Setting<LogoutUrl>>,
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
            metadata_max_validity: self.metadata_max_validity.or(settings.metadata_max_validity),
            subject: self.subject.unwrap_or(settings.subject),
            single_logout: self.single_logout.or(settings.single_logout),
            fallback: self.fallback.unwrap_or(settings.fallback),
            encrypt_name_id: self.encrypt_name_id.unwrap_or(settings.encrypt_name_id),
            without_session_index: self
                .without_session_index
                .unwrap_or(settings.without_session_index),
            unsigned_logout_response: self
                .unsigned_logout_response
                .unwrap_or(settings.unsigned_logout_response),
            asynchronous_logout: self.asynchronous_logout.unwrap_or(settings.asynchronous_logout),
            always_success: self.always_success.unwrap_or(settings.always_success),
            withhold_logout_response: self
                .withhold_logout_response
                .unwrap_or(settings.withhold_logout_response),
            logout_request_match: self
                .logout_request_match
                .unwrap_or(settings.logout_request_match),
            logout_response_issuer: match self.logout_response_issuer {
                Some(change) => change.value(),
                None => settings.logout_response_issuer,
            },
            sign_requests: self.sign_requests.or(settings.sign_requests),
            allow_cbc: self.allow_cbc.unwrap_or(settings.allow_cbc),
            require_encryption: self.require_encryption.or(settings.require_encryption),
            slo_url: match self.slo_url {
                Some(change) => change.value(),
                None => settings.slo_url,
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_as_they_are_written() {
        let settings: IdpSettings = serde_json::from_str(
            r#"{"subject":"attribute:mail","fallback":"url:https://idp.example/bye","domains":["Example.COM"],"slo_binding":"post","single_logout":false,"encrypt_name_id":true}"#,
        )
        .unwrap();
        assert_eq!(settings.subject, SubjectSource::Attribute("mail".into()));
        assert_eq!(settings.fallback, Fallback::Url("https://idp.example/bye".into()));
        assert_eq!(settings.domains[0].as_str(), "example.com");
        assert_eq!((settings.single_logout, settings.encrypt_name_id), (Some(false), true));
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
}
