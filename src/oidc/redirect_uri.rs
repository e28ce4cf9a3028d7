//! Redirect URIs: registered ones, and those of a request that have been checked against them.
//!
//! Nothing is normalised before it is compared. Two spellings of one URL are two URLs here, because
//! every normalisation is a way for two parsers to disagree (RFC 9700 4.1.3).

use std::fmt;

use url::Url;

use super::issuer::is_loopback;
use super::uri_query::append_query;

/// Longest redirect URI, in bytes.
pub const MAX_URI_BYTES: usize = 2048;

/// Schemes that run or read something in the browser.
const FORBIDDEN_SCHEMES: [&str; 6] = ["javascript", "data", "vbscript", "file", "blob", "about"];

/// A URI that an operator has registered for a client.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RegisteredRedirectUri(String);

impl RegisteredRedirectUri {
    /// Accepts an absolute URI of at most 2048 bytes in printable ASCII, without user name and
    /// fragment (RFC 6749 3.1.2): `https`, `http` on loopback, or a private-use scheme with a dot
    /// (RFC 8252 7.1).
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        if text.len() > MAX_URI_BYTES {
            return Err(RedirectUriError::TooLong);
        }
        if !is_plain(text) {
            return Err(RedirectUriError::Characters);
        }
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        let url = Url::parse(text).map_err(|_| RedirectUriError::NotAbsolute)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectUriError::UserName);
        }
        match url.scheme() {
            scheme if FORBIDDEN_SCHEMES.contains(&scheme) => Err(RedirectUriError::Scheme),
            "https" | "http" if !has_plain_authority(text) => Err(RedirectUriError::NotAbsolute),
            "https" => Ok(Self(text.to_owned())),
            "http" if is_loopback(&url) => Ok(Self(text.to_owned())),
            "http" => Err(RedirectUriError::PlainHttp),
            scheme if scheme.contains('.') => Ok(Self(text.to_owned())),
            _ => Err(RedirectUriError::Scheme),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request's URI is this one: the same bytes. For native apps the port of a loopback
    /// address literal may differ, as they get it from the system (RFC 8252 7.3).
    pub(super) fn matches(&self, raw: &str, any_loopback_port: bool) -> bool {
        if self.0 == raw {
            return true;
        }
        any_loopback_port
            && raw.len() <= MAX_URI_BYTES
            && loopback_without_port(&self.0)
                .is_some_and(|registered| loopback_without_port(raw) == Some(registered))
    }
}

macro_rules! checked_uri {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// It deserialises from our own store only, where it was put after the check.
        #[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub(super) fn checked(raw: &str) -> Self {
                Self(raw.to_owned())
            }

            /// One that was checked when it came in and has been in our store since. What a client
            /// has registered by now does not change where a person who is under way ends.
            pub fn stored(text: String) -> Self {
                Self(text)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The URI with response parameters appended. A query of its own is kept (RFC 6749
            /// 3.1.2); values come back to the app exactly as given.
            pub fn with(&self, parameters: &[(&str, &str)]) -> String {
                append_query(&self.0, parameters)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

checked_uri! {
    /// Where an authorization response goes: a URI that the client has registered. A request's URI
    /// becomes one by `Client::redirect_uri` alone.
    RedirectUri;
    /// Where a person goes after logout: a URI that the client has registered. A request's URI
    /// becomes one by `Client::post_logout_uri` alone.
    PostLogoutUri;
}

/// Why a URI cannot be registered, or why a request's URI is not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RedirectUriError {
    #[error("longer than {MAX_URI_BYTES} bytes")]
    TooLong,
    #[error("has spaces, control characters, backslashes or non-ASCII characters; encode them")]
    Characters,
    #[error("has a fragment; remove everything from the # on")]
    Fragment,
    #[error("has a user name; remove everything up to the @")]
    UserName,
    #[error("is not absolute; write for example https://app.example.com/callback")]
    NotAbsolute,
    #[error("uses http on a host that is not loopback; use https")]
    PlainHttp,
    #[error(
        "has a scheme that is not allowed; use https, or a scheme with a dot (com.example.app)"
    )]
    Scheme,
    #[error("is not registered for this client")]
    NotRegistered,
}

impl RedirectUriError {
    /// A stable name for logs and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "uri_too_long",
            Self::Characters => "uri_characters",
            Self::Fragment => "uri_fragment",
            Self::UserName => "uri_user_name",
            Self::NotAbsolute => "uri_not_absolute",
            Self::PlainHttp => "uri_plain_http",
            Self::Scheme => "uri_scheme",
            Self::NotRegistered => "uri_not_registered",
        }
    }
}

/// Printable ASCII without space and backslash: browsers strip or rewrite everything else.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// Whether an `http` or `https` URL is written with `//` and a host, as browsers would not insist.
fn has_plain_authority(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.starts_with(|c| c != '/'))
}

/// `http://127.0.0.1:49152/cb` as (`http://127.0.0.1`, `/cb`), if the host is a loopback literal.
fn loopback_without_port(uri: &str) -> Option<(&'static str, &str)> {
    let (base, rest) = ["http://127.0.0.1", "http://[::1]"]
        .into_iter()
        .find_map(|base| Some((base, uri.strip_prefix(base)?)))?;
    let Some(after_colon) = rest.strip_prefix(':') else {
        return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((base, rest));
    };
    let end = after_colon.find(['/', '?']).unwrap_or(after_colon.len());
    let (port, rest) = after_colon.split_at_checked(end)?;
    let is_port = !port.starts_with('0')
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok();
    is_port.then_some((base, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::Params;

    /// Requests that must not pass for `https://app.example.com/cb`.
    const NEAR_MISSES: [&str; 31] = [
        "https://app.example.com.evil.test/cb",
        "https://app.example.com@evil.test/cb",
        "https://evil.test@app.example.com/cb",
        "https://a@b@app.example.com/cb",
        "https://app.example.com:443@evil.test/",
        "https://app.example.com/cb/",
        "https://app.example.com/cb?x",
        "https://app.example.com/cb?",
        "https://app.example.com/cb#x",
        "https://app.example.com/cb#",
        "https://app.example.com/cb%20",
        "https://app.example.com/cb/..;/x",
        "https://app.example.com/x/../cb",
        "https://app.example.com/%63b",
        "https://app.example.com/CB",
        "https://APP.example.com/cb",
        "HTTPS://app.example.com/cb",
        "http://app.example.com/cb",
        "https://app.example.com:443/cb",
        "https://app.example.com:8443/cb",
        "https://app.example.com./cb",
        "https:/app.example.com/cb",
        "https:app.example.com/cb",
        "//app.example.com/cb",
        "https:\\\\app.example.com\\cb",
        "https://app.example.com\\@evil.test/cb",
        "https://app.exa\tmple.com/cb",
        " https://app.example.com/cb",
        "https://app.example.com/cb ",
        "https://app.example.com/cb\0",
        "https://app.example。com/cb",
    ];

    #[test]
    fn only_the_registered_bytes_match() {
        let registered = RegisteredRedirectUri::parse("https://app.example.com/cb").unwrap();
        for any_loopback_port in [false, true] {
            assert!(registered.matches("https://app.example.com/cb", any_loopback_port));
            for raw in NEAR_MISSES {
                assert!(!registered.matches(raw, any_loopback_port), "{raw:?}");
            }
            assert!(!registered.matches("", any_loopback_port));
        }
    }

    #[test]
    fn the_loopback_port_may_vary_for_native_apps_only() {
        for base in ["http://127.0.0.1", "http://[::1]"] {
            for registered in [format!("{base}/cb?a=b"), format!("{base}:8000/cb?a=b")] {
                let registered = RegisteredRedirectUri::parse(&registered).unwrap();
                let other_port = format!("{base}:51234/cb?a=b");
                assert!(registered.matches(&other_port, true), "{other_port}");
                assert!(!registered.matches(&other_port, false), "{other_port}");
                for tail in [
                    ":1/cb",
                    ":1/cb?a=b&c",
                    ":1/CB?a=b",
                    ":1@evil.test/cb?a=b",
                    ":/cb?a=b",
                    ":0/cb?a=b",
                    ":65536/cb?a=b",
                    ":+1/cb?a=b",
                    ":01/cb?a=b",
                    ".evil.test/cb?a=b",
                    ":1:2/cb?a=b",
                ] {
                    let raw = format!("{base}{tail}");
                    assert!(!registered.matches(&raw, true), "{raw}");
                }
            }
        }
        let v4 = RegisteredRedirectUri::parse("http://127.0.0.1/cb").unwrap();
        for raw in [
            "http://[::1]/cb",
            "http://localhost/cb",
            "https://127.0.0.1:1/cb",
            "http://127.0.0.2:1/cb",
        ] {
            assert!(!v4.matches(raw, true), "{raw}");
        }
        // A host name can be pointed elsewhere: no exception for it (RFC 8252 8.3).
        let name = RegisteredRedirectUri::parse("http://localhost/cb").unwrap();
        assert!(name.matches("http://localhost/cb", true));
        assert!(!name.matches("http://localhost:51234/cb", true));
    }

    #[test]
    fn what_can_be_registered() {
        for good in [
            "https://app.example.com/cb",
            "https://app.example.com",
            "https://app.example.com:8443/cb?tenant=7",
            "http://localhost:7017/index.html",
            "http://127.0.0.1/cb",
            "http://[::1]/cb",
            "com.example.app:/callback",
            "com.example.app://host/callback",
        ] {
            assert!(RegisteredRedirectUri::parse(good).is_ok(), "{good}");
        }
        use RedirectUriError as E;
        for (bad, error) in [
            ("", E::NotAbsolute),
            ("/cb", E::NotAbsolute),
            ("app.example.com/cb", E::NotAbsolute),
            ("https:/app.example.com/cb", E::NotAbsolute),
            ("https:///app.example.com/cb", E::NotAbsolute),
            ("https://app.example.com/cb#x", E::Fragment),
            ("https://u@app.example.com/cb", E::UserName),
            ("https://:p@app.example.com/cb", E::UserName),
            ("http://app.example.com/cb", E::PlainHttp),
            ("http://127.0.0.1.evil.test/cb", E::PlainHttp),
            ("https://app.example.com/a b", E::Characters),
            ("https://app.example.com\\cb", E::Characters),
            ("https://app.exa\tmple.com/cb", E::Characters),
            ("https://äpp.example.com/cb", E::Characters),
            ("myapp:/cb", E::Scheme),
        ] {
            assert_eq!(RegisteredRedirectUri::parse(bad), Err(error), "{bad:?}");
        }
        for scheme in FORBIDDEN_SCHEMES {
            for text in [format!("{scheme}:alert(1)"), format!("{scheme}://a.b/").to_uppercase()] {
                let error = RegisteredRedirectUri::parse(&text).unwrap_err();
                assert_eq!(error, E::Scheme, "{text}");
            }
        }
        let long = format!("https://a.example/{}", "x".repeat(MAX_URI_BYTES));
        assert_eq!(RegisteredRedirectUri::parse(&long), Err(E::TooLong));
    }

    #[test]
    fn parameters_join_the_registered_query() {
        for (uri, expected) in [
            ("https://a/cb", "https://a/cb?code=1&state=2"),
            ("https://a/cb?foo=bar", "https://a/cb?foo=bar&code=1&state=2"),
            ("https://a/cb?", "https://a/cb?code=1&state=2"),
            ("https://a/cb?x&", "https://a/cb?x&code=1&state=2"),
            ("com.example.app:/cb", "com.example.app:/cb?code=1&state=2"),
        ] {
            assert_eq!(RedirectUri::checked(uri).with(&[("code", "1"), ("state", "2")]), expected);
        }
        assert_eq!(PostLogoutUri::checked("https://a/?b").with(&[]), "https://a/?b");
    }

    #[test]
    fn state_comes_back_byte_for_byte() {
        let state = "a+b&c=d%20e é\"'<>#?/\\\u{0}\r\n漢";
        let url = RedirectUri::checked("https://a/cb").with(&[("state", state)]);
        assert!(is_plain(&url));
        let query = url.split_once('?').unwrap().1;
        assert_eq!(Params::parse(query).unwrap().single("state"), Ok(Some(state)));
    }

    proptest::proptest! {
        #[test]
        fn any_state_comes_back(state: String) {
            let url = RedirectUri::checked("https://a/cb?x=y").with(&[("state", &state)]);
            proptest::prop_assert!(is_plain(&url));
            let query = Params::parse(url.split_once('?').unwrap().1).unwrap();
            proptest::prop_assert_eq!(query.flag("state"), Ok(Some(state.as_str())));
        }

        #[test]
        fn only_equal_texts_match(raw: String, tail in "[ -~]{1,20}") {
            let registered = RegisteredRedirectUri::parse("https://app.example.com/cb").unwrap();
            let longer = format!("https://app.example.com/cb{tail}");
            proptest::prop_assert!(!registered.matches(&longer, true));
            proptest::prop_assert!(!registered.matches(&raw, true));
            let _ = RegisteredRedirectUri::parse(&raw);
        }
    }
}
