//! The answer belongs to the browser that asked, whichever of its cookies travel.

use sloop::id::IdpId;
use sloop::paths;

use super::{ask, forged};
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::world::{On, Setting, World};

fn transaction_cookies(browser: &Browser, world: &World) -> (String, String) {
    let url = url::Url::parse(&world.issuer).unwrap();
    let names = browser.cookies_for(&url);
    let names: Vec<_> =
        names.split("; ").filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    let find = |prefix: &str| {
        let found = names.iter().find(|name| name.starts_with(prefix));
        found.unwrap_or_else(|| panic!("{prefix} in {names:?}")).to_string()
    };
    (find("__Host-tx-"), find("__Host-txl-"))
}

fn continues(page: &Page, world: &World) -> String {
    assert_eq!(page.status, 303, "{}", page.summary());
    assert_eq!(page.header("set-cookie"), None, "nothing is known of the browser yet");
    let location = page.location().unwrap().to_string();
    assert!(location.starts_with(&world.url(paths::SAML_ACS_CONTINUE)), "{location}");
    location
}

both!(a_cross_site_post_goes_on_by_a_get_that_carries_every_cookie, by_get);
async fn by_get(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let (none, lax) = transaction_cookies(&browser, &world);

    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;

    let sent = &browser.history().last().unwrap().cookies;
    assert!(sent.contains(&none) && !sent.contains(&lax), "{sent:?}");
    continues(&page, &world);
    let home = browser.hop(page).await;
    let sent = &browser.history().last().unwrap().cookies;
    assert!(sent.contains(&none) && sent.contains(&lax), "{sent:?}");
    app.finish(&attempt, &home.location().unwrap()).await.unwrap();
    let cookie = browser.cookie(&world.issuer, "__Host-sid").unwrap();
    assert!(cookie.secure && cookie.http_only && cookie.host_only && cookie.path == "/");
    assert!(browser.cookie(&world.issuer, &none).is_none(), "used up");
    assert!(browser.cookie(&world.issuer, &lax).is_none(), "used up");
}

both!(without_it_the_lax_twin_goes_on, twin);
async fn twin(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    browser.jar.remove(&transaction_cookies(&browser, &world).0);

    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    let handle = continues(&page, &world);
    assert!(!world.is_signed_in(&mut browser, &app).await, "nothing is written before");
    let home = browser.hop(page).await;

    app.finish(&attempt, &home.location().unwrap()).await.unwrap();
    assert!(world.is_signed_in(&mut browser, &app).await);
    // The handle opens once.
    let cookie = browser.cookie(&world.issuer, "__Host-sid").unwrap().value.clone();
    let again = browser.get(&handle).await;
    assert_eq!((again.status, again.header("set-cookie")), (400, None));
    assert_eq!(browser.cookie(&world.issuer, "__Host-sid").unwrap().value, cookie);
}

both!(with_neither_there_is_no_session, neither);
async fn neither(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (_, asked) = ask(&forger, &mut browser, &app).await;
    let (none, lax) = transaction_cookies(&browser, &world);
    browser.jar.remove(&none);
    browser.jar.remove(&lax);

    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    continues(&page, &world);
    let end = browser.hop(page).await;

    assert_eq!((end.status, end.location()), (400, None), "{}", end.summary());
    assert!(browser.cookie(&world.issuer, "__Host-sid").is_none());
    assert!(!world.is_signed_in(&mut browser, &app).await);
}

both!(a_stolen_answer_signs_no_other_browser_in, other_browser);
async fn other_browser(on: On) {
    for https in [true, false] {
        let setting = Setting::on(on);
        let world = if https { setting.https() } else { setting }.begin().await;
        let (forger, app) = forged(&world).await;
        let (mut attackers, mut victims) = (world.browser(), world.browser());
        let (attempt, asked) = ask(&forger, &mut attackers, &app).await;
        // The victim has a transaction of its own, which is not this one.
        ask(&forger, &mut victims, &app).await;
        let said = forger.says(&asked, "eve");

        let page = forger.send(&world, &mut victims, &asked, &said).await;
        let handle = continues(&page, &world);
        let end = victims.hop(page).await;
        assert_eq!((end.status, end.location()), (400, None), "{}", end.summary());
        assert_eq!(end.header("set-cookie"), None);
        assert!(!world.is_signed_in(&mut victims, &app).await);

        // Only the browser that asked gets anything for it.
        let home = attackers.get(&handle).await;
        let tokens = app.finish(&attempt, &home.location().unwrap()).await.unwrap();
        assert_eq!(app.userinfo(&tokens.access_token).await.json()["email"], "eve@example.org");
        assert!(!world.is_signed_in(&mut victims, &app).await);
    }
}

both!(an_idp_that_was_disabled_meanwhile_signs_nobody_in, disabled_meanwhile);
async fn disabled_meanwhile(on: On) {
    let world = Setting::on(on).https().begin().await;
    let (forger, app) = forged(&world).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    browser.jar.remove(&transaction_cookies(&browser, &world).0);
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    let handle = continues(&page, &world);
    let id: IdpId = "forged".parse().unwrap();

    world.use_cases().disable_idp(&id).await.unwrap();
    let end = browser.get(&handle).await;
    assert_eq!((end.status, end.location()), (400, None), "{}", end.summary());
    assert!(!world.is_signed_in(&mut browser, &app).await);

    assert_eq!(world.add_idp("forged", &forger.metadata(), "").await.status, 200);
    let home = browser.get(&handle).await;
    app.finish(&attempt, &home.location().unwrap()).await.unwrap();
}

both!(a_made_up_handle_is_refused, unknown_handle);
async fn unknown_handle(on: On) {
    let world = Setting::on(on).https().begin().await;
    let mut browser = world.browser();
    for query in ["", "?handle=", "?handle=abc", "?handle=a&handle=b", "?handle=<script>"] {
        let page = browser.get(&format!("{}{query}", world.url(paths::SAML_ACS_CONTINUE))).await;
        assert_eq!((page.status, page.location()), (400, None), "{query}");
        assert!(!page.body.contains("<script"));
    }
}
