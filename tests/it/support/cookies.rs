//! The cookies of one test browser, by the rules that browsers ship (draft-ietf-httpbis-rfc6265bis):
//! a cookie without `SameSite` is `Lax`, `SameSite=None` needs `Secure`, and `Secure` needs https.

use std::net::IpAddr;
use std::time::Duration;

use sloop::clock::Timestamp;
use url::Url;

/// Where a request comes from and what it is for: all that `SameSite` asks about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// Begun by a page of the same site, or by the person (address bar, bookmark).
    SameSite,
    /// The whole window goes to another site by a safe method: a link, a redirect, a GET form.
    CrossSiteNavigation,
    /// The whole window goes to another site by POST.
    CrossSitePost,
    /// A frame whose page or ancestor belongs to another site.
    CrossSiteFrame,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SameSite {
    Strict,
    Lax,
    None,
}

impl SameSite {
    fn is_sent(self, context: Context) -> bool {
        match context {
            Context::SameSite => true,
            Context::CrossSiteNavigation => self != Self::Strict,
            Context::CrossSitePost | Context::CrossSiteFrame => self == Self::None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    pub host: String,
    /// No `Domain` was given: only exactly this host gets it.
    pub host_only: bool,
    pub path: String,
    pub secure: bool,
    pub http_only: bool,
    pub same_site: SameSite,
    /// `None`: a session cookie, gone when the browser is closed.
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
    /// `Set-Cookie` values that the browser threw away, each with the reason.
    pub refused: Vec<(String, &'static str)>,
}

impl Jar {
    /// The cookies that go with a request, in the order of a `Cookie` header.
    pub fn matching(&self, url: &Url, context: Context, now: Timestamp) -> Vec<&Cookie> {
        let mut sent: Vec<&Cookie> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.expires_at.is_none_or(|at| now < at))
            .filter(|cookie| cookie.host_matches(url) && cookie.path_matches(url))
            .filter(|cookie| !cookie.secure || url.scheme() == "https")
            .filter(|cookie| cookie.same_site.is_sent(context))
            .collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        sent
    }

    /// The cookie of this name that a page of `url` would send to itself.
    pub fn cookie(&self, url: &Url, name: &str, now: Timestamp) -> Option<&Cookie> {
        let own = self.matching(url, Context::SameSite, now);
        own.into_iter().find(|cookie| cookie.name == name)
    }

    /// Takes in a `Set-Cookie` header of an answer from `url`; refuses it where a browser would.
    pub fn receive(&mut self, url: &Url, header: &str, context: Context, now: Timestamp) {
        match parse(url, header, context, now) {
            Err(reason) => self.refused.push((header.to_owned(), reason)),
            Ok(cookie) => {
                self.cookies.retain(|old| {
                    (&old.name, &old.host, &old.path) != (&cookie.name, &cookie.host, &cookie.path)
                });
                if cookie.expires_at.is_none_or(|at| now < at) {
                    self.cookies.push(cookie);
                }
            }
        }
    }

    /// What closing the browser does: session cookies go, the others stay.
    pub fn drop_session_cookies(&mut self) {
        self.cookies.retain(|cookie| cookie.expires_at.is_some());
    }

    pub fn remove(&mut self, name: &str) {
        self.cookies.retain(|cookie| cookie.name != name);
    }

    pub fn clear(&mut self) {
        self.cookies.clear();
    }
}

impl Cookie {
    fn host_matches(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        host == self.host || (!self.host_only && is_subdomain(host, &self.host))
    }

    fn path_matches(&self, url: &Url) -> bool {
        url.path().strip_prefix(self.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        })
    }
}

/// The site of a URL: scheme and registrable domain; the port does not count. An IP address and
/// `localhost` are sites of their own: `127.0.0.1` and `localhost` are two.
pub fn site(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let domain = if is_address { None } else { psl::domain_str(host) };
    format!("{}://{}", url.scheme(), domain.unwrap_or(host))
}

fn is_subdomain(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn parse(
    url: &Url,
    header: &str,
    context: Context,
    now: Timestamp,
) -> Result<Cookie, &'static str> {
    let mut parts = header.split(';').map(str::trim);
    let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).ok_or("no name")?;
    let host = url.host_str().unwrap_or_default();
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        host: host.to_owned(),
        host_only: true,
        path: default_path(url),
        secure: false,
        http_only: false,
        same_site: SameSite::Lax,
        expires_at: None,
    };
    let mut max_age = None;
    let mut explicit_path = false;
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match key.to_ascii_lowercase().as_str() {
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "path" if value.starts_with('/') => {
                cookie.path = value.to_owned();
                explicit_path = true;
            }
            "domain" if !value.is_empty() => {
                cookie.host = value.trim_start_matches('.').to_ascii_lowercase();
                cookie.host_only = false;
            }
            "max-age" => max_age = value.parse::<i64>().ok(),
            "expires" => cookie.expires_at = expires(value),
            "samesite" => cookie.same_site = same_site(value),
            _ => {}
        }
    }
    if let Some(seconds) = max_age {
        // Max-Age wins over Expires; zero or less deletes (RFC 6265 5.3).
        let ahead = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        cookie.expires_at = Some(now.plus(ahead));
    }

    let names_domain = !cookie.host_only;
    if names_domain {
        let is_host = host == cookie.host;
        let is_public_suffix = psl::domain_str(&cookie.host).is_none();
        if !is_host && (is_public_suffix || !is_subdomain(host, &cookie.host)) {
            return Err("Domain does not cover this host, or is a public suffix");
        }
        // A host that is a public suffix, such as localhost, gets it for itself (RFC 6265bis 5.7).
        cookie.host_only = is_host && is_public_suffix;
    }
    if cookie.secure && url.scheme() != "https" {
        return Err("Secure over plain HTTP");
    }
    if cookie.same_site == SameSite::None && !cookie.secure {
        return Err("SameSite=None without Secure");
    }
    if cookie.name.starts_with("__Secure-") && !cookie.secure {
        return Err("__Secure- without Secure");
    }
    let host_prefix_holds = cookie.secure && !names_domain && explicit_path && cookie.path == "/";
    if cookie.name.starts_with("__Host-") && !host_prefix_holds {
        return Err("__Host- needs Secure, Path=/ and no Domain");
    }
    if context == Context::CrossSiteFrame && cookie.same_site != SameSite::None {
        return Err("a cross-site frame sets only SameSite=None");
    }
    Ok(cookie)
}

fn same_site(value: &str) -> SameSite {
    match value.to_ascii_lowercase().as_str() {
        "strict" => SameSite::Strict,
        "none" => SameSite::None,
        _ => SameSite::Lax,
    }
}

/// RFC 6265 5.1.4: the path up to the last slash, without it.
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
        _ => "/".to_owned(),
    }
}

fn expires(value: &str) -> Option<Timestamp> {
    let moment = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Timestamp::from_micros(moment.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn jar(from: &str, header: &str) -> Jar {
        let mut jar = Jar::default();
        jar.receive(&url(from), header, Context::SameSite, NOW);
        jar
    }

    fn is_sent(jar: &Jar, to: &str, context: Context) -> bool {
        !jar.matching(&url(to), context, NOW).is_empty()
    }

    #[test]
    fn same_site_decides_by_context() {
        use Context::{CrossSiteFrame, CrossSiteNavigation, CrossSitePost, SameSite};
        for (attribute, sent_in) in [
            ("SameSite=Strict", vec![SameSite]),
            ("SameSite=Lax", vec![SameSite, CrossSiteNavigation]),
            ("Path=/", vec![SameSite, CrossSiteNavigation]),
            ("SameSite=None", vec![SameSite, CrossSiteNavigation, CrossSitePost, CrossSiteFrame]),
        ] {
            let jar = jar("https://op.test/", &format!("a=1; Secure; {attribute}"));
            for context in [SameSite, CrossSiteNavigation, CrossSitePost, CrossSiteFrame] {
                let expected = sent_in.contains(&context);
                assert_eq!(is_sent(&jar, "https://op.test/", context), expected, "{attribute}");
            }
        }
    }

    #[test]
    fn refuses_what_browsers_refuse_and_takes_its_twin() {
        for (from, bad, good) in [
            ("https://op.test/", "a=1; SameSite=None", "a=1; SameSite=None; Secure"),
            ("https://op.test/", "__Host-a=1; Path=/", "__Host-a=1; Path=/; Secure"),
            ("https://op.test/", "__Host-a=1; Secure", "__Host-a=1; Secure; Path=/"),
            ("https://op.test/", "__Host-a=1; Secure; Path=/x", "__Host-a=1; Secure; Path=/"),
            (
                "https://op.test/",
                "__Host-a=1; Secure; Path=/; Domain=op.test",
                "a=1; Secure; Path=/; Domain=op.test",
            ),
            ("https://op.test/", "__Secure-a=1", "__Secure-a=1; Secure"),
            ("https://a.op.test/", "a=1; Domain=b.op.test", "a=1; Domain=op.test"),
            ("https://a.co.uk/", "a=1; Domain=co.uk", "a=1; Domain=a.co.uk"),
            ("http://localhost:8080/", "a=1; Domain=host", "a=1; Domain=localhost"),
            ("http://127.0.0.1:8080/", "a=1; Secure", "a=1"),
        ] {
            let refused = jar(from, bad);
            assert_eq!(refused.refused.len(), 1, "{bad}");
            assert!(!is_sent(&refused, from, Context::SameSite), "{bad}");
            let taken = jar(from, good);
            assert_eq!(taken.refused, [], "{good}");
            assert!(is_sent(&taken, from, Context::SameSite), "{good}");
        }
    }

    #[test]
    fn a_cross_site_frame_sets_only_same_site_none() {
        let from = url("https://op.test/");
        let mut jar = Jar::default();
        jar.receive(&from, "lax=1; Secure", Context::CrossSiteFrame, NOW);
        jar.receive(&from, "none=1; Secure; SameSite=None", Context::CrossSiteFrame, NOW);
        assert!(jar.cookie(&from, "lax", NOW).is_none());
        assert!(jar.cookie(&from, "none", NOW).is_some());
    }

    #[test]
    fn path_host_and_scheme_narrow_a_cookie() {
        let to = |jar: &Jar, url: &str| is_sent(jar, url, Context::SameSite);
        let cookie = jar("https://op.test/a/login", "a=1; Path=/a");
        assert!(to(&cookie, "https://op.test/a") && to(&cookie, "https://op.test/a/b"));
        assert!(!to(&cookie, "https://op.test/ab") && !to(&cookie, "https://x.op.test/a"));
        assert!(to(&cookie, "http://op.test/a"));
        assert!(!to(&jar("https://op.test/", "a=1; Secure"), "http://op.test/"));
        assert!(to(&jar("https://op.test/", "a=1; Domain=op.test"), "https://x.op.test/"));
        assert!(to(&jar("http://127.0.0.1:1/", "a=1"), "http://127.0.0.1:2/"));
    }

    #[test]
    fn cookies_end_when_they_say_so() {
        let from = url("https://op.test/");
        let mut jar = jar("https://op.test/", "a=1; Max-Age=60");
        assert!(jar.cookie(&from, "a", NOW).is_some());
        assert!(jar.cookie(&from, "a", NOW.plus(Duration::from_secs(60))).is_none());
        jar.receive(&from, "a=; Max-Age=0", Context::SameSite, NOW);
        assert!(jar.cookie(&from, "a", NOW).is_none());
        jar.receive(&from, "b=1", Context::SameSite, NOW);
        let past = "b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        jar.receive(&from, past, Context::SameSite, NOW);
        assert!(jar.cookie(&from, "b", NOW).is_none());
        jar.receive(&from, "c=1", Context::SameSite, NOW);
        jar.drop_session_cookies();
        assert!(jar.cookie(&from, "c", NOW).is_none());
    }

    #[test]
    fn a_site_is_scheme_and_registrable_domain() {
        let same = |a: &str, b: &str| site(&url(a)) == site(&url(b));
        assert!(same("https://a.sloop.test/", "https://b.sloop.test:8443/"));
        assert!(same("http://localhost:1/", "http://localhost:2/"));
        assert!(same("http://127.0.0.1:1/", "http://127.0.0.1:2/"));
        assert!(!same("http://127.0.0.1:1/", "http://localhost:1/"));
        assert!(!same("https://sloop.test/", "http://sloop.test/"));
        assert!(!same("https://a.co.uk/", "https://b.co.uk/"));
        assert!(!same("http://127.0.0.1/", "http://10.0.0.1/"));
    }
}
