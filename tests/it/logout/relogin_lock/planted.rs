//! The cookie that finds a browser's locks comes from a logout of that browser, and from nobody else's.

use sloop::paths;

use super::{Careless, is_demanded};
use crate::both;
use crate::support::browser::Browser;
use crate::support::forger::Said;
use crate::support::rp::Tokens;
use crate::support::world::{On, Setting, World};

const EVIL: &str = "https://evil.test/";

/// Somebody who is signed in through an IdP that will not confirm their logout.
async fn signed_in(world: &World, idp: &Careless, name: &str) -> (Browser, Tokens) {
    let mut browser = world.browser();
    let named = |said: &mut Said| said.name_id = Some(name.to_owned());
    let first = idp.sign_in(world, &mut browser, named).await;
    let tokens = idp.tokens(&first).await;
    (browser, tokens)
}

/// Eve, who is signed in; Ada, who has signed out and has a lock; and a browser that never was here.
async fn three(world: &World, idp: &Careless) -> ((Browser, Tokens), [Browser; 2]) {
    let (mut ada, tokens) = signed_in(world, idp, "ada").await;
    idp.sign_out(world, &mut ada, &tokens).await;
    (signed_in(world, idp, "eve").await, [ada, world.browser()])
}

fn relogin(world: &World, browser: &Browser) -> Option<String> {
    browser.cookie(&world.issuer, "__Host-relogin").map(|cookie| cookie.value.clone())
}

/// Ada's lock is her own: it is found, and her next sign-in lifts it. Nobody else has one, but Eve.
async fn have_their_own(world: &World, idp: &Careless, eve: &mut Browser, others: [Browser; 2]) {
    let [mut ada, mut nobody] = others;
    assert!(relogin(world, &ada).is_some());
    assert_eq!(relogin(world, &nobody), None);
    assert!(!is_demanded(&idp.ask(&mut nobody).await.1));
    assert!(is_demanded(&idp.ask(eve).await.1), "she has signed out with a browser that knows her");
    world.clock.advance(std::time::Duration::from_secs(1));
    let asked = idp.ask(&mut ada).await;
    assert!(is_demanded(&asked.1));
    let again = idp.answer(world, &mut ada, asked, |_| {}).await;
    idp.tokens(&again).await;
    assert_eq!(relogin(world, &ada), None, "that was the only one that her cookie found");
}

both!(somebody_elses_form_gives_none_and_takes_none, form);
async fn form(on: On) {
    let world = Setting::on(on).https().begin().await;
    let idp = Careless::connect(&world).await;
    let ((mut eve, _), mut others) = three(&world, &idp).await;
    let url = world.url(paths::SAML_LOGOUT);
    let page = eve.get(&url).await;
    let form = page.form();
    let before = eve.jar.clone();
    let pressed = eve.submit_form(&page, &form).await;
    eve.settle(pressed).await;
    let own = relogin(&world, &eve);
    assert!(own.is_some());

    let whole: Vec<_> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let least = vec![("csrf", "x"), ("handle", form.field("handle").unwrap())];
    for browser in &mut others {
        let had = relogin(&world, browser);
        for fields in [&whole, &least] {
            let posted = browser.post(&url, fields, Some(EVIL)).await;
            browser.settle(posted).await;
            assert_eq!(relogin(&world, browser), had);
        }
    }

    // The browser that dropped the answer gets it with the next one.
    eve.jar = before;
    let again = eve.submit_form(&page, &form).await;
    eve.settle(again).await;
    assert_eq!(relogin(&world, &eve), own);
    have_their_own(&world, &idp, &mut eve, others).await;
    assert_eq!(world.logout_count().await, 2);
}

both!(somebody_elses_link_gives_none, link);
async fn link(on: On) {
    for has_ended in [true, false] {
        let world = Setting::on(on).https().begin().await;
        let idp = Careless::connect(&world).await;
        let ((mut eve, tokens), mut others) = three(&world, &idp).await;
        let url = world.logout_url(&idp.app, &tokens.id_token, "the-state").await;
        let before = eve.jar.clone();
        if has_ended {
            eve.open(url.as_str()).await;
            assert!(relogin(&world, &eve).is_some());
            // She never got that answer.
            eve.jar = before;
        }
        for browser in &mut others {
            let had = relogin(&world, browser);
            let evil = browser.get(EVIL).await;
            let clicked = browser.click(&evil, url.as_str()).await;
            browser.settle(clicked).await;
            assert_eq!(relogin(&world, browser), had, "{has_ended}");
        }
        // Hers does, whoever has ended her session.
        have_their_own(&world, &idp, &mut eve, others).await;
        assert_eq!(world.logout_count().await, 2);
    }
}

both!(an_answer_to_a_question_that_was_posted_from_elsewhere_gives_none, question);
async fn question(on: On) {
    let world = Setting::on(on).https().begin().await;
    let idp = Careless::connect(&world).await;
    let ((mut eve, tokens), mut others) = three(&world, &idp).await;
    // Without any cookie she is asked: the form fits every request without one.
    let nowhere = ("post_logout_redirect_uri", "https://nowhere.test/");
    let url = idp.app.logout_url(&[("id_token_hint", &tokens.id_token), nowhere]).await;
    let question = world.browser().open(url.as_str()).await;
    let form = question.form();
    let csrf = form.field("csrf").unwrap();
    for browser in &mut others {
        let had = relogin(&world, browser);
        let fields = [("csrf", csrf), ("answer", "yes")];
        let posted = browser.post(question.url.as_str(), &fields, Some(EVIL)).await;
        browser.settle(posted).await;
        assert_eq!(relogin(&world, browser), had);
    }
    assert!(!world.is_signed_in(&mut eve, &idp.app).await);
    have_their_own(&world, &idp, &mut eve, others).await;
    assert_eq!(world.logout_count().await, 2);
}
