//! The cable between the service and its database. It can be pulled out.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// How it is at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Plugged,
    /// Connections break, and new ones break at once: the database has stopped.
    Broken,
    /// Nothing arrives any more, and nobody says so: the network is gone.
    Silent,
}

pub struct Cable {
    pub address: SocketAddr,
    state: watch::Sender<State>,
}

impl Cable {
    /// To the server of this URL.
    pub async fn to(url: &str) -> Self {
        let url = Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, seen) = watch::channel(State::Plugged);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *seen.borrow() == State::Broken {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let (client_in, client_out) = client.into_split();
                let (server_in, server_out) = server.into_split();
                tokio::spawn(carry(client_in, server_out, seen.clone()));
                tokio::spawn(carry(server_in, client_out, seen.clone()));
            }
        });
        Self { address, state }
    }

    /// The same URL by way of the cable.
    pub fn url(&self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.into()
    }

    pub fn break_off(&self) {
        self.state.send_replace(State::Broken);
    }

    pub fn fall_silent(&self) {
        self.state.send_replace(State::Silent);
    }

    pub fn plug_in(&self) {
        self.state.send_replace(State::Plugged);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            broken = state.wait_for(|state| *state == State::Broken) => {
                drop(broken);
                return;
            }
        };
        let Ok(length @ 1..) = read else { return };
        // What was on its way is lost with a break, and late after a silence.
        let plugged = state.wait_for(|state| *state != State::Silent).await;
        if !plugged.is_ok_and(|state| *state == State::Plugged) {
            return;
        }
        let written = tokio::time::timeout(Duration::from_secs(5), to.write_all(&buffer[..length]));
        if !written.await.is_ok_and(|written| written.is_ok()) {
            return;
        }
    }
}
