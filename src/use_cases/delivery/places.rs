//! What the worker of this node has under way: so much for each receiver, however much is due for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::store::DUE_PER_RECEIVER;

/// In all, to bound memory: as many receivers may hang as this has room for.
const ALL: u32 = 4096;

#[derive(Clone)]
pub(in crate::use_cases) struct Places {
    all: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<String, usize>>>,
    answered: Arc<Notify>,
}

/// One delivery. Its place is free again when it is dropped.
pub(super) struct Place {
    receiver: String,
    taken: Arc<Mutex<HashMap<String, usize>>>,
    _place: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        let all = Arc::new(Semaphore::new(ALL as usize));
        Self { all, taken: Arc::default(), answered: Arc::default() }
    }
}

impl Places {
    pub(super) fn take(&self, receiver: &str) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let held = taken.get(receiver).copied().unwrap_or_default();
        if held >= DUE_PER_RECEIVER {
            return None;
        }
        let place = Arc::clone(&self.all).try_acquire_owned().ok()?;
        taken.insert(receiver.to_owned(), held + 1);
        Some(Place { receiver: receiver.to_owned(), taken: Arc::clone(&self.taken), _place: place })
    }

    /// A place that counts for none of the receivers.
    pub(in crate::use_cases) fn take_for_any(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).try_acquire_owned().ok()
    }

    /// Returns when no place is taken.
    pub(super) async fn all_free(&self) {
        // The semaphore is never closed.
        let _ = self.all.acquire_many(ALL).await;
    }

    pub(super) fn note_answer(&self) {
        self.answered.notify_one();
    }

    pub(super) async fn somebody_answered(&self) {
        self.answered.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.receiver) {
            Some(held) if *held > 1 => *held -= 1,
            _ => {
                taken.remove(&self.receiver);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_receiver_has_so_many_places_and_takes_none_of_the_others() {
        let places = Places::default();
        let mut held: Vec<_> = (0..4).map(|_| places.take("one").unwrap()).collect();
        assert!(places.take("one").is_none());
        assert!(places.take("two").is_some());
        drop(held.pop());
        let again = places.take("one");
        assert!(again.is_some() && places.take("one").is_none());
        drop((held, again));
        places.all_free().await;
        assert_eq!(places.taken.lock().unwrap().len(), 0);
    }
}
