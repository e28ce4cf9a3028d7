//! A running service with an IdP and apps around it, on one of the two databases.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use sloop::clock::Clock;
use sloop::config::Config;
use sloop::keys::{KeyAlgorithm, SigningKey};
use sloop::lifecycle::Shutdown;
use sloop::mock_idp::MockIdp;
use sloop::oidc::Issuer;
use sloop::paths;
use sloop::rng::Rng;
use sloop::server::Server;
use sloop::use_cases::{LogoutStory, UseCases};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use super::browser::{Browser, Page};
use super::postgres::Database;
use super::pysaml2::Pysaml2;
use super::rp::{Attempt, Provider, RelyingParty, Tokens};
pub use super::setting::Setting;
use super::template;
use super::wire;

/// Runs a story on both databases: `both!(name, story)` makes the tests
/// `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! both {
    ($(#[$meta:meta])* $name:ident, $story:ident) => {
        $(#[$meta])*
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$story($crate::support::world::On::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$story($crate::support::world::On::Postgres).await;
            }
        }
    };
}

/// The database of a story.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

/// Of the IdP of every world: making one takes longer than most stories.
static IDP_KEY: OnceLock<SigningKey> = OnceLock::new();

/// The public origin of a service that is reached by TLS through a proxy.
pub const HTTPS_ISSUER: &str = "https://sloop.test";

pub struct World {
    pub clock: Clock,
    pub issuer: String,
    pub address: SocketAddr,
    /// The built-in test IdP, connected as `corp`.
    pub idp: MockIdp,
    pub idp_url: String,
    idp_address: SocketAddr,
    pub config: Config,
    server: Option<Server>,
    admin: String,
    tasks: Vec<JoinHandle<()>>,
    folder: tempfile::TempDir,
    pub(super) database: Option<Database>,
}

impl World {
    /// A world with the friendliest IdP and no app yet.
    pub async fn on(on: On) -> Self {
        Setting::on(on).begin().await
    }

    pub(super) async fn begin(setting: Setting) -> Self {
        let clock = Clock::system();
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let issuer = match setting.https {
            true => format!("{HTTPS_ISSUER}{}", setting.path),
            false => format!("http://localhost:{}{}", address.port(), setting.path),
        };
        let (mut config, database) = configure(setting.on, &issuer, folder.path()).await;
        (setting.config)(&mut config);
        let server = Server::start_on(listener, &config, &clock, Shutdown::new()).await.unwrap();

        let idp_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let idp_address = idp_listener.local_addr().unwrap();
        let idp_url = match setting.https {
            // Another site than the service, so that its forms are cross-site posts.
            true => "https://idp.test".to_owned(),
            false => format!("http://localhost:{}", idp_address.port()),
        };
        let key = IDP_KEY.get_or_init(|| SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap());
        let rng = Rng::system();
        let idp = MockIdp::with_key(&idp_url, setting.idp, clock.clone(), rng, key).unwrap();
        let router = idp.router();
        let serving = tokio::spawn(async move {
            axum::serve(idp_listener, router).await.unwrap();
        });

        let admin = server.use_cases().issue_admin_token("test").await.unwrap();
        let admin = admin.expose().to_owned();
        let world = Self {
            clock,
            issuer,
            address,
            idp,
            idp_url,
            idp_address,
            config,
            server: Some(server),
            admin,
            tasks: vec![serving],
            folder,
            database,
        };
        let metadata = world.get(paths::SAML_METADATA).await;
        assert_eq!(metadata.status, 200);
        world.idp.trust(&metadata.body).unwrap();
        let added = world.add_idp("corp", &world.idp.metadata(), "").await;
        assert_eq!(added.status, 201, "{}", added.body);
        world
    }

    /// Where the IdP really listens.
    pub fn idp_address(&self) -> SocketAddr {
        self.idp_address
    }

    /// The folder with the SQLite database, named `sloop.db`.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The PostgreSQL database of this world.
    pub fn database_url(&self) -> String {
        self.database.as_ref().expect("a world on PostgreSQL").url().to_owned()
    }

    pub fn use_cases(&self) -> &UseCases {
        self.server.as_ref().unwrap().use_cases()
    }

    /// Stops the service and starts it again on the same database and address.
    pub async fn restart(&mut self) {
        self.server.take().unwrap().shutdown().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        let server =
            Server::start_on(listener, &self.config, &self.clock, Shutdown::new()).await.unwrap();
        self.server = Some(server);
    }

    /// The absolute URL of a path of the service.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    pub fn provider(&self) -> Provider {
        Provider { issuer: self.issuer.clone(), address: self.address }
    }

    /// A browser that knows where everything is served.
    pub fn browser(&self) -> Browser {
        Browser::new()
            .with_clock(&self.clock)
            .with_host(&self.issuer, self.address)
            .with_host(&self.idp_url, self.idp_address)
    }

    /// One request without a browser, to the service.
    pub async fn get(&self, path: &str) -> wire::Response {
        self.request("GET", path, &[], "").await
    }

    /// One request without a browser, with these headers. `path` is below the issuer.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> wire::Response {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let issuer = Url::parse(&self.issuer).unwrap();
        let request = wire::Request {
            method: method.to_owned(),
            target: format!("{}{path}", issuer.path().trim_end_matches('/')),
            host: issuer.authority().to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: body.to_owned(),
        };
        wire::send(self.address, request).await
    }

    // --- the admin API

    pub async fn api(&self, method: &str, path: &str, kind: &str, body: &str) -> wire::Response {
        let bearer = format!("Bearer {}", self.admin);
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        self.request(method, path, &headers, body).await
    }

    /// Uploads IdP metadata; `settings` is more of the query, such as `&fallback=local`.
    pub async fn add_idp(&self, id: &str, metadata: &str, settings: &str) -> wire::Response {
        let path = format!("{}?id={id}{settings}", paths::API_IDENTITY_PROVIDERS);
        self.api("POST", &path, "application/samlmetadata+xml", metadata).await
    }

    /// Makes the pysaml2 IdP the one that is known as `corp`, and us the one that it serves.
    pub async fn connect(&self, idp: &Pysaml2) {
        idp.trust(&self.get(paths::SAML_METADATA).await.body);
        self.connect_by(&idp.metadata().await, "").await;
    }

    /// Makes the IdP of this metadata the one that is known as `corp`, with more settings.
    pub async fn connect_by(&self, metadata: &str, settings: &str) {
        let entity_id = metadata.split("entityID=\"").nth(1).unwrap().split('"').next().unwrap();
        let settings = format!("&entity_id={entity_id}{settings}");
        let added = self.add_idp("corp", metadata, &settings).await;
        assert_eq!(added.status, 200, "{}", added.body);
    }

    pub async fn add_client(&self, settings: Value) -> wire::Response {
        self.api("POST", paths::API_CLIENTS, "application/json", &settings.to_string()).await
    }

    /// A registered app that runs, and is told of logouts by the back channel.
    pub async fn app(&self, id: &str) -> RelyingParty {
        self.app_with(id, json!({})).await
    }

    /// As above, with more settings.
    pub async fn app_with(&self, id: &str, settings: Value) -> RelyingParty {
        self.register(self.unregistered(id).await, settings).await
    }

    /// A registered app that is told of logouts by a frame in the browser, and by nothing else.
    pub async fn framed_app(&self, id: &str) -> RelyingParty {
        let app = self.unregistered(id).await;
        let uri = app.frontchannel_logout_uri();
        self.register_framed(app, &uri).await
    }

    /// As above, with this address for its frame.
    pub async fn register_framed(&self, app: RelyingParty, uri: &str) -> RelyingParty {
        let only = json!({ "backchannel_logout_uri": null, "frontchannel_logout_uri": uri });
        self.register(app, only).await
    }

    /// An app that runs, and that nobody knows yet.
    pub async fn unregistered(&self, id: &str) -> RelyingParty {
        RelyingParty::start(id, self.provider()).await.with_clock(&self.clock)
    }

    /// Registers an app that runs, with more settings.
    pub async fn register(&self, mut app: RelyingParty, settings: Value) -> RelyingParty {
        let mut wanted = json!({
            "id": app.client_id,
            "redirect_uris": [app.redirect_uri()],
            "post_logout_redirect_uris": [app.post_logout_redirect_uri()],
            "backchannel_logout_uri": app.backchannel_logout_uri(),
        });
        for (key, value) in settings.as_object().unwrap() {
            wanted[key] = value.clone();
        }
        wanted.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let answer = self.add_client(wanted).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let answer = answer.json();
        app.client_secret = answer["client_secret"].as_str().map(str::to_owned);
        app
    }

    // --- signing in and out

    /// Signs a person in to an app. The IdP asks for the name if it does not know the browser.
    pub async fn sign_in(&self, browser: &mut Browser, app: &RelyingParty, user: &str) -> Tokens {
        let attempt = app.begin(&[]).await;
        let callback = self.at_app(browser, app, &attempt, user).await;
        app.finish(&attempt, &callback).await.unwrap()
    }

    /// Goes from the app's request to its callback.
    pub async fn at_app(
        &self,
        browser: &mut Browser,
        app: &RelyingParty,
        attempt: &Attempt,
        user: &str,
    ) -> Url {
        let callback = app.redirect_uri();
        let mut page = browser.open(attempt.url.as_str()).await;
        if !page.url.as_str().starts_with(&callback) {
            // The IdP asks who is there.
            let named = browser.submit(&page, &[("user", user)]).await;
            page = browser.settle(named).await;
        }
        assert!(page.url.as_str().starts_with(&callback), "{}", page.summary());
        page.url
    }

    /// Signs out of an app the way apps do it, and follows to the end.
    pub async fn sign_out(&self, browser: &mut Browser, app: &RelyingParty, hint: &str) -> Page {
        let url = self.logout_url(app, hint, "the-state").await;
        browser.open(url.as_str()).await
    }

    pub async fn logout_url(&self, app: &RelyingParty, hint: &str, state: &str) -> Url {
        app.logout_url(&[
            ("id_token_hint", hint),
            ("post_logout_redirect_uri", &app.post_logout_redirect_uri()),
            ("state", state),
        ])
        .await
    }

    /// Whether somebody is signed in here: what a silent request says.
    pub async fn is_signed_in(&self, browser: &mut Browser, app: &RelyingParty) -> bool {
        let attempt = app.begin(&[("prompt", "none")]).await;
        let page = browser.get(attempt.url.as_str()).await;
        let location = page.location().expect("a silent request is always answered by a redirect");
        assert!(location.as_str().starts_with(&app.redirect_uri()), "{location}");
        let found = |name: &str| location.query_pairs().find(|(key, _)| key == name).is_some();
        match (found("code"), found("error")) {
            (true, false) => true,
            (false, true) => {
                let error = location.query_pairs().find(|(key, _)| key == "error").unwrap();
                assert_eq!(error.1, "login_required");
                false
            }
            _ => panic!("neither a code nor an error: {location}"),
        }
    }

    /// The newest logout, as an administrator reads it.
    pub async fn newest_logout(&self) -> LogoutStory {
        let newest = self.use_cases().logouts(1).await.unwrap();
        self.use_cases().logout_story(newest.first().expect("there was a logout").id).await.unwrap()
    }

    pub async fn logout_count(&self) -> usize {
        self.use_cases().logouts(1000).await.unwrap().len()
    }

    /// Each party of the newest logout with its outcome, as `app one: confirmed`.
    pub async fn outcomes(&self) -> Vec<String> {
        let story = self.newest_logout().await;
        let outcome = |leg: &sloop::use_cases::LegStory| {
            let outcome = leg.outcome.map_or("open", |outcome| outcome.as_str());
            format!("{}: {outcome}", leg.party)
        };
        story.legs.iter().map(outcome).collect()
    }

    /// What the worker does at one look, to its end.
    pub async fn work(&self) {
        self.use_cases().work_due().await.unwrap();
        self.use_cases().deliveries_done().await;
    }

    /// Waits until the newest logout is settled.
    pub async fn settled(&self) -> LogoutStory {
        for _ in 0..200 {
            let story = self.newest_logout().await;
            if story.settled_at.is_some() {
                return story;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the logout never settled: {:?}", self.newest_logout().await);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(server) = self.server.take() {
            // The workers of the service end by themselves; nobody waits for them here.
            tokio::spawn(server.shutdown());
        }
    }
}

async fn configure(on: On, issuer: &str, folder: &std::path::Path) -> (Config, Option<Database>) {
    let mut config = Config {
        issuer: Issuer::parse(issuer).unwrap(),
        metadata_dir: folder.join("metadata"),
        // Apps of the tests live on loopback, whatever the issuer is.
        egress_allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        ..Config::default()
    };
    match on {
        On::Sqlite => {
            let path = folder.join("sloop.db");
            template::copy_sqlite(&path).await;
            config.database = format!("sqlite:{}", path.display()).parse().unwrap();
            (config, None)
        }
        On::Postgres => {
            let kek = folder.join("kek");
            let database = template::copy_postgres(&kek).await;
            config.database = database.url().parse().unwrap();
            config.keys.kek_file = Some(kek);
            (config, Some(database))
        }
    }
}
