use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{IdpId, IdpSessionId};
use crate::saml::{EntityId, NameId, SessionIndex};

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

impl SignedIn {
    /// Whether a LogoutRequest with this NameID and these SessionIndexes means this sign-in (SAML Core
    /// 3.7.3.1): the names match, and an index does, or one side has none.
    pub fn is_named_by(
        &self,
        name_id: &NameId,
        indexes: &[SessionIndex],
        idp: &EntityId,
        sp: &EntityId,
    ) -> bool {
        let own = &self.session_indexes;
        // Any index may be one of those.
        let by_index = indexes.is_empty()
            || own.is_empty()
            || self.has_forgotten_indexes()
            || own.iter().any(|own| indexes.contains(own));
        let named = self.name_id.as_ref();
        by_index && named.is_some_and(|own| own.names_same(name_id, idp, sp))
    }

    /// Whether a client may still be signed in by it. One that is not usable any more is still ended at
    /// its IdP, with the others.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.session_not_on_or_after.is_none_or(|end| now < end)
    }

    pub(super) fn end_at(&mut self, now: Timestamp) {
        let end = self.session_not_on_or_after.map_or(now, |end| end.min(now));
        self.session_not_on_or_after = Some(end);
    }

    /// Whether there may have been more SessionIndexes: of more than are kept, the earliest were
    /// forgotten.
    pub fn has_forgotten_indexes(&self) -> bool {
        self.session_indexes.len() >= MOST_SESSION_INDEXES
    }
}

/// The most SessionIndexes that are kept, the newest: a LogoutRequest has to fit into a URL, and IIS takes
/// 2 KiB of query unless it is told otherwise.
pub const MOST_SESSION_INDEXES: usize = 16;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_in(indexes: usize) -> SignedIn {
        let index = |number: usize| SessionIndex::parse(&format!("_{number}")).unwrap();
        SignedIn {
            name_id: Some(name("ada", None)),
            session_indexes: (0..indexes).map(index).collect(),
            authn_instant: Timestamp::from_seconds(1),
            authn_context: None,
            session_not_on_or_after: None,
            claims: serde_json::Map::new(),
        }
    }

    fn name(value: &str, qualifier: Option<&str>) -> NameId {
        NameId {
            value: value.to_owned(),
            format: None,
            name_qualifier: qualifier.map(str::to_owned),
            sp_name_qualifier: None,
            sp_provided_id: None,
        }
    }

    fn named(held: &SignedIn, by: &NameId, indexes: &[&str]) -> bool {
        let entity = |url| EntityId::parse(url).unwrap();
        let indexes: Vec<_> =
            indexes.iter().map(|index| SessionIndex::parse(index).unwrap()).collect();
        held.is_named_by(by, &indexes, &entity("https://idp.test"), &entity("https://sp.test"))
    }

    #[test]
    fn a_sign_in_is_named_by_name_and_index_or_where_one_side_has_no_index() {
        let ada = name("ada", None);
        assert!(named(&signed_in(2), &ada, &["_1", "_9"]));
        assert!(!named(&signed_in(2), &ada, &["_9"]));
        assert!(named(&signed_in(2), &ada, &[]) && named(&signed_in(0), &ada, &["_9"]));
        assert!(named(&signed_in(2), &name("ada", Some("https://idp.test")), &["_1"]));
        assert!(!named(&signed_in(2), &name("ada", Some("https://other.test")), &["_1"]));
        assert!(!named(&signed_in(2), &name("bob", None), &["_1"]));
        // The IdP may mean one that is not kept any more.
        assert!(named(&signed_in(MOST_SESSION_INDEXES), &ada, &["_99"]));
        assert!(!named(&signed_in(MOST_SESSION_INDEXES - 1), &ada, &["_99"]));
    }
}
