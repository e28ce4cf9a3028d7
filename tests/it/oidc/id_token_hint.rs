//! `id_token_hint`: tokens never go to another person than the one that it names.

use std::time::Duration;

use serde_json::json;

use crate::both;
use crate::support::forger::Forger;
use crate::support::query::value;
use crate::support::rp::Failure;
use crate::support::world::{On, World};

both!(an_own_token_is_a_good_hint_even_if_it_has_expired, own);
async fn own(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    world.clock.advance(Duration::from_secs(3_600));
    let now = world.clock.now().as_seconds();
    assert!(tokens.claims["exp"].as_i64().unwrap() < now);

    let attempt = app.begin(&[("prompt", "none"), ("id_token_hint", &tokens.id_token)]).await;
    let location = browser.get(attempt.url.as_str()).await.location().unwrap();

    let again = app.finish(&attempt, &location).await.unwrap();
    assert_eq!(again.claims["sub"], tokens.claims["sub"]);
}

both!(a_hint_of_somebody_else_gives_a_silent_request_nothing, other_person);
async fn other_person(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let (mut adas, mut bobs) = (world.browser(), world.browser());
    let ada = world.sign_in(&mut adas, &app, "ada").await;
    world.sign_in(&mut bobs, &app, "bob").await;
    let (signed, signature) = ada.id_token.rsplit_once('.').unwrap();

    let changed = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    for hint in [ada.id_token.as_str(), "a.b.c", &changed, &ada.access_token] {
        let attempt = app.begin(&[("prompt", "none"), ("id_token_hint", hint)]).await;
        let location = bobs.get(attempt.url.as_str()).await.location().unwrap();
        let failed = app.finish(&attempt, &location).await.unwrap_err();
        assert_eq!(failed, Failure::Callback("login_required".into()), "{hint}");
    }
    assert!(world.is_signed_in(&mut bobs, &app).await);
    assert!(world.is_signed_in(&mut adas, &app).await);
}

both!(who_signs_in_instead_of_the_hinted_person_gets_no_tokens, other_at_the_idp);
async fn other_at_the_idp(on: On) {
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    world.add_idp("forged", &forger.metadata(), "").await;
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let mut first = world.browser();
    let attempt = app.begin(&[]).await;
    let asked = forger.asked(&first.get(attempt.url.as_str()).await);
    let page = forger.send(&world, &mut first, &asked, &forger.says(&asked, "ada")).await;
    let ada = app.finish(&attempt, &page.location().unwrap()).await.unwrap();

    let mut browser = world.browser();
    for (person, wanted) in [("bob", Some("login_required")), ("ada", None)] {
        let attempt = app.begin(&[("id_token_hint", &ada.id_token)]).await;
        let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
        let said = forger.says(&asked, person);
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        let location = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
        assert_eq!(value(&location, "error").as_deref(), wanted, "{person}");
        assert_eq!(value(&location, "code").is_none(), wanted.is_some(), "{person}");
        assert_eq!(world.is_signed_in(&mut browser, &app).await, wanted.is_none(), "{person}");
    }
}
