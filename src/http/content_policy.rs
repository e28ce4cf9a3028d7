//! The content security policy of a page that may more than [`PAGE_CSP`] says.

use axum::http::HeaderValue;
use url::Url;

use super::layer::{PAGE_CSP, RequestId};
use crate::oidc::frontchannel::is_plain_host;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ContentPolicy {
    /// Of the page's one script.
    pub nonce: Option<String>,
    /// Where a form of the page may lead, if not only to us.
    pub form_action: Option<String>,
    /// Whose pages are in frames of this one; of these URLs the origins count.
    pub frames: Vec<String>,
    /// Whose pages may have this one in a frame; likewise.
    pub framed_by: Vec<String>,
}

impl ContentPolicy {
    /// Returns the nonce that the page's script has to carry. It is random and used once, as the
    /// request's reference is.
    pub(super) fn allow_script(&mut self, reference: &RequestId) -> &str {
        self.nonce.insert(reference.as_str().to_owned())
    }

    /// `None` where the policy of every page will do.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        if *self == ContentPolicy::default() {
            return None;
        }
        HeaderValue::from_str(&self.text()).ok()
    }

    fn text(&self) -> String {
        let mut policy = PAGE_CSP.to_owned();
        if let Some(nonce) = &self.nonce {
            let script = format!("script-src 'nonce-{nonce}'");
            policy = policy.replace("require-trusted-types-for 'script'", &script);
        }
        if let Some(action) = &self.form_action {
            policy = policy.replace("form-action 'self'", &format!("form-action {action}"));
        }
        let framed_by = origins(&self.framed_by);
        if !framed_by.is_empty() {
            let framed_by = format!("frame-ancestors {}", framed_by.join(" "));
            policy = policy.replace("frame-ancestors 'none'", &framed_by);
        }
        let frames = origins(&self.frames);
        if !frames.is_empty() {
            policy.push_str("; frame-src ");
            policy.push_str(&frames.join(" "));
        }
        policy
    }
}

/// How a policy names where a form may lead: by the origin, or by the scheme alone where the URL
/// has no host, or one that no policy can name.
pub(super) fn form_source(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(match is_plain_host(&url) && url.origin().is_tuple() {
        true => url.origin().ascii_serialization(),
        false => format!("{}:", url.scheme()),
    })
}

/// Each origin once. One that the policy cannot name is left out, which forbids it.
fn origins(urls: &[String]) -> Vec<String> {
    let mut origins: Vec<String> = Vec::new();
    for url in urls.iter().filter_map(|url| Url::parse(url).ok()).filter(is_plain_host) {
        let origin = url.origin().ascii_serialization();
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_page_without_wishes_has_the_policy_of_all() {
        assert_eq!(ContentPolicy::default().header(), None);
        assert_eq!(ContentPolicy::default().text(), PAGE_CSP);
    }

    #[test]
    fn frames_and_whoever_frames_are_named_by_their_origins() {
        let frames = urls(&[
            "https://one.example/a?b;c",
            "https://one.example:443/x",
            "http://127.0.0.1:81/",
        ]);
        let framed_by = urls(&["https://idp.example/sso", "https://idp.example:8443/slo"]);
        let policy = ContentPolicy { frames, framed_by, ..Default::default() };
        let text = policy.text();
        assert!(text.ends_with("; frame-src https://one.example http://127.0.0.1:81"), "{text}");
        let ancestors =
            "; frame-ancestors https://idp.example https://idp.example:8443; object-src";
        assert!(text.contains(ancestors), "{text}");
        assert!(text.contains("require-trusted-types-for 'script'"), "{text}");
    }

    #[test]
    fn a_host_that_would_end_the_directive_is_left_out() {
        let odd =
            urls(&["https://a;script-src.example/", "https://a,b.example/", "https://[::1]/"]);
        let policy = ContentPolicy { framed_by: odd.clone(), frames: odd, ..Default::default() };
        assert_eq!(policy.text(), PAGE_CSP);
    }

    #[test]
    fn where_a_form_may_lead_is_named_by_its_origin_or_its_scheme() {
        for (url, source) in [
            ("https://app.example/out?a=b;c", Some("https://app.example")),
            ("http://127.0.0.1:51234/out", Some("http://127.0.0.1:51234")),
            ("http://[::1]:51234/out", Some("http:")),
            ("http://a;script-src.example/", Some("http:")),
            ("com.example.phone:/out", Some("com.example.phone:")),
            ("com.example.phone://out/", Some("com.example.phone:")),
            ("/out", None),
        ] {
            assert_eq!(form_source(url).as_deref(), source, "{url}");
        }
    }

    #[test]
    fn a_script_runs_by_its_nonce_and_a_form_goes_where_it_is_allowed() {
        let policy = ContentPolicy {
            nonce: Some("n0nce".to_owned()),
            form_action: Some("https:".to_owned()),
            ..Default::default()
        };
        let text = policy.text();
        assert!(text.contains("form-action https:;") && text.contains("script-src 'nonce-n0nce'"));
        assert!(!text.contains("form-action 'self'") && text.contains("frame-ancestors 'none'"));
    }
}
