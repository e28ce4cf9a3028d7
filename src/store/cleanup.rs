//! Deletes what has expired.

use super::sealed::SealedStore;
use super::{CommitError, Expect, Statement, Value};
use crate::clock::Timestamp;

/// How many rows of each kind one clean-up deletes at most: a backlog must not hold up the others.
const BATCH: i64 = 2_000;

macro_rules! delete_sql {
    ($table:literal, $key:literal, $condition:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ",
            $key,
            " IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE ",
            $condition,
            " LIMIT $2) AND ",
            $condition
        )
    };
}

impl SealedStore {
    /// Deletes a batch of what expired before `now`, of sessions that ended or lapsed before
    /// `sessions`, and of logouts that settled before `logouts`. Everything that belongs to a
    /// session goes with it. Each kind is a transaction of its own.
    pub async fn clean_up(
        &self,
        now: Timestamp,
        sessions: Timestamp,
        logouts: Timestamp,
    ) -> Result<(), CommitError> {
        let batches = [
            (delete_sql!("authn_request", "id", "expires_at < $1"), now),
            (delete_sql!("held_sign_in", "handle_hash", "expires_at < $1"), now),
            (delete_sql!("seen_assertion", "assertion_id", "expires_at < $1"), now),
            (delete_sql!("logout_question", "handle_hash", "expires_at < $1"), now),
            (delete_sql!("ended_principal", "request_id", "expires_at < $1"), now),
            (delete_sql!("relogin_lock", "leg_id", "expires_at < $1"), now),
            (delete_sql!("code", "hash", "expires_at < $1"), sessions),
            (delete_sql!("access_token", "hash", "expires_at < $1"), now),
            (delete_sql!("browser_session", "id", "ended_at < $1"), sessions),
            // One that had lapsed before it was ended is kept as long as any other that was ended.
            (
                delete_sql!("browser_session", "id", "idle_until < $1 AND ended_at IS NULL"),
                sessions,
            ),
            (
                delete_sql!("browser_session", "id", "expires_at < $1 AND ended_at IS NULL"),
                sessions,
            ),
            // What a session has to make up for at its end is kept as long as the session.
            (
                delete_sql!(
                    "logout",
                    "id",
                    "settled_at < $1 AND NOT EXISTS \
                     (SELECT 1 FROM browser_session b WHERE b.id = apps_of_session_id)"
                ),
                logouts,
            ),
        ];
        for (sql, before) in batches {
            let params = vec![Value::from(before), Value::from(BATCH)];
            let delete = Statement { sql, params, expect: Expect::Any, what: "CleanUp" };
            self.engine.apply(vec![delete]).await?;
        }
        Ok(())
    }
}
