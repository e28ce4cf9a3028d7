//! Accepting connections, and stopping without cutting anybody off.
//!
//! `axum::serve` gives hyper no timer, so that its limit for a slow request head never acts. Hence
//! this accept loop of our own, which also limits the head's size, the number of connections, their
//! age, and the time that a shutdown may take.

mod connection;
mod shutdown;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

pub use shutdown::Shutdown;

/// Largest request target, in bytes. The head as a whole is limited by [`MAX_HEAD`].
const MAX_URI: usize = 16 * 1024;
/// Largest request head, in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// Most header fields of a request.
const MAX_HEADERS: usize = 64;
/// How long to wait when the machine has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one listener allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// From a connection's start, or from the first byte of a later request, to the end of its head.
    pub head: Duration,
    /// How long a kept-alive connection may be silent. Longer than a proxy keeps its own.
    pub idle: Duration,
    /// After this a connection ends with the answer it is giving.
    pub age: Duration,
    /// How long requests under way may take once a shutdown has begun.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            age: Duration::from_secs(600),
            drain: Duration::from_secs(25),
        }
    }
}

/// How a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every request under way got its answer.
    Drained,
    /// The time to drain ran out: this many connections were cut.
    Cut { connections: usize },
}

/// Serves `router` on `listener` until `shutdown` begins, then drains.
///
/// Handlers find the peer's address in `axum::extract::ConnectInfo<SocketAddr>`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) -> Ended {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let (stream, slot) = tokio::select! {
            biased;
            () = shutdown.begun() => break,
            accepted = accept(&listener, &slots) => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let (router, shutdown) = (router.clone(), shutdown.clone());
        connections.spawn(async move {
            connection::serve(stream, router, limits, shutdown).await;
            drop(slot);
        });
    }
    // Whoever connects from here on is told at once that nobody listens.
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    match tokio::time::timeout(limits.drain, drained).await {
        Ok(()) => Ended::Drained,
        Err(_) => {
            let open = connections.len();
            connections.shutdown().await;
            tracing::warn!(connections = open, "time to drain ran out, connections were cut");
            Ended::Cut { connections: open }
        }
    }
}

/// The next connection, once there is a slot for it. Dropped half-way it loses nothing.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("no one closes this semaphore");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; are file descriptors left?");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A peer that left while it was being accepted says nothing about the listener.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests;
