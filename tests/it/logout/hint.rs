//! What an `id_token_hint` proves: which app speaks, and whose session it means. A bad one proves
//! nothing, and is no error.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};
use sloop::change::KeyPurpose;
use sloop::config::Config;
use sloop::keys::{KeyAlgorithm, SigningKey, jws};
use sloop::paths;
use sloop::use_cases::Begin;

use super::{home, signed_in};
use crate::both;
use crate::support::jwt::kid;
use crate::support::world::{On, Setting, World};

/// Hints that look like `token` and were not issued by this service.
async fn forgeries(world: &World, token: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{token}") };
    let json = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let kid = json(header)["kid"].clone();
    let stranger = SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap();
    let by_stranger = |head: &str, body: &str| {
        let mut signer = Signer::new(MessageDigest::sha256(), stranger.private_key()).unwrap();
        let signature = signer.sign_oneshot_to_vec(format!("{head}.{body}").as_bytes()).unwrap();
        format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let jwks = world.get(sloop::paths::JWKS).await.body;
    let hmac = PKey::hmac(jwks.as_bytes()).unwrap();
    let hs256 = encode(&json!({ "alg": "HS256", "typ": "JWT", "kid": kid }));
    let mut signer = Signer::new(MessageDigest::sha256(), &hmac).unwrap();
    let mac = signer.sign_oneshot_to_vec(format!("{hs256}.{claims}").as_bytes()).unwrap();
    let none = encode(&json!({ "alg": "none" }));
    let none_with_kid = encode(&json!({ "alg": "none", "kid": kid }));
    let mut other_issuer = json(claims);
    other_issuer["iss"] = json!("https://other.example");
    let mut other_app = json(claims);
    other_app["aud"] = json!("app-two");
    vec![
        ("signed by a stranger's key", jws::sign(&stranger, "JWT", &json(claims))),
        ("signed by a stranger in our key's name", by_stranger(header, claims)),
        ("alg none", format!("{none}.{claims}.")),
        ("alg none with our kid", format!("{none_with_kid}.{claims}.")),
        ("alg none with the old signature", format!("{none_with_kid}.{claims}.{signature}")),
        ("HS256 with what is public", format!("{hs256}.{claims}.{}", URL_SAFE_NO_PAD.encode(mac))),
        ("another issuer", format!("{header}.{}.{signature}", encode(&other_issuer))),
        ("another app", format!("{header}.{}.{signature}", encode(&other_app))),
        ("no signature", format!("{header}.{claims}.")),
        ("cut short", token[..token.len() - 4].to_owned()),
        ("five parts", format!("{header}.{claims}.{signature}.{claims}.{signature}")),
        ("no token", "garbage".to_owned()),
        ("a very long one", "x".repeat(8_000)),
    ]
}

both!(a_hint_that_is_not_ours_proves_nothing, forged);
async fn forged(on: On) {
    let world = World::on(on).await;
    let (app, _two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &app, "ada").await;
    let real = ada.hint().to_owned();
    let mut hints = forgeries(&world, &real).await;
    hints.push(("an access token", ada.tokens.access_token.clone()));
    // A logout token is signed by us and is no ID token.
    let mut other = signed_in(&world, &app, "bob").await;
    let hint = other.hint().to_owned();
    world.sign_out(&mut other.browser, &app, &hint).await;
    hints.push(("a logout token", app.received_logout_tokens().remove(0)));
    let count = world.logout_count().await;

    for (what, hint) in hints {
        let url = world.logout_url(&app, &hint, "the-state").await;
        // With the session's cookie the person is asked, in nobody's name.
        let page = ada.browser.open(url.as_str()).await;
        let text = page.text();
        assert!(text.contains("Do you want to sign out?"), "{what}: {}", page.summary());
        assert!(!text.contains("asks to sign you out"), "{what}: {text}");
        assert!(!text.contains("app-two"), "{what}: {text}");
        // Without it nobody is meant, and nobody is sent anywhere.
        let page = world.browser().open(url.as_str()).await;
        assert_eq!(page.status, 200, "{what}: {}", page.summary());
        assert!(page.text().contains("Nobody was signed in"), "{what}: {}", page.summary());
        assert!(ada.is_in(&world, &app).await, "{what}");
    }
    assert_eq!(world.logout_count().await, count);

    // The real one ends the session even from a browser without the cookie.
    let end = world.sign_out(&mut world.browser(), &app, &real).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert!(!ada.is_in(&world, &app).await);
}

both!(an_expired_hint_is_still_one, expired);
async fn expired(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    world.clock.advance(Duration::from_secs(3600));
    let exp = ada.tokens.claims["exp"].as_i64().unwrap();
    assert!(exp < world.clock.now().as_seconds());
    assert!(ada.is_in(&world, &app).await);
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert!(!ada.is_in(&world, &app).await);
}

both!(a_hint_of_a_retired_key_is_still_one, retired_key);
async fn retired_key(on: On) {
    let lasting = |config: &mut Config| {
        let month = Duration::from_secs(30 * 24 * 3600);
        (config.session.idle, config.session.absolute) = (month, month);
    };
    let world = Setting::on(on).config(lasting).begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    // The session outlives the overlap in which the key is still published.
    world.use_cases().rotate_keys(KeyPurpose::Oidc, Begin::Now).await.unwrap();
    world.clock.advance(Duration::from_secs(3 * 24 * 3600));
    world.use_cases().refresh_keys().await.unwrap();
    let published = world.get(paths::JWKS).await.body;
    assert!(!published.contains(&kid(ada.hint())), "{published}");
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert!(!ada.is_in(&world, &app).await);
}

both!(a_hint_of_another_session_makes_us_ask, another_session);
async fn another_session(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for (mine, theirs) in [("ada", "ada"), ("ada", "bob")] {
        let mut here = signed_in(&world, &app, mine).await;
        let mut there = signed_in(&world, &app, theirs).await;
        let count = world.logout_count().await;
        let page = world.sign_out(&mut here.browser, &app, there.hint()).await;
        assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
        assert!(here.is_in(&world, &app).await && there.is_in(&world, &app).await);
        assert_eq!(world.logout_count().await, count);
        // Who says yes speaks for this browser, and for no other.
        let pressed = here.browser.submit(&page, &[("answer", "yes")]).await;
        let end = here.browser.settle(pressed).await;
        assert_eq!(end.url.as_str(), home(&app));
        assert!(!here.is_in(&world, &app).await, "{mine}");
        assert!(there.is_in(&world, &app).await, "{theirs}");
    }
}

both!(a_logout_hint_for_somebody_else_makes_us_ask, logout_hint);
async fn logout_hint(on: On) {
    fn target<'a>(uri: &'a str, hint: &'a str) -> [(&'a str, &'a str); 3] {
        let state = ("state", "the-state");
        [("post_logout_redirect_uri", uri), state, ("logout_hint", hint)]
    }
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let uri = app.post_logout_redirect_uri();
    let bob = signed_in(&world, &app, "bob").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    for another in [bob.sid(), "bob@example.com"] {
        let page = ada.ask(&app, &target(&uri, another)).await;
        let page = ada.browser.settle(page).await;
        assert!(page.text().contains("Do you want to sign out?"), "{another}: {}", page.summary());
        assert!(ada.is_in(&world, &app).await);
    }
    // The same where another site posts, and the question waits for the cookie.
    let hint = ada.hint().to_owned();
    let fields =
        [&[("id_token_hint", hint.as_str())], &target(&uri, "bob@example.com")[..]].concat();
    let url = world.url(paths::END_SESSION);
    let page = ada.browser.post(&url, &fields, Some("https://app.test/")).await;
    let page = ada.browser.settle(page).await;
    assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
    assert_eq!(world.logout_count().await, 0);
    // Her own, and what we cannot tell, ask for nothing.
    for (own, by_sid) in [("", true), ("ADA@example.com", false), ("ada", false), ("<\"'>", false)]
    {
        let mut ada = signed_in(&world, &app, "ada").await;
        let sid = ada.sid().to_owned();
        let page = ada.ask(&app, &target(&uri, if by_sid { &sid } else { own })).await;
        let end = ada.browser.settle(page).await;
        assert_eq!(end.url.as_str(), home(&app), "{own}");
        assert!(!ada.is_in(&world, &app).await);
    }
}

both!(a_hint_of_a_session_that_ended_long_ago_makes_us_ask, ended_session);
async fn ended_session(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let old = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &old).await;
    world.sign_in(&mut ada.browser, &app, "ada").await;
    let page = world.sign_out(&mut ada.browser, &app, &old).await;
    assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
    assert!(ada.is_in(&world, &app).await);
}

both!(the_client_id_must_be_the_hints_app, client_id);
async fn client_id(on: On) {
    let world = World::on(on).await;
    let (one, _two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    let uri = one.post_logout_redirect_uri();
    let with = |client| {
        [("client_id", client), ("post_logout_redirect_uri", uri.as_str()), ("state", "the-state")]
    };
    for client in ["app-two", "nobody", "APP-ONE"] {
        let page = ada.ask(&one, &with(client)).await;
        assert_eq!(page.status, 400, "{client}: {}", page.summary());
        assert_eq!(page.location(), None);
        assert!(ada.is_in(&world, &one).await);
    }
    let page = ada.ask(&one, &with("app-one")).await;
    assert_eq!(ada.browser.settle(page).await.url.as_str(), home(&one));
    assert!(!ada.is_in(&world, &one).await);
}
