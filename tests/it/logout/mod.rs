mod admin_logout;
mod after;
mod answer;
mod apps_alone;
mod asynchronous;
mod back_channel;
mod browsers;
mod confirm;
mod cross_site;
mod damaged_session;
mod deadline;
mod delivery;
mod encrypted_name;
mod end_page;
mod end_session;
mod ended_before;
mod endpoints;
mod expiry;
mod faults;
mod faults_by_soap;
mod faulty_metadata;
mod faulty_request;
mod forged_answer;
mod frames_page;
mod front_channel;
mod hint;
mod hint_alone;
mod idp_frames;
mod idp_iframe;
mod idp_initiated;
mod idp_request_refused;
mod idp_sessions;
mod interrupted;
mod ladder;
mod language;
mod lapsed;
mod late_answer;
mod logout_receipt;
mod logout_result;
mod lost_party;
mod lost_relay_state;
mod main_job;
mod many_indexes;
mod many_sessions;
mod names;
mod off_boarding;
mod other_products;
mod overtaken;
mod owed_answer;
mod page_address;
mod person_page;
mod person_page_race;
mod person_page_refused;
mod personas;
mod post_form;
mod post_logout_uri;
mod race;
mod redirect_query;
mod relogin_lock;
mod restart;
mod retry;
mod scope;
mod single_logout;
mod soap;
mod soap_logout;
mod story;
mod try_again;
mod under_way;
mod v2_logout;
mod wrapped_answer;
mod wrapped_request;

use std::time::Duration;

use crate::support::browser::{Browser, Page};
use crate::support::idp_key::Asked;
use crate::support::rp::{RelyingParty, Tokens};
use crate::support::world::World;

/// Somebody who is signed in to an app with a browser.
struct SignedIn {
    browser: Browser,
    tokens: Tokens,
}

async fn signed_in(world: &World, app: &RelyingParty, user: &str) -> SignedIn {
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, app, user).await;
    SignedIn { browser, tokens }
}

impl SignedIn {
    fn sid(&self) -> &str {
        self.tokens.claims["sid"].as_str().unwrap()
    }

    fn hint(&self) -> &str {
        &self.tokens.id_token
    }

    /// What a silent request of this browser says.
    async fn is_in(&mut self, world: &World, app: &RelyingParty) -> bool {
        world.is_signed_in(&mut self.browser, app).await
    }

    /// The app sends the browser to sign out, with its hint and `more`: one request.
    async fn ask(&mut self, app: &RelyingParty, more: &[(&str, &str)]) -> Page {
        let hint = self.hint().to_owned();
        let parameters = [&[("id_token_hint", hint.as_str())], more].concat();
        let url = app.logout_url(&parameters).await;
        self.browser.get(url.as_str()).await
    }

    /// Signs out as far as the message to the IdP, which is not delivered.
    async fn begin(&mut self, world: &World, app: &RelyingParty) -> Asked {
        let url = world.logout_url(app, self.hint(), "the-state").await;
        Asked::of(&self.browser.get(url.as_str()).await)
    }
}

/// Damages the oldest session: what its IdP said of the person opens with no key any more.
async fn damage_the_oldest(world: &World) {
    let sql = "UPDATE idp_session SET sealed = name_id_hash \
               WHERE id = (SELECT MIN(id) FROM idp_session)";
    world.execute(sql).await;
}

/// How many sessions have ended.
async fn ended_sessions(world: &World) -> usize {
    let audit = world.audit().await;
    audit.iter().filter(|event| event.kind == "session.ended").count()
}

/// Where a sign-out with `the-state` ends.
fn home(app: &RelyingParty) -> String {
    format!("{}?state=the-state", app.post_logout_redirect_uri())
}

fn leads_to(page: &Page) -> String {
    page.location().map_or_else(|| page.summary(), String::from)
}

/// The outcome of the IdP's leg of the newest logout, with what is said about it.
async fn idp_leg(world: &World) -> String {
    let story = world.newest_logout().await;
    let leg = story.legs.iter().find(|leg| leg.party.starts_with("IdP")).expect("an IdP leg");
    match leg.outcome {
        Some(_) => leg.said.clone(),
        None => "open".to_owned(),
    }
}

/// Polls until it is so, as a worker on another thread makes it so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what} never came");
}
