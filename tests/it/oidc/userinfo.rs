//! Userinfo: who may ask, and what is told.

use serde_json::json;
use sloop::paths;

use crate::both;
use crate::support::forger::Forger;
use crate::support::query::{token, token_fields, value, with};
use crate::support::world::{On, World};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

both!(the_token_comes_in_the_header_or_in_a_form, three_ways);
async fn three_ways(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let bearer = format!("Bearer {}", tokens.access_token);
    let header = ("authorization", bearer.as_str());
    let in_form = format!("access_token={}", tokens.access_token);

    for answer in [
        world.request("GET", paths::USERINFO, &[header], "").await,
        world.request("POST", paths::USERINFO, &[header], "").await,
        world.request("POST", paths::USERINFO, &[header, FORM], "").await,
        world.request("POST", paths::USERINFO, &[FORM], &in_form).await,
    ] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(
            answer.json(),
            json!({"sub": tokens.claims["sub"], "email": "ada@example.com",
                "given_name": answer.json()["given_name"], "family_name": answer.json()["family_name"]})
        );
    }
    let in_query = format!("{}?{in_form}", paths::USERINFO);
    for answer in [
        world.get(&in_query).await,
        world.request("GET", &in_query, &[header], "").await,
        world.request("POST", paths::USERINFO, &[header, FORM], &in_form).await,
    ] {
        assert_eq!(answer.status, 400);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains(r#"error="invalid_request""#), "{challenge}");
        assert_eq!(answer.body, "");
    }
}

both!(without_a_good_token_nothing_is_told, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;

    let none = world.get(paths::USERINFO).await;
    assert_eq!((none.status, none.header("www-authenticate")), (401, Some("Bearer")));
    let doubled = format!("{0}{0}", tokens.access_token);
    for bad in ["unknown", &tokens.id_token, &doubled] {
        let answer = app.userinfo(bad).await;
        assert_eq!(answer.status, 401, "{bad}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
    }
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 200);
    world.clock.advance(std::time::Duration::from_secs(301));
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 401, "it lives for five minutes");
    assert!(world.is_signed_in(&mut browser, &app).await);
}

both!(a_token_dies_with_its_session, after_logout);
async fn after_logout(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let first = world.sign_in(&mut browser, &one, "ada").await;
    let second = world.sign_in(&mut browser, &two, "ada").await;
    let elsewhere = world.sign_in(&mut world.browser(), &one, "ada").await;

    world.sign_out(&mut browser, &one, &first.id_token).await;

    assert_eq!(one.userinfo(&first.access_token).await.status, 401);
    assert_eq!(two.userinfo(&second.access_token).await.status, 401);
    assert_eq!(one.userinfo(&elsewhere.access_token).await.status, 200);
}

both!(each_scope_releases_its_claims_and_no_others, scopes);
async fn scopes(on: On) {
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    world.add_idp("forged", &forger.metadata(), "").await;
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;
    let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
    let mut said = forger.says(&asked, "ada");
    said.attributes = [
        ("mail", "ada@example.org"),
        ("givenName", "Ada <b>"),
        ("telephoneNumber", "+1"),
        ("postalAddress", "Street 1"),
        ("locale", ""),
        ("unknown", "x"),
    ]
    .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
    .to_vec();
    forger.send(&world, &mut browser, &asked, &said).await.location().unwrap();

    for (scope, claims) in [
        ("openid", json!({})),
        ("openid email", json!({"email": "ada@example.org"})),
        ("openid profile", json!({"given_name": "Ada <b>"})),
        ("openid phone", json!({"phone_number": "+1"})),
        ("openid address", json!({"address": {"formatted": "Street 1"}})),
    ] {
        let attempt = app.begin(&[("prompt", "none")]).await;
        let url = with(&attempt.url, "scope", scope);
        let location = browser.get(url.as_str()).await.location().unwrap();
        let (code, uri) = (value(&location, "code").unwrap(), app.redirect_uri());
        let answer = token(&world, &[], &token_fields(&app, &attempt, &code, &uri)).await.json();
        let told = app.userinfo(answer["access_token"].as_str().unwrap()).await.json();
        let mut wanted = claims;
        wanted["sub"] = told["sub"].clone();
        // What the IdP left empty is left out.
        assert_eq!(told, wanted, "{scope}");
    }
}
