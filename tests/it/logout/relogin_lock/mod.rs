//! After a logout that an IdP has not confirmed, nobody is signed in again just because it still knows
//! the browser.

mod cookie;
mod demand;
mod planted;
mod refusal;
mod refused_demand;
mod session_index;
mod without_browser;

use serde_json::json;
use sloop::paths;
use url::Url;

use crate::support::browser::{Browser, Page};
use crate::support::forger::{Asked, Forger, Said};
use crate::support::query::value;
use crate::support::rp::{Attempt, RelyingParty, Tokens};
use crate::support::world::World;

/// An IdP without logout that says of people whatever a story wants, and an app that knows no other.
struct Careless {
    forger: Forger,
    app: RelyingParty,
}

/// A sign-in as far as the IdP's answer.
struct Attempted {
    attempt: Attempt,
    asked: Asked,
    /// What the browser got for the answer.
    page: Page,
}

impl Careless {
    async fn connect(world: &World) -> Self {
        let forger = match world.issuer.starts_with("https:") {
            true => Forger::at("https://forger.test", &world.clock),
            false => Forger::new(&world.clock),
        };
        let added = world.add_idp("forged", &forger.metadata(), "&fallback=local").await;
        assert_eq!(added.status, 201, "{}", added.body);
        let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
        Self { forger, app }
    }

    async fn ask(&self, browser: &mut Browser) -> (Attempt, Asked) {
        let attempt = self.app.begin(&[]).await;
        let page = browser.get(attempt.url.as_str()).await;
        (attempt, self.forger.asked(&page))
    }

    /// The IdP answers what it was asked, and the browser goes where that leads by itself.
    async fn answer(
        &self,
        world: &World,
        browser: &mut Browser,
        (attempt, asked): (Attempt, Asked),
        change: impl FnOnce(&mut Said),
    ) -> Attempted {
        let mut said = self.forger.says(&asked, "ada");
        change(&mut said);
        let page = self.forger.send(world, browser, &asked, &said).await;
        let issuer = world.issuer.clone();
        let page = browser.follow_until(page, |next| !next.as_str().starts_with(&issuer)).await;
        Attempted { attempt, asked, page }
    }

    async fn sign_in(
        &self,
        world: &World,
        browser: &mut Browser,
        change: impl FnOnce(&mut Said),
    ) -> Attempted {
        let asked = self.ask(browser).await;
        self.answer(world, browser, asked, change).await
    }

    /// The tokens of a sign-in that came through.
    async fn tokens(&self, attempted: &Attempted) -> Tokens {
        let home =
            attempted.page.location().unwrap_or_else(|| panic!("{}", attempted.page.summary()));
        self.app.finish(&attempted.attempt, &home).await.unwrap()
    }

    async fn sign_out(&self, world: &World, browser: &mut Browser, tokens: &Tokens) {
        let end = world.sign_out(browser, &self.app, &tokens.id_token).await;
        assert_eq!(end.url.as_str(), super::home(&self.app));
        assert!(!world.is_signed_in(browser, &self.app).await);
    }
}

/// The IdP is asked to authenticate the person anew.
fn is_demanded(asked: &Asked) -> bool {
    asked.request.force_authn
}

/// The page that says that the IdP did not ask.
fn is_refused(page: &Page, world: &World) -> bool {
    let here = page.url.as_str().starts_with(&world.url(paths::SAML_ACS_CONTINUE));
    let explained =
        page.text().contains("You signed out, and were signed in again without being asked");
    assert_eq!(here && page.status == 200, explained, "{}", page.summary());
    explained
}

/// Presses a button of that page; returns where the browser is sent on to.
async fn press(browser: &mut Browser, page: &Page, answer: &str) -> Url {
    let pressed = browser.submit(page, &[("answer", answer)]).await;
    assert_eq!(pressed.status, 200, "a form of ours is never answered by a redirect");
    pressed.refresh().unwrap_or_else(|| panic!("{}", pressed.summary()))
}

fn error_of(location: &Url) -> Option<String> {
    value(location, "error")
}

/// How many locks were set, refused by and lifted so far.
async fn recorded(world: &World) -> [usize; 3] {
    let audit = world.audit().await;
    ["set", "refused", "lifted"].map(|what| {
        let kind = format!("relogin_lock.{what}");
        audit.iter().filter(|event| event.kind == kind).count()
    })
}
