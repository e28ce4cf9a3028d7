//! One navigation of the test browser: who began it, what it may bring along, and what it says of
//! itself (Fetch 2.2, Fetch Metadata, CSP 6.4).

use url::{Origin, Url};

use super::cookies::{self, Context};
use super::wire;

/// A navigation of the whole window, or of a frame. It lives through all redirects.
#[derive(Clone, Debug)]
pub(super) struct Navigation {
    pub(super) method: String,
    pub(super) fields: Vec<(String, String)>,
    /// The page that began it; `None`: the person did.
    pub(super) initiator: Option<Url>,
    /// The window's page, where this is a frame in it.
    pub(super) framed_by: Option<Url>,
    /// `form-action` of the page with the form. It holds for every hop of the chain, as in Chrome.
    pub(super) form_action: Option<String>,
    /// The least trusting `Sec-Fetch-Site` so far: a redirect through a stranger taints the rest.
    pub(super) relation: Relation,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Relation {
    None,
    SameOrigin,
    SameSite,
    CrossSite,
}

impl Navigation {
    pub(super) fn get(initiator: Option<Url>) -> Self {
        Self {
            method: "GET".to_owned(),
            fields: Vec::new(),
            initiator,
            framed_by: None,
            form_action: None,
            relation: Relation::None,
        }
    }

    pub(super) fn context(&self, url: &Url) -> Context {
        let is_foreign = |other: &Url| cookies::site(other) != cookies::site(url);
        if self.framed_by.as_ref().is_some_and(is_foreign) {
            Context::CrossSiteFrame
        } else if !self.initiator.as_ref().is_some_and(is_foreign) {
            Context::SameSite
        } else if self.method == "POST" {
            Context::CrossSitePost
        } else {
            Context::CrossSiteNavigation
        }
    }

    pub(super) fn relation_to(&self, url: &Url) -> Relation {
        match &self.initiator {
            None => Relation::None,
            Some(from) if from.origin() == url.origin() => Relation::SameOrigin,
            Some(from) if cookies::site(from) == cookies::site(url) => Relation::SameSite,
            Some(_) => Relation::CrossSite,
        }
    }

    pub(super) fn check_form_action(&self, url: &Url) {
        let Some(policy) = &self.form_action else { return };
        let mut words = policy.split_whitespace();
        let own = words.next().unwrap_or_default();
        let origin = url.origin().ascii_serialization();
        let allows = |source: &str| match source {
            "'self'" => origin == own,
            "*" => true,
            scheme if scheme.ends_with(':') => scheme == format!("{}:", url.scheme()),
            other => Url::parse(other).is_ok_and(|other| other.origin() == url.origin()),
        };
        assert!(words.any(allows), "the page's form-action ({policy}) forbids {url}");
    }

    pub(super) fn request(&self, url: &Url, cookies: &str) -> wire::Request {
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let site = match self.relation {
            Relation::None => "none",
            Relation::SameOrigin => "same-origin",
            Relation::SameSite => "same-site",
            Relation::CrossSite => "cross-site",
        };
        let dest = if self.framed_by.is_some() { "iframe" } else { "document" };
        let mut headers = vec![
            ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8".to_owned()),
            ("User-Agent", "sloop-test-browser".to_owned()),
            ("Sec-Fetch-Site", site.to_owned()),
            ("Sec-Fetch-Mode", "navigate".to_owned()),
            ("Sec-Fetch-Dest", dest.to_owned()),
        ];
        if !cookies.is_empty() {
            headers.push(("Cookie", cookies.to_owned()));
        }
        let mut body = String::new();
        if self.method == "POST" {
            let origin = self.initiator.as_ref().map(Url::origin);
            let origin = origin.filter(Origin::is_tuple).map(|origin| origin.ascii_serialization());
            headers.push(("Origin", origin.unwrap_or_else(|| "null".to_owned())));
            headers.push(("Content-Type", "application/x-www-form-urlencoded".to_owned()));
            body = url::form_urlencoded::Serializer::new(body).extend_pairs(&self.fields).finish();
        }
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        wire::Request { method: self.method.clone(), target, host, headers, body }
    }
}
