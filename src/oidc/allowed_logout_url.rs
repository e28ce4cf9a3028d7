//! The URLs that `/v2/logout` may send a person to. They are compared as Auth0 compares them, which
//! is looser than a redirect URI may ever be: query and fragment are ignored, and `*` is a label.

use std::fmt;

use url::Url;

use super::redirect_uri::{MAX_URI_BYTES, RegisteredRedirectUri, is_plain};
use super::uri_query::without_query;

/// Longest label of a host name (RFC 1035 2.3.4), in bytes.
const MAX_LABEL: usize = 63;

/// A URL that was found in a list of allowed logout URLs, exactly as the request gave it.
///
/// It deserialises from our own store only, where it was put after the check.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// One that was checked when it came in and has been in our store since.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `http` entries may have a wildcard. Only a development installation says yes: whoever
/// can write the network's answers owns every name below an `http` wildcard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HttpWildcards {
    #[default]
    Refused,
    Allowed,
}

/// One entry of `allowed_logout_urls`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllowedLogoutUrl {
    text: String,
    pattern: Pattern,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Pattern {
    Web {
        https: bool,
        host: HostPattern,
        port: u16,
        path: String,
    },
    /// A native app's own scheme: compared byte by byte up to the query.
    PrivateUse(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum HostPattern {
    Exact(String),
    /// `prefix*suffix.base`: `*` stands for one or more characters within the left-most label.
    Wildcard {
        prefix: String,
        suffix: String,
        base: String,
    },
}

impl AllowedLogoutUrl {
    /// Reads an entry when it is saved. Its query and fragment would never count, so it has none.
    pub fn parse(text: &str, http_wildcards: HttpWildcards) -> Result<Self, AllowedLogoutUrlError> {
        use AllowedLogoutUrlError as E;
        if text.len() > MAX_URI_BYTES || !is_plain(text) {
            return Err(E::Characters);
        }
        if text.contains(['?', '#']) {
            return Err(E::QueryOrFragment);
        }
        let (scheme, _) = text.split_once(':').ok_or(E::NoScheme)?;
        let web = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let pattern = match WebUrl::parse(text) {
            Some(url) => {
                let host = HostPattern::parse(&url.host)?;
                let wildcard = matches!(host, HostPattern::Wildcard { .. });
                if wildcard && !url.https && http_wildcards == HttpWildcards::Refused {
                    return Err(E::HttpWildcard);
                }
                if url.path.contains('*') {
                    return Err(E::WildcardPlace);
                }
                if has_dot_segment(url.path) {
                    return Err(E::NotAUrl);
                }
                Pattern::Web { https: url.https, host, port: url.port, path: url.path.to_owned() }
            }
            None if web => return Err(E::NotAUrl),
            // `*.example.com:8080` and `localhost:3000` have a colon and no scheme.
            None if !text.contains(":/") => return Err(E::NoScheme),
            None if text.contains('*') => return Err(E::WildcardPlace),
            None => match RegisteredRedirectUri::parse(text) {
                Ok(uri) => Pattern::PrivateUse(uri.as_str().to_owned()),
                Err(_) => return Err(E::NotAUrl),
            },
        };
        Ok(Self { text: text.to_owned(), pattern })
    }

    /// The entry as it was saved.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Checks a request's URL. Its query and fragment do not count and are kept; scheme and host
    /// are compared without case, port and path exactly.
    pub fn matches(&self, raw: &str) -> Option<ReturnTo> {
        if raw.len() > MAX_URI_BYTES || !is_plain(raw) {
            return None;
        }
        let matches = match &self.pattern {
            Pattern::PrivateUse(uri) => without_query(raw) == uri,
            Pattern::Web { https, host, port, path } => {
                let url = WebUrl::parse(raw)?;
                // The browser will read the URL with another parser: both must see one host.
                let browser = Url::parse(raw).ok()?;
                let agreed = browser.host_str() == Some(url.host.as_str())
                    && browser.port_or_known_default() == Some(url.port);
                agreed
                    && url.https == *https
                    && url.port == *port
                    && url.path == path
                    && host.matches(&url.host)
            }
        };
        matches.then(|| ReturnTo(raw.to_owned()))
    }
}

impl HostPattern {
    fn parse(host: &str) -> Result<Self, AllowedLogoutUrlError> {
        use AllowedLogoutUrlError as E;
        let Some((prefix, rest)) = host.split_once('*') else {
            return Ok(Self::Exact(host.to_owned()));
        };
        if prefix.contains('.') || rest.contains('*') {
            return Err(E::WildcardPlace);
        }
        let (suffix, base) = rest.split_once('.').ok_or(E::PublicSuffix)?;
        let plain_base = base.split('.').all(is_label);
        let numeric = base.rsplit('.').next().is_some_and(|label| label.parse::<u32>().is_ok());
        // In an internationalised label a `*` would stand for something else than it seems to.
        if !plain_base
            || numeric
            || prefix.starts_with('-')
            || suffix.ends_with('-')
            || prefix.starts_with("xn--")
        {
            return Err(E::NotAUrl);
        }
        // `*.github.io` is everybody's: the private section of the list counts.
        if psl::suffix_str(base).is_none_or(|suffix| suffix == base) {
            return Err(E::PublicSuffix);
        }
        Ok(Self::Wildcard {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            base: base.to_owned(),
        })
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::Wildcard { prefix, suffix, base } => {
                let Some((label, rest)) = host.split_once('.') else { return false };
                let covered = label
                    .strip_prefix(prefix.as_str())
                    .and_then(|covered| covered.strip_suffix(suffix.as_str()));
                rest == base
                    && covered.is_some_and(|covered| !covered.is_empty())
                    && is_label(label)
                    && !label.starts_with("xn--")
            }
        }
    }
}

/// The parts of an `http` or `https` URL, read strictly: what is unusual is no URL.
struct WebUrl<'t> {
    https: bool,
    /// In lower case; may hold `*` in an entry.
    host: String,
    port: u16,
    /// At least `/`.
    path: &'t str,
}

impl<'t> WebUrl<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let path = Some(without_query(rest)).filter(|path| !path.is_empty()).unwrap_or("/");
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            None => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            Some(_) => return None,
        };
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let plain = match v6 {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.split('.').all(|label| {
                (1..=MAX_LABEL).contains(&label.len())
                    && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'*'))
            }),
        };
        plain.then(|| Self { https, host: host.to_ascii_lowercase(), port, path })
    }
}

/// A host label in lower case: letters, digits and inner hyphens, at most 63.
fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether a browser would shorten the path, also where the dots are percent-encoded.
fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| {
        matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
    })
}

impl fmt::Display for AllowedLogoutUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why an entry cannot be saved. The operator is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AllowedLogoutUrlError {
    #[error("has no scheme; write for example https://*.example.com")]
    NoScheme,
    #[error(
        "is not a URL that a browser can be sent to; write for example https://app.example.com"
    )]
    NotAUrl,
    #[error("is too long, or has spaces, backslashes or non-ASCII characters; encode them")]
    Characters,
    #[error("has a query or fragment; they are ignored in the comparison, so leave them out")]
    QueryOrFragment,
    #[error("has a * elsewhere than once in the left-most label of the host")]
    WildcardPlace,
    #[error("has a * right above a public suffix, where anybody can have a name; add a label")]
    PublicSuffix,
    #[error("has a * in an http URL; use https")]
    HttpWildcard,
}

impl AllowedLogoutUrlError {
    /// A stable name for logs and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoScheme => "logout_url_no_scheme",
            Self::NotAUrl => "logout_url_not_a_url",
            Self::Characters => "logout_url_characters",
            Self::QueryOrFragment => "logout_url_query_or_fragment",
            Self::WildcardPlace => "logout_url_wildcard_place",
            Self::PublicSuffix => "logout_url_public_suffix",
            Self::HttpWildcard => "logout_url_http_wildcard",
        }
    }
}

#[cfg(test)]
mod tests;
