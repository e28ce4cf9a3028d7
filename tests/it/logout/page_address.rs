//! The address of a logout's page opens that logout. The browser that signs out has it, and nobody who came
//! to it before.

use serde_json::json;
use sloop::paths;
use url::Url;

use super::{SignedIn, home, idp_leg, signed_in};
use crate::both;
use crate::support::browser::Browser;
use crate::support::idp_key::Asked;
use crate::support::rp::RelyingParty;
use crate::support::world::{On, Setting, World};

const EVIL: &str = "https://evil.test/";
const APP_SITE: &str = "https://app.test/";

/// Somebody else posts this to end_session, without any cookie: the address of the page that it leads to.
async fn posted(world: &World, fields: &[(&str, &str)]) -> Url {
    let page = world.browser().post(&world.url(paths::END_SESSION), fields, Some(EVIL)).await;
    let address = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
    assert!(address.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{address}");
    address
}

/// Who has this address can neither send anything to the IdP, nor read of whom it is, nor go on with it.
async fn opens_nothing(world: &World, address: &Url, browser: &mut Browser) {
    let before = idp_leg(world).await;
    for answer in ["", "again", "continue", "yes", "no"] {
        let page = match answer {
            "" => browser.get(address.as_str()).await,
            _ => browser.post(address.as_str(), &[("answer", answer)], Some(&world.issuer)).await,
        };
        let said = format!("{answer:?}: {} {}", page.summary(), page.body);
        assert!(!said.contains("SAMLRequest") && !said.contains("SAMLResponse"), "{said}");
        assert!(!said.contains(&world.idp_url), "{said}");
        assert!(!said.contains("corp") && !said.contains("app-two"), "{said}");
        let is_transaction =
            |(name, line): &(String, String)| name == "set-cookie" && line.contains("tx");
        assert!(!page.headers.iter().any(is_transaction), "{:?}", page.headers);
    }
    assert_eq!(idp_leg(world).await, before);
}

/// Somebody with two apps is sent to this address by another site's link, and says yes: their page, and what
/// the IdP is asked.
async fn says_yes_there(ada: &mut SignedIn, address: &Url) -> (Url, Asked) {
    let evil = ada.browser.get(EVIL).await;
    let clicked = ada.browser.click(&evil, address.as_str()).await;
    let question = ada.browser.settle(clicked).await;
    assert!(question.text().contains("Do you want to sign out?"), "{}", question.summary());
    assert!(question.text().contains("app-one , app-two , corp"), "{}", question.text());
    let pressed = ada.browser.submit(&question, &[("answer", "yes")]).await;
    (question.url.clone(), Asked::of_url(&pressed.refresh().expect("it goes on to the IdP")))
}

/// The person who signed out has the page, and goes on with it to its end.
async fn goes_on(ada: &mut SignedIn, page: &Url, asked: &Asked) {
    let waiting = ada.browser.get(page.as_str()).await;
    assert!(waiting.text().contains("its answer is not here yet"), "{}", waiting.summary());
    let again = ada.browser.submit(&waiting, &[("answer", "again")]).await;
    let same = Asked::of_url(&again.refresh().expect("the IdP is asked once more"));
    assert_eq!(same.request.id, asked.request.id);
    let end = ada.browser.settle(again).await;
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.summary());
}

/// Two apps, and somebody who is signed in to both.
async fn in_two_apps(world: &World) -> ([RelyingParty; 2], SignedIn) {
    let apps = [world.app("app-one").await, world.app("app-two").await];
    let mut ada = signed_in(world, &apps[0], "ada").await;
    world.sign_in(&mut ada.browser, &apps[1], "ada").await;
    (apps, ada)
}

both!(what_somebody_posted_before_opens_nothing_of_the_logout, posted_before);
async fn posted_before(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (_, mut ada) = in_two_apps(&world).await;
    let known = posted(&world, &[]).await;

    let (own, asked) = says_yes_there(&mut ada, &known).await;

    opens_nothing(&world, &known, &mut world.browser()).await;
    assert_ne!(own, known);
    goes_on(&mut ada, &own, &asked).await;
    opens_nothing(&world, &known, &mut world.browser()).await;
}

both!(a_question_that_somebody_else_was_asked_opens_nothing_of_the_logout, asked_before);
async fn asked_before(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (apps, mut ada) = in_two_apps(&world).await;
    // With a session of his own, or with his hint alone: he is asked, and so he knows the address.
    let mut bob = signed_in(&world, &apps[0], "bob").await;
    let own = bob.browser.open(&world.url(paths::END_SESSION)).await;
    let nowhere = ("post_logout_redirect_uri", "https://nowhere.test/");
    let url = apps[0].logout_url(&[("id_token_hint", bob.hint()), nowhere]).await;
    let hinted = world.browser().open(url.as_str()).await;
    for (round, known) in [own, hinted].into_iter().enumerate() {
        assert!(known.text().contains("Do you want to sign out?"), "{}", known.summary());

        let (page, asked) = says_yes_there(&mut ada, &known.url).await;

        assert_ne!(page, known.url);
        for browser in [&mut world.browser(), &mut bob.browser] {
            let again = [("answer", "again")];
            let refused = browser.post(known.url.as_str(), &again, Some(&world.issuer)).await;
            assert_eq!(refused.status, 400, "{}", refused.summary());
            let shown = browser.open(known.url.as_str()).await;
            assert!(shown.text().contains("Do you want to sign out?"), "{}", shown.summary());
            assert!(!shown.text().contains("app-two"), "{}", shown.text());
        }
        assert_eq!(world.logout_count().await, round + 1);
        goes_on(&mut ada, &page, &asked).await;
        assert!(bob.is_in(&world, &apps[0]).await && !ada.is_in(&world, &apps[0]).await);
        for app in &apps {
            world.sign_in(&mut ada.browser, app, "ada").await;
        }
    }
    // It is still his own question.
    let known = bob.browser.open(&world.url(paths::END_SESSION)).await;
    let same = bob.browser.get(known.url.as_str()).await;
    let pressed = bob.browser.submit(&same, &[("answer", "yes")]).await;
    let end = bob.browser.settle(pressed).await;
    assert_eq!(end.url, known.url, "{}", end.summary());
    assert!(!bob.is_in(&world, &apps[0]).await && ada.is_in(&world, &apps[0]).await);
}

both!(an_app_that_posts_in_a_browsers_place_has_no_part_in_its_logout, apps_server);
async fn apps_server(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (apps, mut ada) = in_two_apps(&world).await;
    let (hint, uri) = (ada.hint().to_owned(), apps[0].post_logout_redirect_uri());
    let fields = [
        ("id_token_hint", hint.as_str()),
        ("post_logout_redirect_uri", &uri),
        ("state", "the-state"),
    ];
    let known = posted(&world, &fields).await;
    let site = ada.browser.get(APP_SITE).await;

    // The hint fits the cookie, and so nobody is asked.
    let clicked = ada.browser.click(&site, known.as_str()).await;

    let asked = Asked::of(&clicked);
    // Neither the address, nor the same request once more, which says no more than that it is done.
    opens_nothing(&world, &known, &mut world.browser()).await;
    let same = apps[0].logout_url(&fields).await;
    opens_nothing(&world, &same, &mut world.browser()).await;
    let home_again = world.browser().get(same.as_str()).await;
    assert_eq!(home_again.location().map(String::from), Some(home(&apps[0])));

    // The browser that is signing out goes on, by the one as by the other.
    for address in [&same, &known] {
        let again = Asked::of(&ada.browser.get(address.as_str()).await);
        assert_eq!(again.request.id, asked.request.id);
    }
    let end = ada.browser.settle(clicked).await;
    assert_eq!(end.url.as_str(), home(&apps[0]));
    assert_eq!(world.newest_logout().await.outcome.as_str(), "complete");
    assert_eq!(world.logout_count().await, 1);
}

both!(a_browser_that_dropped_an_answer_after_its_post_still_gets_to_the_idp, dropped_after_post);
async fn dropped_after_post(on: On) {
    for cookies_too in [true, false] {
        let world = Setting::on(on).https().begin().await;
        let (apps, mut ada) = in_two_apps(&world).await;
        let hint = ada.hint().to_owned();
        let fields = [("id_token_hint", hint.as_str())];
        let page = ada.browser.post(&world.url(paths::END_SESSION), &fields, Some(APP_SITE)).await;
        let address = page.location().unwrap();
        let before = ada.browser.jar.clone();
        let dropped = Asked::of(&ada.browser.get(address.as_str()).await);
        if cookies_too {
            ada.browser.jar = before;
        }

        let again = ada.browser.get(address.as_str()).await;

        assert_eq!(Asked::of(&again).request.id, dropped.request.id, "{cookies_too}");
        let end = ada.browser.settle(again).await;
        assert!(end.text().contains("This session has ended everywhere"), "{}", end.summary());
        assert_eq!(world.logout_count().await, 1);
        assert!(!ada.is_in(&world, &apps[0]).await);
    }
}

both!(a_browser_that_dropped_the_way_to_the_frames_is_shown_them, dropped_frames);
async fn dropped_frames(on: On) {
    let world = Setting::on(on).https().begin().await;
    let app = world.framed_app("app-one").await;
    let local = json!({ "scope": "all_apps" });
    let asking = world.app_with("app-two", local).await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let tokens = world.sign_in(&mut browser, &asking, "ada").await;
    let url = world.logout_url(&asking, &tokens.id_token, "the-state").await;
    // Its cookies came, and then the person clicked again.
    let first = browser.get(url.as_str()).await;
    assert!(browser.cookie(&world.issuer, "__Host-sid").is_none());

    let second = browser.get(url.as_str()).await;

    assert_eq!(second.location(), first.location());
    let frames = browser.follow(second).await;
    assert_eq!(frames.frames().len(), 1, "{}", frames.summary());
    // Whoever has the same link, and not the browser, gets none.
    let elsewhere = world.browser().get(url.as_str()).await;
    assert_eq!(elsewhere.location().map(String::from), Some(home(&asking)));
    assert_eq!(world.logout_count().await, 1);
}
