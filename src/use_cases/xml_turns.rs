//! Large XML is read one after the other. Reading is work that nothing interrupts; a flood of large
//! documents must not take every thread away from those who sign in or ask whether we live.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::use_cases::{Failure, UseCases};

/// Longest document that is read at once, in bytes. Real messages have 3 to 12 KiB.
const SMALL: usize = 32 * 1024;
/// How many large documents may wait for their turn, each in memory.
const WAITING: usize = 256;

/// Turns for large documents: on one thread less than there are.
#[derive(Clone)]
pub(super) struct XmlTurns {
    running: Arc<Semaphore>,
    /// Permits for those that run and those that wait.
    admitted: Arc<Semaphore>,
}

/// Leave to read one document. It ends when this is dropped.
#[must_use]
pub(super) struct Turn {
    _held: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl XmlTurns {
    /// For a runtime with this many threads.
    pub(super) fn new(threads: usize) -> Self {
        let running = threads.saturating_sub(1).max(1);
        Self {
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(running + WAITING)),
        }
    }

    /// Waits for the turn of a document of so many bytes; a small one needs none. The order is that
    /// of arrival.
    ///
    /// # Errors
    /// [`Failure::Overloaded`] if too many wait already.
    pub(super) async fn turn(&self, bytes: usize) -> Result<Turn, Failure> {
        if bytes <= SMALL {
            return Ok(Turn { _held: None });
        }
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let admitted = admitted.map_err(|_| Failure::Overloaded)?;
        let running = Arc::clone(&self.running).acquire_owned().await;
        let running = running.map_err(|_| Failure::Overloaded)?;
        Ok(Turn { _held: Some((admitted, running)) })
    }
}

impl UseCases {
    /// Waits until a document of so many bytes may be read. The turn must not be held while anything
    /// else is waited for.
    ///
    /// # Errors
    /// [`Failure::Overloaded`]
    pub(super) async fn xml_turn(&self, bytes: usize) -> Result<Turn, Failure> {
        self.0.xml_turns.turn(bytes).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LARGE: usize = SMALL + 1;

    async fn waits(turns: &XmlTurns) -> bool {
        let turn = turns.turn(LARGE);
        tokio::time::timeout(Duration::from_millis(20), turn).await.is_err()
    }

    #[tokio::test]
    async fn large_documents_take_turns_and_small_ones_do_not() {
        for (threads, at_once) in [(1, 1), (2, 1), (4, 3)] {
            let turns = XmlTurns::new(threads);
            let mut held = Vec::new();
            for _ in 0..at_once {
                held.push(turns.turn(LARGE).await.unwrap());
            }
            assert!(waits(&turns).await, "{threads}");
            assert!(turns.turn(SMALL).await.is_ok());
            held.pop();
            assert!(!waits(&turns).await, "{threads}");
        }
    }

    #[tokio::test]
    async fn the_queue_has_an_end_and_comes_to_it_in_order() {
        let turns = XmlTurns::new(2);
        let first = turns.turn(LARGE).await.unwrap();
        let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
        for at in 0..WAITING {
            let (turns, served) = (turns.clone(), served.clone());
            tokio::spawn(async move {
                let turn = turns.turn(LARGE).await;
                served.send((at, turn.is_ok())).unwrap();
            });
            tokio::task::yield_now().await;
        }
        assert!(matches!(turns.turn(LARGE).await, Err(Failure::Overloaded)));
        assert!(turns.turn(SMALL).await.is_ok());
        drop(first);
        for at in 0..WAITING {
            assert_eq!(order.recv().await, Some((at, true)));
        }
        assert!(turns.turn(LARGE).await.is_ok());
    }
}
