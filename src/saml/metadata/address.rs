use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::saml::EntityId;

/// How a metadata query service is written: its base URL behind this.
const QUERY: &str = "mdq:";
/// The media type of metadata (SAML Metadata, Appendix A).
const SAML_METADATA: &str = "application/samlmetadata+xml";

/// Where metadata is fetched: the URL of a document, or `mdq:` and the base URL of a service that is
/// asked for one entity (Metadata Query Protocol, draft-young-md-query).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataUrl {
    Document(Url),
    Query(Url),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidMetadataUrl {
    #[error("it is not an absolute URL")]
    Malformed,
    #[error("behind mdq: belongs the base URL of the service, https, without query and fragment")]
    Base,
    /// It would be shown in lists, logs and reports.
    #[error("it holds a user name or a password, and a metadata URL is no secret; leave them out")]
    Credentials,
}

/// A query service was named, and no entity to ask it for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a metadata query service is asked for one entity: say which with entity_id")]
pub struct NoEntity;

impl MetadataUrl {
    /// Whether somebody who wrote this meant a query service.
    pub fn is_query(text: &str) -> bool {
        text.starts_with(QUERY)
    }

    /// The URL of the request: `BASE/entities/` and the entity ID, every byte of it escaped that a
    /// path segment may not hold as it is (draft-young-md-query, 3.1; RFC 3986 2.3).
    ///
    /// # Errors
    /// If a query service is to be asked, and `entity_id` is missing.
    pub fn for_entity(&self, entity_id: Option<&EntityId>) -> Result<Url, NoEntity> {
        let base = match self {
            Self::Document(url) => return Ok(url.clone()),
            Self::Query(base) => base,
        };
        let mut segment = String::new();
        for byte in entity_id.ok_or(NoEntity)?.as_str().bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    segment.push(char::from(byte));
                }
                other => segment.push_str(&format!("%{other:02X}")),
            }
        }
        let mut url = base.clone();
        url.set_path(&format!("{}/entities/{segment}", base.path().trim_end_matches('/')));
        Ok(url)
    }

    /// What the request asks for. A query service must be told (draft-young-md-query-saml, 2).
    pub fn accept(&self) -> &'static str {
        match self {
            Self::Document(_) => "*/*",
            Self::Query(_) => SAML_METADATA,
        }
    }
}

impl FromStr for MetadataUrl {
    type Err = InvalidMetadataUrl;
    fn from_str(text: &str) -> Result<Self, InvalidMetadataUrl> {
        let Some(base) = text.strip_prefix(QUERY) else {
            let url = Url::parse(text).map_err(|_| InvalidMetadataUrl::Malformed)?;
            return without_credentials(url).map(Self::Document);
        };
        let base = Url::parse(base).map_err(|_| InvalidMetadataUrl::Base)?;
        let base = without_credentials(base)?;
        let is_web = matches!(base.scheme(), "https" | "http");
        match is_web && base.query().is_none() && base.fragment().is_none() {
            true => Ok(Self::Query(base)),
            false => Err(InvalidMetadataUrl::Base),
        }
    }
}

impl fmt::Display for MetadataUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(url) => url.fmt(f),
            Self::Query(base) => write!(f, "{QUERY}{base}"),
        }
    }
}

/// A text for people and logs, in which no URL has a user name or a password: a URL with either is no
/// metadata URL any more, but may have been stored as one.
pub fn redacted(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ends = |c: char| matches!(c, '/' | '?' | '#' | '\\' | '"') || c.is_whitespace();
        let (authority, rest) = part.split_at(part.find(ends).unwrap_or(part.len()));
        let host = authority.rsplit_once('@').map(|(_, host)| host);
        shown.push_str("://");
        match host {
            Some(host) => shown.extend(["***@", host]),
            None => shown.push_str(authority),
        }
        shown.push_str(rest);
    }
    shown
}

fn without_credentials(url: Url) -> Result<Url, InvalidMetadataUrl> {
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => Err(InvalidMetadataUrl::Credentials),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(place: &str, entity_id: &str) -> String {
        let place: MetadataUrl = place.parse().unwrap();
        place.for_entity(Some(&EntityId::parse(entity_id).unwrap())).unwrap().into()
    }

    #[test]
    fn a_query_is_for_one_entity_under_the_base() {
        for (base, entity_id, url) in [
            (
                "mdq:https://mdq.example/",
                "https://idp.example/idp",
                "https://mdq.example/entities/https%3A%2F%2Fidp.example%2Fidp",
            ),
            (
                "mdq:https://mdq.example/public/",
                "urn:x:a+b%20c?d=e&f#~",
                "https://mdq.example/public/entities/urn%3Ax%3Aa%2Bb%2520c%3Fd%3De%26f%23~",
            ),
            (
                "mdq:http://localhost:8000/a",
                "urn:x:é/../..",
                "http://localhost:8000/a/entities/urn%3Ax%3A%C3%A9%2F..%2F..",
            ),
        ] {
            assert_eq!(request(base, entity_id), url);
        }
        // A document is where it is, whichever entity of it is meant.
        assert_eq!(request("https://idp.example/m?a=b", "urn:x:y"), "https://idp.example/m?a=b");
        let nobody = "mdq:https://mdq.example".parse::<MetadataUrl>().unwrap().for_entity(None);
        assert_eq!(nobody, Err(NoEntity));
    }

    #[test]
    fn nobody_is_shown_the_credentials_of_a_url() {
        for (text, shown) in [
            ("https://user:hunter2@idp.example/m?a=b", "https://***@idp.example/m?a=b"),
            ("mdq:https://hunter2@mdq.example", "mdq:https://***@mdq.example"),
            ("https://a:hunter2@b@c/", "https://***@c/"),
            (
                "https://u:hunter2@a.example/m: no answer; https://u:hunter2@b \"https://c\"",
                "https://***@a.example/m: no answer; https://***@b \"https://c\"",
            ),
            ("https://idp.example/m?at=u@x#y@z", "https://idp.example/m?at=u@x#y@z"),
            ("write to ada@example.org", "write to ada@example.org"),
            ("", ""),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn places_read_as_they_are_written_and_nothing_else_is_one() {
        for text in ["https://idp.example/m?a=b", "mdq:https://mdq.example/public/"] {
            let place: MetadataUrl = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
            assert_eq!(place.accept() == "*/*", !MetadataUrl::is_query(text));
        }
        for bad in
            ["mdq:", "mdq:mdq.example", "mdq:ftp://a/", "mdq:https://a/?b", "mdq:https://a/#b"]
        {
            assert_eq!(bad.parse::<MetadataUrl>(), Err(InvalidMetadataUrl::Base), "{bad}");
        }
        for secret in ["u:hunter2@", "u@", ":hunter2@"] {
            for text in [format!("https://{secret}a/m"), format!("mdq:https://{secret}a/")] {
                let error = text.parse::<MetadataUrl>().unwrap_err();
                assert_eq!(error, InvalidMetadataUrl::Credentials, "{text}");
                assert!(!error.to_string().contains("hunter2"));
            }
        }
        assert!("https://a/m?at=u:p@b".parse::<MetadataUrl>().is_ok());
        assert_eq!("corp.xml".parse::<MetadataUrl>(), Err(InvalidMetadataUrl::Malformed));
    }
}
