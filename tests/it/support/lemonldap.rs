//! LemonLDAP::NG as an identity provider: Debian's package, run by Plack, with the configuration of
//! `tests/interop/lemonldap`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::browser::{Browser, Page};
use super::peer_process::PeerProcess;
use super::wire;

/// A running IdP. It ends with this value.
#[derive(Debug)]
pub struct LemonLdap {
    process: PeerProcess,
    base_url: String,
}

impl LemonLdap {
    /// Starts it on a free port. `base_url` is a public address such as `https://llng.test`, served from loopback;
    /// `None`: plain HTTP there. `sp_metadata` is ours.
    pub async fn start(base_url: Option<&str>, sp_metadata: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("sp.xml"), sp_metadata).expect("a written file");
        let address = PeerProcess::free_address();
        let plain = || format!("http://localhost:{}", address.port());
        let base_url = base_url.map_or_else(plain, str::to_owned);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("plackup");
        command.args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--env", "deployment"]);
        command.arg(root.join("tests/interop/lemonldap/portal.psgi"));
        command.env("LLNG_FOLDER", folder.path());
        command.env("LLNG_BASE_URL", &base_url);
        command.env("LLNG_KEYS", root.join("fixtures/keys"));
        Self { process: PeerProcess::start(command, folder, address).await, base_url }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// Its public address, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// What it says of itself.
    pub async fn metadata(&self) -> String {
        let request = wire::Request {
            method: "GET".to_owned(),
            target: "/saml/metadata".to_owned(),
            host: self.base_url.split_once("://").expect("a URL").1.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        };
        let response = wire::send(self.process.address(), request).await;
        let found = response.status == 200 && response.body.contains("EntityDescriptor");
        assert!(found, "{} {}", response.body, self.process.said());
        response.body
    }

    /// Whether the window shows its login page.
    pub fn asks_who_is_there(&self, page: &Page) -> bool {
        page.url.as_str().starts_with(&self.base_url) && page.body.contains("name=\"password\"")
    }

    /// Who is signed in there with this browser, as its own page tells.
    pub async fn who_is_there(&self, browser: &mut Browser) -> Option<String> {
        let page = browser.open(&self.url("/")).await;
        if self.asks_who_is_there(&page) {
            return None;
        }
        let people = ["dwho", "rtyler", "msmith"];
        let found = people.into_iter().find(|name| page.body.contains(name));
        Some(found.unwrap_or_else(|| panic!("{}", page.summary())).to_owned())
    }

    /// For messages of failing assertions.
    pub fn said(&self) -> String {
        self.process.said()
    }
}
