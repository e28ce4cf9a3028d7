use std::fmt;

use serde::{Deserialize, Serialize};

use crate::xml::write::Writer;
use crate::xml::{Element, ShapeError, ns};

/// A session participant could not be reached (SAML Core 3.2.2.2).
pub const PARTIAL_LOGOUT: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";
/// Nobody could be authenticated without asking a person (SAML Core 3.2.2.2).
pub const NO_PASSIVE: &str = "urn:oasis:names:tc:SAML:2.0:status:NoPassive";
/// The IdP could not authenticate the person (SAML Core 3.2.2.2).
pub const AUTHN_FAILED: &str = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed";
/// The IdP understood the request and will not answer it (SAML Core 3.2.2.2).
pub const REQUEST_DENIED: &str = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied";
/// The IdP does not support the request (SAML Core 3.2.2.2).
pub const REQUEST_UNSUPPORTED: &str = "urn:oasis:names:tc:SAML:2.0:status:RequestUnsupported";

/// Deeper status codes are not read; the standard defines two levels.
const MAX_NESTED: usize = 8;
/// Characters of a StatusMessage that are kept: it is shown to operators.
const MAX_MESSAGE: usize = 500;

/// The top level of a status (SAML Core 3.2.2.2). A response whose top level is none of the four
/// that the standard defines does not conform, and counts as a failure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusCode {
    Success,
    Requester,
    Responder,
    VersionMismatch,
    Other(String),
}

/// How the other side says that a request went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    pub code: StatusCode,
    /// The codes below the top level, outermost first.
    pub nested: Vec<String>,
    /// Free text of the other side, cut after 500 characters. It is not ours: escape it.
    pub message: Option<String>,
}

impl StatusCode {
    pub fn uri(&self) -> &str {
        match self {
            Self::Success => "urn:oasis:names:tc:SAML:2.0:status:Success",
            Self::Requester => "urn:oasis:names:tc:SAML:2.0:status:Requester",
            Self::Responder => "urn:oasis:names:tc:SAML:2.0:status:Responder",
            Self::VersionMismatch => "urn:oasis:names:tc:SAML:2.0:status:VersionMismatch",
            Self::Other(uri) => uri,
        }
    }

    pub fn from_uri(uri: &str) -> Self {
        [Self::Success, Self::Requester, Self::Responder, Self::VersionMismatch]
            .into_iter()
            .find(|code| code.uri() == uri)
            .unwrap_or_else(|| Self::Other(uri.to_owned()))
    }
}

impl Status {
    pub fn success() -> Self {
        Self { code: StatusCode::Success, nested: Vec::new(), message: None }
    }

    /// Our side is logged out, but somebody else could not be told (SAML Core 3.7.3.2).
    pub fn partial_logout() -> Self {
        Self { nested: vec![PARTIAL_LOGOUT.to_owned()], ..Self::success() }
    }

    pub fn failure(code: StatusCode, nested: &str, message: &str) -> Self {
        Self { code, nested: vec![nested.to_owned()], message: Some(message.to_owned()) }
    }

    /// Reads the `samlp:Status` child of a response.
    ///
    /// # Errors
    /// If there is not exactly one Status with one top-level StatusCode and its Value.
    pub fn read(response: Element<'_>) -> Result<Self, ShapeError> {
        let status = response.required(ns::SAMLP, "Status")?;
        let top = status.required(ns::SAMLP, "StatusCode")?;
        let mut nested = Vec::new();
        let mut below = top.optional(ns::SAMLP, "StatusCode")?;
        while let Some(code) = below.filter(|_| nested.len() < MAX_NESTED) {
            nested.push(code.required_attribute("Value")?.to_owned());
            below = code.optional(ns::SAMLP, "StatusCode")?;
        }
        let message = match status.optional(ns::SAMLP, "StatusMessage")? {
            Some(message) => Some(message.text()?.chars().take(MAX_MESSAGE).collect()),
            None => None,
        };
        Ok(Self { code: StatusCode::from_uri(top.required_attribute("Value")?), nested, message })
    }

    pub fn write(&self, writer: &mut Writer) {
        writer.open("samlp:Status", &[]);
        writer.open("samlp:StatusCode", &[("Value", self.code.uri())]);
        for code in &self.nested {
            writer.open("samlp:StatusCode", &[("Value", code)]);
        }
        for _ in 0..=self.nested.len() {
            writer.close();
        }
        if let Some(message) = &self.message {
            writer.leaf("samlp:StatusMessage", &[], message);
        }
        writer.close();
    }

    /// Whether the top level says Success. A logout can be a success and still partial.
    pub fn is_success(&self) -> bool {
        self.code == StatusCode::Success
    }

    /// Whether some session participant may still be signed in (SAML Core 3.7.3.2). The code
    /// belongs on the second level, but IdPs also put it on the first.
    pub fn is_partial_logout(&self) -> bool {
        self.code.uri() == PARTIAL_LOGOUT || self.says(PARTIAL_LOGOUT)
    }

    /// Whether one of the codes below the top level is `uri`.
    pub fn says(&self, uri: &str) -> bool {
        self.nested.iter().any(|code| code == uri)
    }
}

/// `Responder / AuthnFailed`: the last parts of the codes, for operators. The message is left out.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short =
            |uri: &str| uri.rsplit(':').next().unwrap_or_default().escape_debug().to_string();
        f.write_str(&short(self.code.uri()))?;
        self.nested.iter().try_for_each(|code| write!(f, " / {}", short(code)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, parse};

    fn read(inner: &str) -> Result<Status, ShapeError> {
        let xml = format!(r#"<samlp:R xmlns:samlp="{}">{inner}</samlp:R>"#, ns::SAMLP);
        Status::read(parse(xml.as_bytes(), &Limits::MESSAGE).unwrap().root())
    }

    fn round_trip(status: &Status) -> Status {
        let mut writer = Writer::new();
        writer.open("samlp:R", &[("xmlns:samlp", ns::SAMLP)]);
        status.write(&mut writer);
        writer.close();
        let xml = writer.finish().unwrap();
        Status::read(parse(xml.as_bytes(), &Limits::MESSAGE).unwrap().root()).unwrap()
    }

    #[test]
    fn statuses_read_as_they_are_written() {
        let all = [
            Status::success(),
            Status::partial_logout(),
            Status::failure(StatusCode::Requester, REQUEST_DENIED, "<b>no</b> & never"),
            Status::failure(StatusCode::Other("urn:x".into()), "urn:y", ""),
        ];
        for status in &all {
            assert_eq!(round_trip(status), *status);
        }
    }

    #[test]
    fn partial_logout_is_found_on_both_levels() {
        assert!(Status::partial_logout().is_success());
        assert!(Status::partial_logout().is_partial_logout());
        let top = Status { code: StatusCode::from_uri(PARTIAL_LOGOUT), ..Status::success() };
        assert!(top.is_partial_logout() && !top.is_success());
        assert!(!Status::success().is_partial_logout());
    }

    #[test]
    fn what_is_no_status_is_refused() {
        let ok = r#"<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>"#;
        let message = |n| format!("<samlp:StatusMessage>{}</samlp:StatusMessage>", "é".repeat(n));
        let whole = read(&format!("<samlp:Status>{ok}{}</samlp:Status>", message(600))).unwrap();
        assert!(whole.is_success());
        assert_eq!(whole.message.unwrap().chars().count(), MAX_MESSAGE);
        for bad in [
            String::new(),
            "<samlp:Status/>".into(),
            "<samlp:Status><samlp:StatusCode/></samlp:Status>".into(),
            format!("<samlp:Status>{ok}{ok}</samlp:Status>"),
            format!("<samlp:Status>{ok}</samlp:Status><samlp:Status>{ok}</samlp:Status>"),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        assert_eq!(StatusCode::from_uri("urn:x"), StatusCode::Other("urn:x".into()));
    }

    #[test]
    fn display_is_short_and_harmless() {
        let status = Status::failure(StatusCode::Responder, "urn:a:\u{1b}[31mred", "hello");
        assert_eq!(status.to_string(), "Responder / \\u{1b}[31mred");
    }
}
