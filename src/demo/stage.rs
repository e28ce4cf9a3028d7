//! Everything that runs: the bridge, the test IdP and the two apps, introduced to each other.

use axum::Router;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use super::DemoError;
use super::app::{App, RelyingParty};
use super::folder::TemporaryFolder;
use super::http::{Answer, Http};
use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{self, Shutdown};
use crate::mock_idp::{self, MockIdp};
use crate::oidc::Issuer;
use crate::paths;
use crate::rng::Rng;
use crate::secret::Token;
use crate::server::Server;
use crate::store::DatabaseUrl;
use crate::use_cases::UseCases;

/// The bridge's name for the IdP.
const IDP: &str = "corp";

pub(super) struct Stage {
    pub(super) http: Http,
    pub(super) idp: MockIdp,
    pub(super) idp_url: String,
    pub(super) app_one: App,
    pub(super) app_two: App,
    server: Server,
    issuer: String,
    parties: Parties,
    folder: TemporaryFolder,
}

impl Stage {
    pub(super) async fn set_up(idp_options: mock_idp::Options) -> Result<Self, DemoError> {
        let (clock, rng, http) = (Clock::system(), Rng::system(), Http::new()?);
        let folder = TemporaryFolder::create(&rng)?;
        let (listener, issuer) = listen().await?;
        let (idp_listener, idp_url) = listen().await?;
        let (one_listener, one_url) = listen().await?;
        let (two_listener, two_url) = listen().await?;
        let mut parties = Parties::default();

        let config = Config {
            issuer: Issuer::parse(&issuer)?,
            listen: listener.local_addr().map_err(DemoError::Listen)?,
            database: DatabaseUrl::Sqlite(folder.path().join("sloop.db")),
            metadata_dir: folder.path().join("metadata"),
            ..Config::default()
        };
        let server = Server::start_on(listener, &config, &clock, Shutdown::new()).await?;

        let idp = MockIdp::new(&idp_url, idp_options, clock.clone(), rng.clone())?;
        parties.serve(idp_listener, idp.router());
        let metadata = http.get(&address(&issuer, paths::SAML_METADATA)?, &[]).await?;
        idp.trust(&expect(metadata, 200, "the bridge's SAML metadata")?)?;

        let admin = server.use_cases().issue_admin_token("demo").await?;
        let api = AdminApi { http: &http, issuer: &issuer, token: &admin };
        api.add_idp(&idp.metadata()).await?;
        let app = async |id: &str, title, url: &str, other: (&str, &str)| {
            let relying_party = RelyingParty {
                http: http.clone(),
                issuer: issuer.clone(),
                client_id: id.to_owned(),
                client_secret: api.add_client(id, url).await?,
                base: url.to_owned(),
            };
            let other = (other.0.to_owned(), other.1.to_owned());
            Ok::<_, DemoError>(App::new(title, relying_party, other, clock.clone(), rng.clone()))
        };
        let app_one = app("app-one", "App one", &one_url, ("App two", &two_url)).await?;
        let app_two = app("app-two", "App two", &two_url, ("App one", &one_url)).await?;
        parties.serve(one_listener, app_one.router());
        parties.serve(two_listener, app_two.router());
        Ok(Self { http, idp, idp_url, app_one, app_two, server, issuer, parties, folder })
    }

    pub(super) fn use_cases(&self) -> &UseCases {
        self.server.use_cases()
    }

    /// What a person can open, with its name.
    pub(super) fn addresses(&self) -> [(&str, &str); 4] {
        [
            ("app one", self.app_one.base()),
            ("app two", self.app_two.base()),
            ("the test IdP", &self.idp_url),
            ("the bridge", &self.issuer),
        ]
    }

    /// Stops everything and removes the folder.
    pub(super) async fn clear(self) {
        self.server.shutdown().await;
        self.parties.stop().await;
        drop(self.folder);
    }
}

/// The listeners that are not the bridge's.
#[derive(Default)]
struct Parties {
    shutdown: Shutdown,
    tasks: Vec<JoinHandle<lifecycle::Ended>>,
}

impl Parties {
    fn serve(&mut self, listener: TcpListener, router: Router) {
        let serving =
            lifecycle::serve(listener, router, lifecycle::Limits::default(), self.shutdown.clone());
        self.tasks.push(tokio::spawn(serving));
    }

    async fn stop(self) {
        self.shutdown.begin();
        for task in self.tasks {
            // A party that failed has said so in the log.
            let _ = task.await;
        }
    }
}

/// The bridge's admin API, as an administrator's script would use it.
struct AdminApi<'a> {
    http: &'a Http,
    issuer: &'a str,
    token: &'a Token,
}

impl AdminApi<'_> {
    async fn add_idp(&self, metadata: &str) -> Result<(), DemoError> {
        let mut url = address(self.issuer, paths::API_IDENTITY_PROVIDERS)?;
        url.query_pairs_mut().append_pair("id", IDP);
        let xml = "application/samlmetadata+xml";
        self.post(&url, xml, metadata.to_owned(), "adding the IdP").await.map(|_| ())
    }

    /// Returns the client's secret.
    async fn add_client(&self, id: &str, base: &str) -> Result<String, DemoError> {
        let what = "adding an app";
        let client = json!({
            "id": id,
            "redirect_uris": [format!("{base}/callback")],
            "post_logout_redirect_uris": [format!("{base}/signed-out")],
            "backchannel_logout_uri": format!("{base}/backchannel-logout"),
        });
        let url = address(self.issuer, paths::API_CLIENTS)?;
        let body = self.post(&url, "application/json", client.to_string(), what).await?;
        let saved: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        match saved.get("client_secret").and_then(serde_json::Value::as_str) {
            Some(secret) => Ok(secret.to_owned()),
            None => {
                Err(DemoError::SetUp { what, status: 201, body: "there is no secret in it".into() })
            }
        }
    }

    async fn post(
        &self,
        url: &Url,
        content_type: &str,
        body: String,
        what: &'static str,
    ) -> Result<String, DemoError> {
        let bearer = format!("Bearer {}", self.token.expose());
        let headers = [(AUTHORIZATION, bearer.as_str()), (CONTENT_TYPE, content_type)];
        expect(self.http.post(url, &headers, body).await?, 201, what)
    }
}

/// A free port. The URL says `localhost`: a browser counts it as a secure place.
async fn listen() -> Result<(TcpListener, String), DemoError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(DemoError::Listen)?;
    let port = listener.local_addr().map_err(DemoError::Listen)?.port();
    Ok((listener, format!("http://localhost:{port}")))
}

fn address(base: &str, path: &str) -> Result<Url, DemoError> {
    let url = format!("{base}{path}");
    Url::parse(&url).map_err(|error| {
        let reason = error.to_string();
        super::http::HttpError::NoAnswer { url, reason }.into()
    })
}

fn expect(answer: Answer, status: u16, what: &'static str) -> Result<String, DemoError> {
    match answer.status {
        found if found == status => Ok(answer.body),
        status => Err(DemoError::SetUp { what, status, body: answer.body }),
    }
}
