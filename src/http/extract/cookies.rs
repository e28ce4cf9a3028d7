//! Cookies: read strictly, written with every protection there is.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::oidc::Issuer;
use crate::secret::Token;

/// The cookies of a request that can be told apart.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Reads all `Cookie` lines. A pair that RFC 6265 4.1.1 does not know is left out.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
            let strict = is_token(name) && value.bytes().all(is_cookie_octet);
            strict.then(|| (name.to_owned(), value.to_owned()))
        });
        Self(pairs.collect())
    }

    /// The value of a cookie. One that was sent twice is treated as absent: somebody beside us has
    /// set one of them, and nobody knows which.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        let (_, only) = values.next()?;
        values.next().is_none().then_some(only)
    }

    /// Name after `prefix`, and value, of the newest 32 cookies that begin so, as far as they were sent
    /// once. The newest come first; browsers send them last (RFC 6265 5.4).
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let of_kind = self
            .0
            .iter()
            .rev()
            .filter_map(move |(name, _)| Some((name.as_str(), name.strip_prefix(prefix)?)));
        let newest = of_kind.take(MOST_OF_A_KIND);
        newest.filter_map(|(name, rest)| Some((rest, self.get(name)?)))
    }
}

/// A browser has one cookie of a kind per tab. Each may have to be looked up, so that nobody is free to
/// send thousands.
const MOST_OF_A_KIND: usize = 32;

/// Names only: values open sessions.
impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<S: Sync> FromRequestParts<S> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// How this installation names and protects its cookies.
///
/// With TLS they are `__Host-` and `Secure`: no other host can set them. On a plain `http` loopback
/// issuer browsers and other HTTP clients would not send such cookies back, so they drop both and
/// are `Lax`; there everything is one site anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookiePolicy {
    secure: bool,
}

impl CookiePolicy {
    pub fn of(issuer: &Issuer) -> Self {
        Self { secure: issuer.is_secure() }
    }

    /// The name under which browsers know the cookie `base`.
    pub fn name(self, base: &str) -> String {
        if self.secure { format!("__Host-{base}") } else { base.to_owned() }
    }

    /// A cookie that lives as long as the browser session and is `Lax`, unless said otherwise.
    pub fn set(self, base: &str, value: &Token) -> SetCookie {
        // Our own tokens are base64url. Of any other text only what a cookie can hold is kept.
        let octets = value.expose().chars();
        let value = octets.filter(|&c| u8::try_from(c).is_ok_and(is_cookie_octet)).collect();
        SetCookie {
            policy: self,
            base: base.to_owned(),
            value,
            max_age: None,
            same_site: SameSite::Lax,
        }
    }

    /// Makes the browser forget the cookie.
    pub fn remove(self, base: &str) -> SetCookie {
        self.set(base, &Token::received("")).max_age(Duration::ZERO)
    }
}

/// To which requests from other sites a browser adds the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// To links and redirects, not to forms by POST, frames and scripts.
    Lax,
    /// To all: an IdP's cross-site POST needs it.
    None,
    /// To none.
    Strict,
}

/// One `Set-Cookie` line.
#[derive(Clone, PartialEq, Eq)]
pub struct SetCookie {
    policy: CookiePolicy,
    base: String,
    value: String,
    max_age: Option<Duration>,
    same_site: SameSite,
}

impl SetCookie {
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Keeps the cookie beyond the browser session, for whole seconds.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The value of the `Set-Cookie` header; to be appended, never inserted.
    pub fn header(&self) -> HeaderValue {
        let mut line = format!("{}={}; Path=/; HttpOnly", self.policy.name(&self.base), self.value);
        if self.policy.secure {
            line.push_str("; Secure");
        }
        line.push_str(match self.same_site {
            _ if !self.policy.secure => "; SameSite=Lax",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
            SameSite::Strict => "; SameSite=Strict",
        });
        if let Some(max_age) = self.max_age {
            // Writing to a string does not fail.
            let _ = write!(line, "; Max-Age={}", max_age.as_secs());
        }
        let mut value = HeaderValue::from_str(&line)
            .unwrap_or_else(|_| HeaderValue::from_static("invalid=; Max-Age=0"));
        value.set_sensitive(true);
        value
    }
}

fn is_token(name: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_tchar)
}

/// RFC 6265 4.1.1, `cookie-octet`.
fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(lines: &[&str]) -> Cookies {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        Cookies::of(&headers)
    }

    fn policy(issuer: &str) -> CookiePolicy {
        CookiePolicy::of(&Issuer::parse(issuer).unwrap())
    }

    #[test]
    fn reads_ours_among_those_of_others() {
        let read = cookies(&["a=1; __Host-sid=abc_-9;broken; =x; q=\"z\"; b=2", "c=3"]);
        assert_eq!(read.get("__Host-sid"), Some("abc_-9"));
        assert_eq!(
            (read.get("a"), read.get("b"), read.get("c")),
            (Some("1"), Some("2"), Some("3"))
        );
        for absent in ["sid", "broken", "", "q", "__host-sid"] {
            assert_eq!(read.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn a_cookie_that_was_sent_twice_is_absent() {
        assert_eq!(cookies(&["sid=a; sid=b"]).get("sid"), None);
        assert_eq!(cookies(&["sid=a", "sid=a"]).get("sid"), None);
        assert_eq!(cookies(&["sid=a; Sid=b"]).get("sid"), Some("a"));
    }

    #[test]
    fn a_malformed_value_is_no_value() {
        for bad in ["sid=a b", "sid=a,b", "sid=a\\b", "sid=é", "sid=\"a\"", "si d=a"] {
            assert_eq!(cookies(&[bad]).get("sid"), None, "{bad}");
        }
        assert_eq!(cookies(&["sid=a=b"]).get("sid"), Some("a=b"));
    }

    #[test]
    fn cookies_of_one_kind_are_found_by_their_prefix() {
        let read = cookies(&["__Host-tx.1=a; __Host-tx.2=b; __Host-tx.2=c; tx.3=d; sid=e"]);
        assert_eq!(read.with_prefix("__Host-tx.").collect::<Vec<_>>(), [("1", "a")]);
    }

    #[test]
    fn of_many_cookies_of_one_kind_the_newest_are_read() {
        let line = (0..2_000).map(|number| format!("tx-{number}=v{number}")).collect::<Vec<_>>();
        let read = cookies(&[&line.join("; ")]);
        let found: Vec<_> = read.with_prefix("tx-").collect();
        assert_eq!(found.len(), 32);
        assert_eq!((found[0], found[31]), (("1999", "v1999"), ("1968", "v1968")));
    }

    #[test]
    fn with_tls_every_protection_is_set() {
        let policy = policy("https://login.example.com");
        let token = Token::received("abc");
        assert_eq!(
            policy.set("sid", &token).header(),
            "__Host-sid=abc; Path=/; HttpOnly; Secure; SameSite=Lax"
        );
        assert_eq!(
            policy
                .set("tx.1", &token)
                .same_site(SameSite::None)
                .max_age(Duration::from_secs(600))
                .header(),
            "__Host-tx.1=abc; Path=/; HttpOnly; Secure; SameSite=None; Max-Age=600"
        );
        assert_eq!(
            policy.remove("sid").same_site(SameSite::Strict).header(),
            "__Host-sid=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0"
        );
    }

    #[test]
    fn on_a_loopback_issuer_without_tls_they_are_plain_and_lax() {
        let policy = policy("http://localhost:8080");
        let cookie = policy.set("tx.1", &Token::received("abc")).same_site(SameSite::None);
        assert_eq!(cookie.header(), "tx.1=abc; Path=/; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_value_cannot_add_attributes_or_lines() {
        let hostile = Token::received("a; Domain=evil\r\nSet-Cookie: b=c");
        let header = policy("https://a.example").set("sid", &hostile).header();
        let header = header.to_str().unwrap();
        assert_eq!(header.matches(';').count(), 4, "{header}");
        assert!(!header.contains(['\r', '\n']), "{header}");
    }
}
