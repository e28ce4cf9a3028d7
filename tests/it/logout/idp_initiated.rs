//! An IdP begins the logout: its sessions end here and in every app, and it hears what is known.

use std::time::Duration;

use sloop::connection::IdpSettings;
use sloop::mock_idp::Session;
use sloop::saml::{NameId, SessionIndex};

use super::{SignedIn, eventually, signed_in};
use crate::both;
use crate::support::browser::Browser;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::rp::Answer;
use crate::support::world::{On, Setting, World};

const BOTH: [By; 2] = [By::Redirect, By::Post];

/// The IdP's session of the person who signed in last.
fn newest(world: &World) -> Session {
    world.idp.sessions().pop().expect("somebody is signed in at the IdP")
}

both!(its_session_ends_here_and_in_every_app_and_it_hears_success, success);
async fn success(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    for by in BOTH {
        let mut ada = signed_in(&world, &one, "ada").await;
        world.sign_in(&mut ada.browser, &two, "ada").await;
        let mut bob = signed_in(&world, &one, "bob").await;
        let of_ada = world.idp.sessions().into_iter().rfind(|held| held.user == "ada").unwrap();
        // Longer than the standard allows, as some send it (SAML Bindings 3.4.3).
        let relay_state = format!("& <state> {}", "x".repeat(500));
        let request = key.asks(&world, &of_ada).with(|it| it.relay_state = Some(relay_state));

        let page = request.through(&mut ada.browser, by).await;

        let answer = Answered::of(&world, &page).await;
        assert_eq!(answer.status(), "Success", "{by:?}");
        assert_eq!(answer.response.in_response_to, request.request.id);
        assert_eq!(answer.response.issuer.as_str(), world.url("/saml/metadata"));
        let slo = format!("{}/slo", world.idp_url);
        assert_eq!(
            (answer.at.as_str(), answer.response.destination.as_deref()),
            (&*slo, Some(&*slo))
        );
        assert_eq!(answer.relay_state, request.relay_state, "exactly as it came");
        assert!(!ada.is_in(&world, &one).await && !ada.is_in(&world, &two).await);
        assert!(!one.is_signed_in(ada.sid()).await && !two.is_signed_in(ada.sid()).await);
        assert!(ada.browser.cookie(&world.issuer, "sid").is_none());
        let story = world.newest_logout().await;
        assert_eq!(story.reason, "the IdP asked for it");
        assert_eq!(story.outcome.as_str(), "complete");
        let said: Vec<_> = story.legs.iter().map(|leg| leg.said.as_str()).collect();
        let told = "confirmed (told at try 1)";
        assert_eq!(said, [told, told, "confirmed (it began this logout)"]);
        // Nobody else is touched.
        assert!(bob.is_in(&world, &one).await, "{by:?}");
        assert!(one.is_signed_in(bob.sid()).await);
        // No LogoutRequest went back to the IdP that asked.
        let of_us = format!("{:?}", world.idp.journal());
        assert!(!of_us.contains("LogoutRequest"), "{of_us}");
        let count = world.logout_count().await;
        bob.ask(&one, &[]).await;
        assert_eq!(world.logout_count().await, count + 1);
    }
}

both!(the_cookie_of_the_browser_that_brings_it_does_not_count, another_browser);
async fn another_browser(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    for by in BOTH {
        let mut ada = signed_in(&world, &app, "ada").await;
        let request = key.asks(&world, &newest(&world));
        let mut bob = signed_in(&world, &app, "bob").await;
        let cookie =
            |browser: &Browser| browser.cookie(&world.issuer, "sid").map(|it| it.value.clone());
        let held = cookie(&bob.browser);
        assert!(held.is_some());

        let page = request.through(&mut bob.browser, by).await;

        assert_eq!(Answered::of(&world, &page).await.status(), "Success", "{by:?}");
        assert!(!ada.is_in(&world, &app).await && !app.is_signed_in(ada.sid()).await, "{by:?}");
        assert_eq!(cookie(&bob.browser), held, "{by:?}");
        assert!(bob.is_in(&world, &app).await && app.is_signed_in(bob.sid()).await, "{by:?}");
        assert_eq!(app.userinfo(&bob.tokens.access_token).await.status, 200, "{by:?}");
    }
    assert_eq!(world.logout_count().await, 2);
}

both!(it_names_the_sessions_by_name_and_index, named);
async fn named(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut people: Vec<SignedIn> = Vec::new();
    let mut sessions = Vec::new();
    for user in ["ada", "ada", "ada", "bob"] {
        people.push(signed_in(&world, &app, user).await);
        sessions.push(newest(&world));
    }
    let who_is_in = async |people: &mut Vec<SignedIn>| {
        let mut live = Vec::new();
        for person in people {
            live.push(person.is_in(&world, &app).await);
        }
        live
    };
    let mut anywhere = world.browser();
    let index = |number: usize| sessions[number].session_index.clone().unwrap();
    let ada = || key.asks(&world, &sessions[0]);

    // Nothing fits: nothing ends, and that is what the IdP wanted.
    let strange = SessionIndex::parse("_strange").unwrap();
    let bobs = sessions[3].name_id.clone();
    for (what, request) in [
        ("another index", ada().with(|it| it.request.session_indexes = vec![strange.clone()])),
        ("another name", ada().with(|it| it.request.name_id.value.push('x'))),
        ("ada's index, bob's name", ada().with(|it| it.request.name_id = bobs.clone())),
        ("another format", ada().with(|it| it.request.name_id.format = Some("urn:x".into()))),
        (
            "another qualifier",
            ada().with(|it| it.request.name_id.name_qualifier = Some("urn:x".into())),
        ),
    ] {
        let page = request.through(&mut anywhere, By::Redirect).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Success", "{what}");
        assert_eq!(who_is_in(&mut people).await, [true; 4], "{what}");
    }

    // Two of three.
    let two = ada().with(|it| it.request.session_indexes = vec![index(0), strange, index(2)]);
    two.through(&mut anywhere, By::Post).await;
    assert_eq!(who_is_in(&mut people).await, [false, true, false, true]);

    // No index: all of that name. A qualifier that goes without saying may be left out.
    people[0] = signed_in(&world, &app, "ada").await;
    let all = ada().with(|it| {
        it.request.session_indexes.clear();
        it.request.name_id = NameId { name_qualifier: None, ..it.request.name_id.clone() };
    });
    all.through(&mut anywhere, By::Redirect).await;
    assert_eq!(who_is_in(&mut people).await, [false, false, false, true]);
}

both!(an_app_that_cannot_be_told_makes_it_a_partial_logout, partial);
async fn partial(on: On) {
    const WAIT: Duration = Duration::from_secs(1);
    let world = Setting::on(on).config(|config| config.logout.wait = WAIT).begin().await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let silent =
        world.app_with("silent", serde_json::json!({ "backchannel_logout_uri": null })).await;
    for (what, app, answer) in [
        ("it answers an error", &app, Answer::Status(500)),
        ("it refuses", &app, Answer::Status(400)),
        ("it never answers", &app, Answer::Hang),
        ("it has no address for it", &silent, Answer::Status(200)),
    ] {
        app.answer_back_channel_with(answer);
        let mut ada = signed_in(&world, app, "ada").await;
        let request = key.asks(&world, &newest(&world));
        let begun = std::time::Instant::now();
        let page = request.through(&mut ada.browser, By::Redirect).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Success PartialLogout", "{what}");
        let took = begun.elapsed();
        assert!(took < WAIT.saturating_mul(3), "{what}: {took:?}");
        assert!(answer != Answer::Hang || took >= WAIT, "it gets its moment: {took:?}");
        assert!(!ada.is_in(&world, app).await, "{what}");
    }
    // For IdPs that break off at a PartialLogout.
    let settings = IdpSettings { always_success: true, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let mut ada = signed_in(&world, &silent, "ada").await;
    let request = key.asks(&world, &newest(&world));
    let page = request.through(&mut ada.browser, By::Redirect).await;
    assert_eq!(Answered::of(&world, &page).await.status(), "Success");
    assert_eq!(world.newest_logout().await.outcome.as_str(), "partial", "we know better");
}

both!(the_same_request_again_ends_nothing_more_and_hears_the_same, again);
async fn again(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &newest(&world)).with(|it| it.request.session_indexes.clear());
    request.through(&mut ada.browser, By::Redirect).await;
    assert!(!ada.is_in(&world, &app).await);
    let count = world.logout_count().await;

    // Times in SAML have seconds.
    world.clock.advance(Duration::from_secs(1));
    let mut anew = signed_in(&world, &app, "ada").await;
    for by in BOTH {
        let page = request.through(&mut anew.browser, by).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Success", "{by:?}");
        assert!(anew.is_in(&world, &app).await, "{by:?}: the person signed in anew");
    }
    assert_eq!(world.logout_count().await, count);
    // A request of its own ends that, too.
    let another = key.asks(&world, &newest(&world));
    another.through(&mut anew.browser, By::Redirect).await;
    assert!(!anew.is_in(&world, &app).await);
}

both!(twenty_at_once_end_it_once, twenty);
async fn twenty(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &newest(&world));
    let same = (0..10).map(|_| request.clone());
    let others = (0..10).map(|_| key.asks(&world, &newest(&world)));
    let sent = same.chain(others).map(|request| {
        let mut browser = world.browser();
        async move { request.through(&mut browser, By::Redirect).await }
    });
    for page in futures_util::future::join_all(sent).await {
        assert!(Answered::of(&world, &page).await.status().starts_with("Success"));
    }
    assert_eq!(world.logout_count().await, 1);
    assert!(!ada.is_in(&world, &app).await);
    eventually("the app's token", async || app.received_logout_tokens().len() == 1).await;
}

both!(who_does_not_wait_for_an_answer_gets_none, asynchronous);
async fn asynchronous(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &newest(&world)).with(|it| it.request.asynchronous = true);
    let page = request.through(&mut ada.browser, By::Redirect).await;
    assert_eq!((page.status, page.location()), (200, None), "{}", page.summary());
    assert!(page.text().contains("This session has ended everywhere"), "{}", page.text());
    assert!(!ada.is_in(&world, &app).await);
}

both!(both_sides_may_begin_at_once, crossing);
async fn crossing(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = newest(&world);
    let asked = ada.begin(&world, &app).await;

    // Ours is on its way when theirs arrives: it ends nothing more, and is answered.
    let page = key.asks(&world, &session).through(&mut world.browser(), By::Redirect).await;
    assert_eq!(Answered::of(&world, &page).await.status(), "Success");
    assert_eq!(world.logout_count().await, 1);
    // And the answer to ours still counts.
    let page = asked.answer(&world, &key).deliver(&mut ada.browser, By::Redirect).await;
    assert_eq!(super::leads_to(&page), super::home(&app));
    assert_eq!(super::idp_leg(&world).await, "confirmed (Success, signed)");
}
