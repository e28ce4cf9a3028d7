//! A browser that waits for its IdP's answer, and what it gets instead.

use std::collections::BTreeSet;

use sloop::mock_idp::Encryption;
use sloop::mock_idp::encryption::Content;
use sloop::xml::encryption_algorithm::ContentAlgorithm;

use super::{ask, forged};
use crate::support::browser::{Browser, Page};
use crate::support::encrypted::element_in;
use crate::support::forger::{Asked, Forger, Said, Sign};
use crate::support::rp::{Attempt, RelyingParty};
use crate::support::world::{On, World};

pub(super) const HOLDER: &str = "EncryptedAssertion";
pub(super) const CBC: Encryption =
    Encryption { content: Content::Accepted(ContentAlgorithm::Aes256Cbc), ..Encryption::COMMON };

/// One browser that waits for its answer, and everything that was answered to it.
pub(super) struct Waiting {
    pub(super) world: World,
    pub(super) forger: Forger,
    pub(super) app: RelyingParty,
    browser: Browser,
    attempt: Attempt,
    asked: Asked,
    /// What the service's metadata says to encrypt to.
    pub(super) to: Vec<u8>,
    pub(super) pages: BTreeSet<String>,
}

impl Waiting {
    pub(super) async fn on(on: On, settings: &str) -> Self {
        let world = World::on(on).await;
        let (forger, app) = forged(&world).await;
        if !settings.is_empty() {
            let saved = world.add_idp("forged", &forger.metadata(), settings).await;
            assert_eq!(saved.status, 200, "{}", saved.body);
        }
        let mut browser = world.browser();
        let (attempt, asked) = ask(&forger, &mut browser, &app).await;
        let to = world.encryption_certificate().await;
        Self { world, forger, app, browser, attempt, asked, to, pages: BTreeSet::new() }
    }

    pub(super) fn says(&self, name: &str) -> Said {
        self.forger.says(&self.asked, name)
    }

    pub(super) fn holder(&self, said: &Said, sign: Sign, how: Encryption) -> String {
        element_in(&self.forger.encrypted(said, sign, how, &self.to), HOLDER)
    }

    pub(super) async fn post(&mut self, xml: &str) -> Page {
        let relay_state = self.asked.relay_state.as_deref();
        self.forger.post(&self.world, &mut self.browser, xml, relay_state).await
    }

    /// Nobody is signed in, nothing is set, and the page is that of every other refusal.
    pub(super) async fn refuses(&mut self, what: &str, xml: &str) {
        let page = self.post(xml).await;
        assert_eq!(page.status, 400, "{what}: {}", page.summary());
        assert_eq!((page.header("location"), page.header("set-cookie")), (None, None), "{what}");
        self.pages.insert(without_reference(&page));
        assert_eq!(self.pages.len(), 1, "{what}: {:#?}", self.pages);
        let known = self.browser.cookie(&self.world.issuer, "sid").is_some();
        assert!(!known && !self.world.is_signed_in(&mut self.browser, &self.app).await, "{what}");
    }

    /// The good answer still works, for the same request.
    pub(super) async fn accepts(mut self, xml: &str) {
        let page = self.post(xml).await;
        let callback = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
        self.app.finish(&self.attempt, &callback).await.unwrap();
        assert!(self.world.is_signed_in(&mut self.browser, &self.app).await);
    }
}

/// The page without the reference, which is another every time.
pub(super) fn without_reference(page: &Page) -> String {
    let (before, rest) = page.body.split_once("<code>").unwrap();
    let (_, after) = rest.split_once("</code>").unwrap();
    format!("{before}{after}")
}
