//! A session whose time is over signs nobody in. Its apps and its IdP may go on with theirs, so whoever
//! signs out still has everybody told: expiry never stands in the way of a logout.

use std::time::Duration;

use serde_json::json;
use sloop::paths;

use super::person_page::Two;
use super::{SignedIn, home, leads_to, signed_in};
use crate::both;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::rp::RelyingParty;
use crate::support::world::On;

const HOUR: Duration = Duration::from_secs(3600);

/// Ada in two apps of one session, nine hours later: it has lapsed, and nobody has said so.
async fn lapsed(on: On) -> Two {
    let mut two = Two::begin(on).await;
    two.world.clock.advance(9 * HOUR);
    assert_eq!(two.is_in().await, [false, false]);
    assert_eq!((two.told(), two.world.logout_count().await), ([0, 0], 0));
    two
}

/// Each app was told once, of that session.
async fn both_were_told(apps: [&RelyingParty; 2], ada: &SignedIn) {
    for app in apps {
        let [token] = app.logouts().await.unwrap().try_into().expect("one token");
        assert_eq!(token["sid"], ada.sid());
        assert!(!app.is_signed_in(ada.sid()).await);
    }
}

both!(a_click_at_an_app_tells_the_others_and_the_idp, click);
async fn click(on: On) {
    let Two { world, one, two, mut ada, .. } = lapsed(on).await;
    let key = IdpKey::connect(&world).await;

    let asked = ada.begin(&world, &one).await;
    assert_eq!(asked.request.name_id, world.idp.sessions()[0].name_id);
    assert_eq!(asked.request.session_indexes.len(), 1);
    let page = asked.answer(&world, &key).deliver(&mut ada.browser, By::Redirect).await;

    assert_eq!(leads_to(&page), home(&one));
    both_were_told([&one, &two], &ada).await;
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    // It was kept for a day. What is forgotten cannot be ended: the app gets its person back, signed out.
    let mut bob = signed_in(&world, &one, "bob").await;
    world.clock.advance(33 * HOUR);
    world.use_cases().clean_up().await.unwrap();
    let url = world.logout_url(&one, bob.hint(), "the-state").await;
    assert_eq!(leads_to(&bob.browser.get(url.as_str()).await), home(&one));
    assert_eq!(world.logout_count().await, 1);
}

both!(without_a_hint_the_person_is_asked, question);
async fn question(on: On) {
    let Two { world, one, two, mut ada, .. } = lapsed(on).await;
    let page = ada.browser.open(&world.url(paths::END_SESSION)).await;
    assert!(page.body.contains("app-one") && page.body.contains("app-two"), "{}", page.text());
    assert_eq!(world.logout_count().await, 0);
    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    ada.browser.settle(pressed).await;
    both_were_told([&one, &two], &ada).await;
    assert_eq!(world.logout_count().await, 1);
}

both!(on_our_own_page_everybody_can_be_ticked, own_page);
async fn own_page(on: On) {
    let mut two = lapsed(on).await;
    two.end_all_but(&[]).await;
    assert_eq!((two.told(), two.idp_was_asked()), ([1, 1], true));
    let page = two.ada.browser.get(&two.world.url(paths::SAML_LOGOUT)).await;
    assert!(page.text().contains("Nobody was signed in"), "{}", page.text());
}

both!(an_idp_that_ends_it_has_the_apps_told, by_the_idp);
async fn by_the_idp(on: On) {
    let Two { world, one, two, ada, .. } = lapsed(on).await;
    let key = IdpKey::connect(&world).await;
    let session = world.idp.sessions().remove(0);
    let page = key.asks(&world, &session).through(&mut world.browser(), By::Post).await;
    assert_eq!(Answered::of(&world, &page).await.status(), "Success");
    both_were_told([&one, &two], &ada).await;
}

both!(an_administrator_ends_it_with_all_others_of_the_person, off_boarded);
async fn off_boarded(on: On) {
    let Two { world, one, two, ada, .. } = lapsed(on).await;
    let body = json!({ "sub": ada.tokens.claims["sub"] }).to_string();
    let answer = world.api("POST", paths::API_SIGN_OUT, "application/json", &body).await;
    assert_eq!(answer.json()["items"].as_array().map(Vec::len), Some(1), "{}", answer.body);
    assert_eq!((one.logouts().await.unwrap().len(), two.logouts().await.unwrap().len()), (1, 1));
    // A list of who is signed in does not show it.
    assert_eq!(world.api("GET", paths::API_SESSIONS, "", "").await.json()["items"], json!([]));
}

both!(who_signs_in_again_goes_on_with_it, again);
async fn again(on: On) {
    let Two { world, one, two, mut ada, at_two } = lapsed(on).await;
    let sid = ada.sid().to_owned();
    ada.tokens = world.sign_in(&mut ada.browser, &one, "ada").await;
    assert_eq!(ada.sid(), sid);
    assert!(ada.is_in(&world, &one).await && two.is_signed_in(ada.sid()).await);
    // A token of before stays worth nothing, and the time counts anew.
    assert_eq!(two.userinfo(&at_two.access_token).await.status, 401);
    world.clock.advance(7 * HOUR);
    assert!(ada.is_in(&world, &one).await);
    world.sign_out(&mut ada.browser, &one, &ada.tokens.id_token).await;
    both_were_told([&one, &two], &ada).await;
    assert_eq!(world.newest_logout().await.legs.len(), 3, "two apps and the IdP");
}

both!(another_person_in_the_browser_ends_it, switched);
async fn switched(on: On) {
    let Two { world, one, two, mut ada, .. } = lapsed(on).await;
    let attempt = one.begin(&[("prompt", "login")]).await;
    let callback = world.at_app(&mut ada.browser, &one, &attempt, "bob").await;
    let bob = one.finish(&attempt, &callback).await.unwrap();
    assert_ne!(bob.claims["sub"], ada.tokens.claims["sub"]);
    let story = world.settled().await;
    both_were_told([&one, &two], &ada).await;
    assert_eq!(story.reason, "another person signed in with this browser");
    assert!(one.is_signed_in(bob.claims["sid"].as_str().unwrap()).await);
}

both!(nobody_takes_the_browser_its_cookie_before_it_is_ended, cookie);
async fn cookie(on: On) {
    let Two { world, one, two, mut ada, .. } = lapsed(on).await;
    let key = IdpKey::connect(&world).await;
    let hers = world.idp.sessions().remove(0);
    let mut bob = signed_in(&world, &one, "bob").await;
    let his = world.idp.sessions().pop().unwrap();
    let cookie =
        |ada: &SignedIn| ada.browser.cookie(&world.issuer, "sid").map(|it| it.value.clone());
    let own = cookie(&ada);
    assert!(own.is_some());
    for by in [By::Redirect, By::Post] {
        // A link that anybody can write.
        let forged = key.asks(&world, &hers).with(|it| it.signer = None);
        let page = forged.through(&mut ada.browser, by).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Requester RequestDenied");
        assert_eq!(cookie(&ada), own);
        // What the IdP asks for is about somebody else.
        let page = key.asks(&world, &his).through(&mut ada.browser, by).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Success");
        assert_eq!(cookie(&ada), own);
    }
    assert!(!bob.is_in(&world, &one).await);

    let page = ada.browser.open(&world.url(paths::END_SESSION)).await;
    assert!(page.body.contains("app-one") && page.body.contains("app-two"), "{}", page.text());
    // It is ended without the browser. From then on the cookie is worth nothing.
    key.asks(&world, &hers).by_soap(&world).await;
    assert_eq!((one.logouts().await.unwrap().len(), two.logouts().await.unwrap().len()), (2, 1));
    let forged = key.asks(&world, &hers).with(|it| it.signer = None);
    forged.through(&mut ada.browser, By::Redirect).await;
    assert_eq!(cookie(&ada), own, "a refused request changes nothing");
    key.asks(&world, &hers).through(&mut ada.browser, By::Redirect).await;
    assert_eq!(cookie(&ada), None);
}
