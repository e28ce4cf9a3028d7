//! `prompt`: what may be asked of the person, and what must be.

use serde_json::json;
use sloop::mock_idp::Entry;

use crate::both;
use crate::support::forger::Forger;
use crate::support::query::value;
use crate::support::rp::Failure;
use crate::support::world::{On, World};

both!(a_silent_request_shows_no_page_and_visits_no_idp, none);
async fn none(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();

    let attempt = app.begin(&[("prompt", "none")]).await;
    let page = browser.get(attempt.url.as_str()).await;
    let location = page.location().unwrap();
    assert_eq!(page.body, "");
    let failed = app.finish(&attempt, &location).await.unwrap_err();
    assert_eq!(failed, Failure::Callback("login_required".into()));
    assert_eq!(world.idp.journal(), []);
    assert!(browser.cookie(&world.issuer, "sid").is_none());

    world.sign_in(&mut browser, &app, "ada").await;
    let attempt = app.begin(&[("prompt", "none")]).await;
    let location = browser.get(attempt.url.as_str()).await.location().unwrap();
    app.finish(&attempt, &location).await.unwrap();
}

both!(a_login_prompt_asks_again_and_renews_the_cookie, login);
async fn login(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let before = world.sign_in(&mut browser, &app, "ada").await;
    let old_cookie = browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    world.clock.advance(std::time::Duration::from_secs(600));

    let attempt = app.begin(&[("prompt", "login")]).await;
    let asked = browser.open(attempt.url.as_str()).await;
    assert!(asked.url.as_str().starts_with(&world.idp_url), "{}", asked.summary());
    let journal = world.idp.journal();
    assert!(matches!(journal.last(), Some(Entry::AuthnRequest { force_authn: true, .. })));
    let named = browser.submit(&asked, &[("user", "ada")]).await;
    let home = browser.settle(named).await;
    let after = app.finish(&attempt, &home.url).await.unwrap();

    assert_eq!(after.claims["sub"], before.claims["sub"]);
    assert_eq!(after.claims["sid"], before.claims["sid"], "the same session goes on");
    let times = [&before, &after].map(|tokens| tokens.claims["auth_time"].as_i64().unwrap());
    assert!(times[1] >= times[0] + 600, "{times:?}");
    // Session fixation: the value that was known before is worth nothing now.
    let new_cookie = browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    assert_ne!(new_cookie, old_cookie);
    let silent = app.begin(&[("prompt", "none")]).await.url;
    let target = &silent[url::Position::BeforePath..];
    let outcome = async |cookie: &str| {
        let cookie = format!("sid={cookie}");
        let answer = world.request("GET", target, &[("cookie", cookie.as_str())], "").await;
        let location = url::Url::parse(answer.header("location").unwrap()).unwrap();
        value(&location, "error")
    };
    assert_eq!(outcome(&old_cookie).await.as_deref(), Some("login_required"));
    assert_eq!(outcome(&new_cookie).await, None);
}

both!(an_idp_that_does_not_ask_again_signs_nobody_in, stale_answer);
async fn stale_answer(on: On) {
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    assert_eq!(world.add_idp("forged", &forger.metadata(), "").await.status, 201);
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;

    for (seconds_ago, wanted) in
        [(3_600, Some("login_required")), (120, Some("login_required")), (5, None)]
    {
        let mut browser = world.browser();
        let attempt = app.begin(&[("prompt", "login")]).await;
        let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
        assert!(asked.request.force_authn);
        let mut said = forger.says(&asked, "ada");
        said.authn_instant = Some(world.clock.now().shifted(-seconds_ago * 1_000_000));

        let location = forger.send(&world, &mut browser, &asked, &said).await.location().unwrap();

        assert_eq!(value(&location, "error").as_deref(), wanted, "{seconds_ago}");
        assert_eq!(value(&location, "code").is_some(), wanted.is_none());
        assert_eq!(world.is_signed_in(&mut browser, &app).await, wanted.is_none());
    }
}

both!(a_refused_login_prompt_leaves_the_session_as_it_was, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    world.add_idp("forged", &forger.metadata(), "").await;
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;
    let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
    assert!(!asked.request.force_authn);
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();

    let again = app.begin(&[("prompt", "login")]).await;
    let asked = forger.asked(&browser.get(again.url.as_str()).await);
    let no = forger.fails(&asked, &["Responder", "AuthnFailed"], "wrong password");
    let location = forger.send(&world, &mut browser, &asked, &no).await.location().unwrap();

    let failed = app.finish(&again, &location).await.unwrap_err();
    assert_eq!(failed, Failure::Callback("access_denied".into()));
    assert!(world.is_signed_in(&mut browser, &app).await, "ada still is");
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 200);
}

both!(wanted_contexts_go_out_and_the_real_one_comes_back, acr);
async fn acr(on: On) {
    const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
    const MFA: &str = "https://refeds.org/profile/mfa";
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    world.add_idp("forged", &forger.metadata(), "").await;
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    let mut browser = world.browser();

    for (wish, given) in [(None, PASSWORD), (Some(MFA), MFA)] {
        let extra: Vec<_> = wish.iter().map(|wish| ("acr_values", *wish)).collect();
        let attempt = app.begin(&extra).await;
        // The second app wants more than the session has: the IdP is asked for it.
        let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
        let wanted: Vec<String> = wish.iter().map(|wish| (*wish).to_owned()).collect();
        assert_eq!(asked.request.requested_authn_context, wanted);
        assert_eq!(asked.xml.contains(r#"Comparison="exact""#), wish.is_some());
        let mut said = forger.says(&asked, "ada");
        said.context = given.into();
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
        assert_eq!(tokens.claims["acr"], given);
        let methods = if given == MFA { json!(["mfa"]) } else { json!(["pwd"]) };
        assert_eq!(tokens.claims["amr"], methods);
    }
    // Now it is held, and nobody is asked again.
    let attempt = app.begin(&[("acr_values", MFA)]).await;
    let location = browser.get(attempt.url.as_str()).await.location().unwrap();
    assert_eq!(app.finish(&attempt, &location).await.unwrap().claims["acr"], MFA);
}
