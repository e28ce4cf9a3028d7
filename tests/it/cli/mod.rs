//! The real binary, as an operator runs it.

mod commands;
mod config;
mod connected;
mod demo;
mod forged_load;
mod keys;
mod kill;
mod logouts;
mod memory;
mod metadata_dir;
mod mock_idp;
mod serve;
mod session;
mod slow_clients;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use sloop::clock::Clock;
use sloop::keys::{KeyAlgorithm, SigningKey};
use sloop::mock_idp::{MockIdp, Options};
use sloop::rng::Rng;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::browser::{Browser, Page};
use crate::support::rp::{Attempt, Provider, RelyingParty};
use crate::support::wire;

/// What apps and browsers call the service. The test browser knows where it really listens.
const ISSUER: &str = "http://localhost:8080";
const SECRET: &str = "a-secret-from-a-file-0123456789-0123456789";

/// A directory with a `sloop.toml`, in which `sloop` is run.
struct Place(TempDir);

/// What a command said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    /// With the smallest configuration: any free port, SQLite, and `more`.
    fn new(more: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(
            "sloop.toml",
            &format!("issuer = \"{ISSUER}\"\nlisten = \"127.0.0.1:0\"\n{more}"),
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Renamed into place, as a careful operator does: nobody reads half a file.
        let unfinished = self.path("unfinished");
        std::fs::write(&unfinished, text).unwrap();
        std::fs::rename(unfinished, path).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sloop"));
        command.args(arguments).current_dir(self.0.path()).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said::of(output)
    }

    fn run_with_stdin(&self, arguments: &[&str], stdin: &str) -> Said {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        Said::of(child.wait_with_output().unwrap())
    }

    /// Runs a command that must succeed, and returns what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.out, said.err);
        said.out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let out = self.done(arguments);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// Runs a command that must fail, and returns what it said on stderr. It prints nothing else.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}{}", said.out, said.err);
        assert_eq!(said.out, "", "{arguments:?}");
        said.err
    }

    async fn serve(&self) -> Serving {
        self.serve_by(self.command(&["serve"])).await
    }

    /// As above, by a command that comes to the same.
    async fn serve_by(&self, mut command: Command) -> Serving {
        command.current_dir(self.0.path()).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let mut serving = Serving { child, address: nowhere, log };
        let ready = serving.says("ready ").await;
        let (_, rest) = ready.split_once("address=").unwrap();
        serving.address = rest.split(' ').next().unwrap().parse().unwrap();
        serving
    }
}

impl Said {
    fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A running `sloop serve`. It is killed with this value.
struct Serving {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Serving {
    fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Waits for a line of the log.
    async fn says(&self, what: &str) -> String {
        let found = eventually(async || {
            self.log.lock().unwrap().iter().find(|line| line.contains(what)).cloned()
        });
        found.await.unwrap_or_else(|| panic!("{what:?} was never logged:\n{}", self.log()))
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> wire::Response {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let request = wire::Request {
            method: "GET".to_owned(),
            target: path.to_owned(),
            host: "localhost:8080".to_owned(),
            headers: headers.iter().map(own).collect(),
            body: String::new(),
        };
        wire::send(self.address, request).await
    }

    fn browser(&self) -> Browser {
        Browser::new().with_host(ISSUER, self.address)
    }

    /// SIGKILL: it does nothing any more, not even a line in its log.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn provider(&self) -> Provider {
        Provider { issuer: ISSUER.to_owned(), address: self.address }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    async fn ended(&mut self) -> ExitStatus {
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it does not end:\n{}", self.log());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            eprintln!("`sloop serve` on {} was left behind", self.address);
        }
    }
}

/// Asks again until there is an answer, for ten seconds.
async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> Option<T> {
    for _ in 0..400 {
        if let Some(found) = ask().await {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    None
}

/// The test IdP on a port of its own; it runs until the test ends.
async fn idp(options: Options) -> MockIdp {
    idp_with_key(options, &SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap()).await
}

async fn idp_with_key(options: Options, key: &SigningKey) -> MockIdp {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let idp = MockIdp::with_key(&base, options, Clock::system(), Rng::system(), key).unwrap();
    let router = idp.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    idp
}

/// Metadata of an IdP that nobody visits.
fn metadata_of(base: &str) -> String {
    let options = Options::default();
    MockIdp::new(base, options, Clock::system(), Rng::system()).unwrap().metadata()
}

/// An app that listens, and does not know yet where the service does.
async fn app(id: &str) -> RelyingParty {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut app =
        RelyingParty::start(id, Provider { issuer: ISSUER.to_owned(), address: nowhere }).await;
    app.client_secret = Some(SECRET.to_owned());
    app
}

/// `[[clients]]` of an app, with its secret in the file `secret`.
fn declared(app: &RelyingParty) -> String {
    format!(
        "[[clients]]\nid = \"{}\"\nsecret_file = \"secret\"\nredirect_uris = [\"{}\"]\n\
         post_logout_redirect_uris = [\"{}\"]\nbackchannel_logout_uri = \"{}\"\n",
        app.client_id,
        app.redirect_uri(),
        app.post_logout_redirect_uri(),
        app.backchannel_logout_uri()
    )
}

/// Opens the app's sign-in and goes as far as it goes; the IdP is told `user` if it asks.
async fn open(browser: &mut Browser, app: &RelyingParty, user: &str) -> (Attempt, Page) {
    let attempt = app.begin(&[]).await;
    let mut page = browser.open(attempt.url.as_str()).await;
    if page.forms().iter().any(|form| form.field("user").is_some()) {
        let named = browser.submit(&page, &[("user", user)]).await;
        page = browser.settle(named).await;
    }
    (attempt, page)
}
