//! The names of rows and of what an installation declares.

use std::fmt;
use std::str::FromStr;

use crate::clock::Timestamp;
use crate::rng::Rng;

macro_rules! row_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A new id: a UUID version 7, so that rows sort by the time they were made.
            pub fn new(now: Timestamp, rng: &Rng) -> Self {
                let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &rng.bytes()).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                uuid::Uuid::from_str(text).map(Self).map_err(|_| InvalidId::Row)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    )*};
}

row_id! {
    /// One browser session. Not its `sid`: that one is random and goes out in tokens.
    BrowserSessionId;
    /// One IdP session within a browser session.
    IdpSessionId;
    /// One app session within a browser session.
    AppSessionId;
    /// One logout. It names, it opens nothing: the handle does.
    LogoutId;
    /// One leg of a logout.
    LegId;
    /// One audit event.
    EventId;
}

macro_rules! declared_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let mark = |c: u8| matches!(c, b'-' | b'.' | b'_' | b'~');
                let plain = |c: u8| c.is_ascii_alphanumeric() || mark(c);
                match text.len() {
                    1..=128 if text.bytes().all(plain) => Ok(Self(text.to_owned())),
                    _ => Err(InvalidId::Declared),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    )*};
}

declared_id! {
    /// The `client_id` of an OIDC client: 1–128 of `A–Z a–z 0–9 - . _ ~`.
    ClientId;
    /// Our name of an IdP connection: 1–128 of `A–Z a–z 0–9 - . _ ~`.
    IdpId;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidId {
    #[error("an id is 1 to 128 characters of A-Z a-z 0-9 - . _ ~")]
    Declared,
    #[error("not an id that this service gives out")]
    Row,
}
