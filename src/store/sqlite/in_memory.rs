//! The same SQL on the same engine, in memory and on one thread: one thing after the other.

use std::sync::Arc;

use rusqlite::Connection;

use super::connection::keep_plans;
use super::{Commit, Compiled, Writer, store_error};
use crate::clock::Timestamp;
use crate::store::{
    CommitError, Counters, Kind, Query, Snapshot, Statement, StoreError, migrations,
};

pub(crate) struct InMemory(Writer);

impl InMemory {
    pub(crate) fn open() -> Self {
        let mut connection = Connection::open_in_memory().expect("memory can be opened");
        connection.pragma_update(None, "foreign_keys", true).expect("SQLite knows foreign keys");
        keep_plans(&connection).expect("SQLite knows this");
        let runner = migrations::runner(Kind::Sqlite).expect("our migrations are well formed");
        runner.run(&mut connection).expect("an empty database takes our schema");
        let counters = Arc::new(Counters::default());
        Self(Writer { connection: Compiled::new(connection), counters })
    }

    pub(crate) fn apply(&mut self, statements: Vec<Statement>) -> Result<(), CommitError> {
        let (reply, _) = tokio::sync::oneshot::channel();
        let mut results = self.0.commit(&[Commit { statements, reply }]);
        results.pop().unwrap_or(Err(CommitError::Unknown))
    }

    pub(crate) fn select(
        &mut self,
        now: Timestamp,
        queries: &[Query],
    ) -> Result<Snapshot, StoreError> {
        let rows = queries.iter().map(|query| self.0.connection.rows(query));
        Ok(Snapshot { now, tables: rows.collect::<Result<_, _>>()? })
    }

    /// Forgets every person; what was settled stays.
    pub(crate) fn forget_people(&mut self) {
        const PEOPLE: &str = "DELETE FROM leg; DELETE FROM logout; DELETE FROM access_token; \
             DELETE FROM code; DELETE FROM app_session; DELETE FROM idp_session; \
             DELETE FROM browser_session; DELETE FROM authn_request; DELETE FROM held_sign_in; \
             DELETE FROM seen_assertion; DELETE FROM logout_question; DELETE FROM ended_principal; \
             DELETE FROM relogin_lock; \
             DELETE FROM audit";
        let emptied = self.0.connection.inner.execute_batch(PEOPLE);
        emptied.map_err(|error| store_error("forget_people", &error)).expect("tables of ours");
    }
}
