//! The issuer: our public base URL, and the one place that every URL of ours comes from.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Our public base URL, as it stands in `iss` and in discovery, byte for byte.
///
/// It is `https`, or `http` on a loopback host for development. A path is allowed; a trailing slash
/// is dropped, so that joining a path is never ambiguous (OpenID Connect Discovery 4.1).
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Issuer {
    text: String,
    /// Where the path begins in `text`; its length when there is no path.
    path_start: usize,
    loopback: bool,
}

impl Issuer {
    /// Reads what an operator configured. The text must be in canonical form, because relying
    /// parties compare it byte by byte.
    pub fn parse(text: &str) -> Result<Self, IssuerError> {
        let url = Url::parse(text).map_err(|_| IssuerError::NotAUrl)?;
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(IssuerError::MoreThanABase);
        }
        let loopback = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(IssuerError::PlainHttp),
            _ => return Err(IssuerError::NotAUrl),
        }
        let canonical = url.as_str().strip_suffix('/').unwrap_or(url.as_str());
        if text.strip_suffix('/').unwrap_or(text) != canonical {
            return Err(IssuerError::NotCanonical { canonical: canonical.to_owned() });
        }
        if url.path().contains("//") {
            return Err(IssuerError::NotAUrl);
        }
        let path_start = url.origin().ascii_serialization().len();
        Ok(Self { text: canonical.to_owned(), path_start, loopback })
    }

    /// The value of `iss`, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A URL of ours; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        debug_assert!(path.starts_with('/'), "paths are absolute");
        format!("{}{path}", self.text)
    }

    /// The issuer's own path, without a trailing slash: empty, or `/tenant`. Routes hang below it.
    pub fn path(&self) -> &str {
        self.text.get(self.path_start..).unwrap_or_default()
    }

    /// Scheme, host and port, as a browser writes them in `Origin`.
    pub fn origin(&self) -> &str {
        self.text.get(..self.path_start).unwrap_or_default()
    }

    /// Whether browsers reach us by TLS. If not, cookies cannot be `Secure`.
    pub fn is_secure(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Whether the host is this machine: only then may stored URLs point at loopback addresses.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl FromStr for Issuer {
    type Err = IssuerError;
    fn from_str(text: &str) -> Result<Self, IssuerError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Issuer {
    type Error = IssuerError;
    fn try_from(text: String) -> Result<Self, IssuerError> {
        Self::parse(&text)
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> Self {
        issuer.text
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Why a text cannot be the issuer. The configuration is at fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IssuerError {
    #[error("not an absolute http or https URL; write for example https://login.example.com")]
    NotAUrl,
    #[error("plain http is only for localhost, 127.0.0.1 and [::1]; use https")]
    PlainHttp,
    #[error("an issuer has no user name, query or fragment; keep only scheme, host and path")]
    MoreThanABase,
    #[error("clients compare the issuer byte by byte; write it as {canonical}")]
    NotCanonical { canonical: String },
}

/// Whether a URL's host is the machine itself, by name or by address literal.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_paths_and_knows_its_parts() {
        for (text, origin, path) in [
            ("https://login.example.com", "https://login.example.com", ""),
            ("https://login.example.com/", "https://login.example.com", ""),
            ("https://login.example.com:8443/t1/", "https://login.example.com:8443", "/t1"),
            ("http://localhost:8080", "http://localhost:8080", ""),
            ("http://[::1]:8080/a/b", "http://[::1]:8080", "/a/b"),
        ] {
            let issuer = Issuer::parse(text).unwrap();
            assert_eq!((issuer.origin(), issuer.path()), (origin, path), "{text}");
            assert_eq!(issuer.as_str(), format!("{origin}{path}"));
            assert_eq!(issuer.url("/jwks.json"), format!("{origin}{path}/jwks.json"));
            assert_eq!(issuer.is_secure(), text.starts_with("https"));
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in ["http://localhost", "http://127.0.0.1:1", "http://a.localhost"] {
            assert!(Issuer::parse(good).unwrap().is_loopback(), "{good}");
        }
        for bad in ["http://example.com", "http://localhost.example.com", "http://10.0.0.1"] {
            assert_eq!(Issuer::parse(bad), Err(IssuerError::PlainHttp), "{bad}");
        }
        assert!(!Issuer::parse("https://example.com").unwrap().is_loopback());
    }

    #[test]
    fn refuses_more_than_a_base() {
        for bad in
            ["https://u@a.example", "https://u:p@a.example", "https://a.example?x", "https://a.b#"]
        {
            assert_eq!(Issuer::parse(bad), Err(IssuerError::MoreThanABase), "{bad}");
        }
        for bad in ["", "login.example.com", "ftp://a.example", "https://", "https://a.example//x"]
        {
            assert_eq!(Issuer::parse(bad), Err(IssuerError::NotAUrl), "{bad}");
        }
    }

    #[test]
    fn another_spelling_is_refused_with_the_right_one() {
        for (text, canonical) in [
            ("https://Login.example.com", "https://login.example.com"),
            ("https://login.example.com:443", "https://login.example.com"),
            ("https://a.example/x/../y", "https://a.example/y"),
            (" https://a.example", "https://a.example"),
        ] {
            let error = Issuer::parse(text).unwrap_err();
            assert_eq!(error, IssuerError::NotCanonical { canonical: canonical.to_owned() });
            assert!(Issuer::parse(canonical).is_ok());
        }
    }
}
