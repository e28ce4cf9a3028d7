//! A store that does nothing by itself: every read and every commit waits until the simulation
//! carries it out, so that the simulation decides who comes first, and who never hears of it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::{CommitError, Counters, Database, Query, Snapshot, Statement, Store, StoreError};
use crate::change::Change;

pub(crate) use super::sqlite::in_memory::InMemory;

/// What a node wants of the database.
pub(crate) enum Asked {
    Select {
        queries: Vec<Query>,
        reply: oneshot::Sender<Result<Snapshot, StoreError>>,
    },
    Apply {
        statements: Vec<Statement>,
        /// What the statements carry out.
        changes: Vec<Change>,
        reply: oneshot::Sender<Result<(), CommitError>>,
    },
}

#[derive(Clone)]
pub(crate) struct Simulated {
    asked: mpsc::UnboundedSender<Asked>,
    /// The changes whose statements come next.
    shown: Arc<Mutex<Vec<Change>>>,
}

impl Store {
    pub(crate) fn simulated(asked: mpsc::UnboundedSender<Asked>) -> Self {
        let database = Database::Simulated(Simulated { asked, shown: Arc::default() });
        Self { database, counters: Arc::new(Counters::default()) }
    }

    /// Shows what is about to be written as the domain wants it.
    pub(super) fn show(&self, changes: &[Change]) {
        if let Database::Simulated(simulated) = &self.database {
            *simulated.shown() = changes.to_vec();
        }
    }
}

impl Simulated {
    pub(super) async fn select(&self, queries: Vec<Query>) -> Result<Snapshot, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Select { queries, reply });
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) async fn apply(&self, statements: Vec<Statement>) -> Result<(), CommitError> {
        let changes = std::mem::take(&mut *self.shown());
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Apply { statements, changes, reply });
        answer.await.unwrap_or(Err(CommitError::Unknown))
    }

    fn ask(&self, asked: Asked) {
        // A world that has ended answers nobody.
        let _ = self.asked.send(asked);
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Vec<Change>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
