//! What became of a logout, as a signed statement for one of its apps. It is of our own making; its
//! members are described in `docs/api.md`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::id::{ClientId, IdpId, LogoutId};
use crate::keys::{SigningKey, jws};

use super::client::LogoutScope;
use super::error::{RequestError, bounded};
use super::params::Params;

/// The media type of a receipt; its `typ` is the part after the slash, so that no receipt passes as
/// another token (RFC 8725 3.11).
pub const MEDIA_TYPE: &str = "application/logout-receipt+jwt";
const TYPE: &str = "logout-receipt+jwt";

/// Longest `sid`, in bytes. Ours are shorter.
const MAX_SID_BYTES: usize = 256;

/// The form of a request, besides the client's credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogoutReceiptRequest {
    /// The `sid` of the ID token.
    pub sid: String,
}

impl LogoutReceiptRequest {
    pub fn parse(params: &Params) -> Result<Self, RequestError> {
        let sid = bounded("sid", params.single("sid")?, MAX_SID_BYTES)?;
        Ok(Self { sid: sid.ok_or(RequestError::Missing { name: "sid" })? })
    }
}

/// The claims. A receipt says what is known at `iat`; it has no `exp`, because it opens nothing and
/// is kept as evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LogoutReceiptClaims<'a> {
    pub iss: &'a str,
    /// The app that asked, and no other.
    pub aud: &'a ClientId,
    #[serde(serialize_with = "seconds")]
    pub iat: Timestamp,
    pub jti: &'a str,
    pub sid: &'a str,
    pub logout_id: LogoutId,
    pub outcome: &'static str,
    pub scope: LogoutScope,
    #[serde(serialize_with = "seconds")]
    pub begun_at: Timestamp,
    /// When the browser's part was over.
    #[serde(serialize_with = "seconds_if_any", skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// When the last party was through: the outcome rises after that only if an IdP's answer comes
    /// late.
    #[serde(serialize_with = "seconds_if_any", skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// The app that asked, if it was to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<ReceiptLeg<'a>>,
    pub idps: Vec<ReceiptIdp<'a>>,
    /// How many of the other apps have which outcome.
    pub other_apps: BTreeMap<&'static str, usize>,
    /// Whom the person left alone on purpose, if anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<ReceiptLeft<'a>>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReceiptLeg<'a> {
    /// `open`, or the outcome.
    pub outcome: &'static str,
    /// What the outcome rests on, in a few words for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<&'a str>,
    #[serde(serialize_with = "seconds_if_any", skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReceiptIdp<'a> {
    pub id: &'a IdpId,
    pub name: String,
    #[serde(flatten)]
    pub leg: ReceiptLeg<'a>,
}

/// It names no app: not every app of a session knows of the others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReceiptLeft<'a> {
    pub idps: Vec<&'a IdpId>,
    /// How many, the app that asked included.
    pub apps: usize,
}

impl LogoutReceiptClaims<'_> {
    pub fn sign(&self, key: &SigningKey) -> String {
        jws::sign(key, TYPE, self)
    }
}

fn seconds<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(at.as_seconds())
}

fn seconds_if_any<S: serde::Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => seconds(at, to),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_one_session() {
        let parse = |raw: &str| LogoutReceiptRequest::parse(&Params::parse(raw).unwrap());
        assert_eq!(parse("sid=a%2Bb&client_id=app").unwrap().sid, "a+b");
        assert_eq!(parse("").unwrap_err().code(), "parameter_missing");
        assert_eq!(parse("sid=").unwrap_err().code(), "parameter_missing");
        assert_eq!(parse("sid=a&sid=a").unwrap_err().code(), "parameter_repeated");
        let long = format!("sid={}", "x".repeat(MAX_SID_BYTES + 1));
        assert_eq!(parse(&long).unwrap_err().code(), "parameter_too_long");
    }
}
