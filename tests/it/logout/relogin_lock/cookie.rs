//! The browser's part of the lock: its cookie, its form, and the page that tells of it.

use std::time::Duration;

use serde_json::json;
use sloop::paths;
use url::Url;

use super::{Careless, is_demanded, is_refused, press, recorded};
use crate::both;
use crate::support::forger::Said;
use crate::support::world::{On, Setting, World};

both!(the_cookie_is_protected_and_kept_from_logout_to_logout, protected);
async fn protected(on: On) {
    let world = Setting::on(on).https().begin().await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let mut values = Vec::new();
    for _ in 0..2 {
        let first = idp.sign_in(&world, &mut browser, |_| {}).await;
        let tokens = idp.tokens(&first).await;
        idp.sign_out(&world, &mut browser, &tokens).await;
        let cookie = browser.cookie(&world.issuer, "__Host-relogin").unwrap();
        assert!(cookie.secure && cookie.http_only && cookie.host_only && cookie.path == "/");
        let month = Duration::from_secs(30 * 86_400);
        assert!(cookie.expires_at.unwrap() <= world.clock.now().plus(month));
        values.push(cookie.value.clone());
        // Another person signs in beside the lock, and out again.
        world.clock.advance(Duration::from_secs(1));
        let bob = |said: &mut Said| said.name_id = Some("bob".into());
        let other = idp.sign_in(&world, &mut browser, bob).await;
        let tokens = idp.tokens(&other).await;
        idp.sign_out(&world, &mut browser, &tokens).await;
        values.push(browser.cookie(&world.issuer, "__Host-relogin").unwrap().value.clone());
        world.clock.advance(Duration::from_secs(1));
    }
    assert!(values.iter().all(|value| *value == values[0] && value.len() == 43), "{values:?}");
}

both!(a_cookie_that_somebody_made_up_opens_nothing, made_up);
async fn made_up(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let issuer = Url::parse(&world.issuer).unwrap();
    let began = world.clock.now();
    let old = |said: &mut Said| said.authn_instant = Some(began);
    let well_formed = "x".repeat(42) + "A";
    for planted in ["a", "../../etc", &"x".repeat(5_000), &well_formed] {
        let mut browser = world.browser();
        let first = idp.sign_in(&world, &mut browser, old).await;
        let tokens = idp.tokens(&first).await;
        browser.plant(&issuer, &format!("relogin={planted}; Path=/; Max-Age=9999999"));
        idp.sign_out(&world, &mut browser, &tokens).await;
        let cookie = browser.cookie(&world.issuer, "relogin").unwrap().value.clone();
        assert_eq!(cookie == *planted, *planted == well_formed, "{planted:.20}");
        let again = idp.sign_in(&world, &mut browser, old).await;
        assert!(is_demanded(&again.asked) && is_refused(&again.page, &world), "{planted:.20}");

        // Whoever has another browser's cookie is asked like that one, and lifts nothing of it.
        let mut thief = world.browser();
        thief.plant(&issuer, &format!("relogin={cookie}; Path=/; Max-Age=9999999"));
        let bob = |said: &mut Said| said.name_id = Some("bob".into());
        let other = idp.sign_in(&world, &mut thief, bob).await;
        assert!(is_demanded(&other.asked));
        idp.tokens(&other).await;
        assert!(is_demanded(&idp.ask(&mut browser).await.1));
    }
    // One that no logout gave demands nothing.
    let mut browser = world.browser();
    browser.plant(&issuer, "relogin=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; Path=/");
    assert!(!is_demanded(&idp.ask(&mut browser).await.1));
}

both!(only_the_browser_that_saw_the_page_can_press_its_button, forged_form);
async fn forged_form(on: On) {
    for https in [false, true] {
        let world = Setting { https, ..Setting::on(on) }.begin().await;
        let idp = Careless::connect(&world).await;
        let (mut ada, mut eve) = (world.browser(), world.browser());
        let began = world.clock.now();
        let old = |said: &mut Said| said.authn_instant = Some(began);
        let first = idp.sign_in(&world, &mut ada, old).await;
        let tokens = idp.tokens(&first).await;
        idp.sign_out(&world, &mut ada, &tokens).await;
        let again = idp.sign_in(&world, &mut ada, old).await;
        assert!(is_refused(&again.page, &world));
        let form = again.page.form();
        let (handle, csrf) = (form.field("handle").unwrap(), form.field("csrf").unwrap());
        let url = world.url(paths::SAML_ACS_CONTINUE);

        let (stranger, own) = ("https://evil.test", world.issuer.as_str());
        let near_miss = csrf.replace(&csrf[..4], "AAAA");
        for (is_hers, from, handle, csrf, answer) in [
            (true, stranger, handle, "", "yes"),
            (true, own, handle, "", "yes"),
            (true, own, handle, near_miss.as_str(), "yes"),
            (true, own, "AAAAAAAAAAAAAAAAAAAAAA", csrf, "yes"),
            (true, own, handle, csrf, "maybe"),
            (false, own, handle, csrf, "yes"),
            (false, own, handle, csrf, "no"),
        ] {
            let browser = if is_hers { &mut ada } else { &mut eve };
            let fields = [("handle", handle), ("csrf", csrf), ("answer", answer)];
            let page = browser.post(&url, &fields, Some(from)).await;
            assert_eq!((page.status, page.location(), page.refresh()), (400, None, None));
            assert_eq!(page.header("set-cookie"), None);
            assert!(!world.is_signed_in(browser, &idp.app).await);
        }
        assert_eq!(recorded(&world).await, [1, 1, 0]);
        let policy = again.page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        let home = press(&mut ada, &again.page, "yes").await;
        idp.app.finish(&again.attempt, &home).await.unwrap();
    }
}

both!(a_browser_that_dropped_the_first_answer_gets_the_cookie_with_the_second, double_click);
async fn double_click(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let mut browser = world.browser();
    let began = world.clock.now();
    let old = |said: &mut Said| {
        said.authn_instant = Some(began);
        said.session_index = None;
    };
    let first = idp.sign_in(&world, &mut browser, old).await;
    let tokens = idp.tokens(&first).await;
    let sid = format!("sid={}", browser.cookie(&world.issuer, "sid").unwrap().value);
    let url = world.logout_url(&idp.app, &tokens.id_token, "the-state").await;
    // The first click: nobody reads its answer.
    let target = &url[url::Position::BeforePath..];
    let dropped = world.request("GET", target, &[("cookie", sid.as_str())], "").await;
    assert_eq!(dropped.status, 303);
    assert!(browser.cookie(&world.issuer, "relogin").is_none());

    idp.sign_out(&world, &mut browser, &tokens).await;

    assert_eq!(world.logout_count().await, 1);
    let again = idp.sign_in(&world, &mut browser, old).await;
    assert!(is_demanded(&again.asked) && is_refused(&again.page, &world));
}

both!(the_end_page_says_what_the_lock_does_where_there_is_one, end_page);
async fn end_page(on: On) {
    const SAYS: &str = "At the next sign-in with this browser, your organisation is asked to check \
                        again who you are. If it does not, we ask you before you are signed in.";
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let corp = world.app_with("app-two", json!({"idps": ["corp"]})).await;
    let mut browser = world.browser();
    let first = idp.sign_in(&world, &mut browser, |_| {}).await;
    let hint = idp.tokens(&first).await.id_token;
    let url = idp.app.logout_url(&[("id_token_hint", &hint)]).await;
    let end = browser.open(url.as_str()).await;
    assert!(end.text().contains(SAYS), "{}", end.text());
    world.clock.advance(Duration::from_secs(1));
    let fresh = idp.sign_in(&world, &mut browser, |_| {}).await;
    idp.tokens(&fresh).await;
    let end = browser.open(end.url.as_str()).await;
    assert!(!end.text().contains("next sign-in"), "it has been asked since: {}", end.text());
    // Nobody is told of it where everybody has confirmed.
    let mut ada = crate::logout::signed_in(&world, &corp, "ada").await;
    let page = ada.ask(&corp, &[]).await;
    let end = ada.browser.settle(page).await;
    assert!(end.text().contains("everywhere") && !end.text().contains("next sign-in"));
}

both!(its_pages_are_in_the_language_of_the_browser, language);
async fn language(on: On) {
    let world = World::on(on).await;
    let idp = Careless::connect(&world).await;
    let began = world.clock.now();
    let old = |said: &mut Said| said.authn_instant = Some(began);
    for (header, end_says, refusal_says) in [
        ("de", "Bei der nächsten Anmeldung mit diesem Browser", "ungefragt wieder angemeldet"),
        ("fr", "À la prochaine connexion avec ce navigateur", "sans qu’on vous le demande"),
        ("es", "En el próximo inicio de sesión con este navegador", "sin preguntarle"),
    ] {
        let mut browser = world.browser().with_languages(header);
        let first = idp.sign_in(&world, &mut browser, old).await;
        let hint = idp.tokens(&first).await.id_token;
        let url = idp.app.logout_url(&[("id_token_hint", &hint)]).await;
        let end = browser.open(url.as_str()).await;
        assert!(end.text().contains(end_says), "{}", end.text());
        let again = idp.sign_in(&world, &mut browser, old).await;
        assert!(again.page.text().contains(refusal_says), "{}", again.page.text());
        assert!(!world.is_signed_in(&mut browser, &idp.app).await);
        let home = press(&mut browser, &again.page, "yes").await;
        idp.app.finish(&again.attempt, &home).await.unwrap();
    }
}
