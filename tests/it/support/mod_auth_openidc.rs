//! Apache with mod_auth_openidc as an app: Debian's packages, with the configuration of
//! `tests/interop/mod_auth_openidc`, as a process of ours and never as the machine's own server.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::browser::{Browser, Page};
use super::peer_process::PeerProcess;
use super::wire;
use super::world::World;

/// Where Debian puts the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// A running app, registered at the service. It ends with this value.
#[derive(Debug)]
pub struct ModAuthOpenidc {
    process: PeerProcess,
}

/// How it wants to hear of logouts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    ByBackChannel,
    ByFrame,
}

impl ModAuthOpenidc {
    /// Registers it as client `apache` and starts it.
    pub async fn start(world: &World, told: Told) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Started by root, it is somebody else when it serves.
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), everybody).expect("its own folder");
        let address = PeerProcess::free_address();
        let origin = format!("http://{address}");
        let mut client = json!({
            "id": "apache",
            "redirect_uris": [format!("{origin}/redirect_uri")],
            "post_logout_redirect_uris": [format!("{origin}/signed-out.html")],
        });
        let (setting, kind) = match told {
            Told::ByBackChannel => ("backchannel_logout_uri", "backchannel"),
            Told::ByFrame => ("frontchannel_logout_uri", "get"),
        };
        client[setting] = format!("{origin}/redirect_uri?logout={kind}").into();
        let registered = world.add_client(client).await;
        assert_eq!(registered.status, 201, "{}", registered.body);
        let registered = registered.json();
        let secret = registered["client_secret"].as_str().expect("its secret");

        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/mod_auth_openidc");
        let mut command = Command::new("/usr/sbin/apache2");
        // One process, so that nothing is left of it when that ends.
        command.arg("-X").arg("-f").arg(ours.join("apache2.conf"));
        command.env("APP_FOLDER", folder.path()).env("APP_ADDRESS", address.to_string());
        command.env("APP_MODULES", MODULES).env("APP_PAGES", ours.join("pages"));
        command.env("APP_ISSUER", &world.issuer);
        command.env("APP_CLIENT_ID", "apache").env("APP_CLIENT_SECRET", secret);
        Self { process: PeerProcess::start(command, folder, address).await }
    }

    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Its own way out, which ends at [`ModAuthOpenidc::signed_out`].
    pub fn logout_url(&self) -> String {
        let end = self.signed_out();
        let end = url::form_urlencoded::byte_serialize(end.as_bytes()).collect::<String>();
        self.url(&format!("/redirect_uri?logout={end}"))
    }

    pub fn signed_out(&self) -> String {
        self.url("/signed-out.html")
    }

    /// A page that only somebody who is signed in gets to see.
    pub fn page(&self) -> String {
        self.url("/signed-in.html")
    }

    pub fn shows_its_page(&self, page: &Page) -> bool {
        page.url.as_str() == self.page() && page.text() == "App signed in"
    }

    /// What it knows of whoever is signed in with this browser: its own session's claims.
    pub async fn who_is_there(&self, browser: &mut Browser) -> Option<Value> {
        let page = browser.get(&self.url("/redirect_uri?info=json")).await;
        match page.status {
            200 => Some(serde_json::from_str(&page.body).expect("JSON")),
            401 => None,
            _ => panic!("{}: {}", page.summary(), self.process.said()),
        }
    }

    /// Somebody sends it this logout token: the status that it answers.
    pub async fn receive(&self, logout_token: &str) -> u16 {
        let form = ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let request = wire::Request {
            method: "POST".to_owned(),
            target: "/redirect_uri?logout=backchannel".to_owned(),
            host: self.address().to_string(),
            headers: vec![form],
            body: format!("logout_token={logout_token}"),
        };
        wire::send(self.address(), request).await.status
    }

    /// For messages of failing assertions.
    pub fn said(&self) -> String {
        self.process.said()
    }
}
