//! A running service that is connected: to the app `wiki`, and to the IdP `corp`, which trusts it.

use sloop::mock_idp::{MockIdp, Options};

use super::{Place, SECRET, Serving, app, declared, idp, open};
use crate::support::browser::{Browser, Page};
use crate::support::rp::{RelyingParty, Tokens};

pub(super) struct Connected {
    pub(super) place: Place,
    pub(super) serving: Serving,
    pub(super) idp: MockIdp,
    pub(super) app: RelyingParty,
}

/// A browser that has just signed somebody in to the app.
pub(super) struct SignedIn {
    pub(super) browser: Browser,
    /// Of the app, at its callback.
    pub(super) page: Page,
    pub(super) tokens: Tokens,
}

impl Connected {
    pub(super) async fn begin() -> Self {
        Self::to(idp(Options::default()).await, SECRET).await
    }

    /// To this IdP, and with this text in the file of the app's secret.
    pub(super) async fn to(idp: MockIdp, secret: &str) -> Self {
        let app = app("wiki").await;
        let place = Place::new(&declared(&app));
        place.write("secret", secret);
        place.write("metadata/corp.xml", &idp.metadata());
        let serving = place.serve().await;
        let app = app.at(serving.provider());
        idp.trust(&serving.get("/saml/metadata", &[]).await.body).unwrap();
        Self { place, serving, idp, app }
    }

    /// `user` in a browser of their own.
    pub(super) async fn sign_in(&self, user: &str) -> SignedIn {
        let mut browser = self.serving.browser();
        let (attempt, page) = open(&mut browser, &self.app, user).await;
        let tokens = self.app.finish(&attempt, &page.url).await.unwrap();
        SignedIn { browser, page, tokens }
    }
}
