//! How many requests are under way at once. A host that does not answer holds few places, and none of
//! those that the others share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::error::SendError;

/// To one host and port. One that did not answer in time gets one request after the other, until it
/// answers.
pub(super) const PER_HOST: usize = 4;
/// In all.
const ALL: usize = 256;
/// In all to hosts that did not answer in time.
const SILENT: usize = 64;
/// Hosts that are known before idle ones are forgotten.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    silent: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    places: Arc<Semaphore>,
    is_silent: AtomicBool,
}

/// The right to send one request.
#[derive(Debug)]
pub(super) struct Place {
    host: Arc<Host>,
    _of_host: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            silent: Arc::new(Semaphore::new(SILENT)),
            hosts: Mutex::default(),
        }
    }
}

impl Places {
    /// Waits for the host's turn first, so that a queue for one host holds no place of the others.
    pub(super) async fn take(&self, url: &Url) -> Place {
        let host = self.host(url);
        let never_closed = "no one closes these semaphores";
        let (share, lane) = match host.is_silent.load(Ordering::Relaxed) {
            true => (PER_HOST as u32, &self.silent),
            false => (1, &self.all),
        };
        let of_host = Arc::clone(&host.places).acquire_many_owned(share).await;
        Place {
            _of_host: of_host.expect(never_closed),
            _of_all: Arc::clone(lane).acquire_owned().await.expect(never_closed),
            host,
        }
    }

    fn host(&self, url: &Url) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= REMEMBERED {
            hosts.retain(|_, host| Arc::strong_count(host) > 1);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        let name = format!("{}:{port}", url.host_str().unwrap_or_default());
        let unknown = || Host {
            places: Arc::new(Semaphore::new(PER_HOST)),
            is_silent: AtomicBool::new(false),
        };
        Arc::clone(hosts.entry(name).or_insert_with(|| Arc::new(unknown())))
    }
}

impl Place {
    /// Remembers of the host whether it answered in time.
    pub(super) fn note<T>(&self, result: Result<T, SendError>) -> Result<T, SendError> {
        let silent = matches!(result, Err(SendError::Timeout));
        self.host.is_silent.store(silent, Ordering::Relaxed);
        result
    }
}
