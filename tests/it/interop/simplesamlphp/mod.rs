//! SimpleSAMLphp as the IdP. Each party is a site of its own, and over TLS.

mod begins;
mod frames;
mod told;

use std::time::Duration;

use sloop::paths;
use url::Url;

use crate::support::browser::Browser;
use crate::support::idp_request::Answered;
use crate::support::rp::{RelyingParty, Tokens};
use crate::support::simplesamlphp::{Options, SimpleSamlPhp};
use crate::support::world::{HTTPS_ISSUER, On, Setting, World};

/// What its journal says of a sign-in.
const SIGNED_IN: [&str; 2] = ["AuthnRequest", "Response"];

/// A world whose `corp` is SimpleSAMLphp.
struct Story {
    world: World,
    idp: SimpleSamlPhp,
}

impl Story {
    async fn begin(on: On, options: Options, settings: &str) -> Self {
        let options = Options { base_url: Some("https://ssp.test"), ..options };
        // What we answer depends on what apps have confirmed by then; a busy machine may have both.
        let setting = Setting::on(on).https().config(|config| {
            config.logout.wait = Duration::from_secs(20);
        });
        let (world, idp) = tokio::join!(setting.begin(), SimpleSamlPhp::start(options));
        let story = Self { world, idp };
        story.connect(settings).await;
        story
    }

    /// Each side gets the other's metadata, as that one says it.
    async fn connect(&self, settings: &str) {
        self.idp.trust(&self.world.get(paths::SAML_METADATA).await.body);
        self.world.connect_by(&self.idp.metadata().await, settings).await;
    }

    fn browser(&self) -> Browser {
        self.world.browser().with_host(self.idp.base_url(), self.idp.address())
    }

    /// Signs in to an app. SimpleSAMLphp asks for the name if it does not know the browser.
    async fn sign_in(&self, browser: &mut Browser, app: &RelyingParty, user: &str) -> Tokens {
        let attempt = app.begin(&[]).await;
        let mut page = browser.open(attempt.url.as_str()).await;
        if self.idp.asks_who_is_there(&page) {
            let named = browser.submit(&page, &person(user)).await;
            page = browser.settle(named).await;
        }
        let tokens = app.finish(&attempt, &page.url).await;
        tokens.unwrap_or_else(|error| panic!("{error:?} {}", page.summary()))
    }

    /// Signs in to the service that offers no single logout, as the IdP's own link does it.
    async fn visit_another_service(&self, browser: &mut Browser) {
        let url = "/saml2/idp/SSOService.php?spentityid=https://other.example/sp";
        let page = browser.open(&self.idp.url(url)).await;
        assert_eq!(page.url.as_str(), "https://other.example/acs", "{}", page.summary());
    }

    fn journal(&self) -> Vec<String> {
        self.idp.journal(&format!("{HTTPS_ISSUER}{}", paths::SAML_METADATA))
    }
}

fn person(user: &str) -> [(&str, &str); 2] {
    [("username", user), ("password", "secret")]
}

fn home(app: &RelyingParty) -> String {
    format!("{}?state=the-state", app.post_logout_redirect_uri())
}

/// The status of the newest LogoutResponse that this browser took to the IdP.
async fn answered(browser: &Browser, story: &Story) -> String {
    let is_answer = |url: &&Url| {
        url.as_str().starts_with(story.idp.base_url())
            && url.query_pairs().any(|(name, _)| name == "SAMLResponse")
    };
    let url = browser.history().iter().map(|visit| &visit.url).rfind(is_answer).unwrap();
    Answered::of_url(&story.world, url).await.status()
}
