use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{IdpId, IdpSessionId};
use crate::saml::{NameId, SessionIndex};

/// What one IdP asserted of one NameID in this browser. A further sign-in with the same NameID adds
/// its SessionIndex to the same IdP session, so that one LogoutRequest names them all.
#[derive(Clone, PartialEq, Debug)]
pub struct IdpSession {
    pub id: IdpSessionId,
    pub idp: IdpId,
    pub signed_in: SignedIn,
}

/// The asserted facts, exactly as they came: SAML Profiles 4.4.4.1 wants the same NameID and
/// SessionIndex back at logout, and IdPs compare every attribute.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SignedIn {
    /// Absent where the IdP names the person by an attribute only; then it cannot be asked to log
    /// that person out.
    pub name_id: Option<NameId>,
    pub session_indexes: Vec<SessionIndex>,
    pub authn_instant: Timestamp,
    pub authn_context: Option<String>,
    pub session_not_on_or_after: Option<Timestamp>,
    /// OIDC claims that the attributes gave.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// The most SessionIndexes that are kept, the newest: a LogoutRequest has to fit into a URL.
const MOST_SESSION_INDEXES: usize = 16;

impl IdpSession {
    /// A newer sign-in of the same NameID: its facts count, the earlier SessionIndexes stay.
    pub(super) fn renewed(mut self, newer: SignedIn) -> Self {
        let mut indexes = std::mem::take(&mut self.signed_in.session_indexes);
        for index in newer.session_indexes.iter().cloned() {
            if !indexes.contains(&index) {
                indexes.push(index);
            }
        }
        indexes.drain(..indexes.len().saturating_sub(MOST_SESSION_INDEXES));
        self.signed_in = SignedIn { session_indexes: indexes, ..newer };
        self
    }
}
