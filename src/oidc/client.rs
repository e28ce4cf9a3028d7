//! An OpenID Connect client (relying party): what it has registered, checked once when it is saved.

use serde::{Deserialize, Serialize};
use url::Url;

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
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// One entry may hold several URLs with commas between them, as Auth0's settings do.
    #[serde(default)]
    pub allowed_logout_urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
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
    pub redirect_uris: Vec<RegisteredRedirectUri>,
    pub post_logout_redirect_uris: Vec<RegisteredRedirectUri>,
    pub allowed_logout_urls: Vec<AllowedLogoutUrl>,
    pub backchannel_logout_uri: Option<Url>,
    pub frontchannel_logout_uri: Option<FrontchannelLogoutUri>,
    /// Empty: all identity providers.
    pub idps: Vec<IdpId>,
    pub scope: LogoutScope,
    pub confirm: Confirm,
    /// In characters.
    pub min_state_length: usize,
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
            idps: list("idps", idps)?,
            scope: settings.scope,
            confirm: settings.confirm,
            min_state_length,
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
            redirect_uris: texts(&self.redirect_uris),
            post_logout_redirect_uris: texts(&self.post_logout_redirect_uris),
            allowed_logout_urls: self.allowed_logout_urls.iter().map(|u| u.to_string()).collect(),
            backchannel_logout_uri: self.backchannel_logout_uri.as_ref().map(|u| u.to_string()),
            frontchannel_logout_uri: self
                .frontchannel_logout_uri
                .as_ref()
                .map(|uri| uri.as_str().to_owned()),
            idps: self.idps.iter().map(|idp| idp.to_string()).collect(),
            scope: self.scope,
            confirm: self.confirm,
            min_state_length: self.min_state_length,
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
pub(super) mod tests {
    use super::*;

    /// A confidential client with one URI of each kind.
    pub(in crate::oidc) fn settings() -> ClientSettings {
        ClientSettings {
            id: "app".to_owned(),
            redirect_uris: vec!["https://app.example.com/cb".to_owned()],
            post_logout_redirect_uris: vec!["https://app.example.com/bye?a=b".to_owned()],
            allowed_logout_urls: vec!["https://*.example.com, https://a.example.org/x,".to_owned()],
            backchannel_logout_uri: Some("https://app.example.com/bcl?tenant=7".to_owned()),
            ..ClientSettings::default()
        }
    }

    pub(in crate::oidc) fn client() -> Client {
        Client::parse(settings()).unwrap()
    }

    #[test]
    fn the_defaults_are_those_of_the_configuration() {
        let json = r#"{"id":"app","redirect_uris":["https://app.example.com/cb"]}"#;
        let client = Client::parse(serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(client.scope, LogoutScope::AllAppsAndIdp);
        assert_eq!(client.confirm, Confirm::Auto);
        assert_eq!(client.id_token_alg, KeyAlgorithm::Rs256);
        assert_eq!((client.min_state_length, client.public), (0, false));
        assert!(client.may_use(&"any".parse().unwrap()));
    }

    #[test]
    fn settings_survive_a_round_trip() {
        let client = client();
        assert_eq!(client.allowed_logout_urls.len(), 2);
        let json = serde_json::to_string(&client.settings()).unwrap();
        let again = Client::parse(serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(again, client);
        assert!(json.contains(r#""scope":"all_apps_and_idp","confirm":"auto""#), "{json}");
        assert!(json.contains(r#""id_token_alg":"RS256""#), "{json}");
    }

    #[test]
    fn unknown_keys_and_values_are_errors() {
        for json in [
            r#"{"id":"app","redirect_uri":["https://app.example.com/cb"]}"#,
            r#"{"id":"app","scope":"everything"}"#,
            r#"{"id":"app","id_token_alg":"none"}"#,
            r#"{"id":"app","id_token_alg":"HS256"}"#,
            r#"{"redirect_uris":[]}"#,
        ] {
            assert!(serde_json::from_str::<ClientSettings>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn errors_name_the_key_the_value_and_the_mend() {
        let error = |change: fn(&mut ClientSettings)| {
            let mut settings = settings();
            change(&mut settings);
            Client::parse(settings).unwrap_err().to_string()
        };
        assert_eq!(
            error(|s| s.redirect_uris.push("https://a/cb#x".to_owned())),
            r##"redirect_uris: "https://a/cb#x" has a fragment; remove everything from the # on"##
        );
        assert_eq!(
            error(|s| s.allowed_logout_urls = vec!["*.example.com".to_owned()]),
            "allowed_logout_urls: \"*.example.com\" has no scheme; \
             write for example https://*.example.com"
        );
        assert!(error(|s| s.id = "a b".to_owned()).starts_with(r#"id: "a b" is not an id"#));
        assert!(error(|s| s.idps = vec![String::new()]).starts_with("idps:"));
        assert!(error(|s| s.redirect_uris.clear()).starts_with("redirect_uris: is empty"));
        assert!(error(|s| s.min_state_length = 5000).starts_with("min_state_length: 5000"));
        assert_eq!(error(|s| s.idps = vec!["a".to_owned(); 65]), "idps: has more than 64 entries");
    }

    #[test]
    fn a_back_channel_uri_is_https_or_a_confidential_clients_http() {
        let parse = |uri: &str, public: bool| {
            let uri = Some(uri.to_owned());
            Client::parse(ClientSettings { backchannel_logout_uri: uri, public, ..settings() })
        };
        for (uri, confidential, public) in [
            ("https://app.example.com/bcl?tenant=7", true, true),
            ("http://localhost:3000/bcl", true, true),
            ("http://app:8080/bcl", true, false),
            ("https://app.example.com/bcl#x", false, false),
            ("https://u@app.example.com/bcl", false, false),
            ("/bcl", false, false),
            ("ftp://app.example.com/", false, false),
        ] {
            assert_eq!(parse(uri, false).is_ok(), confidential, "{uri}");
            assert_eq!(parse(uri, true).is_ok(), public, "{uri}");
        }
    }

    #[test]
    fn uris_of_requests_are_checked_against_their_own_list() {
        let client = client();
        let (cb, bye) = ("https://app.example.com/cb", "https://app.example.com/bye?a=b");
        assert_eq!(client.redirect_uri(cb).unwrap().as_str(), cb);
        assert_eq!(client.post_logout_uri(bye).unwrap().as_str(), bye);
        assert_eq!(client.redirect_uri(bye), Err(RedirectUriError::NotRegistered));
        assert_eq!(client.post_logout_uri(cb), Err(RedirectUriError::NotRegistered));
        assert_eq!(
            client.post_logout_uri("https://app.example.com/bye?a=b&c"),
            Err(RedirectUriError::NotRegistered)
        );
        assert!(client.return_to("https://x.example.com?y").is_some());
        assert!(client.return_to("https://example.net").is_none());
    }

    #[test]
    fn only_a_public_client_may_vary_the_loopback_port() {
        let client = |public| {
            let redirect_uris = vec!["http://127.0.0.1/cb".to_owned()];
            Client::parse(ClientSettings { redirect_uris, public, ..settings() }).unwrap()
        };
        assert!(client(true).redirect_uri("http://127.0.0.1:51234/cb").is_ok());
        assert!(client(false).redirect_uri("http://127.0.0.1:51234/cb").is_err());
        assert!(client(false).redirect_uri("http://127.0.0.1/cb").is_ok());
    }

    #[test]
    fn a_state_policy_counts_characters() {
        let client = Client::parse(ClientSettings { min_state_length: 22, ..settings() }).unwrap();
        assert!(client.accepts_state(Some(&"é".repeat(22))));
        assert!(!client.accepts_state(Some(&"é".repeat(21))));
        assert!(!client.accepts_state(None));
        assert!(self::client().accepts_state(None));
    }
}
