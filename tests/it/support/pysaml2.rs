//! The pysaml2 identity provider of `tests/interop`, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

use super::wire;

/// A running IdP. It ends with this value.
#[derive(Debug)]
pub struct Pysaml2 {
    process: Child,
    folder: TempDir,
    address: SocketAddr,
    base_url: String,
}

/// What the IdP received and issued, and who is signed in there.
#[derive(Clone, Debug, Deserialize)]
pub struct Journal {
    pub entries: Vec<Entry>,
    pub sessions: Vec<Session>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// `AuthnRequest`, `Response`, `LogoutRequest`, `LogoutResponse`.
    pub kind: String,
    /// `received` or `issued`.
    pub direction: String,
    /// `redirect` or `post`.
    pub binding: String,
    pub relay_state: Option<String>,
    /// Of a Redirect signature.
    pub sig_alg: Option<String>,
    /// What pysaml2 said of our signature; absent on what it issued itself.
    pub signature_valid: Option<bool>,
    pub error: Option<String>,
    pub id: Option<String>,
    pub in_response_to: Option<String>,
    pub name_id: Option<NameId>,
    /// Of a LogoutRequest.
    pub name_id_encrypted: Option<bool>,
    #[serde(default)]
    pub session_indexes: Vec<String>,
    pub force_authn: Option<bool>,
    /// `single_logout_service`, or `single_sign_on_service` for a LogoutRequest at the login URL.
    pub endpoint: Option<String>,
    pub destination: Option<String>,
    pub not_on_or_after: Option<String>,
    /// Whether a LogoutRequest named a session that this IdP had issued.
    pub matched: Option<bool>,
    pub status: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Session {
    pub user: String,
    pub authn_instant: i64,
    pub name_ids: Vec<NameId>,
    pub session_indexes: Vec<String>,
}

/// A NameID with every attribute as issued or received: `None` is an absent one.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct NameId {
    pub value: String,
    pub format: Option<String>,
    pub name_qualifier: Option<String>,
    pub sp_name_qualifier: Option<String>,
}

impl Pysaml2 {
    /// Starts the IdP on a free port, with arguments as `pysaml2_idp.py --help` lists them. It knows
    /// no service provider before [`Pysaml2::trust`].
    pub async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".venv/bin/python");
        assert!(python.exists(), "{} is missing: run tests/setup", python.display());
        let mut command = Command::new(python);
        command.args(["-W", "ignore", "-B"]).arg(root.join("tests/interop/pysaml2_idp.py"));
        command.arg("--sp-metadata").arg(folder.path().join("sp.xml")).args(arguments);
        // Its temporary files go with the folder, however it ends.
        command.env("TMPDIR", folder.path());
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the IdP starts");
        let output = process.stdout.take().expect("its output is piped");
        let ready = tokio::task::spawn_blocking(move || first_line(output));
        let line = ready.await.expect("reading does not panic");
        let listening = line.strip_prefix("ready http://").and_then(|rest| rest.parse().ok());
        let Some(address) = listening else {
            let status = process.kill().and_then(|()| process.wait());
            panic!("the IdP said {line:?} instead of its address ({status:?})");
        };
        let named = arguments.windows(2).find(|pair| pair[0] == "--base-url").map(|pair| pair[1]);
        let base_url = named.map_or_else(|| format!("http://{address}"), str::to_owned);
        Self { process, folder, address, base_url }
    }

    /// Hands over our SP metadata; again when it changes.
    pub fn trust(&self, sp_metadata: &str) {
        // Renamed into place, so that the IdP never reads half a file.
        let (new, path) = (self.folder.path().join("new.xml"), self.sp_metadata_path());
        std::fs::write(&new, sp_metadata).expect("a written file");
        std::fs::rename(new, path).expect("a renamed file");
    }

    pub fn sp_metadata_path(&self) -> PathBuf {
        self.folder.path().join("sp.xml")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its public address; `/metadata`, `/sso` and `/slo` are below it.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn entity_id(&self) -> String {
        format!("{}/metadata", self.base_url)
    }

    pub async fn metadata(&self) -> String {
        self.fetch("/metadata").await.body
    }

    pub async fn journal(&self) -> Journal {
        let response = self.fetch("/journal").await;
        serde_json::from_str(&response.body).expect("the journal is JSON")
    }

    async fn fetch(&self, path: &str) -> wire::Response {
        let request = wire::Request {
            method: "GET".to_owned(),
            target: path.to_owned(),
            host: self.address.to_string(),
            headers: Vec::new(),
            body: String::new(),
        };
        let response = wire::send(self.address, request).await;
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        response
    }
}

impl Journal {
    /// What it received of one kind, oldest first.
    pub fn received(&self, kind: &str) -> Vec<&Entry> {
        self.of("received", kind)
    }

    /// What it issued of one kind, oldest first.
    pub fn issued(&self, kind: &str) -> Vec<&Entry> {
        self.of("issued", kind)
    }

    fn of(&self, direction: &str, kind: &str) -> Vec<&Entry> {
        let wanted = |entry: &&Entry| entry.direction == direction && entry.kind == kind;
        self.entries.iter().filter(wanted).collect()
    }
}

impl Drop for Pysaml2 {
    fn drop(&mut self) {
        if self.process.kill().and_then(|()| self.process.wait()).is_err() {
            eprintln!("the IdP on {} was left behind", self.address);
        }
    }
}

fn first_line(output: ChildStdout) -> String {
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).expect("its output is text");
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::browser::Browser;
    use super::*;

    #[tokio::test]
    async fn offers_what_it_was_told_to() {
        let (full, bare) = tokio::join!(Pysaml2::start(&[]), Pysaml2::start(&["--no-slo"]));
        assert!(full.metadata().await.contains("SingleLogoutService"));
        assert!(!bare.metadata().await.contains("SingleLogoutService"));
        assert!(bare.metadata().await.contains("SingleSignOnService"));
    }

    #[tokio::test]
    async fn believes_nobody_it_does_not_know_and_signs_people_in() {
        let idp = Pysaml2::start(&[]).await;
        let mut browser = Browser::new();
        let sso = format!("{}/sso?SAMLRequest=fZ&Signature=x", idp.base_url());
        assert_eq!(browser.get(&sso).await.status, 400);
        assert!(idp.journal().await.sessions.is_empty());
        let login = format!("{}/login", idp.base_url());
        let page = browser.post(&login, &[("user", "alice")], Some(idp.base_url())).await;
        assert_eq!(page.status, 200);
        assert_eq!(idp.journal().await.sessions[0].user, "alice");
    }
}
