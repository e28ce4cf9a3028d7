//! An OpenID Connect client (relying party): what it has registered, checked once when it is saved.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::display_name::{DisplayName, InvalidDisplayName};
use crate::id::{ClientId, IdpId};
use crate::keys::KeyAlgorithm;

use super::allowed_logout_url::{AllowedLogoutUrl, AllowedLogoutUrlError, HttpWildcards, ReturnTo};
use super::authorize::MAX_STATE_BYTES;
use super::frontchannel::{FrontchannelLogoutUri, FrontchannelLogoutUriError};
use super::issuer::is_loopback;
use super::redirect_uri::{
    MAX_URI_BYTES, PostLogoutUri, RedirectUri, RedirectUriError, RegisteredRedirectUri, is_plain,
};

/// Most entries of each list of one client.
const MAX_LIST: usize = 64;

/// A client as it is declared: the same keys in TOML, API, command line and store. Nothing in it is
/// checked; [`Client::parse`] does that.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    pub id: String,
    /// What people call the app; pages show it instead of the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// One entry may hold several URLs with commas between them, as Auth0's settings do.
    #[serde(default)]
    pub allowed_logout_urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether every logout token must have a `sid` (Back-Channel Logout 1.0 2.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_logout_session_required: bool,
    /// A page that ends the app's session in a frame; on the host of one of `redirect_uris`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// The identity providers this client may use; empty means all.
    #[serde(default)]
    pub idps: Vec<String>,
    #[serde(default)]
    pub scope: LogoutScope,
    #[serde(default)]
    pub confirm: Confirm,
    /// Shortest `state` that is accepted at logout, in characters; 0 makes `state` optional.
    #[serde(default)]
    pub min_state_length: usize,
    /// Whether the final redirect of a logout carries `logout_result`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logout_result: bool,
    #[serde(default)]
    pub id_token_alg: KeyAlgorithm,
    /// A client that cannot keep a secret: a native or browser app. It must use PKCE.
    #[serde(default)]
    pub public: bool,
}

/// How far a logout of this client reaches: its ceiling, and what it gets without asking.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum LogoutScope {
    /// Our session only. The other apps stay signed in.
    OpOnly,
    /// Our session and every app of it.
    AllApps,
    /// Also the sessions at the identity providers.
    #[default]
    AllAppsAndIdp,
}

impl LogoutScope {
    /// As settings and JSON have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpOnly => "op_only",
            Self::AllApps => "all_apps",
            Self::AllAppsAndIdp => "all_apps_and_idp",
        }
    }
}

/// Whether the person is asked before a logout that is proved to be theirs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// Only where it is in doubt.
    #[default]
    Auto,
    Always,
}

/// A checked client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    pub id: ClientId,
    pub name: Option<DisplayName>,
    pub redirect_uris: Vec<RegisteredRedirectUri>,
    pub post_logout_redirect_uris: Vec<RegisteredRedirectUri>,
    pub allowed_logout_urls: Vec<AllowedLogoutUrl>,
    pub backchannel_logout_uri: Option<Url>,
    pub backchannel_logout_session_required: bool,
    pub frontchannel_logout_uri: Option<FrontchannelLogoutUri>,
    /// Empty: all identity providers.
    pub idps: Vec<IdpId>,
    pub scope: LogoutScope,
    pub confirm: Confirm,
    /// In characters.
    pub min_state_length: usize,
    pub logout_result: bool,
    pub id_token_alg: KeyAlgorithm,
    pub public: bool,
}

impl Client {
    /// Checks what somebody declares. Wildcards in `http` logout URLs are refused.
    pub fn parse(settings: ClientSettings) -> Result<Self, ClientError> {
        Self::parse_with(settings, HttpWildcards::Refused)
    }

    /// Like [`Client::parse`], for development installations, and for reading back what was saved
    /// on one.
    pub fn parse_with(
        settings: ClientSettings,
        http_wildcards: HttpWildcards,
    ) -> Result<Self, ClientError> {
        let id = settings
            .id
            .parse()
            .map_err(|_| ClientError::Id { key: "id", value: settings.id.clone() })?;
        let name = settings.name.as_deref().map(str::parse).transpose().map_err(|error| {
            ClientError::Name { value: settings.name.clone().unwrap_or_default(), error }
        })?;
        if settings.redirect_uris.is_empty() {
            return Err(ClientError::NoRedirectUri);
        }
        let min_state_length = settings.min_state_length;
        if min_state_length > MAX_STATE_BYTES {
            return Err(ClientError::MinStateLength { value: min_state_length });
        }
        let allowed_logout_urls = settings
            .allowed_logout_urls
            .iter()
            .flat_map(|entry| entry.split(','))
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                AllowedLogoutUrl::parse(entry, http_wildcards).map_err(|error| {
                    ClientError::AllowedLogoutUrl { value: entry.to_owned(), error }
                })
            });
        let idps = settings.idps.iter().map(|idp| {
            idp.parse().map_err(|_| ClientError::Id { key: "idps", value: idp.clone() })
        });
        let redirect_uris = uris("redirect_uris", &settings.redirect_uris)?;
        let frontchannel_logout_uri = settings.frontchannel_logout_uri.map(|value| {
            FrontchannelLogoutUri::parse(&value, &redirect_uris)
                .map_err(|error| ClientError::FrontchannelUri { value, error })
        });
        Ok(Self {
            id,
            name,
            frontchannel_logout_uri: frontchannel_logout_uri.transpose()?,
            redirect_uris,
            post_logout_redirect_uris: uris(
                "post_logout_redirect_uris",
                &settings.post_logout_redirect_uris,
            )?,
            allowed_logout_urls: list("allowed_logout_urls", allowed_logout_urls)?,
            backchannel_logout_uri: settings
                .backchannel_logout_uri
                .as_deref()
                .map(|uri| backchannel_uri(uri, settings.public))
                .transpose()?,
            backchannel_logout_session_required: settings.backchannel_logout_session_required,
            idps: list("idps", idps)?,
            scope: settings.scope,
            confirm: settings.confirm,
            min_state_length,
            logout_result: settings.logout_result,
            id_token_alg: settings.id_token_alg,
            public: settings.public,
        })
    }

    /// The client as it is declared, for the store and for listings.
    pub fn settings(&self) -> ClientSettings {
        let texts = |uris: &[RegisteredRedirectUri]| {
            uris.iter().map(|uri| uri.as_str().to_owned()).collect()
        };
        ClientSettings {
            id: self.id.to_string(),
            name: self.name.as_ref().map(ToString::to_string),
            redirect_uris: texts(&self.redirect_uris),
            post_logout_redirect_uris: texts(&self.post_logout_redirect_uris),
            allowed_logout_urls: self.allowed_logout_urls.iter().map(|u| u.to_string()).collect(),
            backchannel_logout_uri: self.backchannel_logout_uri.as_ref().map(|u| u.to_string()),
            backchannel_logout_session_required: self.backchannel_logout_session_required,
            frontchannel_logout_uri: self
                .frontchannel_logout_uri
                .as_ref()
                .map(|uri| uri.as_str().to_owned()),
            idps: self.idps.iter().map(|idp| idp.to_string()).collect(),
            scope: self.scope,
            confirm: self.confirm,
            min_state_length: self.min_state_length,
            logout_result: self.logout_result,
            id_token_alg: self.id_token_alg,
            public: self.public,
        }
    }

    /// Checks where an authorization response is asked to go.
    pub fn redirect_uri(&self, raw: &str) -> Result<RedirectUri, RedirectUriError> {
        self.find(&self.redirect_uris, raw).map(|()| RedirectUri::checked(raw))
    }

    /// Checks where a person is asked to be sent after logout (RP-Initiated Logout 1.0 3).
    pub fn post_logout_uri(&self, raw: &str) -> Result<PostLogoutUri, RedirectUriError> {
        self.find(&self.post_logout_redirect_uris, raw).map(|()| PostLogoutUri::checked(raw))
    }

    /// Checks a `returnTo` against this client's own list.
    pub fn return_to(&self, raw: &str) -> Option<ReturnTo> {
        self.allowed_logout_urls.iter().find_map(|allowed| allowed.matches(raw))
    }

    /// Whether a logout request's `state` is as long as this client's policy demands.
    pub fn accepts_state(&self, state: Option<&str>) -> bool {
        state.map_or(0, |state| state.chars().count()) >= self.min_state_length
    }

    /// Whether this client may sign people in through that identity provider.
    pub fn may_use(&self, idp: &IdpId) -> bool {
        self.idps.is_empty() || self.idps.contains(idp)
    }

    fn find(
        &self,
        registered: &[RegisteredRedirectUri],
        raw: &str,
    ) -> Result<(), RedirectUriError> {
        match registered.iter().any(|uri| uri.matches(raw, self.public)) {
            true => Ok(()),
            false => Err(RedirectUriError::NotRegistered),
        }
    }
}

/// Why settings make no client. Whoever declared it is at fault; the text says what to change.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{key}: {value:?} is not an id; use 1 to 128 characters of A-Z a-z 0-9 - . _ ~")]
    Id { key: &'static str, value: String },
    #[error("name: {value:?} {error}")]
    Name { value: String, error: InvalidDisplayName },
    #[error("redirect_uris: is empty; add where the app receives its sign-ins")]
    NoRedirectUri,
    #[error("{key}: {value:?} {error}")]
    RedirectUri { key: &'static str, value: String, error: RedirectUriError },
    #[error("allowed_logout_urls: {value:?} {error}")]
    AllowedLogoutUrl { value: String, error: AllowedLogoutUrlError },
    #[error(
        "backchannel_logout_uri: {value:?} is not an absolute https URL without user name and \
         fragment (http is allowed for confidential clients and on loopback)"
    )]
    BackchannelUri { value: String },
    #[error("frontchannel_logout_uri: {value:?} {error}")]
    FrontchannelUri { value: String, error: FrontchannelLogoutUriError },
    #[error(
        "min_state_length: {value} is more than a state may have; use at most {MAX_STATE_BYTES}"
    )]
    MinStateLength { value: usize },
    #[error("{key}: has more than {MAX_LIST} entries")]
    TooMany { key: &'static str },
}

impl ClientError {
    /// A stable name for the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Id { .. } => "invalid_id",
            Self::Name { .. } => "invalid_name",
            Self::NoRedirectUri => "no_redirect_uri",
            Self::RedirectUri { error, .. } => error.code(),
            Self::AllowedLogoutUrl { error, .. } => error.code(),
            Self::BackchannelUri { .. } => "backchannel_logout_uri_invalid",
            Self::FrontchannelUri { error, .. } => error.code(),
            Self::MinStateLength { .. } => "min_state_length_too_long",
            Self::TooMany { .. } => "too_many_entries",
        }
    }
}

fn uris(key: &'static str, texts: &[String]) -> Result<Vec<RegisteredRedirectUri>, ClientError> {
    let parse = |text: &String| {
        RegisteredRedirectUri::parse(text).map_err(|error| ClientError::RedirectUri {
            key,
            value: text.clone(),
            error,
        })
    };
    list(key, texts.iter().map(parse))
}

fn list<T>(
    key: &'static str,
    entries: impl Iterator<Item = Result<T, ClientError>>,
) -> Result<Vec<T>, ClientError> {
    let entries = entries.take(MAX_LIST + 1).collect::<Result<Vec<_>, _>>()?;
    if entries.len() > MAX_LIST { Err(ClientError::TooMany { key }) } else { Ok(entries) }
}

/// Back-Channel Logout 1.0 2.2: absolute, without a fragment; `http` only where the client is
/// confidential, because inside one cluster TLS often ends at its edge.
fn backchannel_uri(text: &str, public: bool) -> Result<Url, ClientError> {
    let refused = || ClientError::BackchannelUri { value: text.to_owned() };
    if text.len() > MAX_URI_BYTES || !is_plain(text) || text.contains('#') {
        return Err(refused());
    }
    let url = Url::parse(text).map_err(|_| refused())?;
    let scheme_ok = match url.scheme() {
        "https" => true,
        "http" => !public || is_loopback(&url),
        _ => false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && text.contains("://");
    if scheme_ok && plain { Ok(url) } else { Err(refused()) }
}

#[cfg(test)]
pub(super) mod tests;
