//! Where a person may go after a sign-out: the very URL that the app has registered, or nowhere.

use serde_json::json;
use sloop::paths;

use super::{home, signed_in};
use crate::both;
use crate::support::world::{On, World};

const REGISTERED: &str = "https://one.example/Bye?x=1";

const NEAR_MISSES: [&str; 22] = [
    "https://one.example/Bye?x=1&y=2",
    "https://one.example/Bye?x=2",
    "https://one.example/Bye?",
    "https://one.example/Bye",
    "https://one.example/Bye/?x=1",
    "https://one.example/bye?x=1",
    "https://one.example/Bye?x=1#",
    "https://one.example/Bye?x=1#top",
    "https://one.example/B%79e?x=1",
    "https://one.example/./Bye?x=1",
    "https://one.example/a/../Bye?x=1",
    "https://one.example//Bye?x=1",
    "https://ONE.example/Bye?x=1",
    "https://one.example:443/Bye?x=1",
    "https://one.example./Bye?x=1",
    "https://www.one.example/Bye?x=1",
    "https://one.example.evil.test/Bye?x=1",
    "https://one.example@evil.test/Bye?x=1",
    "http://one.example/Bye?x=1",
    " https://one.example/Bye?x=1",
    "//one.example/Bye?x=1",
    "javascript:alert(1)",
];

both!(only_the_registered_url_is_gone_to_and_sign_out_is_offered_all_the_same, near_misses);
async fn near_misses(on: On) {
    let world = World::on(on).await;
    let settings = json!({ "post_logout_redirect_uris": [REGISTERED] });
    let app = world.app_with("app-one", settings).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let mut asked = None;
    for uri in NEAR_MISSES {
        let more = [("post_logout_redirect_uri", uri), ("state", "s")];
        let page = ada.ask(&app, &more).await;
        let page = ada.browser.settle(page).await;
        assert!(page.url.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{uri}");
        let text = page.text();
        assert!(text.contains("The page it wanted you to return to is not registered"), "{uri}");
        assert!(text.contains("The app app-one asks to sign you out"), "{text}");
        assert!(ada.is_in(&world, &app).await, "{uri}");
        asked = Some(page);
    }
    assert_eq!(world.logout_count().await, 0);

    let pressed = ada.browser.submit(&asked.unwrap(), &[("answer", "yes")]).await;
    let end = ada.browser.settle(pressed).await;
    assert!(end.url.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{}", end.summary());
    assert!(end.text().contains("This session has ended everywhere"));
    assert_eq!(end.links(), Vec::<url::Url>::new());
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(world.newest_logout().await.returns_to, None);

    let mut eve = signed_in(&world, &app, "eve").await;
    let page = eve.ask(&app, &[("post_logout_redirect_uri", REGISTERED)]).await;
    let end = eve.browser.settle(page).await;
    assert_eq!(end.url.as_str(), REGISTERED);
    assert!(!eve.is_in(&world, &app).await);
}

both!(the_url_of_another_app_is_not_gone_to, another_app);
async fn another_app(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    let uri = two.post_logout_redirect_uri();
    let page = ada.ask(&one, &[("post_logout_redirect_uri", &uri), ("state", "s")]).await;
    let page = ada.browser.settle(page).await;
    assert!(page.text().contains("is not registered"), "{}", page.summary());
    assert!(ada.is_in(&world, &one).await);

    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &one, &hint).await;
    assert_eq!(end.url.as_str(), home(&one));
}

both!(without_a_hint_the_client_id_names_the_app_and_the_person_is_asked, by_client_id);
async fn by_client_id(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let uri = app.post_logout_redirect_uri();
    let end_of = |client: Option<&'static str>| {
        let mut fields = vec![("post_logout_redirect_uri", uri.clone())];
        fields.push(("state", "the-state".to_owned()));
        fields.extend(client.map(|client| ("client_id", client.to_owned())));
        let mut url = url::Url::parse(&world.url(paths::END_SESSION)).unwrap();
        url.query_pairs_mut().extend_pairs(fields);
        url
    };
    let on_our_page = world.url(paths::LOGOUT_PAGE);
    for (client, lands) in [
        (Some("app-one"), home(&app)),
        (Some("nobody"), on_our_page.clone()),
        (None, on_our_page.clone()),
    ] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let page = ada.browser.open(end_of(client).as_str()).await;
        assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
        assert!(ada.is_in(&world, &app).await);
        let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
        let end = ada.browser.settle(pressed).await;
        assert!(end.url.as_str().starts_with(&lands), "{client:?}: {}", end.summary());
        assert!(!ada.is_in(&world, &app).await);
        // With nobody signed in the same request is answered at once, and no stranger is gone to.
        let again = ada.browser.open(end_of(client).as_str()).await;
        match client {
            Some("app-one") => assert_eq!(again.url.as_str(), home(&app)),
            _ => assert!(again.text().contains("Nobody was signed in"), "{}", again.summary()),
        }
    }
}

both!(the_hint_of_an_app_that_is_gone_leads_nowhere_and_sign_out_is_offered, gone);
async fn gone(on: On) {
    let world = World::on(on).await;
    let (app, other) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &app, "ada").await;
    world.execute("DELETE FROM client WHERE id = 'app-one'").await;
    world.execute("UPDATE setting SET value = value + 1 WHERE name = 'settings_version'").await;

    let uri = app.post_logout_redirect_uri();
    let page = ada.ask(&app, &[("post_logout_redirect_uri", &uri), ("state", "s")]).await;
    let page = ada.browser.settle(page).await;

    assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
    assert!(ada.is_in(&world, &other).await);
    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    let end = ada.browser.settle(pressed).await;
    assert!(end.url.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{}", end.summary());
    assert!(!ada.is_in(&world, &other).await);
}
