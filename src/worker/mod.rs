//! What must happen without a browser: parties told again, deadlines, expiry, and the broom.

use std::time::Duration;

use crate::lifecycle::Shutdown;
use crate::use_cases::{Failure, UseCases};

/// How often the store is asked what is due.
const LOOK: Duration = Duration::from_secs(1);

/// How often expired sessions are ended and expired rows deleted.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// How long deliveries may go on when the shutdown has begun. What is cut off is told again.
const LAST_DELIVERIES: Duration = Duration::from_secs(10);

/// How often to look whether it is time to look for new metadata.
const LOOK_FOR_METADATA: Duration = Duration::from_secs(60);

/// Works until the shutdown begins. Every node runs one; the store decides who does what.
pub async fn run(use_cases: UseCases, shutdown: Shutdown) {
    // Neither a slow metadata server nor very many expired sessions may hold up logouts.
    tokio::join!(
        work(&use_cases, &shutdown),
        clear_away(&use_cases, &shutdown),
        refresh(&use_cases, &shutdown)
    );
}

async fn refresh(use_cases: &UseCases, shutdown: &Shutdown) {
    while !shutdown.has_begun() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_FOR_METADATA) => {}
            () = shutdown.begun() => return,
        }
        tokio::select! {
            refreshed = use_cases.refresh_due_idps() => if let Err(error) = refreshed {
                tracing::error!(code = error.code(), hint = error.hint(), "metadata: {error}");
            },
            // What was fetched so far is fetched again after the next start.
            () = shutdown.begun() => return,
        }
    }
}

async fn work(use_cases: &UseCases, shutdown: &Shutdown) {
    while !shutdown.has_begun() {
        if let Err(error) = use_cases.work_due().await {
            tracing::error!(code = error.code(), hint = error.hint(), "due work: {error}");
        }
        if let Err(error) = use_cases.refresh_keys().await {
            tracing::error!(code = error.code(), hint = error.hint(), "reading the keys: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.begun() => {}
        }
    }
    let _ = tokio::time::timeout(LAST_DELIVERIES, use_cases.deliveries_done()).await;
}

async fn clear_away(use_cases: &UseCases, shutdown: &Shutdown) {
    while !shutdown.has_begun() {
        if let Err(error) = clear_away_once(use_cases, shutdown).await {
            tracing::error!(code = error.code(), hint = error.hint(), "clearing away: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(CLEAN_UP) => {}
            () = shutdown.begun() => {}
        }
    }
}

/// Apps hear of a session before its row is deleted. What cannot be ended does not stay for ever.
async fn clear_away_once(use_cases: &UseCases, shutdown: &Shutdown) -> Result<(), Failure> {
    let ended = loop {
        match use_cases.end_expired_sessions().await {
            Ok(1..) if !shutdown.has_begun() => {}
            other => break other,
        }
    };
    use_cases.clean_up().await?;
    ended.map(|_| ())
}
