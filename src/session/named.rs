//! Whom a `logout_hint` names, as far as that can be told.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BrowserSession;
use crate::secret::{Token, TokenHash};

/// An e-mail address or a `sid`, by its hash: it waits in the store with the question before a
/// logout, and an address is nobody's business there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedPerson {
    Email(String),
    Sid(String),
}

/// The length of a `sid` of ours.
const SID_CHARS: usize = 22;

impl NamedPerson {
    /// `None` where the hint is neither, as a name that only the app knows.
    pub fn of(logout_hint: &str) -> Option<Self> {
        let of_sid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if logout_hint.contains('@') {
            Some(Self::Email(of_address(logout_hint)))
        } else if logout_hint.len() == SID_CHARS && logout_hint.bytes().all(of_sid) {
            Some(Self::Sid(digest(logout_hint)))
        } else {
            None
        }
    }

    /// Whether it names somebody else than the person of this session. Where no address of that
    /// person is known, an address says nothing.
    pub fn is_another_than(&self, session: &BrowserSession) -> bool {
        match self {
            Self::Sid(named) => *named != digest(&session.sid),
            Self::Email(named) => {
                let mut known = addresses(session).peekable();
                known.peek().is_some() && !known.any(|address| of_address(address) == *named)
            }
        }
    }
}

/// What IdPs said of this person that looks like an address.
fn addresses(session: &BrowserSession) -> impl Iterator<Item = &str> {
    session.idp_sessions.iter().flat_map(|held| {
        let claims = held.signed_in.claims.values().filter_map(Value::as_str);
        let name = held.signed_in.name_id.as_ref().map(|name| name.value.as_str());
        claims.chain(name).filter(|text| text.contains('@'))
    })
}

/// Whether somebody writes an address in capitals does not matter.
fn of_address(address: &str) -> String {
    digest(&address.trim().to_lowercase())
}

fn digest(text: &str) -> String {
    Token::from_bytes(TokenHash::of(text.as_bytes()).as_bytes()).expose().to_owned()
}
