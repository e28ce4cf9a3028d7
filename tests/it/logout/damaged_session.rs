//! A session of which a part cannot be read any more: it comes to its end in every way in which others
//! do, its apps are told, and nobody hears more than is known.

use serde_json::json;
use sloop::mock_idp::Entry;

use super::admin_logout::{end, live};
use super::{damage_the_oldest, ended_sessions, home, idp_leg, signed_in};
use crate::both;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::world::{On, World};

const BEGAN: &str = "not_sent (it began this logout; which of its sessions this was cannot be read \
                     any more)";
const NOT_ASKED: &str = "not_possible (what this IdP asserted cannot be read any more)";

both!(an_idp_that_ends_it_does_not_hear_that_all_is_well, by_idp);
async fn by_idp(on: On) {
    for by in [Some(By::Redirect), Some(By::Post), None] {
        let world = World::on(on).await;
        let key = IdpKey::connect(&world).await;
        let (app, framed) = (world.app("app-one").await, world.framed_app("app-two").await);
        let mut ada = signed_in(&world, &app, "ada").await;
        let mut bob = signed_in(&world, &app, "bob").await;
        let sessions = world.idp.sessions();
        damage_the_oldest(&world).await;
        assert_eq!(live(&world, "").await[0]["idps"], json!(["corp"]));
        let of = |user: &str| sessions.iter().find(|held| held.user == user).unwrap();
        for (who, user, status, said) in [
            (&mut ada, "ada", "Success PartialLogout", BEGAN),
            (&mut bob, "bob", "Success", "confirmed (it began this logout)"),
        ] {
            let request = key.asks(&world, of(user));
            let status_of = match by {
                // The browser still has its cookie.
                Some(by) => {
                    let page = request.through(&mut who.browser, by).await;
                    Answered::of(&world, &page).await.status()
                }
                None => {
                    let answer = request.by_soap(&world).await;
                    Answered::in_envelope(&world, &answer).await.status()
                }
            };
            assert_eq!(status_of, status, "{by:?} {user}");
            assert_eq!(idp_leg(&world).await, said);
            assert_eq!(world.outcomes().await[0], "app app-one: confirmed");
            assert!(!app.is_signed_in(who.sid()).await);
            assert!(!who.is_in(&world, &app).await);
            assert_eq!(app.userinfo(&who.tokens.access_token).await.status, 401);
        }
        assert_eq!((world.logout_count().await, ended_sessions(&world).await), (2, 2));
        assert_eq!(framed.loaded_frames(), []);
        assert_eq!(live(&world, "").await, Vec::<serde_json::Value>::new());
    }
}

both!(an_administrator_and_its_own_browser_end_it, ended);
async fn ended(on: On) {
    for by_administrator in [true, false] {
        let world = World::on(on).await;
        let app = world.app("app-one").await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let mut bob = signed_in(&world, &app, "bob").await;
        damage_the_oldest(&world).await;
        // It signs nobody in.
        let attempt = app.begin(&[("prompt", "none")]).await;
        let page = ada.browser.get(attempt.url.as_str()).await;
        assert_eq!((page.status, page.location()), (500, None), "{}", page.summary());
        let asked = world.idp.journal().len();

        match by_administrator {
            true => {
                let id = live(&world, "").await[0]["id"].clone();
                let answer = end(&world, &id).await;
                assert_eq!((answer.status, &answer.json()["outcome"]), (200, &json!("partial")));
                assert_eq!(end(&world, &id).await.status, 404);
            }
            false => {
                let hint = ada.hint().to_owned();
                let page = world.sign_out(&mut ada.browser, &app, &hint).await;
                assert_eq!(page.url.as_str(), home(&app));
            }
        }

        assert_eq!(world.settled().await.outcome.as_str(), "partial");
        assert_eq!(world.outcomes().await[0], "app app-one: confirmed");
        assert_eq!(idp_leg(&world).await, NOT_ASKED);
        assert_eq!(world.idp.journal().len(), asked, "nobody knows what to ask it");
        assert!(!app.is_signed_in(ada.sid()).await && !ada.is_in(&world, &app).await);
        assert_eq!(app.userinfo(&ada.tokens.access_token).await.status, 401);
        assert!(bob.is_in(&world, &app).await);
        // Its IdP still knows her, and signs her in only if it asks her.
        let attempt = app.begin(&[]).await;
        ada.browser.open(attempt.url.as_str()).await;
        let last = world.idp.journal().pop();
        let forced = matches!(last, Some(Entry::AuthnRequest { force_authn: true, .. }));
        assert!(forced, "{last:?}");
    }
}

both!(a_person_sees_it_and_ends_it, by_person);
async fn by_person(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    damage_the_oldest(&world).await;
    let page = ada.browser.get(&world.url(sloop::paths::SAML_LOGOUT)).await;
    assert_eq!(page.status, 200, "{}", page.summary());
    assert!(page.text().contains("app-one") && page.text().contains("corp"), "{}", page.text());
    let ended = ada.browser.submit(&page, &[]).await;
    let end = ada.browser.settle(ended).await;
    assert!(end.text().contains("You are signed out here"), "{}", end.summary());
    assert_eq!(idp_leg(&world).await, NOT_ASKED);
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    assert!(!app.is_signed_in(ada.sid()).await && !ada.is_in(&world, &app).await);
}
