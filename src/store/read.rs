//! Reads. Each returns whole aggregates and the database's `now` from one snapshot.

mod live_sessions;
mod logout_requests;
mod logouts;
mod metadata_source;
mod relogin_locks;
mod sessions;
mod settings;
mod sign_ins;

pub use live_sessions::{SessionFilter, SessionPage};
pub use logout_requests::EARLIER_LOGOUTS;
pub use logouts::{
    DUE_PER_RECEIVER, Due, DueLeg, FoundLogout, LogoutKey, LogoutSummary, RecordedEvent,
};
pub use sessions::{SessionKey, UsableToken};
pub use settings::{FoundClient, FoundIdp, FoundSigningKey};
pub use sign_ins::RedeemableCode;

use super::{Query, Row, Snapshot, StoreError, Value};
use crate::clock::Timestamp;

/// What was found, and when it was true.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub now: Timestamp,
    pub found: T,
}

impl<T> At<T> {
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> At<U> {
        At { now: self.now, found: with(self.found) }
    }
}

fn query(sql: &'static str, params: Vec<Value>) -> Query {
    Query { sql, params }
}

/// The rows of one query of a snapshot.
fn table(snapshot: &Snapshot, index: usize) -> &[Row] {
    snapshot.tables.get(index).map(Vec::as_slice).unwrap_or_default()
}

fn parse_json<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("{column}: {error}")))
}
