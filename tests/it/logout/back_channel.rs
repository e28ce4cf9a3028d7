//! Telling apps by the back channel, whatever they answer.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{eventually, home, signed_in};
use crate::both;
use crate::support::rp::{Answer, RelyingParty};
use crate::support::sink::Sink;
use crate::support::world::{On, Setting, World};

/// What is said about an app in the newest logout.
async fn said(world: &World, app: &RelyingParty) -> String {
    let story = world.newest_logout().await;
    let party = format!("app {}", app.client_id);
    story.legs.into_iter().find(|leg| leg.party == party).expect("a leg").said
}

/// A world whose browsers hardly wait for apps.
async fn hasty(on: On) -> World {
    let wait = |config: &mut sloop::config::Config| {
        config.logout.wait = Duration::from_millis(50);
    };
    Setting::on(on).config(wait).begin().await
}

both!(each_answer_means_what_the_standard_says, answers);
async fn answers(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let elsewhere = Sink::listen().await;
    let to = elsewhere.address();
    for (answer, outcome) in [
        (Answer::Status(200), "confirmed (told at try 1)"),
        (Answer::Status(204), "confirmed (told at try 1)"),
        (Answer::Status(400), "refused (it answered 400)"),
        (Answer::Status(201), "refused (it answered 201)"),
        (Answer::Status(401), "refused (it answered 401)"),
        (Answer::Redirect { status: 302, to }, "refused (it answered 302)"),
        (Answer::Redirect { status: 307, to }, "refused (it answered 307)"),
    ] {
        app.answer_back_channel_with(answer);
        let before = app.received_logout_tokens().len();
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        let end = world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_eq!(end.url.as_str(), home(&app), "{answer:?}");
        world.settled().await;
        assert_eq!(said(&world, &app).await, outcome);
        // What was answered for good is not asked again.
        world.clock.advance(Duration::from_secs(3600));
        world.work().await;
        assert_eq!(app.received_logout_tokens().len(), before + 1, "{answer:?}");
    }
    assert_eq!(elsewhere.connections(), 0, "a redirect is not followed");
}

both!(what_may_pass_is_tried_again_later, retried);
async fn retried(on: On) {
    let world = hasty(on).await;
    let app = world.app("app-one").await;
    for status in [500, 503, 429] {
        app.answer_back_channel_with(Answer::Status(status));
        let before = app.received_logout_tokens().len();
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        world.sign_out(&mut ada.browser, &app, &hint).await;
        let failed = format!("times without success (it answered {status})");
        eventually("the first try", async || said(&world, &app).await.contains(&failed)).await;
        assert_eq!(world.newest_logout().await.outcome.as_str(), "partial");

        app.answer_back_channel_with(Answer::Status(200));
        world.clock.advance(Duration::from_secs(60));
        let story = world.settled().await;
        assert_eq!(story.outcome.as_str(), "complete", "{status}");
        let tries = app.received_logout_tokens().len() - before;
        assert!(tries >= 2);
        assert_eq!(said(&world, &app).await, format!("confirmed (told at try {tries})"));
        assert!(!app.is_signed_in(ada.sid()).await);
        assert!(story.events.iter().any(|event| event.kind == "leg.tried"), "{status}");
    }
}

both!(while_a_try_is_on_its_way_nobody_else_tries, leased);
async fn leased(on: On) {
    let world = hasty(on).await;
    let app = world.app("app-one").await;
    app.answer_back_channel_with(Answer::Later(503, 60));
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    eventually("the first try", async || said(&world, &app).await.starts_with("told 1 ")).await;
    app.answer_back_channel_with(Answer::Hang);
    world.clock.advance(Duration::from_secs(63));
    eventually("the second try", async || app.received_logout_tokens().len() == 2).await;
    for _ in 0..3 {
        let work = world.use_cases().work_due();
        let _ = tokio::time::timeout(Duration::from_millis(300), work).await;
        assert_eq!(app.received_logout_tokens().len(), 2, "the leg is leased");
    }
    // A worker that died keeps nothing for ever.
    world.clock.advance(Duration::from_secs(31));
    app.answer_back_channel_with(Answer::Status(200));
    world.work().await;
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    assert_eq!(app.received_logout_tokens().len(), 3);
}

both!(every_try_has_a_token_of_its_own, fresh_tokens);
async fn fresh_tokens(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    app.answer_back_channel_with(Answer::Status(500));
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    for tries in 1..=4 {
        eventually("a try", async || app.received_logout_tokens().len() >= tries).await;
        eventually("its result", async || said(&world, &app).await.starts_with("told ")).await;
        world.clock.advance(Duration::from_secs(300));
    }
    eventually("the fifth", async || app.received_logout_tokens().len() >= 5).await;

    let tokens = app.logouts().await.unwrap();
    let unique = |name: &str| -> usize {
        tokens.iter().map(|claims| claims[name].to_string()).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(unique("jti"), tokens.len());
    assert_eq!(unique("iat"), tokens.len(), "each token is fresh when it is sent");
    for claims in &tokens {
        let mut names: Vec<&str> = claims.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"]);
        assert_eq!(claims["iss"], world.issuer);
        assert_eq!(claims["aud"], "app-one");
        assert_eq!(claims["sid"], ada.sid());
        assert_eq!(claims["sub"], ada.tokens.claims["sub"]);
        let event = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        assert_eq!(claims["events"], event);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
    }
    let jwks = world.get(sloop::paths::JWKS).await.json();
    for token in app.received_logout_tokens() {
        let header = crate::support::jwt::verify(&token, &jwks).unwrap().header;
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("RS256")));
    }
}

both!(tokens_are_signed_as_the_client_wants_id_tokens, algorithms);
async fn algorithms(on: On) {
    let world = World::on(on).await;
    let jwks = world.get(sloop::paths::JWKS).await.json();
    for alg in ["RS256", "ES256", "EdDSA"] {
        let id = format!("app-{}", alg.to_lowercase());
        let app = world.app_with(&id, json!({ "id_token_alg": alg })).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        let end = world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_eq!(end.url.as_str(), home(&app), "{alg}: the hint counts");
        assert_eq!(app.logouts().await.unwrap().len(), 1);
        let token = &app.received_logout_tokens()[0];
        assert_eq!(crate::support::jwt::verify(token, &jwks).unwrap().header["alg"], alg);
    }
}

both!(an_app_that_never_answers_is_a_dead_letter_after_three_days, dead_letter);
async fn dead_letter(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    app.answer_back_channel_with(Answer::Status(500));
    let mut ada = signed_in(&world, &app, "ada").await;
    let begun = world.clock.now();
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    for _ in 0..60 {
        if world.newest_logout().await.settled_at.is_some() {
            break;
        }
        world.clock.advance(Duration::from_secs(4 * 3600 + 1));
        world.work().await;
    }
    let story = world.settled().await;
    assert_eq!(world.outcomes().await, ["app app-one: dead_letter", "IdP corp: confirmed"]);
    assert_eq!(story.outcome.as_str(), "partial");
    assert_eq!(said(&world, &app).await, "dead_letter (it answered 500)");
    let took = world.clock.now().since(begun);
    assert!((64..90).contains(&(took.as_secs() / 3600)), "{took:?}");
    let tries = app.received_logout_tokens().len();
    assert!(tries > 15, "{tries}");
    world.clock.advance(Duration::from_secs(24 * 3600));
    world.work().await;
    assert_eq!(app.received_logout_tokens().len(), tries, "a dead letter is not sent again");
}

both!(of_many_apps_that_answer_at_once_each_is_heard_at_its_first_try, many_apps);
async fn many_apps(on: On) {
    let world =
        Setting::on(on).config(|config| config.logout.wait = Duration::from_secs(10)).begin().await;
    let first = world.app("app-0").await;
    let mut ada = signed_in(&world, &first, "ada").await;
    let mut apps = vec![first];
    for number in 1..16 {
        let app = world.app(&format!("app-{number}")).await;
        world.sign_in(&mut ada.browser, &app, "ada").await;
        apps.push(app);
    }

    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &apps[0], &hint).await;

    assert_eq!(end.url.as_str(), home(&apps[0]));
    let story = world.newest_logout().await;
    assert_eq!((story.outcome.as_str(), story.legs.len()), ("complete", 17));
    let of_apps = story.legs.iter().filter(|leg| leg.party.starts_with("app"));
    let heard: BTreeSet<_> = of_apps.map(|leg| leg.said.as_str()).collect();
    assert_eq!(heard, BTreeSet::from(["confirmed (told at try 1)"]));
    assert!(apps.iter().all(|app| app.received_logout_tokens().len() == 1));
}

both!(a_slow_app_holds_nobody, slow_app);
async fn slow_app(on: On) {
    let setting = Setting::on(on).config(|config| config.logout.wait = Duration::from_millis(400));
    let world = setting.begin().await;
    let (one, two, slow) =
        (world.app("app-one").await, world.app("app-two").await, world.app("slow").await);
    slow.answer_back_channel_with(Answer::Hang);
    // It is the first of the session: whoever tells one after the other tells nobody else.
    let mut ada = signed_in(&world, &slow, "ada").await;
    for app in [&one, &two] {
        world.sign_in(&mut ada.browser, app, "ada").await;
    }
    let hint = ada.hint().to_owned();
    let begun = world.clock.now();

    let end = world.sign_out(&mut ada.browser, &slow, &hint).await;

    let took = world.clock.now().since(begun);
    assert_eq!(end.url.as_str(), home(&slow));
    assert!(took >= Duration::from_millis(400), "apps are given their moment: {took:?}");
    assert!(took < Duration::from_secs(5), "nobody waits on a stranger: {took:?}");
    let expected = [
        "app slow: open",
        "app app-one: confirmed",
        "app app-two: confirmed",
        "IdP corp: confirmed",
    ];
    eventually("the quick apps", async || world.outcomes().await == expected).await;
    let told = world.clock.now().since(begun);
    assert!(told < Duration::from_secs(8), "before the slow one is given up: {told:?}");
    assert!(!ada.is_in(&world, &slow).await);
}

both!(an_app_that_is_down_is_told_when_it_is_back, down);
async fn down(on: On) {
    let world = World::on(on).await;
    let one = world.app("app-one").await;
    // A port where nobody listens, until somebody does.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let uri = format!("http://{address}/logout?tenant=7");
    let two = world.app_with("app-two", json!({ "backchannel_logout_uri": uri })).await;
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &one, &hint).await;
    assert_eq!(end.url.as_str(), home(&one));
    eventually("a failed try", async || said(&world, &two).await.starts_with("told ")).await;

    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let receive = |uri: axum::http::Uri, body: String| async move {
        sender.send((uri.to_string(), body)).unwrap();
    };
    let router = axum::Router::new().route("/logout", axum::routing::post(receive));
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    let (uri, body) = receiver.recv().await.unwrap();
    assert_eq!(uri, "/logout?tenant=7", "the query of the URI is kept");
    assert!(body.starts_with("logout_token=") && !body.contains('&'), "{body}");
}

both!(an_app_without_a_back_channel_is_named_as_such, not_possible);
async fn not_possible(on: On) {
    let world = World::on(on).await;
    let one = world.app("app-one").await;
    let two = world.app_with("app-two", json!({ "backchannel_logout_uri": null })).await;
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &one, &hint).await;
    let outcomes = ["app app-one: confirmed", "app app-two: not_possible", "IdP corp: confirmed"];
    assert_eq!(world.outcomes().await, outcomes);
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
}

both!(an_address_that_the_guard_forbids_is_not_called, guarded);
async fn guarded(on: On) {
    // Loopback is allowed to the apps of these stories; this network is not.
    let world = hasty(on).await;
    let one = world.app("app-one").await;
    let uri = "http://169.254.169.254/latest/meta-data";
    let two = world.app_with("app-two", json!({ "backchannel_logout_uri": uri })).await;
    let mut ada = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut ada.browser, &two, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &one, &hint).await;
    assert_eq!(end.url.as_str(), home(&one));
    // Not "no connection": nobody tried.
    let blocked = "told 1 times without success (blocked: ";
    eventually("a refused try", async || said(&world, &two).await.starts_with(blocked)).await;
    eventually("the other app", async || said(&world, &one).await.starts_with("confirmed")).await;
}
