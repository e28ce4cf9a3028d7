//! What stands in an ID token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sloop::paths;

use crate::both;
use crate::support::forger::Forger;
use crate::support::jwt;
use crate::support::query::{token, token_fields, value, without};
use crate::support::world::{On, World};

both!(it_says_who_for_whom_and_by_which_session, claims);
async fn claims(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;

    let jwks = world.get(paths::JWKS).await.json();
    let verified = jwt::verify(&tokens.id_token, &jwks).unwrap();
    assert_eq!(verified.header["alg"], "RS256");
    assert_eq!(verified.header["typ"], "JWT");
    let mut names: Vec<_> = tokens.claims.keys().map(String::as_str).collect();
    names.sort_unstable();
    // Claims about the person come from userinfo: this token travels in URLs at logout.
    assert_eq!(
        names,
        ["acr", "at_hash", "aud", "auth_time", "exp", "iat", "idp", "iss", "nonce", "sid", "sub"]
    );
    let number = |name: &str| tokens.claims[name].as_i64().unwrap();
    assert_eq!(number("exp") - number("iat"), 300);
    assert!(number("auth_time") <= number("iat"));
    let sub = tokens.claims["sub"].as_str().unwrap();
    assert!(sub.is_ascii() && sub.len() <= 255);
    let hash = openssl::sha::sha256(tokens.access_token.as_bytes());
    assert_eq!(tokens.claims["at_hash"], URL_SAFE_NO_PAD.encode(&hash[..16]));

    // The same person is the same `sub`, in another browser and at another app.
    let other = world.app("app-two").await;
    let again = world.sign_in(&mut world.browser(), &other, "ada").await;
    assert_eq!(again.claims["sub"], tokens.claims["sub"]);
    assert_ne!(again.claims["sid"], tokens.claims["sid"]);
    let bob = world.sign_in(&mut world.browser(), &app, "bob").await;
    assert_ne!(bob.claims["sub"], tokens.claims["sub"]);
}

both!(it_has_a_nonce_only_if_one_was_sent, nonce);
async fn nonce(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let attempt = app.begin(&[]).await;

    let url = without(&attempt.url, "nonce");
    let location = browser.get(url.as_str()).await.location().unwrap();
    let (code, uri) = (value(&location, "code").unwrap(), app.redirect_uri());
    let answer = token(&world, &[], &token_fields(&app, &attempt, &code, &uri)).await.json();

    let jwks = world.get(paths::JWKS).await.json();
    let verified = jwt::verify(answer["id_token"].as_str().unwrap(), &jwks).unwrap();
    assert!(!verified.claims.contains_key("nonce"), "{:?}", verified.claims);
}

both!(fifty_attributes_and_reserved_names_do_not_get_into_it, attributes);
async fn attributes(on: On) {
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    world.add_idp("forged", &forger.metadata(), "").await;
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let mut browser = world.browser();
    let reserved = [
        "sub",
        "iss",
        "aud",
        "sid",
        "amr",
        "acr",
        "idp",
        "exp",
        "nonce",
        "auth_time",
        "azp",
        "roles",
    ];
    let attempt = app.begin(&[]).await;
    let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
    let mut said = forger.says(&asked, "ada");
    let evil = reserved.iter().map(|name| ((*name).to_owned(), vec!["evil".to_owned()]));
    let many = (0..50).map(|n| (format!("attribute-{n}"), vec!["v".repeat(200)]));
    said.attributes.extend(evil.chain(many));

    let location = forger.send(&world, &mut browser, &asked, &said).await.location().unwrap();
    let tokens = app.finish(&attempt, &location).await.unwrap();

    assert!(tokens.id_token.len() < 2_000, "{}", tokens.id_token.len());
    assert_eq!(tokens.claims["iss"], world.issuer);
    assert!(tokens.claims.values().all(|value| value != "evil"), "{:?}", tokens.claims);
    let userinfo = app.userinfo(&tokens.access_token).await.json();
    assert_eq!(userinfo["sub"], tokens.claims["sub"]);
    assert!(userinfo.as_object().unwrap().values().all(|value| value != "evil"), "{userinfo}");
}

both!(a_client_gets_the_algorithm_it_registered, algorithms);
async fn algorithms(on: On) {
    let world = World::on(on).await;
    let mut browser = world.browser();
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let id = format!("app-{}", algorithm.to_lowercase());
        let app = world.app_with(&id, json!({"id_token_alg": algorithm})).await;
        let tokens = world.sign_in(&mut browser, &app, "ada").await;
        let jwks = world.get(paths::JWKS).await.json();
        assert_eq!(jwt::verify(&tokens.id_token, &jwks).unwrap().header["alg"], algorithm);
    }
    let answer = world
        .add_client(json!({"id": "none", "redirect_uris": ["https://a.test/"],
        "id_token_alg": "none"}))
        .await;
    assert!((400..500).contains(&answer.status), "{}", answer.body);
}
