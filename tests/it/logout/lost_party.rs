//! A session of which a row does not even say who took part: it comes to its end in every way in which
//! others do, whoever is known is told, and nobody hears that everybody was.

use serde_json::json;

use super::admin_logout::{end, live};
use super::{ended_sessions, home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

const NOT_ALL_KNOWN: &str = "Signed out here. A part of this session cannot be read any more";

/// No app has such an id, and no IdP.
async fn lose_the_oldest_app(world: &World) {
    let sql = "UPDATE app_session SET client_id = '' WHERE id = (SELECT MIN(id) FROM app_session)";
    world.execute(sql).await;
}

async fn lose_the_oldest_idp(world: &World) {
    let sql = "UPDATE idp_session SET idp_id = '' WHERE id = (SELECT MIN(id) FROM idp_session)";
    world.execute(sql).await;
}

/// Ada in two apps, and Bob in one of them.
struct Story {
    world: World,
    key: IdpKey,
    lost: RelyingParty,
    app: RelyingParty,
    ada: super::SignedIn,
    bob: super::SignedIn,
}

impl Story {
    async fn on(on: On) -> Self {
        let world = World::on(on).await;
        let key = IdpKey::connect(&world).await;
        let (lost, app) = (world.app("app-one").await, world.app("app-two").await);
        let mut ada = signed_in(&world, &lost, "ada").await;
        ada.tokens = world.sign_in(&mut ada.browser, &app, "ada").await;
        let bob = signed_in(&world, &app, "bob").await;
        Self { world, key, lost, app, ada, bob }
    }

    /// Ada's session has ended, whoever is known of it has heard that, and Bob is where he was.
    async fn is_over(&mut self, whole: &str) {
        let Self { world, lost, app, ada, bob, .. } = self;
        let story = world.settled().await;
        assert_eq!(story.outcome.as_str(), "partial");
        assert!(story.summary.starts_with(whole), "{}", story.summary);
        assert!(!app.is_signed_in(ada.sid()).await && !ada.is_in(world, app).await);
        assert_eq!(app.userinfo(&ada.tokens.access_token).await.status, 401);
        assert!(lost.is_signed_in(ada.sid()).await, "nobody knows that it took part");
        assert_eq!((world.logout_count().await, ended_sessions(world).await), (1, 1));
        assert!(bob.is_in(world, app).await && app.is_signed_in(bob.sid()).await);
    }

    async fn idp_asks(&mut self, user: &str, by: Option<By>) -> String {
        let Self { world, key, ada, bob, .. } = self;
        let sessions = world.idp.sessions();
        let session = sessions.iter().find(|held| held.user == user).unwrap();
        let request = key.asks(world, session);
        let who = if user == "ada" { ada } else { bob };
        match by {
            Some(by) => {
                let page = request.through(&mut who.browser, by).await;
                Answered::of(world, &page).await.status()
            }
            None => Answered::in_envelope(world, &request.by_soap(world).await).await.status(),
        }
    }
}

both!(an_idp_that_ends_it_hears_that_it_is_partial, by_idp);
async fn by_idp(on: On) {
    for by in [None, Some(By::Redirect), Some(By::Post)] {
        let mut it = Story::on(on).await;
        lose_the_oldest_app(&it.world).await;
        let listed = live(&it.world, "").await;
        assert_eq!(it.idp_asks("ada", by).await, "Success PartialLogout", "{by:?}");
        assert_eq!(listed.len(), 2, "it was listed like the other");
        it.is_over(NOT_ALL_KNOWN).await;
        assert_eq!(idp_leg(&it.world).await, "confirmed (it began this logout)");
        // The same again, and the same of a session of which all is known.
        assert_eq!(it.idp_asks("ada", by).await, "Success PartialLogout", "{by:?}");
        assert_eq!(it.idp_asks("bob", by).await, "Success", "{by:?}");
    }
}

both!(an_idp_that_names_another_session_does_not_end_it, another);
async fn another(on: On) {
    let mut it = Story::on(on).await;
    lose_the_oldest_app(&it.world).await;
    let session = it.world.idp.sessions().into_iter().find(|held| held.user == "ada").unwrap();
    let other = it.key.asks(&it.world, &session).with(|it| {
        it.request.session_indexes = vec![sloop::saml::SessionIndex::parse("_another").unwrap()];
    });
    let answer = other.by_soap(&it.world).await;
    assert_eq!(Answered::in_envelope(&it.world, &answer).await.status(), "Success");
    assert_eq!(live(&it.world, "").await.len(), 2);
    // Whoever cannot tell which IdP it was takes it for the one that asks.
    lose_the_oldest_idp(&it.world).await;
    assert_eq!(it.idp_asks("ada", None).await, "Success PartialLogout");
    it.is_over(NOT_ALL_KNOWN).await;
}

both!(an_idp_that_comes_after_an_administrator_hears_it_too, after_administrator);
async fn after_administrator(on: On) {
    for off_boarded in [false, true] {
        let mut it = Story::on(on).await;
        lose_the_oldest_app(&it.world).await;
        let story = match off_boarded {
            false => end(&it.world, &live(&it.world, "").await[0]["id"]).await.json(),
            true => {
                let body = json!({ "sub": it.ada.tokens.claims["sub"] }).to_string();
                let path = sloop::paths::API_SIGN_OUT;
                let answer = it.world.api("POST", path, "application/json", &body).await;
                let mut items = answer.json()["items"].clone();
                items.as_array_mut().and_then(Vec::pop).expect("a logout")
            }
        };
        assert_eq!(story["outcome"], json!("partial"), "{story}");
        let listed = it.world.use_cases().logouts(1).await.unwrap();
        assert_eq!(listed[0].outcome.as_str(), "partial");
        it.is_over(NOT_ALL_KNOWN).await;
        assert_eq!(it.idp_asks("ada", None).await, "Success PartialLogout");
        assert_eq!(it.idp_asks("bob", None).await, "Success");
    }
}

both!(an_app_and_a_person_end_it_and_read_what_is_not_known, by_browser);
async fn by_browser(on: On) {
    for lost_idp in [false, true] {
        for way in ["home", "end page", "person"] {
            let mut it = Story::on(on).await;
            let lose = async |world: &World| match lost_idp {
                true => lose_the_oldest_idp(world).await,
                false => lose_the_oldest_app(world).await,
            };
            lose(&it.world).await;
            let Story { world, app, ada, .. } = &mut it;
            let end: Page = match way {
                "home" => {
                    let hint = ada.hint().to_owned();
                    world.sign_out(&mut ada.browser, app, &hint).await
                }
                "end page" => {
                    let page = ada.ask(app, &[]).await;
                    ada.browser.settle(page).await
                }
                _ => {
                    let page = ada.browser.get(&world.url(sloop::paths::SAML_LOGOUT)).await;
                    assert_eq!(page.status, 200, "{}", page.summary());
                    let ended = ada.browser.submit(&page, &[]).await;
                    ada.browser.settle(ended).await
                }
            };
            match way {
                "home" => assert_eq!(end.url.as_str(), home(app), "{}", leads_to(&end)),
                _ => {
                    assert!(end.text().contains(NOT_ALL_KNOWN), "{}", end.summary());
                    assert!(!end.text().contains("everywhere"), "{}", end.summary());
                }
            }
            if lost_idp {
                let story = world.settled().await;
                assert_eq!(story.outcome.as_str(), "partial");
                assert!(!app.is_signed_in(ada.sid()).await && !ada.is_in(world, app).await);
                assert_eq!(world.outcomes().await.len(), 2, "the apps are told");
            } else {
                it.is_over(NOT_ALL_KNOWN).await;
            }
        }
    }
}
