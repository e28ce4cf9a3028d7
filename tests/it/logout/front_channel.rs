//! Apps that are told through the browser, by a frame on a page of ours.

use std::time::Duration;

use serde_json::json;
use sloop::mock_idp::Entry;
use sloop::paths;

use super::{eventually, home, leads_to, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

/// What a frame of this app is asked for, of this session.
fn query(world: &World, sid: &str) -> String {
    let encode = |text: &str| text.replace(':', "%3A").replace('/', "%2F");
    format!("iss={}&sid={sid}", encode(&world.issuer))
}

fn queries(app: &RelyingParty) -> Vec<String> {
    app.loaded_frames().into_iter().map(|frame| frame.query).collect()
}

/// Where the page with frames leads on to.
fn onward(page: &Page) -> String {
    page.refresh().unwrap_or_else(|| panic!("no refresh: {}", page.summary())).to_string()
}

both!(it_is_told_by_a_frame_with_issuer_and_session, told);
async fn told(on: On) {
    let world = World::on(on).await;
    let one = world.app("app-one").await;
    let two = world.framed_app("app-two").await;
    let three = world.unregistered("app-three").await;
    let uri = format!("{}?a=b&c=%26", three.frontchannel_logout_uri());
    let three = world.register_framed(three, &uri).await;
    let mut ada = signed_in(&world, &one, "ada").await;
    for app in [&two, &three] {
        world.sign_in(&mut ada.browser, app, "ada").await;
    }
    let hint = ada.hint().to_owned();

    let end = world.sign_out(&mut ada.browser, &one, &hint).await;

    assert_eq!(end.url.as_str(), home(&one));
    let expected = query(&world, ada.sid());
    assert_eq!(queries(&two), std::slice::from_ref(&expected));
    assert_eq!(queries(&three), [format!("a=b&c=%26&{expected}")], "a query of its own is kept");
    assert_eq!(world.idp.sessions(), []);
    let story = world.settled().await;
    let outcomes = [
        "app app-one: confirmed",
        "app app-two: unconfirmed",
        "app app-three: unconfirmed",
        "IdP corp: confirmed",
    ];
    assert_eq!(world.outcomes().await, outcomes);
    assert_eq!(story.outcome.as_str(), "partial", "nothing came back from the frames");
    let channel = format!("front-channel logout: a frame in the browser, {uri}");
    assert_eq!(story.legs[2].channel, channel);
    let said = "unconfirmed (its frame was given to the browser; nothing comes back from there)";
    assert_eq!(story.legs[2].said, said);
    let count = |kind: &str| story.events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count("leg.sent"), count("leg.closed")), (3, 4), "{:#?}", story.events);
    assert_eq!((count("logout.answered"), count("logout.settled")), (1, 1));
    for app in [&one, &two, &three] {
        assert!(!ada.is_in(&world, app).await);
    }
}

both!(apps_by_back_channel_then_frames_then_the_idp_then_home, order);
async fn order(on: On) {
    let world = World::on(on).await;
    let one = world.app("app-one").await;
    let (two, three) = (world.framed_app("app-two").await, world.framed_app("app-three").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    for app in [&two, &three] {
        world.sign_in(&mut ada.browser, app, "ada").await;
    }
    let asked = || world.idp.journal().iter().any(|it| matches!(it, Entry::LogoutRequest { .. }));
    let url = world.logout_url(&one, ada.hint(), "the-state").await;

    // Our side is over, and the back channel at work, before any page is shown.
    let answer = ada.browser.get(url.as_str()).await;
    assert!(leads_to(&answer).starts_with(&world.url(paths::LOGOUT_PAGE)), "{}", answer.summary());
    assert!(!ada.is_in(&world, &one).await);
    eventually("the token", async || one.received_logout_tokens().len() == 1).await;
    assert_eq!((queries(&two).len(), asked()), (0, false));

    // All frames at once, and the IdP after them.
    let page = ada.browser.hop(answer).await;
    assert_eq!((page.status, page.frames().len()), (200, 2), "{}", page.summary());
    for frame in page.frames() {
        ada.browser.load_frame(&page, frame.as_str()).await;
    }
    assert_eq!((queries(&two).len(), queries(&three).len(), asked()), (1, 1, false));
    let outcomes =
        ["app app-one: confirmed", "app app-two: open", "app app-three: open", "IdP corp: open"];
    let told = async || world.outcomes().await == outcomes;
    eventually("the outcome of the back channel", told).await;
    let at_idp = ada.browser.click(&page, &onward(&page)).await;
    assert!(leads_to(&at_idp).starts_with(&world.idp_url), "{}", at_idp.summary());
    assert_eq!(world.newest_logout().await.answered_at, None);

    let end = ada.browser.settle(at_idp).await;
    assert!(asked());
    assert_eq!(end.url.as_str(), home(&one));
    assert!(world.newest_logout().await.answered_at.is_some());
}

both!(where_both_are_registered_the_back_channel_is_used, both_registered);
async fn both_registered(on: On) {
    let world = World::on(on).await;
    let app = world.unregistered("app-one").await;
    let uri = app.frontchannel_logout_uri();
    let app = world.register(app, json!({ "frontchannel_logout_uri": uri })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = ada.ask(&app, &[]).await;
    assert!(leads_to(&page).starts_with(&world.idp_url), "no page comes between");
    ada.browser.settle(page).await;
    assert_eq!(queries(&app), Vec::<String>::new());
    assert_eq!(app.logouts().await.unwrap().len(), 1);
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
}

both!(the_page_can_be_loaded_again_and_left_by_the_back_button, reload);
async fn reload(on: On) {
    let mut world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let url = world.logout_url(&app, ada.hint(), "the-state").await;
    let page = ada.browser.get(url.as_str()).await;
    let page = ada.browser.hop(page).await;
    let address = page.url.to_string();
    // A second click drops the first answer: it leads to the very same page.
    let again = ada.browser.get(url.as_str()).await;
    assert_eq!(leads_to(&again), address);
    // So does the address itself, after a restart too.
    world.restart().await;
    for _ in 0..2 {
        let again = ada.browser.get(&address).await;
        assert_eq!(again.frames(), page.frames());
        assert_eq!(onward(&again), onward(&page));
    }
    let at_idp = ada.browser.click(&page, &onward(&page)).await;
    assert!(leads_to(&at_idp).starts_with(&world.idp_url));
    // Back: the frames are done, and the IdP is still waited for. Onward once more: the answer to the
    // first click may be lost, so the browser is sent to the IdP again.
    let back = ada.browser.get(&address).await;
    assert!(back.frames().is_empty() && back.text().contains("corp"), "{}", back.summary());
    let again = ada.browser.get(&onward(&page)).await;
    assert!(leads_to(&again).starts_with(&world.idp_url), "{}", again.summary());
    let end = ada.browser.settle(at_idp).await;
    assert_eq!(end.url.as_str(), home(&app));
    for back in [&address, &onward(&page)] {
        assert_eq!(leads_to(&ada.browser.get(back).await), home(&app), "the same end");
    }
    assert_eq!(world.outcomes().await, ["app app-one: unconfirmed", "IdP corp: confirmed"]);
}

both!(the_deadline_ends_what_the_browser_left_open, deadline);
async fn deadline(on: On) {
    let world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    for shown in [true, false] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        let url = world.logout_url(&app, &hint, "the-state").await;
        let answer = ada.browser.get(url.as_str()).await;
        let page = match shown {
            true => ada.browser.hop(answer.clone()).await,
            false => answer.clone(),
        };
        assert_eq!(world.newest_logout().await.answered_at, None);
        world.clock.advance(Duration::from_secs(601));
        let over = async || world.newest_logout().await.answered_at.is_some();
        eventually("the deadline", over).await;
        let said = match shown {
            true => "no_answer (the browser did not come back from the page with its frame)",
            false => "not_sent (the browser never came to load its frame)",
        };
        let story = world.settled().await;
        assert_eq!(story.legs[0].said, said);
        assert_eq!(world.outcomes().await[1], "IdP corp: not_sent");
        assert!(!ada.is_in(&world, &app).await);
        // Who comes back later lands on the same end.
        let back = if shown { onward(&page) } else { leads_to(&page) };
        assert_eq!(leads_to(&ada.browser.get(&back).await), home(&app));
    }
}

both!(who_signs_in_instead_of_another_is_shown_no_frames_of_theirs, switched);
async fn switched(on: On) {
    let world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let attempt = app.begin(&[("prompt", "login")]).await;
    let callback = world.at_app(&mut ada.browser, &app, &attempt, "bob").await;
    let bob = app.finish(&attempt, &callback).await.unwrap();
    world.settled().await;
    assert_eq!(world.outcomes().await, ["app app-one: not_sent", "IdP corp: not_sent"]);
    assert_eq!(queries(&app), Vec::<String>::new());
    assert_eq!(app.userinfo(&ada.tokens.access_token).await.status, 401);
    assert_eq!(app.userinfo(&bob.access_token).await.status, 200);
    // Bob's own logout shows his.
    ada.tokens = bob;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(queries(&app), [query(&world, ada.sid())]);
}

both!(a_session_that_an_administrator_ends_shows_no_frame, without_browser);
async fn without_browser(on: On) {
    let world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let listing = world.api("GET", paths::API_SESSIONS, "application/json", "").await.json();
    let id = listing["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("{}/{id}", paths::API_SESSIONS);
    assert_eq!(world.api("DELETE", &path, "application/json", "").await.status, 200);
    let story = world.settled().await;
    assert!(story.answered_at.is_some(), "nobody will come");
    assert_eq!(story.legs[0].said, "not_sent (no browser was there to load its frame)");
    assert_eq!(queries(&app), Vec::<String>::new());
    assert!(!ada.is_in(&world, &app).await && bob.is_in(&world, &app).await);
    // Her own browser has nothing left to do.
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!((end.url.as_str(), queries(&app).len()), (home(&app).as_str(), 0));
}

both!(a_logout_in_the_manner_of_auth0_shows_frames_and_leaves_the_idp_alone, v2);
async fn v2(on: On) {
    let world = World::on(on).await;
    let app = world.unregistered("app-one").await;
    let (uri, bye) = (app.frontchannel_logout_uri(), app.post_logout_redirect_uri());
    let settings = json!({
        "backchannel_logout_uri": null,
        "frontchannel_logout_uri": uri,
        "allowed_logout_urls": [bye],
    });
    let app = world.register(app, settings).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let url = world.url(&format!("{}?client_id=app-one", paths::V2_LOGOUT));
    let end = ada.browser.open(&url).await;
    assert_eq!(end.url.as_str(), bye);
    assert_eq!(queries(&app), [query(&world, ada.sid())]);
    assert_eq!(world.outcomes().await, ["app app-one: unconfirmed"]);
    assert_eq!(world.idp.sessions().len(), 1);
    assert!(!ada.is_in(&world, &app).await);
}
