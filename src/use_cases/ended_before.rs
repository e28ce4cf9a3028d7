//! Whom an IdP's LogoutRequest names may have been signed out before it came: by an app, by the person, by
//! an administrator. Not all of their apps need to know of it yet, and the IdP must not be told that they do.

use crate::connection::Connection;
use crate::logout::{Logout, OwedAnswer};
use crate::store::{EARLIER_LOGOUTS, LogoutKey, StoreError};
use crate::use_cases::end_principal::goes_by_index;
use crate::use_cases::{Failure, UseCases};

/// What was found of such logouts.
pub(super) struct EndedBefore {
    pub logouts: Vec<Logout>,
    /// Nothing says that there are others: every one could be read, and there was no end to the list.
    pub all: bool,
}

impl UseCases {
    /// The logouts, besides those that are `known`, of sessions that this request names, as long as these
    /// sessions are kept. Most were begun by somebody else; one may have been begun for this request while
    /// its answer was being made, by a sign-in that found itself overtaken.
    pub(super) async fn ended_before(
        &self,
        connection: &Connection,
        owed: &OwedAnswer,
        known: &[Logout],
    ) -> Result<EndedBefore, Failure> {
        let mut before = EndedBefore { logouts: Vec::new(), all: true };
        let Some(ended) = self.store().carried_out(&owed.idp, &owed.request_id).await? else {
            return Ok(before);
        };
        let skew = self.settings().clock_skew;
        let entity_id = connection.metadata.entity_id.as_str();
        for idp in self.store().idps_of_entity(entity_id).await? {
            let found = match goes_by_index(&ended, connection) {
                true => self.store().logouts_of_indexes(&idp, &ended.session_indexes).await?,
                false => self.store().logouts_of_name(&idp, &ended.name_id.value).await?,
            };
            before.all &= found.len() < EARLIER_LOGOUTS;
            for (id, held) in found {
                let is_new = known.iter().chain(&before.logouts).all(|logout| logout.id != id);
                // What cannot be read any more may be meant.
                let is_named = held.is_none_or(|held| self.names(&ended, connection, &held, skew));
                if !(is_new && is_named) {
                    continue;
                }
                match self.store().logout(LogoutKey::Id(id)).await {
                    Ok(read) => before.logouts.extend(read.found.map(|found| found.logout)),
                    Err(error @ StoreError::Corrupt(_)) => {
                        tracing::error!(logout.id = %id, "{error}");
                        before.all = false;
                    }
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Ok(before)
    }
}
