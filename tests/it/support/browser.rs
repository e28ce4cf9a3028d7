//! A browser for tests, over real sockets. It models what decides whether single logout works in
//! practice: `SameSite` cookies, who began a navigation, `form-action`, and redirects hop by hop.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs as _};

use sloop::clock::Clock;
use url::Url;

use super::cookies::{Cookie, Jar};
use super::html::{self, Form};
use super::navigation::Navigation;
use super::wire;

/// More hops than this is a loop (Chrome stops at 20).
const MOST_HOPS: usize = 20;

/// The status of a page whose host no test server serves: the browser has left the stage.
pub const ELSEWHERE: u16 = 0;

/// The status of a page that never came, or not as a whole.
pub const LOST: u16 = 1;

#[derive(Debug)]
pub struct Browser {
    hosts: HashMap<String, SocketAddr>,
    pub jar: Jar,
    clock: Clock,
    /// `Accept-Language`; empty: none is sent.
    languages: String,
    history: Vec<Visit>,
    takes_losses: bool,
}

/// One request that this browser made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visit {
    pub method: String,
    pub url: Url,
    pub status: u16,
    /// Names of the cookies that went with it.
    pub cookies: Vec<String>,
}

/// What the window shows: an answer, and how it came about.
#[derive(Clone, Debug)]
pub struct Page {
    pub url: Url,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    navigation: Navigation,
}

impl Browser {
    pub fn new() -> Self {
        Self {
            hosts: HashMap::new(),
            jar: Jar::default(),
            clock: Clock::system(),
            languages: String::new(),
            history: Vec::new(),
            takes_losses: false,
        }
    }

    /// A connection that breaks is a page with the status [`LOST`], and no fault of the test.
    pub fn that_takes_losses(mut self) -> Self {
        self.takes_losses = true;
        self
    }

    /// Cookies expire by this clock.
    pub fn with_clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// The person prefers these languages, as `Accept-Language` says it.
    pub fn with_languages(mut self, languages: &str) -> Self {
        self.languages = languages.to_owned();
        self
    }

    /// Serves an origin such as `https://sloop.test` from a plain HTTP listener: the browser behaves
    /// as if TLS were there, as it is in front of a proxy. Loopback addresses need no entry.
    pub fn with_host(mut self, origin: &str, address: SocketAddr) -> Self {
        let origin = Url::parse(origin).expect("an origin").origin();
        self.hosts.insert(origin.ascii_serialization(), address);
        self
    }

    /// The person types an address: one request, no redirect followed.
    pub async fn get(&mut self, url: &str) -> Page {
        self.navigate(parse(url), Navigation::get(None)).await
    }

    /// The person types an address and waits until the window comes to rest.
    pub async fn open(&mut self, url: &str) -> Page {
        let page = self.get(url).await;
        self.settle(page).await
    }

    /// A link on `page` is followed: one request.
    pub async fn click(&mut self, page: &Page, href: &str) -> Page {
        let url = page.join(href);
        self.navigate(url, Navigation::get(Some(page.url.clone()))).await
    }

    /// A form POST by hand. `initiator` is a URL of the page that holds the form; `None` is a POST
    /// that the person began, which only a reload can be.
    pub async fn post(
        &mut self,
        url: &str,
        fields: &[(&str, &str)],
        initiator: Option<&str>,
    ) -> Page {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let navigation = Navigation {
            method: "POST".to_owned(),
            fields: fields.iter().map(own).collect(),
            ..Navigation::get(initiator.map(parse))
        };
        self.navigate(parse(url), navigation).await
    }

    /// Submits the page's first form with `extra` fields typed in: one request.
    pub async fn submit(&mut self, page: &Page, extra: &[(&str, &str)]) -> Page {
        let mut form = page.form();
        for (name, value) in extra {
            form.set(name, value);
        }
        self.submit_form(page, &form).await
    }

    /// Submits a form of the page: one request, begun by the page's site.
    pub async fn submit_form(&mut self, page: &Page, form: &Form) -> Page {
        let mut url = page.join(&form.action);
        let mut navigation = Navigation::get(Some(page.url.clone()));
        navigation.form_action = page.policy("form-action");
        if form.method == "POST" {
            navigation.method = "POST".to_owned();
            navigation.fields.clone_from(&form.fields);
        } else {
            url.query_pairs_mut().clear().extend_pairs(&form.fields);
        }
        self.navigate(url, navigation).await
    }

    /// Loads a frame of `page` through its redirects, as the browser does by itself. Panics where the
    /// page's own policy forbids it.
    pub async fn load_frame(&mut self, page: &Page, src: &str) -> Page {
        page.check_frame_src(src);
        let mut navigation = Navigation::get(Some(page.url.clone()));
        navigation.framed_by = Some(page.url.clone());
        let frame = self.navigate(page.join(src), navigation).await;
        self.follow(frame).await
    }

    /// The next hop of a redirect: one request. Panics when the page is none.
    pub async fn hop(&mut self, page: Page) -> Page {
        let next = page.location().unwrap_or_else(|| panic!("no redirect: {}", page.summary()));
        let mut navigation = page.navigation;
        // 303 always becomes GET, 301 and 302 do for POST (Fetch 4.4, step 12).
        if !matches!(page.status, 307 | 308) {
            navigation.method = "GET".to_owned();
            navigation.fields.clear();
        }
        self.navigate(next, navigation).await
    }

    /// Follows redirects until there is none.
    pub async fn follow(&mut self, page: Page) -> Page {
        self.follow_until(page, |_| false).await
    }

    /// Follows redirects until there is none, or until the next one leads where `stop` says: then
    /// that redirect itself is returned, and [`Page::location`] tells where it leads.
    pub async fn follow_until(&mut self, mut page: Page, stop: impl Fn(&Url) -> bool) -> Page {
        for _ in 0..MOST_HOPS {
            match page.location() {
                Some(next) if !stop(&next) => page = self.hop(page).await,
                _ => return page,
            }
        }
        panic!("too many redirects: {:#?}", self.history);
    }

    /// Follows redirects, forms that submit themselves and `meta refresh`, until the window rests. A page
    /// with frames has them loaded before it is left.
    pub async fn settle(&mut self, page: Page) -> Page {
        let mut page = self.follow(page).await;
        for _ in 0..MOST_HOPS {
            for frame in page.frames() {
                self.load_frame(&page, frame.as_str()).await;
            }
            let next = if html::submits_itself(&page.body) {
                self.submit(&page, &[]).await
            } else if let Some(refresh) = page.refresh() {
                self.click(&page, refresh.as_str()).await
            } else {
                return page;
            };
            page = self.follow(next).await;
        }
        panic!("the window never rests: {:#?}", self.history);
    }

    /// The cookie of this name that `url`'s own pages would send.
    pub fn cookie(&self, url: &str, name: &str) -> Option<&Cookie> {
        self.jar.cookie(&parse(url), name, self.clock.now())
    }

    /// The `Cookie` header that `url`'s own pages would send.
    pub fn cookies_for(&self, url: &Url) -> String {
        let own = Navigation::get(Some(url.clone())).context(url);
        let cookies = self.jar.matching(url, own, self.clock.now());
        let pairs = cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Somebody else got a cookie into this browser, as a `Set-Cookie` line of `url`.
    pub fn plant(&mut self, url: &Url, line: &str) {
        let own = Navigation::get(Some(url.clone())).context(url);
        self.jar.receive(url, line, own, self.clock.now());
    }

    /// Every request so far, oldest first.
    pub fn history(&self) -> &[Visit] {
        &self.history
    }

    async fn navigate(&mut self, url: Url, mut navigation: Navigation) -> Page {
        navigation.check_form_action(&url);
        navigation.relation = navigation.relation.max(navigation.relation_to(&url));
        let context = navigation.context(&url);
        let now = self.clock.now();
        let cookies = self.jar.matching(&url, context, now);
        let names = cookies.iter().map(|cookie| cookie.name.clone()).collect();
        let pairs: Vec<String> =
            cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();

        let (status, headers, body) = match self.address(&url) {
            None => (ELSEWHERE, Vec::new(), String::new()),
            Some(address) => {
                let mut request = navigation.request(&url, &pairs.join("; "));
                if !self.languages.is_empty() {
                    request.headers.push(("Accept-Language".into(), self.languages.clone()));
                }
                let response = match self.takes_losses {
                    true => wire::try_send(address, request).await.ok(),
                    false => Some(wire::send(address, request).await),
                };
                match response {
                    Some(response) => (response.status, response.headers, response.body),
                    None => (LOST, Vec::new(), String::new()),
                }
            }
        };
        for (name, value) in &headers {
            if name == "set-cookie" {
                self.jar.receive(&url, value, context, now);
            }
        }
        let method = navigation.method.clone();
        self.history.push(Visit { method, url: url.clone(), status, cookies: names });
        Page { url, status, headers, body, navigation }
    }

    fn address(&self, url: &Url) -> Option<SocketAddr> {
        if let Some(address) = self.hosts.get(&url.origin().ascii_serialization()) {
            return Some(*address);
        }
        let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme() != "http" || !is_loopback {
            return None;
        }
        // The test servers listen on IPv4.
        let host =
            url.host_str().map(|host| if host == "localhost" { "127.0.0.1" } else { host })?;
        (host.trim_matches(['[', ']']), url.port_or_known_default()?).to_socket_addrs().ok()?.next()
    }
}

impl Page {
    /// Where a redirect leads.
    pub fn location(&self) -> Option<Url> {
        let is_redirect = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        self.header("location").filter(|_| is_redirect).map(|target| self.join(target))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The page's forms.
    pub fn forms(&self) -> Vec<Form> {
        html::forms(&self.body)
    }

    /// The page's first form. Panics when there is none.
    pub fn form(&self) -> Form {
        let first = self.forms().into_iter().next();
        first.unwrap_or_else(|| panic!("no form: {}", self.summary()))
    }

    /// Where `meta refresh` leads, whatever its delay.
    pub fn refresh(&self) -> Option<Url> {
        html::meta_refresh(&self.body).map(|refresh| self.join(&refresh.url))
    }

    pub fn links(&self) -> Vec<Url> {
        html::links(&self.body).iter().map(|href| self.join(href)).collect()
    }

    pub fn frames(&self) -> Vec<Url> {
        html::frames(&self.body).iter().map(|src| self.join(src)).collect()
    }

    /// Whether a page of this origin, and no other, may have this one in a frame.
    pub fn may_be_framed_by(&self, origin: &str) -> bool {
        let is_named = |sources: &str| sources.split(' ').collect::<Vec<_>>() == [origin];
        self.directive("frame-ancestors").is_some_and(is_named)
            && self.header("x-frame-options").is_none()
    }

    /// The sources of one directive of the page's content security policy.
    pub fn directive(&self, name: &str) -> Option<&str> {
        let directives = self.header("content-security-policy")?.split(';').map(str::trim);
        let mut found = directives.filter_map(|text| text.strip_prefix(name)?.strip_prefix(' '));
        found.next()
    }

    /// The visible text.
    pub fn text(&self) -> String {
        html::text(&self.body)
    }

    /// The one value of a query parameter of the page's address.
    pub fn query(&self, name: &str) -> Option<String> {
        let mut values = self.url.query_pairs().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        assert!(values.next().is_none(), "{name} stands twice in {}", self.url);
        value
    }

    /// For messages of failing assertions.
    pub fn summary(&self) -> String {
        format!("{} {} {:?}: {}", self.status, self.url, self.location(), self.text())
    }

    fn join(&self, target: &str) -> Url {
        self.url.join(target).unwrap_or_else(|error| panic!("{target:?} is no URL: {error}"))
    }

    fn policy(&self, directive: &str) -> Option<String> {
        let sources = self.directive(directive)?;
        Some(format!("{} {}", self.url.origin().ascii_serialization(), sources))
    }

    /// CSP 3, 6.1.1 and 6.7.2.8, as far as pages use it here.
    fn check_frame_src(&self, src: &str) {
        if self.header("content-security-policy").is_none() {
            return;
        }
        let target = self.join(src);
        let origin = target.origin().ascii_serialization();
        let mut names = ["frame-src", "child-src", "default-src"].into_iter();
        let allowed = names.find_map(|name| self.directive(name));
        let allows = |source: &str| match source {
            "'self'" => target.origin() == self.url.origin(),
            // Without a scheme: that of the page.
            host if !host.contains(':') => origin == format!("{}://{host}", self.url.scheme()),
            other => origin == other,
        };
        let is_allowed = allowed.is_none_or(|sources| sources.split(' ').any(allows));
        assert!(is_allowed, "the page's frame-src ({allowed:?}) forbids {src}");
    }
}

fn parse(url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{url:?} is no URL: {error}"))
}

#[cfg(test)]
mod tests;
