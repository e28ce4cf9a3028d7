//! A Response signs in once.

use sloop::paths;

use super::{ask, forged};
use crate::both;
use crate::support::forger::Sign;
use crate::support::query::{form, value};
use crate::support::world::{On, World};

both!(the_same_response_again_is_refused_even_after_a_restart, again);
async fn again(on: On) {
    let mut world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let said = forger.says(&asked, "ada");
    let page = forger.send(&world, &mut browser, &asked, &said).await;
    let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    let cookie = browser.cookie(&world.issuer, "sid").unwrap().value.clone();

    for restart in [false, true] {
        if restart {
            world.restart().await;
        }
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        assert_eq!((page.status, page.header("set-cookie")), (400, None), "{}", page.summary());
        let mut fresh = world.browser();
        let page = forger.send(&world, &mut fresh, &asked, &said).await;
        assert_eq!(page.status, 400);
        assert!(!world.is_signed_in(&mut fresh, &app).await);
    }
    // Who is signed in stays so.
    assert_eq!(browser.cookie(&world.issuer, "sid").unwrap().value, cookie);
    assert!(world.is_signed_in(&mut browser, &app).await);
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 200);
}

both!(an_assertion_cannot_answer_a_second_request, second_request);
async fn second_request(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (_, first) = ask(&forger, &mut browser, &app).await;
    let (attempt, second) = ask(&forger, &mut browser, &app).await;
    let said = forger.says(&first, "ada");
    assert!(forger.send(&world, &mut browser, &first, &said).await.location().is_some());
    browser.jar.remove("sid");

    // A new envelope around the same assertion ID, which is all right but for that.
    let mut reused = forger.says(&second, "ada");
    reused.assertion_id = said.assertion_id.clone();
    let page = forger.send(&world, &mut browser, &second, &reused).await;
    assert_eq!((page.status, page.header("set-cookie")), (400, None), "{}", page.summary());
    assert!(!world.is_signed_in(&mut browser, &app).await);

    let page = forger.send(&world, &mut browser, &second, &forger.says(&second, "ada")).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

both!(of_fifty_submissions_at_once_exactly_one_signs_in, race);
async fn race(on: On) {
    for signed_in_before in [false, true] {
        fifty(on, signed_in_before).await;
    }
}

async fn fifty(on: On, signed_in_before: bool) {
    use base64::Engine as _;
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    if signed_in_before {
        let (_, asked) = ask(&forger, &mut browser, &app).await;
        forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
        assert!(world.is_signed_in(&mut browser, &app).await);
    }
    let attempt = app.begin(&[("prompt", "login")]).await;
    let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
    let xml = forger.signed(&forger.says(&asked, "ada"), Sign::Both);
    let encoded = base64::engine::general_purpose::STANDARD.encode(&xml);
    let body =
        form(&[("SAMLResponse", &encoded), ("RelayState", asked.relay_state.as_deref().unwrap())]);
    let url = url::Url::parse(&world.issuer).unwrap();
    let context = browser.cookies_for(&url);
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("cookie", context.as_str())];

    let all = (0..50).map(|_| world.request("POST", paths::SAML_ACS, &headers, &body));
    let answers = futures_util::future::join_all(all).await;

    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 303);
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
    assert!(lost.iter().all(|answer| answer.status == 400), "{lost:#?}");
    assert!(lost.iter().all(|answer| answer.header("set-cookie").is_none()));
    let location = url::Url::parse(won[0].header("location").unwrap()).unwrap();
    assert!(value(&location, "code").is_some());
    app.finish(&attempt, &location).await.unwrap();
}
