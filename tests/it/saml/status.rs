//! What an IdP reports instead of a person.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::paths;

use super::{ask, forged};
use crate::both;
use crate::support::browser::Browser;
use crate::support::forger::Sign;
use crate::support::query::{form, value};
use crate::support::world::{On, Setting, World};

const MARKUP: &str = "</p><script>alert(1)</script>\"'&evil";

both!(a_failure_goes_back_to_the_app_in_its_own_words, mapped);
async fn mapped(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    for (status, error) in [
        (vec!["Responder", "NoPassive"], "login_required"),
        (vec!["Responder", "AuthnFailed"], "access_denied"),
        (vec!["Responder", "RequestDenied"], "access_denied"),
        (vec!["Requester", "NoAuthnContext"], "access_denied"),
        (vec!["Requester"], "access_denied"),
        (vec!["VersionMismatch"], "access_denied"),
        (vec!["Unheard", "OfThis"], "access_denied"),
    ] {
        for sign in [Sign::Both, Sign::Nothing] {
            let mut browser = world.browser();
            let (attempt, asked) = ask(&forger, &mut browser, &app).await;
            let no = forger.fails(&asked, &status, MARKUP);
            let xml = forger.signed(&no, sign);
            let page = forger.post(&world, &mut browser, &xml, asked.relay_state.as_deref()).await;

            let location = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
            assert!(location.as_str().starts_with(&app.redirect_uri()), "{location}");
            assert_eq!(value(&location, "error").as_deref(), Some(error), "{status:?} {sign:?}");
            assert_eq!(value(&location, "state").as_deref(), Some(attempt.state.as_str()));
            assert_eq!(value(&location, "iss").as_deref(), Some(world.issuer.as_str()));
            assert!(!location.as_str().contains("evil"), "what the IdP writes stays here");
            assert!(!world.is_signed_in(&mut browser, &app).await);
        }
    }
}

both!(a_failure_with_an_assertion_is_a_failure, with_assertion);
async fn with_assertion(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    for sign in [Sign::Both, Sign::Response, Sign::Assertion, Sign::Nothing] {
        let mut browser = world.browser();
        let (_, asked) = ask(&forger, &mut browser, &app).await;
        let mut said = forger.says(&asked, "ada");
        said.status = forger.fails(&asked, &["Responder"], "").status;
        let xml = forger.signed(&said, sign);
        let page = forger.post(&world, &mut browser, &xml, asked.relay_state.as_deref()).await;
        let location = page.location().unwrap();
        assert_eq!(value(&location, "error").as_deref(), Some("access_denied"), "{sign:?}");
        assert!(!world.is_signed_in(&mut browser, &app).await, "{sign:?}");
    }
}

both!(a_failure_in_another_browser_is_a_page_and_ends_nothing, elsewhere);
async fn elsewhere(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (forger, app) = forged(&world).await;
    let (mut browser, mut other): (Browser, Browser) = (world.browser(), world.browser());
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;

    let no = forger.fails(&asked, &["Responder", "AuthnFailed"], MARKUP);
    let page = forger.send(&world, &mut other, &asked, &no).await;
    assert_eq!((page.status, page.location()), (400, None), "{}", page.summary());
    assert!(!page.body.contains("<script") && !page.body.contains("evil"), "{}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");

    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    let home = browser.hop(page).await;
    app.finish(&attempt, &home.location().unwrap()).await.unwrap();
}

both!(the_same_failure_many_times_at_once_is_reported_once, at_once);
async fn at_once(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (_, asked) = ask(&forger, &mut browser, &app).await;
    let no = forger.fails(&asked, &["Responder", "AuthnFailed"], "no");
    let encoded = STANDARD.encode(forger.signed(&no, Sign::Both));
    let body = form(&[("SAMLResponse", &encoded)]);
    let cookies = browser.cookies_for(&url::Url::parse(&world.issuer).unwrap());
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookies.as_str())];

    let all = (0..20).map(|_| world.request("POST", paths::SAML_ACS, &headers, &body));
    let answers = futures_util::future::join_all(all).await;

    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 303);
    assert!(statuses[1..].iter().all(|status| *status == 400), "{statuses:?}");
    assert!(!world.is_signed_in(&mut browser, &app).await);
}
