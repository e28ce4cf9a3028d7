//! SimpleSAMLphp as an identity provider: Debian's package, run by PHP's own server, with the configuration of
//! `tests/interop/simplesamlphp`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::browser::{Browser, Page};
use super::peer_process::PeerProcess;
use super::wire;

/// Where Debian puts its pages.
const PAGES: &str = "/usr/share/simplesamlphp/www";

/// What differs between stories.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A public address such as `https://ssp.test`, served from loopback; `None`: plain HTTP there.
    pub base_url: Option<&'static str>,
    /// `sign.logout` and `validate.logout`. Both are off where nothing is said.
    pub signed: bool,
    pub logout_type: LogoutType,
    /// Of its SingleLogoutService: `Redirect`, as where nothing is said, or `POST`.
    pub binding: &'static str,
}

/// Its `logouttype`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogoutType {
    /// One service after the other, each in the whole window.
    Traditional,
    /// A page with a frame for each service.
    Frames,
}

/// A running IdP. It ends with this value.
#[derive(Debug)]
pub struct SimpleSamlPhp {
    process: PeerProcess,
    base_url: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base_url: None,
            signed: true,
            logout_type: LogoutType::Traditional,
            binding: "Redirect",
        }
    }
}

impl SimpleSamlPhp {
    /// Starts it on a free port. It knows no service of ours before [`SimpleSamlPhp::trust`].
    pub async fn start(options: Options) -> Self {
        assert!(Path::new(PAGES).exists(), "SimpleSAMLphp is missing: run tests/setup");
        let folder = tempfile::tempdir().expect("a temporary folder");
        for part in ["journal", "sessions"] {
            std::fs::create_dir(folder.path().join(part)).expect("a folder in it");
        }
        let address = PeerProcess::free_address();
        let plain = || format!("http://localhost:{}", address.port());
        let base_url = options.base_url.map_or_else(plain, str::to_owned);
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/simplesamlphp");
        let logout_type = match options.logout_type {
            LogoutType::Traditional => "traditional",
            LogoutType::Frames => "iframe",
        };
        let signed = options.signed.to_string();
        let mut command = Command::new("php");
        command.args(["-S", &address.to_string(), "-t", PAGES]);
        command.env("SIMPLESAMLPHP_CONFIG_DIR", config).env("SSP_FOLDER", folder.path());
        command.env("SSP_BASE_URL", &base_url).env("SSP_SIGNED", signed);
        command.env("SSP_LOGOUT_TYPE", logout_type).env("SSP_BINDING", options.binding);
        Self { process: PeerProcess::start(command, folder, address).await, base_url }
    }

    /// Hands over our SP metadata: its own parser reads the file at every request.
    pub fn trust(&self, sp_metadata: &str) {
        std::fs::write(self.process.folder().join("sp.xml"), sp_metadata).expect("a written file");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// Its public address.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Its page that signs a person out of everything, and where that ends.
    pub fn logout_url(&self) -> (String, String) {
        let end = self.url("/logout.php");
        let encoded = url::form_urlencoded::byte_serialize(end.as_bytes()).collect::<String>();
        (self.url(&format!("/saml2/idp/SingleLogoutService.php?ReturnTo={encoded}")), end)
    }

    /// What it says of itself.
    pub async fn metadata(&self) -> String {
        let host = self.base_url.split_once("://").expect("a URL").1.to_owned();
        let target = "/saml2/idp/metadata.php".to_owned();
        let (method, headers, body) = ("GET".to_owned(), Vec::new(), String::new());
        let request = wire::Request { method, target, host, headers, body };
        let response = wire::send(self.address(), request).await;
        let metadata = response.header("content-type") == Some("application/samlmetadata+xml");
        assert!(metadata, "{} {}", response.body, self.process.said());
        response.body
    }

    /// Whether the window shows its login page.
    pub fn asks_who_is_there(&self, page: &Page) -> bool {
        page.url.as_str().starts_with(&self.base_url) && page.body.contains("name=\"password\"")
    }

    /// Who is signed in there with this browser, as its own page tells.
    pub async fn who_is_there(&self, browser: &mut Browser) -> Option<String> {
        let url = self.url("/module.php/core/authenticate.php?as=people");
        let page = browser.open(&url).await;
        if self.asks_who_is_there(&page) {
            return None;
        }
        let text = page.text();
        let people = ["ada@example.org", "bob@example.org"];
        let found: Vec<_> = people.into_iter().filter(|mail| text.contains(mail)).collect();
        assert_eq!(found.len(), 1, "{}", page.summary());
        Some(found[0].split('@').next().unwrap_or_default().to_owned())
    }

    /// What it received from this service and sent to it, by its statistics, oldest first: such as
    /// `LogoutRequest:recv`, `LogoutResponse:sent partial`.
    pub fn journal(&self, service: &str) -> Vec<String> {
        let folder = std::fs::read_dir(self.process.folder().join("journal")).expect("its journal");
        let mut files: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        let text = |file| std::fs::read_to_string(file).expect("a file of text");
        let lines: Vec<String> = files.iter().map(text).collect();
        lines
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| message(line, service))
            .collect()
    }
}

/// One line of the journal, if it is about a message of this service.
fn message(line: &str, service: &str) -> Option<String> {
    let (_, event) = line.split_once(' ').expect("a time and an event");
    let event: Value = serde_json::from_str(event).expect("an event");
    let kind = event["op"].as_str()?.strip_prefix("saml:idp:")?;
    if event["spEntityID"] != service {
        return None;
    }
    let partial = if event["partial"] == true { " partial" } else { "" };
    let error = if event["error"].is_null() { "" } else { " error" };
    Some(format!("{kind}{partial}{error}"))
}
