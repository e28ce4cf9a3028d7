//! One decision to stop, seen by every part of the process.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long after the first signal the process ends, whatever is still under way.
const HARD_STOP: Duration = Duration::from_secs(35);

/// Says that the process is to stop. Clones say it together.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// A shutdown that SIGTERM or SIGINT begins. A second signal ends the process at once; so does
    /// the end of 35 seconds. Call it once, within the runtime.
    ///
    /// # Errors
    /// If the operating system refuses to install the handlers.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = Self::new();
        let begun = shutdown.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal = name, "stopping; a second signal stops at once");
            begun.begin();
            // A thread of its own, because a runtime that hangs would not run a task either.
            std::thread::spawn(|| {
                std::thread::sleep(HARD_STOP);
                tracing::error!("still not stopped after {} seconds", HARD_STOP.as_secs());
                std::process::exit(1);
            });
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(1);
        });
        Ok(shutdown)
    }

    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has begun: then this node is not ready for new requests.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it has begun.
    pub async fn begun(&self) {
        let mut seen = self.0.subscribe();
        // The sender lives in `self`, so waiting never fails.
        let _ = seen.wait_for(|begun| *begun).await;
    }
}
