//! Another person signs in with the same browser.

use serde_json::json;

use super::{ask, forged};
use crate::both;
use crate::support::world::{On, World};

both!(the_old_session_ends_and_its_apps_are_told, switched);
async fn switched(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let other = world.app_with("app-two", json!({"idps": ["forged"]})).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    let ada = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    let at_other = world.sign_in(&mut browser, &other, "nobody is asked").await;
    let old_cookie = browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    let old_sid = ada.claims["sid"].as_str().unwrap().to_owned();

    let attempt = app.begin(&[("prompt", "login")]).await;
    let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "bob")).await;
    let bob = app.finish(&attempt, &page.location().unwrap()).await.unwrap();

    assert_ne!(bob.claims["sub"], ada.claims["sub"]);
    assert_ne!(bob.claims["sid"], ada.claims["sid"]);
    assert_ne!(browser.cookie(&world.issuer, "sid").unwrap().value, old_cookie);
    let story = world.settled().await;
    assert_eq!(story.reason, "another person signed in with this browser");
    for app in [&app, &other] {
        let told = app.logouts().await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["sid"], old_sid.as_str());
        assert!(!app.is_signed_in(&old_sid).await);
    }
    // Nothing of ada is left, and bob is there.
    assert_eq!(app.userinfo(&ada.access_token).await.status, 401);
    assert_eq!(other.userinfo(&at_other.access_token).await.status, 401);
    assert_eq!(app.userinfo(&bob.access_token).await.json()["email"], "bob@example.org");
    browser.jar.remove("sid");
    assert!(!world.is_signed_in(&mut browser, &app).await);
    let header = format!("sid={old_cookie}");
    let silent = app.begin(&[("prompt", "none")]).await.url;
    let target = &silent[url::Position::BeforePath..];
    let answer = world.request("GET", target, &[("cookie", &header)], "").await;
    assert!(answer.header("location").unwrap().contains("error=login_required"));
}

both!(the_same_person_again_keeps_the_session_and_changes_the_cookie, same_person);
async fn same_person(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (mut sids, mut cookies) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let attempt = app.begin(&[("prompt", "login")]).await;
        let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
        let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
        let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
        sids.push(tokens.claims["sid"].clone());
        cookies.push(browser.cookie(&world.issuer, "sid").unwrap().value.clone());
    }
    assert!(sids.iter().all(|sid| *sid == sids[0]), "{sids:?}");
    cookies.sort();
    cookies.dedup();
    assert_eq!(cookies.len(), 3, "every authentication has a value of its own");
    assert_eq!(world.logout_count().await, 0);
    assert!(app.received_logout_tokens().is_empty());
}

both!(a_planted_cookie_is_not_the_session_that_begins, fixation);
async fn fixation(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let planted = "planted-by-the-attacker-0123456789";
    let url = url::Url::parse(&world.issuer).unwrap();
    browser.plant(&url, &format!("sid={planted}; Path=/"));

    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();

    assert_ne!(browser.cookie(&world.issuer, "sid").unwrap().value, planted);
    let silent = app.begin(&[("prompt", "none")]).await.url;
    let header = format!("sid={planted}");
    let target = &silent[url::Position::BeforePath..];
    let answer = world.request("GET", target, &[("cookie", &header)], "").await;
    assert!(answer.header("location").unwrap().contains("error=login_required"));
    assert!(world.is_signed_in(&mut browser, &app).await);
}
