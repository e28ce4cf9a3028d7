//! Deletes what has expired.

use super::sealed::SealedStore;
use super::{CommitError, Expect, Statement, Value};
use crate::clock::Timestamp;

impl SealedStore {
    /// Deletes what expired before `now`, sessions that ended or lapsed before `sessions`, and
    /// logouts that settled before `logouts`. Everything that belongs to a session goes with it.
    pub async fn clean_up(
        &self,
        now: Timestamp,
        sessions: Timestamp,
        logouts: Timestamp,
    ) -> Result<(), CommitError> {
        let delete = |sql, before: Timestamp| Statement {
            sql,
            params: vec![Value::from(before)],
            expect: Expect::Any,
            what: "CleanUp",
        };
        self.engine
            .apply(vec![
                delete("DELETE FROM authn_request WHERE expires_at < $1", now),
                delete("DELETE FROM held_sign_in WHERE expires_at < $1", now),
                delete("DELETE FROM seen_assertion WHERE expires_at < $1", now),
                delete("DELETE FROM logout_question WHERE expires_at < $1", now),
                delete("DELETE FROM code WHERE expires_at < $1", sessions),
                delete("DELETE FROM access_token WHERE expires_at < $1", now),
                delete(
                    "DELETE FROM browser_session \
                     WHERE ended_at < $1 OR idle_until < $1 OR expires_at < $1",
                    sessions,
                ),
                delete("DELETE FROM logout WHERE settled_at < $1", logouts),
            ])
            .await
    }
}
