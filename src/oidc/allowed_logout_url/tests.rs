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
    for raw in ["https://a.example.com", "https://A-1.Example.com/?x#y", "https://0.example.com"] {
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
