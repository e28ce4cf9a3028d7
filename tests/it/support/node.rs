//! A second node on the database of a world, in a runtime of its own: it can vanish as a machine does,
//! with everything that it has under way.

use std::net::SocketAddr;

use sloop::lifecycle::Shutdown;
use sloop::server::Server;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::browser::Browser;
use super::rp::Provider;
use super::world::World;

pub struct Node {
    issuer: String,
    pub address: SocketAddr,
    /// Held, so that it goes on; it goes with the runtime.
    runtime: Option<Runtime>,
}

impl World {
    /// Another node behind the same issuer. PostgreSQL only: an SQLite database has one.
    pub async fn another_node(&self) -> Node {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (config, clock) = (self.config.clone(), self.clock.clone());
        let started = runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server =
                Server::start_on(listener, &config, &clock, Shutdown::new()).await.unwrap();
            let address = server.address();
            tokio::spawn(server.run());
            address
        });
        let address = started.await.unwrap();
        Node { issuer: self.issuer.clone(), address, runtime: Some(runtime) }
    }
}

impl Node {
    pub fn provider(&self) -> Provider {
        Provider { issuer: self.issuer.clone(), address: self.address }
    }

    /// From now on the load balancer sends this browser here.
    pub fn serves(&self, browser: Browser) -> Browser {
        browser.with_host(&self.issuer, self.address)
    }

    /// The machine is gone. Nothing is drained and nobody is told.
    pub fn vanish(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
