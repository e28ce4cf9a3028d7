use url::{Host, Url};

/// Why a URL of metadata is not one to send people to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LocationFault {
    #[error("is not an absolute URL")]
    Malformed,
    #[error("does not begin with https (http is accepted on a loopback host only)")]
    Scheme,
    #[error("does not begin with https or http")]
    NoPage,
    #[error("holds a user name or password")]
    Credentials,
    #[error("has a fragment, which would swallow the message")]
    Fragment,
    #[error("has a query parameter that belongs to the message")]
    Parameter,
}

const MESSAGE_PARAMETERS: [&str; 6] =
    ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"];

/// Whether a browser may be sent there with a message. The URL itself is used as it is written.
pub fn check(location: &str) -> Result<(), LocationFault> {
    let url = read(location)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(LocationFault::Scheme),
    }
    if url.fragment().is_some() {
        return Err(LocationFault::Fragment);
    }
    let taken = |name: &str| MESSAGE_PARAMETERS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    if url.query_pairs().any(|(name, _)| taken(&name)) {
        return Err(LocationFault::Parameter);
    }
    Ok(())
}

/// Whether this is a page that could be shown to people as a link.
pub(super) fn check_page(location: &str) -> Result<(), LocationFault> {
    let url = read(location)?;
    if matches!(url.scheme(), "https" | "http") { Ok(()) } else { Err(LocationFault::NoPage) }
}

fn read(location: &str) -> Result<Url, LocationFault> {
    // A URL parser drops these without a word, and so turns " javascript:" into something else.
    if location.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(LocationFault::Malformed);
    }
    let url = Url::parse(location).map_err(|_| LocationFault::Malformed)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(LocationFault::Credentials);
    }
    Ok(url)
}

/// Whether this is an address on this machine. Of names only `localhost` is: others below it not every
/// resolver keeps here.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_are_accepted() {
        for good in [
            "https://idp.example/sso",
            "https://idp.example:8443/sso?tenant=1&x=",
            "http://localhost:9000/sso",
            "http://127.0.0.1/sso",
            "http://[::1]:9000/sso",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn anything_that_could_harm_a_browser_is_refused() {
        use LocationFault::{Credentials, Fragment, Malformed, Parameter, Scheme};
        for (bad, fault) in [
            ("", Malformed),
            ("/sso", Malformed),
            (" https://idp.example", Malformed),
            (" javascript:alert(1)", Malformed),
            ("java\nscript:alert(1)", Malformed),
            ("https:\\\\idp.example", Malformed),
            ("javascript:alert(1)", Scheme),
            ("JavaScript://idp.example/%0aalert(1)", Scheme),
            ("data:text/html,x", Scheme),
            ("vbscript:x", Scheme),
            ("ftp://idp.example", Scheme),
            ("http://idp.example/sso", Scheme),
            ("http://localhost.evil.example/", Scheme),
            ("https://u@idp.example", Credentials),
            ("https://u:p@idp.example", Credentials),
            ("https://idp.example/#x", Fragment),
            ("https://idp.example/?SAMLRequest=x", Parameter),
            ("https://idp.example/?a=1&relaystate=x", Parameter),
        ] {
            assert_eq!(check(bad), Err(fault), "{bad}");
        }
    }

    #[test]
    fn a_page_may_be_plain_but_never_script() {
        for good in ["https://idp.example/help?code=ERRORURL_CODE#top", "http://idp.example/help"] {
            assert_eq!(check_page(good), Ok(()), "{good}");
        }
        for (bad, fault) in [
            ("javascript:alert(1)", LocationFault::NoPage),
            ("data:text/html,x", LocationFault::NoPage),
            (" javascript:alert(1)", LocationFault::Malformed),
            ("/help", LocationFault::Malformed),
            ("https://u:p@idp.example/", LocationFault::Credentials),
        ] {
            assert_eq!(check_page(bad), Err(fault), "{bad}");
        }
    }
}
