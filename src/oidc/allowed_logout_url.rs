//! The URLs that `/v2/logout` may send a person to. They are compared as Auth0 compares them, which
//! is looser than a redirect URI may ever be: query and fragment are ignored, and `*` is a label.

use std::fmt;

use url::Url;

use super::redirect_uri::{MAX_URI_BYTES, RegisteredRedirectUri, is_plain};

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
            Pattern::PrivateUse(uri) => raw.split(['?', '#']).next() == Some(uri.as_str()),
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
        let path = rest.split(['?', '#']).next().filter(|path| !path.is_empty()).unwrap_or("/");
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
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<AllowedLogoutUrl, AllowedLogoutUrlError> {
        AllowedLogoutUrl::parse(text, HttpWildcards::Refused)
    }

    fn matches(entry: &str, raw: &str) -> bool {
        let entry = AllowedLogoutUrl::parse(entry, HttpWildcards::Allowed).unwrap();
        entry.matches(raw).is_some_and(|url| url.as_str() == raw)
    }

    #[test]
    fn query_and_fragment_do_not_count_and_are_kept() {
        let entry = "https://app.example.com/bye";
        for raw in [
            "https://app.example.com/bye",
            "https://app.example.com/bye?a=b",
            "https://app.example.com/bye#x",
            "https://app.example.com/bye?a=https://evil.test/#y",
            "HTTPS://APP.example.COM/bye",
            "https://app.example.com:443/bye",
        ] {
            assert!(matches(entry, raw), "{raw}");
        }
        for raw in [
            "https://app.example.com/Bye",
            "https://app.example.com/bye/",
            "https://app.example.com/",
            "https://app.example.com/b%79e",
            "https://app.example.com/x/../bye",
            "https://app.example.com:8443/bye",
            "http://app.example.com/bye",
            "http://app.example.com:443/bye",
            "https://u@app.example.com/bye",
            "https://app.example.com\\bye",
            "//app.example.com/bye",
            "",
        ] {
            assert!(!matches(entry, raw), "{raw}");
        }
        assert!(matches("https://a.example.com", "https://a.example.com/?x"));
        assert!(matches("https://a.example.com/", "https://a.example.com?x"));
        assert!(matches("http://[::1]:3000/", "http://[::1]:3000"));
    }

    #[test]
    fn a_wildcard_is_one_label() {
        for raw in
            ["https://a.example.com", "https://A-1.Example.com/?x#y", "https://0.example.com"]
        {
            assert!(matches("https://*.example.com", raw), "{raw}");
        }
        let longest = format!("https://{}.example.com", "a".repeat(63));
        assert!(matches("https://*.example.com", &longest));
        for raw in [
            "https://example.com",
            "https://a.b.example.com",
            "https://.example.com",
            "https://-a.example.com",
            "https://a-.example.com",
            "https://a_b.example.com",
            "https://*.example.com",
            "https://evil.test/.example.com",
            "https://evil.test#.example.com",
            "https://evil.test?.example.com",
            "https://evil.test\\.example.com",
            "https://evil.test%2f.example.com",
            "https://evil.test%00.example.com",
            "https://evil.test&#46;example.com",
            "https://a.example.com@evil.test",
            "https://u@a.example.com",
            "https://a.example.com:8443",
            "http://a.example.com",
            "https://a.example.com.",
            "https://a。example.com",
            "https://xn--bcher-kva.example.com",
            "https://XN--bcher-kva.example.com",
            "https://a.example.com/../x",
            "https://a.example.com/x",
            "//a.example.com",
            "https://a.example.com.evil.test",
            "https:a.example.com",
            "https:///a.example.com",
            "javascript://a.example.com",
        ] {
            assert!(!matches("https://*.example.com", raw), "{raw}");
        }
        let too_long = format!("https://{}.example.com", "a".repeat(64));
        assert!(!matches("https://*.example.com", &too_long));
        assert!(matches("https://xn--bcher-kva.example.com", "https://xn--bcher-kva.example.com"));
    }

    #[test]
    fn a_wildcard_may_have_a_prefix_and_a_suffix() {
        let entry = "https://pr-*-web.example.com/out";
        assert!(matches(entry, "https://pr-12-web.example.com/out"));
        for raw in [
            "https://pr--web.example.com/out",
            "https://pr-web.example.com/out",
            "https://pr-1.2-web.example.com/out",
            "https://x.pr-1-web.example.com/out",
            "https://pr-1-web.example.com/",
        ] {
            assert!(!matches(entry, raw), "{raw}");
        }
    }

    #[test]
    fn what_can_be_saved() {
        for good in [
            "https://app.example.com",
            "http://app.example.com/out",
            "http://localhost:3000",
            "https://*.example.com",
            "https://*.example.co.uk/out",
            "https://*.me.github.io",
            "com.example.app://logout/ios",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        use AllowedLogoutUrlError as E;
        for (bad, error) in [
            ("*.example.com", E::NoScheme),
            ("app.example.com", E::NoScheme),
            ("localhost:3000", E::NoScheme),
            ("*.example.com:8080", E::NoScheme),
            ("", E::NoScheme),
            ("https://*", E::PublicSuffix),
            ("https://*.com", E::PublicSuffix),
            ("https://*.co.uk", E::PublicSuffix),
            ("https://*.github.io", E::PublicSuffix),
            ("https://*.vercel.app", E::PublicSuffix),
            ("https://*.internal", E::PublicSuffix),
            ("https://pr-*.com", E::PublicSuffix),
            ("https://a.*.example.com", E::WildcardPlace),
            ("https://*.*.example.com", E::WildcardPlace),
            ("https://**.example.com", E::WildcardPlace),
            ("https://app.example.com/*", E::WildcardPlace),
            ("http://*.example.com", E::HttpWildcard),
            ("https://*.0.0.1", E::NotAUrl),
            ("https://xn--*.example.com", E::NotAUrl),
            ("https://u@app.example.com", E::NotAUrl),
            ("https://app.example.com/a/../b", E::NotAUrl),
            ("https://app.example.com/%2e%2E/b", E::NotAUrl),
            ("https://app.example.com:x", E::NotAUrl),
            ("javascript://app.example.com", E::NotAUrl),
            ("https://app.example.com?x", E::QueryOrFragment),
            ("https://app.example.com#x", E::QueryOrFragment),
            ("https://app.example.com/ä", E::Characters),
        ] {
            assert_eq!(parse(bad), Err(error), "{bad}");
        }
        let development = AllowedLogoutUrl::parse("http://*.example.com", HttpWildcards::Allowed);
        assert!(development.unwrap().matches("http://a.example.com").is_some());
    }

    #[test]
    fn a_native_apps_url_matches_up_to_its_query() {
        let entry = "com.example.app://logout/ios";
        assert!(matches(entry, "com.example.app://logout/ios?x"));
        assert!(!matches(entry, "com.example.app://logout/ios2"));
        assert!(!matches(entry, "com.example.APP://logout/ios"));
    }

    proptest::proptest! {
        /// Whatever the text, what a wildcard lets through is a browser's URL on that domain.
        #[test]
        fn what_matches_ends_in_the_domain(
            raw in "(https?://)?[ -~]{0,30}\\.example\\.com[ -~]{0,20}",
        ) {
            if matches("https://*.example.com", &raw) {
                let url = Url::parse(&raw).unwrap();
                let host = url.host_str().unwrap();
                proptest::prop_assert!(host.ends_with(".example.com") && url.scheme() == "https");
            }
        }

        #[test]
        fn any_entry_is_read_or_refused(text: String) {
            let _ = parse(&text);
        }
    }
}
