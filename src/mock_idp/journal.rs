use std::collections::VecDeque;

use serde::Serialize;

use super::fault::Fault;
use crate::clock::Timestamp;
use crate::saml::{Binding, NameId, SessionIndex};

/// Entries that are kept; the oldest goes first.
const MAX_ENTRIES: usize = 10_000;

/// One thing that the IdP received or issued. What a LogoutRequest says can be compared with what
/// was issued: all parts of the NameID count.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// An AuthnRequest whose signature, addresses and issuer are as they should be.
    AuthnRequest { id: String, force_authn: bool, is_passive: bool, binding: Binding },
    /// An assertion was sent. `asked` says that the person had to name themselves for it; otherwise
    /// the session that the browser had was enough.
    Issued {
        user: String,
        name_id: NameId,
        session_index: Option<SessionIndex>,
        in_response_to: String,
        asked: bool,
    },
    /// A LogoutRequest arrived, believed or not.
    LogoutRequest {
        id: String,
        name_id: NameId,
        /// It was encrypted for this IdP.
        name_id_encrypted: bool,
        session_indexes: Vec<SessionIndex>,
        signature_valid: bool,
        binding: Binding,
        /// It came to the URL for sign-in, where nothing is ended by it.
        at_login_url: bool,
        /// How many sessions it ended.
        ended: usize,
        /// What was done wrong in answering it.
        faults: Vec<Fault>,
    },
    /// The IdP began a logout of its own.
    LogoutBegun {
        id: String,
        user: String,
        name_id: NameId,
        session_indexes: Vec<SessionIndex>,
        binding: Binding,
        faults: Vec<Fault>,
    },
    /// The service provider answered a LogoutRequest of the IdP's own.
    LogoutResponse {
        in_response_to: String,
        /// As `Success / PartialLogout`.
        status: String,
        signature_valid: bool,
        /// Whether the RelayState came back as it was sent; none is sent by SOAP.
        relay_state_returned: Option<bool>,
        binding: Binding,
    },
    /// The person ended the session here, without the service provider.
    SignedOutHere { user: String },
    /// Something was not accepted; the code of the [`Refusal`](super::Refusal).
    Refused { code: &'static str },
}

/// One browser that is signed in at the IdP.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Session {
    pub user: String,
    pub name_id: NameId,
    /// As it is asserted, unless a fault leaves it out; `None` if this IdP does not name its sessions.
    pub session_index: Option<SessionIndex>,
    #[serde(serialize_with = "in_words")]
    pub authn_instant: Timestamp,
}

/// An entry with its time, as `/journal` shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Line {
    #[serde(serialize_with = "in_words")]
    at: Timestamp,
    #[serde(flatten)]
    entry: Entry,
}

/// RFC 3339.
fn in_words<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// The newest entries, the oldest of them first.
#[derive(Default)]
pub(super) struct Journal(VecDeque<Line>);

impl Journal {
    pub(super) fn record(&mut self, at: Timestamp, entry: Entry) {
        if self.0.len() == MAX_ENTRIES {
            self.0.pop_front();
        }
        self.0.push_back(Line { at, entry });
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().map(|line| &line.entry)
    }

    pub(super) fn lines(&self) -> &VecDeque<Line> {
        &self.0
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_make_room() {
        let mut journal = Journal::default();
        for number in 0..=MAX_ENTRIES {
            let entry = Entry::SignedOutHere { user: number.to_string() };
            journal.record(Timestamp::from_seconds(1), entry);
        }
        assert_eq!(journal.lines().len(), MAX_ENTRIES);
        assert_eq!(journal.entries().next(), Some(&Entry::SignedOutHere { user: "1".into() }));
        let line = serde_json::to_value(&journal.lines()[0]).unwrap();
        assert_eq!(
            line,
            serde_json::json!({"at": "1970-01-01T00:00:01Z", "event": "signed_out_here", "user": "1"})
        );
        journal.clear();
        assert_eq!(journal.entries().count(), 0);
    }
}
