//! One process of the service: its tasks run when they are let, and vanish when it crashes.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::installation::{Installation, kek};
use crate::outbound;
use crate::outbound::simulated::Posted;
use crate::rng::Rng;
use crate::store::simulated::Asked;
use crate::store::{SealedStore, Store};
use crate::use_cases::UseCases;

pub(super) struct Node {
    runtime: Runtime,
    pub(super) use_cases: UseCases,
    pub(super) asking: mpsc::UnboundedReceiver<Asked>,
    pub(super) posting: mpsc::UnboundedReceiver<Posted>,
}

impl Node {
    /// A node that has just started. `seed` is that of what it will hold for random.
    pub(super) fn start(installation: &Installation, seed: u64) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let (asked, asking) = mpsc::unbounded_channel();
        let (posts, posting) = mpsc::unbounded_channel();
        let rng = Rng::repeatable(seed);
        let store = SealedStore::new(Store::simulated(asked), kek(), rng.clone());
        let outbound = outbound::Client::simulated(outbound::simulated::Simulated(posts));
        let use_cases = installation.pattern.on_another_node(store, outbound, rng);
        Self { runtime: runtime.unwrap(), use_cases, asking, posting }
    }

    /// Begins something. What it ends with is there once it is; nothing, if it panicked.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, ended) = oneshot::channel();
        self.runtime.spawn(async move {
            // Whoever asked may be gone.
            let _ = done.send(task.await);
        });
        ended
    }

    /// Lets every task go as far as it can without the world.
    pub(super) fn settle(&self) {
        self.runtime.block_on(async {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Wakes those who wait for time to pass.
    pub(super) fn time_passes(&self, by: Duration) {
        self.runtime.block_on(tokio::time::advance(by));
        self.settle();
    }
}
