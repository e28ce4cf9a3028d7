//! Of very many SessionIndexes of one person at one IdP only the newest are kept, and named.

use sloop::mock_idp::Entry;

use super::admin_logout::{end, live};
use super::{SignedIn, idp_leg, signed_in};
use crate::both;
use crate::support::rp::RelyingParty;
use crate::support::soap_idp::SoapIdp;
use crate::support::world::{On, World};

const ALL: &str = "confirmed (Success, signed)";
const NOT_ALL: &str = "partial (Success, signed; it was named 16 SessionIndexes, the most that are kept, and \
                       there may have been more)";

/// Ada signs in so often with one browser, and her IdP begins a session of its own each time.
async fn signed_in_often(world: &World, app: &RelyingParty, times: usize) -> SignedIn {
    let mut ada = signed_in(world, app, "ada").await;
    for _ in 1..times {
        ada.browser.jar.remove("mock_idp");
        let attempt = app.begin(&[("prompt", "login")]).await;
        let callback = world.at_app(&mut ada.browser, app, &attempt, "ada").await;
        ada.tokens = app.finish(&attempt, &callback).await.unwrap();
    }
    assert_eq!(world.idp.sessions().len(), times);
    ada
}

both!(an_idp_that_was_not_told_all_of_them_has_not_confirmed_the_logout, through_the_browser);
async fn through_the_browser(on: On) {
    for (times, named, said, outcome) in [(15, 15, ALL, "complete"), (17, 16, NOT_ALL, "partial")] {
        let world = World::on(on).await;
        let app = world.app("app-one").await;
        let mut ada = signed_in_often(&world, &app, times).await;
        let page = ada.ask(&app, &[]).await;
        let end = ada.browser.settle(page).await;
        let story = world.settled().await;
        let leg = story.legs.iter().find(|leg| leg.party == "IdP corp").unwrap();
        assert_eq!((leg.session_indexes, idp_leg(&world).await.as_str()), (named, said));
        assert_eq!(story.outcome.as_str(), outcome);
        assert_eq!(world.idp.sessions().len(), times - named, "those live on there");
        assert_eq!(end.text().contains("everywhere"), outcome == "complete", "{}", end.summary());
        // Whoever is known there still is asked anew.
        let attempt = app.begin(&[]).await;
        ada.browser.open(attempt.url.as_str()).await;
        let last = world.idp.journal().pop();
        let forced = matches!(last, Some(Entry::AuthnRequest { force_authn: true, .. }));
        assert_eq!(forced, outcome == "partial", "{last:?}");
    }
}

both!(the_same_by_soap, by_soap);
async fn by_soap(on: On) {
    for (times, said) in [(15, ALL), (17, NOT_ALL)] {
        let world = World::on(on).await;
        let soap = SoapIdp::connect(&world).await;
        let app = world.app("app-one").await;
        signed_in_often(&world, &app, times).await;
        let session = live(&world, "").await[0]["id"].clone();
        end(&world, &session).await;
        world.settled().await;
        assert_eq!(idp_leg(&world).await, said);
        let heard = soap.heard().pop().unwrap();
        assert_eq!(heard.request.session_indexes.len(), times.min(16));
    }
}
