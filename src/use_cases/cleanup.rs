//! Rows that nobody can use any more are deleted. What a late answer still needs stays longer.

use std::time::Duration;

use crate::use_cases::{Failure, UseCases};

/// How long an ended session is kept: a hint of it may still arrive.
const KEEP_SESSIONS: Duration = Duration::from_secs(24 * 3600);
/// How long a settled logout can be shown.
const KEEP_LOGOUTS: Duration = Duration::from_secs(30 * 24 * 3600);

impl UseCases {
    /// Deletes what has expired. Any node may do it at any time.
    pub async fn clean_up(&self) -> Result<(), Failure> {
        let now = self.now().await?;
        let (sessions, logouts) = (now.minus(KEEP_SESSIONS), now.minus(KEEP_LOGOUTS));
        self.store().clean_up(now, sessions, logouts).await.map_err(Failure::commit)
    }
}
