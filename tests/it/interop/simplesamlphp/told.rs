//! In, and out again from an app: it is told, and what its answer is worth.

use serde_json::json;
use sloop::paths;

use super::{SIGNED_IN, Story, home, person};
use crate::both;
use crate::interop::with_another_key;
use crate::logout::eventually;
use crate::support::simplesamlphp::Options;
use crate::support::world::On;

both!(simplesamlphp_is_told_and_ends_its_session, told);
async fn told(on: On) {
    for binding in ["Redirect", "POST"] {
        let story = Story::begin(on, Options { binding, ..Options::default() }, "").await;
        let (world, idp) = (&story.world, &story.idp);
        let (one, two) = (world.app("app-one").await, world.app("app-two").await);
        let mut ada = story.browser();
        let tokens = story.sign_in(&mut ada, &one, "ada").await;
        // The second app gets in, and nobody is asked.
        let second = story.sign_in(&mut ada, &two, "nobody").await;
        assert_eq!(second.claims["sid"], tokens.claims["sid"]);
        let person = one.userinfo(&tokens.access_token).await.json();
        assert_eq!(person["email"], "ada@example.org");
        assert_eq!(
            (&person["given_name"], &person["family_name"]),
            (&json!("Ada"), &json!("Lovelace"))
        );
        // Somebody else, on another device: not to be touched.
        let mut bob = story.browser();
        story.sign_in(&mut bob, &one, "bob").await;

        let end = world.sign_out(&mut ada, &one, &tokens.id_token).await;

        assert_eq!(end.url.as_str(), home(&one), "{binding}: {}", end.summary());
        let outcomes = ["app app-one: confirmed", "app app-two: confirmed", "IdP corp: confirmed"];
        assert_eq!(world.settled().await.outcome.as_str(), "complete");
        assert_eq!(world.outcomes().await, outcomes);
        let logout = ["LogoutRequest:recv", "LogoutResponse:sent"];
        assert_eq!(story.journal(), [&SIGNED_IN[..], &SIGNED_IN, &logout].concat());
        assert_eq!(idp.who_is_there(&mut ada).await, None);
        assert_eq!(idp.who_is_there(&mut bob).await.as_deref(), Some("bob"));
        assert!(!world.is_signed_in(&mut ada, &one).await);
        assert!(!world.is_signed_in(&mut ada, &two).await);
        assert!(world.is_signed_in(&mut bob, &one).await);
        // It asks who is there. Its NameID is another one each time, and so is what we make of it.
        let again = story.sign_in(&mut ada, &one, "ada").await;
        assert_ne!(again.claims["sub"], tokens.claims["sub"]);
    }
}

both!(an_attribute_of_simplesamlphp_makes_a_lasting_sub, lasting);
async fn lasting(on: On) {
    let story = Story::begin(on, Options::default(), "&subject=attribute:uid").await;
    let app = story.world.app("app-one").await;
    let mut subs = Vec::new();
    for user in ["ada", "bob", "ada"] {
        let tokens = story.sign_in(&mut story.browser(), &app, user).await;
        subs.push(tokens.claims["sub"].clone());
    }
    assert_eq!(subs[0], subs[2]);
    assert_ne!(subs[0], subs[1]);
}

both!(simplesamlphp_ends_nothing_for_another_key, another_key);
async fn another_key(on: On) {
    let story = Story::begin(on, Options::default(), "").await;
    let (world, idp) = (&story.world, &story.idp);
    let app = world.app("app-one").await;
    let mut ada = story.browser();
    let tokens = story.sign_in(&mut ada, &app, "ada").await;
    let right = world.get(paths::SAML_METADATA).await.body;
    idp.trust(&with_another_key(&right));

    let end = world.sign_out(&mut ada, &app, &tokens.id_token).await;

    // It shows an error and does not send the browser back. Our side is out, its own is not.
    assert!(end.url.as_str().starts_with(idp.base_url()), "{}", end.summary());
    assert!(end.text().contains("Unable to validate signature"), "{}", end.summary());
    assert_eq!(idp.who_is_there(&mut ada).await.as_deref(), Some("ada"));
    assert!(!world.is_signed_in(&mut ada, &app).await);
    let told = ["app app-one: confirmed", "IdP corp: open"];
    eventually("the app's token", async || world.outcomes().await == told).await;
    assert_eq!(story.journal(), SIGNED_IN);

    // With the right key it takes what it is sent. It still knows the person, but we tell it to ask.
    idp.trust(&right);
    let page = ada.open(app.begin(&[]).await.url.as_str()).await;
    assert!(idp.asks_who_is_there(&page), "{}", page.summary());
    assert_eq!(idp.who_is_there(&mut ada).await.as_deref(), Some("ada"));
    // A second click: the same logout comes to its end.
    let end = world.sign_out(&mut ada, &app, &tokens.id_token).await;
    assert_eq!(end.url.as_str(), home(&app), "{}", end.summary());
    assert_eq!(idp.who_is_there(&mut ada).await, None);
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
    assert_eq!(world.logout_count().await, 1);
}

/// It looks neither at the NameID nor at the SessionIndex: whoever is there with this browser goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simplesamlphp_signs_out_whoever_is_there_and_calls_it_success() {
    let story = Story::begin(On::Sqlite, Options::default(), "").await;
    let (world, idp) = (&story.world, &story.idp);
    let app = world.app("app-one").await;
    let its_page = idp.url("/module.php/core/authenticate.php?as=people");
    for successor in [None, Some("bob")] {
        let mut browser = story.browser();
        let ada = story.sign_in(&mut browser, &app, "ada").await;
        // The browser becomes somebody else there, or nobody, behind our back.
        browser.open(&format!("{its_page}&logout")).await;
        if let Some(user) = successor {
            let page = browser.open(&its_page).await;
            let named = browser.submit(&page, &person(user)).await;
            browser.settle(named).await;
        }
        assert_eq!(idp.who_is_there(&mut browser).await.as_deref(), successor);

        world.sign_out(&mut browser, &app, &ada.id_token).await;

        assert_eq!(idp.who_is_there(&mut browser).await, None);
        assert_eq!(world.settled().await.outcome.as_str(), "complete");
        assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
        assert!(!world.is_signed_in(&mut browser, &app).await);
    }
}

both!(a_service_that_simplesamlphp_cannot_sign_out_makes_it_partial, partial);
async fn partial(on: On) {
    let story = Story::begin(on, Options::default(), "").await;
    let (world, idp) = (&story.world, &story.idp);
    let app = world.app("app-one").await;
    let mut ada = story.browser();
    let tokens = story.sign_in(&mut ada, &app, "ada").await;
    story.visit_another_service(&mut ada).await;

    let end = world.sign_out(&mut ada, &app, &tokens.id_token).await;

    assert_eq!(end.url.as_str(), home(&app), "{}", end.summary());
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: partial"]);
    let logout = ["LogoutRequest:recv", "LogoutResponse:sent partial"];
    assert_eq!(story.journal(), [SIGNED_IN, logout].concat());
    assert_eq!(idp.who_is_there(&mut ada).await, None);
    assert!(!world.is_signed_in(&mut ada, &app).await);
}
