//! A server that others wrote, as a process of its own on loopback, with a folder to write to. Both end with
//! this value.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How long it may take until it listens, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct PeerProcess {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl PeerProcess {
    /// An address on loopback that nobody listens on.
    pub fn free_address() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound socket")
    }

    /// Starts it, and returns when it listens at `address`.
    pub async fn start(mut command: Command, folder: TempDir, address: SocketAddr) -> Self {
        let log = File::create(log(&folder)).expect("a file for what it says");
        command.current_dir(&folder).env("TMPDIR", folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("the same file")).stderr(log);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("{program}: {error}: run tests/setup"));
        let mut process = Self { child, folder, address };
        for _ in 0..PATIENCE.as_millis() / 20 {
            if TcpStream::connect(address).is_ok() {
                return process;
            }
            if let Some(status) = process.child.try_wait().expect("a status") {
                panic!("{program} ended at once, {status}: {}", process.said());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{program} never listened: {}", process.said());
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it may write.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote to its output.
    pub fn said(&self) -> String {
        std::fs::read_to_string(log(&self.folder)).unwrap_or_default()
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            eprintln!("the peer on {} was left behind", self.address);
        }
    }
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("output.log")
}
