//! Front-Channel Logout 1.0: an app is told of a logout by a frame in the browser.

use serde::{Deserialize, Serialize};
use url::Url;

use super::issuer::Issuer;
use super::redirect_uri::{RedirectUriError, RegisteredRedirectUri};
use super::uri_query::append_query;

/// What [`FrontchannelLogoutUri::for_session`] adds to the query.
const ADDED: [&str; 2] = ["iss", "sid"];

/// Where an app's frame is loaded from at logout. It is checked when the client is saved.
///
/// It deserialises from our own store only, where it was put after the check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrontchannelLogoutUri(String);

impl FrontchannelLogoutUri {
    /// Accepts what can be a redirect URI by `https`, or by `http` on loopback, with scheme, host and
    /// port of one of the client's own (section 2): no client has a page of another one loaded.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(
        text: &str,
        redirect_uris: &[RegisteredRedirectUri],
    ) -> Result<Self, FrontchannelLogoutUriError> {
        let uri = RegisteredRedirectUri::parse(text)?;
        let url = Url::parse(uri.as_str()).map_err(|_| RedirectUriError::NotAbsolute)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(FrontchannelLogoutUriError::Scheme);
        }
        if text.contains(['"', '<', '>', '`']) {
            return Err(RedirectUriError::Characters.into());
        }
        if !is_plain_host(&url) {
            return Err(FrontchannelLogoutUriError::Host);
        }
        if url.query_pairs().any(|(name, _)| ADDED.contains(&&*name)) {
            return Err(FrontchannelLogoutUriError::Parameter);
        }
        let is_own = |registered: &RegisteredRedirectUri| {
            Url::parse(registered.as_str()).is_ok_and(|other| other.origin() == url.origin())
        };
        match redirect_uris.iter().any(is_own) {
            true => Ok(Self(text.to_owned())),
            false => Err(FrontchannelLogoutUriError::Origin),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The frame's address for one session: with both `iss` and `sid`, so that the app can tell whose
    /// session is meant. A query of its own is kept.
    pub fn for_session(&self, issuer: &Issuer, sid: &str) -> String {
        append_query(&self.0, &[("iss", issuer.as_str()), ("sid", sid)])
    }
}

/// Whether a content security policy can name this host: others could end the directive, and for IPv6
/// addresses browsers know no notation.
pub fn is_plain_host(url: &Url) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    url.host_str().is_some_and(|host| !host.is_empty() && host.bytes().all(plain))
}

/// Why a front-channel logout URI cannot be registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrontchannelLogoutUriError {
    #[error(transparent)]
    Uri(#[from] RedirectUriError),
    #[error("is not https, nor http on loopback")]
    Scheme,
    #[error("has a host that is no plain name or IPv4 address; browsers could not be told of it")]
    Host,
    #[error("has a parameter named iss or sid; those two are added to it at logout")]
    Parameter,
    #[error("has not the scheme, host and port of any redirect URI of this client")]
    Origin,
}

impl FrontchannelLogoutUriError {
    /// A stable name for logs and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Uri(error) => error.code(),
            Self::Scheme => "frontchannel_logout_uri_scheme",
            Self::Host => "frontchannel_logout_uri_host",
            Self::Parameter => "frontchannel_logout_uri_parameter",
            Self::Origin => "frontchannel_logout_uri_origin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIRECTS: [&str; 4] = [
        "https://app.example.com/cb",
        "https://app.example.com:8443/cb",
        "http://localhost:7017/cb",
        "com.example.app:/cb",
    ];

    fn parse(text: &str) -> Result<FrontchannelLogoutUri, FrontchannelLogoutUriError> {
        let registered = REDIRECTS.map(|uri| RegisteredRedirectUri::parse(uri).unwrap());
        FrontchannelLogoutUri::parse(text, &registered)
    }

    #[test]
    fn it_shares_scheme_host_and_port_with_a_redirect_uri() {
        for good in [
            "https://app.example.com/logout",
            "https://app.example.com:443/logout?a=b",
            "https://APP.example.com",
            "https://app.example.com:8443/",
            "http://localhost:7017/logout",
        ] {
            assert_eq!(parse(good).map(|uri| uri.as_str().to_owned()), Ok(good.to_owned()));
        }
        for bad in [
            "https://app.example.com:444/logout",
            "https://other.example.com/logout",
            "https://app.example.com.evil.test/logout",
            "https://example.com/logout",
            "http://localhost:7018/logout",
            "https://localhost:7017/logout",
        ] {
            assert_eq!(parse(bad), Err(FrontchannelLogoutUriError::Origin), "{bad}");
        }
        assert_eq!(
            FrontchannelLogoutUri::parse("https://app.example.com/", &[]),
            Err(FrontchannelLogoutUriError::Origin)
        );
    }

    #[test]
    fn only_a_page_of_the_web_can_be_in_a_frame() {
        use FrontchannelLogoutUriError as E;
        for (bad, error) in [
            ("javascript:alert(1)", E::Uri(RedirectUriError::Scheme)),
            ("data:text/html,x", E::Uri(RedirectUriError::Scheme)),
            ("/logout", E::Uri(RedirectUriError::NotAbsolute)),
            ("https://app.example.com/logout#x", E::Uri(RedirectUriError::Fragment)),
            ("https://u@app.example.com/logout", E::Uri(RedirectUriError::UserName)),
            ("http://app.example.com/logout", E::Uri(RedirectUriError::PlainHttp)),
            ("https://app.example.com/\"><script>", E::Uri(RedirectUriError::Characters)),
            ("https://app.example.com/?a=<b>", E::Uri(RedirectUriError::Characters)),
            ("com.example.app:/cb", E::Scheme),
            ("https://a;b.example/logout", E::Host),
            ("https://a,b.example/logout", E::Host),
            ("https://[2001:db8::1]/logout", E::Host),
            ("https://app.example.com/logout?sid=1", E::Parameter),
            ("https://app.example.com/logout?a=b&iss", E::Parameter),
        ] {
            assert_eq!(parse(bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn issuer_and_session_join_the_registered_query() {
        let issuer = Issuer::parse("https://login.example.com/t1").unwrap();
        let added = "iss=https%3A%2F%2Flogin.example.com%2Ft1&sid=a%26b%3D%2Bc";
        for (uri, with) in [
            ("https://app.example.com/logout", "https://app.example.com/logout?"),
            ("https://app.example.com/logout?a=b", "https://app.example.com/logout?a=b&"),
            ("https://app.example.com/logout?a=%26&", "https://app.example.com/logout?a=%26&"),
        ] {
            let frame = parse(uri).unwrap().for_session(&issuer, "a&b=+c");
            assert_eq!(frame, format!("{with}{added}"));
        }
    }
}
