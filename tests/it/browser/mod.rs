//! Stories in a real Chromium, over TLS, with every party on a site of its own and, where a story
//! does not say otherwise, third-party cookies blocked: what `SameSite`, `form-action`, frames and scripts really do.

mod frames;
mod person_page;
mod sign_out;
mod strangers;

use serde_json::json;

use crate::support::chromium::{Chromium, ThirdPartyCookies};
use crate::support::rp::{RelyingParty, Tokens};
use crate::support::tls_front::TlsFront;
use crate::support::world::{HTTPS_ISSUER, On, Setting, World};

/// A world with TLS in front of it.
struct Sites {
    world: World,
    front: TlsFront,
}

impl Sites {
    async fn begin(setting: Setting) -> Self {
        let world = setting.https().begin().await;
        let front = TlsFront::start().await;
        front.serve(HTTPS_ISSUER, world.address);
        front.serve(&world.idp_url, world.idp_address());
        Self { world, front }
    }

    async fn on(on: On) -> Self {
        Self::begin(Setting::on(on)).await
    }

    async fn chromium(&self) -> Chromium {
        Chromium::start(self.front.address, ThirdPartyCookies::Blocked).await
    }

    /// An app at `https://ID.example`.
    async fn app(&self, id: &str) -> RelyingParty {
        let origin = format!("https://{id}.example");
        let settings = json!({
            "redirect_uris": [format!("{origin}/callback")],
            "post_logout_redirect_uris": [format!("{origin}/signed-out")],
        });
        let app = self.world.app_with(id, settings).await.with_origin(&origin);
        self.front.serve(&origin, app.address());
        app
    }
}

/// Signs a person in to an app. The IdP asks who is there if it does not know the browser.
async fn sign_in(chromium: &Chromium, sites: &Sites, app: &RelyingParty, user: &str) -> Tokens {
    let attempt = app.begin(&[]).await;
    chromium.open(attempt.url.as_str()).await;
    if chromium.url().await.as_str().starts_with(&sites.world.idp_url) {
        chromium.fill("user", user).await;
        chromium.press("Sign in").await;
    }
    let callback = chromium.arrives(&app.redirect_uri()).await;
    app.finish(&attempt, &callback).await.unwrap()
}

/// Whether this window is signed in: what a silent request says.
async fn is_signed_in(chromium: &Chromium, app: &RelyingParty) -> bool {
    let attempt = app.begin(&[("prompt", "none")]).await;
    chromium.open(attempt.url.as_str()).await;
    let callback = chromium.arrives(&app.redirect_uri()).await;
    let has = |name: &str| callback.query_pairs().any(|(key, _)| key == name);
    assert!(has("code") != has("error"), "{callback}");
    has("code")
}
