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
        keep_up("due work", &shutdown, || work(use_cases.clone(), shutdown.clone())),
        keep_up("clearing away", &shutdown, || clear_away(use_cases.clone(), shutdown.clone())),
        keep_up("metadata", &shutdown, || refresh(use_cases.clone(), shutdown.clone()))
    );
}

/// Runs a part to its end. One that panics begins again, and takes nothing else with it.
async fn keep_up<P>(what: &'static str, shutdown: &Shutdown, part: impl Fn() -> P)
where
    P: Future<Output = ()> + Send + 'static,
{
    while let Err(failed) = tokio::spawn(part()).await {
        tracing::error!(what, panicked = failed.is_panic(), "a part of the worker failed");
        if shutdown.has_begun() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.begun() => {}
        }
    }
}

async fn refresh(use_cases: UseCases, shutdown: Shutdown) {
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

async fn work(use_cases: UseCases, shutdown: Shutdown) {
    while !shutdown.has_begun() {
        if let Err(error) = use_cases.work_due().await {
            tracing::error!(code = error.code(), hint = error.hint(), "due work: {error}");
        }
        if let Err(error) = use_cases.refresh_keys().await {
            tracing::error!(code = error.code(), hint = error.hint(), "reading the keys: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            // A party that is back gets at once what is due for it.
            () = use_cases.somebody_answered() => {}
            () = shutdown.begun() => {}
        }
    }
    let _ = tokio::time::timeout(LAST_DELIVERIES, use_cases.deliveries_done()).await;
}

async fn clear_away(use_cases: UseCases, shutdown: Shutdown) {
    while !shutdown.has_begun() {
        if let Err(error) = clear_away_once(&use_cases, &shutdown).await {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_begins_again_until_it_ends_by_itself() {
        let runs = Arc::new(AtomicU32::new(0));
        let part = || {
            let runs = Arc::clone(&runs);
            async move {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                assert!(run >= 3, "a fault of ours");
            }
        };
        let begun = tokio::time::Instant::now();
        keep_up("test", &Shutdown::new(), part).await;
        assert_eq!(runs.load(Ordering::Relaxed), 4);
        assert_eq!(begun.elapsed(), LOOK * 3, "it does not spin");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_does_not_outlive_the_shutdown() {
        let shutdown = Shutdown::new();
        shutdown.begin();
        keep_up("test", &shutdown, || async { panic!("a fault of ours") }).await;
    }
}
