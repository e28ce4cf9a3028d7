//! LemonLDAP::NG as the IdP: in, out, and out from there. It uses Lasso.

use serde_json::json;
use sloop::paths;

use super::with_another_key;
use crate::both;
use crate::logout::eventually;
use crate::support::browser::Browser;
use crate::support::lemonldap::LemonLdap;
use crate::support::rp::{RelyingParty, Tokens};
use crate::support::world::{On, Setting, World};

const SESSIONS: &str = "/api/v1/sessions";

both!(lemonldap_is_told_and_ends_its_session, told);
async fn told(on: On) {
    for binding in ["redirect", "post"] {
        let (world, idp) = over_tls(on, &format!("&slo_binding={binding}")).await;
        let (one, two) = (world.app("app-one").await, world.app("app-two").await);
        let (mut dwho, mut rtyler) = (browser(&world, &idp), browser(&world, &idp));
        let tokens = sign_in(&idp, &mut dwho, &one, "dwho").await;
        let second = sign_in(&idp, &mut dwho, &two, "nobody").await;
        assert_eq!(second.claims["sid"], tokens.claims["sid"]);
        let person = one.userinfo(&tokens.access_token).await.json();
        assert_eq!(
            (&person["email"], &person["name"]),
            (&json!("dwho@badwolf.org"), &json!("Doctor Who"))
        );
        sign_in(&idp, &mut rtyler, &one, "rtyler").await;
        assert_eq!(idp.who_is_there(&mut dwho).await.as_deref(), Some("dwho"));

        let end = world.sign_out(&mut dwho, &one, &tokens.id_token).await;

        assert_eq!(end.url.as_str(), home(&one), "{binding}: {} {}", end.summary(), idp.said());
        assert_eq!(world.settled().await.outcome.as_str(), "complete");
        let outcomes = ["app app-one: confirmed", "app app-two: confirmed", "IdP corp: confirmed"];
        assert_eq!(world.outcomes().await, outcomes);
        let leg = world.newest_logout().await.legs.pop().unwrap();
        assert!(
            leg.channel.to_lowercase().contains(&format!("by {binding} to")),
            "{}",
            leg.channel
        );
        assert_eq!(leg.said, "confirmed (Success, signed)");
        assert_eq!(idp.who_is_there(&mut dwho).await, None);
        assert_eq!(idp.who_is_there(&mut rtyler).await.as_deref(), Some("rtyler"));
        assert!(!world.is_signed_in(&mut dwho, &one).await);
        assert!(!world.is_signed_in(&mut dwho, &two).await);
        assert!(world.is_signed_in(&mut rtyler, &one).await);
        // Its NameID is the mail address.
        let again = sign_in(&idp, &mut dwho, &one, "dwho").await;
        assert_eq!(again.claims["sub"], tokens.claims["sub"]);
    }
}

both!(without_a_browser_lemonldap_is_told_by_soap, by_soap);
async fn by_soap(on: On) {
    let (world, idp) = plain(on).await;
    let app = world.app("app-one").await;
    let (mut dwho, mut rtyler) = (browser(&world, &idp), browser(&world, &idp));
    let tokens = sign_in(&idp, &mut dwho, &app, "dwho").await;
    sign_in(&idp, &mut rtyler, &app, "rtyler").await;
    let query = format!("{SESSIONS}?sub={}", tokens.claims["sub"].as_str().unwrap());
    let found = world.api("GET", &query, "application/json", "").await.json();
    let id = found["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{found}"));

    let ended = world.api("DELETE", &format!("{SESSIONS}/{id}"), "application/json", "").await;

    assert!(matches!(ended.status, 200 | 202), "{} {}", ended.status, ended.body);
    assert_eq!(
        world.settled().await.outcome.as_str(),
        "complete",
        "{:?} {}",
        world.newest_logout().await,
        idp.said()
    );
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
    assert_eq!(idp.who_is_there(&mut dwho).await, None);
    assert_eq!(idp.who_is_there(&mut rtyler).await.as_deref(), Some("rtyler"));
    assert!(!world.is_signed_in(&mut dwho, &app).await);
    assert!(world.is_signed_in(&mut rtyler, &app).await);
}

/// A further sign-in adds a SessionIndex, and our request names both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lemonldap_takes_a_request_with_several_session_indexes() {
    let (world, idp) = over_tls(On::Sqlite, "").await;
    let app = world.app("app-one").await;
    let mut dwho = browser(&world, &idp);
    sign_in(&idp, &mut dwho, &app, "dwho").await;
    // The IdP is asked again, and knows the person.
    let attempt = app.begin(&[("prompt", "select_account")]).await;
    let page = dwho.open(attempt.url.as_str()).await;
    let tokens = app.finish(&attempt, &page.url).await.unwrap();

    let end = world.sign_out(&mut dwho, &app, &tokens.id_token).await;

    assert_eq!(end.url.as_str(), home(&app), "{} {}", end.summary(), idp.said());
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    let leg = world.newest_logout().await.legs.pop().unwrap();
    assert_eq!((leg.session_indexes, leg.said.as_str()), (2, "confirmed (Success, signed)"));
    assert_eq!(idp.who_is_there(&mut dwho).await, None);
    assert!(!world.is_signed_in(&mut dwho, &app).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lemonldap_signs_nobody_in_for_another_key() {
    let world = Setting::on(On::Sqlite).https().begin().await;
    let app = world.app("app-one").await;
    let right = world.get(paths::SAML_METADATA).await.body;
    for (metadata, believed) in [(with_another_key(&right), false), (right.clone(), true)] {
        let idp = LemonLdap::start(Some("https://llng.test"), &metadata).await;
        world.connect_by(&idp.metadata().await, "").await;
        let mut dwho = browser(&world, &idp);
        // It asks who is there before it looks at the request.
        let page = dwho.open(app.begin(&[]).await.url.as_str()).await;
        let named = dwho.submit(&page, &[("user", "dwho"), ("password", "dwho")]).await;
        let end = dwho.settle(named).await;
        let at = if believed { app.redirect_uri() } else { idp.base_url().to_owned() };
        assert!(end.url.as_str().starts_with(&at), "{} {}", end.summary(), idp.said());
        assert_eq!(idp.who_is_there(&mut dwho).await.as_deref(), Some("dwho"));
        assert_eq!(world.is_signed_in(&mut dwho, &app).await, believed);
    }
}

/// Its session is over, and the frame in which it would have told us never loaded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lemonldap_does_not_answer_for_a_session_that_it_has_forgotten() {
    let (world, idp) = over_tls(On::Sqlite, "").await;
    let app = world.app("app-one").await;
    let mut dwho = browser(&world, &idp);
    let tokens = sign_in(&idp, &mut dwho, &app, "dwho").await;
    let page = dwho.get(&idp.url("/?logout=1")).await;
    assert_eq!(page.frames().len(), 1);
    assert!(world.is_signed_in(&mut dwho, &app).await);

    let end = world.sign_out(&mut dwho, &app, &tokens.id_token).await;
    // It asks who is there, and the way home is by the logout's own page or a second click.
    assert!(idp.asks_who_is_there(&end), "{}", end.summary());
    let told = ["app app-one: confirmed", "IdP corp: open"];
    eventually("the app's token", async || world.outcomes().await == told).await;
    assert!(!world.is_signed_in(&mut dwho, &app).await);
}

both!(a_logout_that_begins_at_lemonldap_ends_ours, begins_there);
async fn begins_there(on: On) {
    for told_by_frame in [false, true] {
        let (world, idp) = over_tls(on, "").await;
        let one = world.app("app-one").await;
        let two = match told_by_frame {
            true => world.framed_app("app-two").await,
            false => world.app("app-two").await,
        };
        let (mut dwho, mut rtyler) = (browser(&world, &idp), browser(&world, &idp));
        sign_in(&idp, &mut dwho, &one, "dwho").await;
        sign_in(&idp, &mut dwho, &two, "nobody").await;
        sign_in(&idp, &mut rtyler, &one, "rtyler").await;

        // Its own session is over, and its page has a frame with its request to us.
        let page = dwho.get(&idp.url("/?logout=1")).await;
        let frames = page.frames();
        let [frame] = frames.as_slice() else { panic!("{frames:?} {}", page.summary()) };
        assert!(frame.as_str().starts_with(&world.url(paths::SAML_LOGOUT)), "{frame}");
        let mut shown = dwho.load_frame(&page, frame.as_str()).await;
        if told_by_frame {
            assert!(shown.may_be_framed_by(idp.base_url()), "{:?}", shown.headers);
            for inner in shown.frames() {
                dwho.load_frame(&shown, inner.as_str()).await;
            }
            let onward = shown.refresh().unwrap();
            shown = dwho.load_frame(&page, onward.as_str()).await;
        }

        // What it shows of our answer; a PartialLogout is one to be glad of, too.
        assert!(shown.url.path().ends_with("/common/icons/ok.png"), "{}", shown.summary());
        let (other, outcome) = match told_by_frame {
            true => ("unconfirmed", "partial"),
            false => ("confirmed", "complete"),
        };
        assert_eq!(world.settled().await.outcome.as_str(), outcome);
        let other = format!("app app-two: {other}");
        let outcomes = ["app app-one: confirmed", &other, "IdP corp: confirmed"];
        assert_eq!(world.outcomes().await, outcomes);
        assert_eq!(two.loaded_frames().len(), usize::from(told_by_frame));
        // "Continue".
        let end = dwho.submit(&page, &[]).await;
        assert!(end.url.as_str().starts_with(idp.base_url()), "{}", end.summary());
        assert_eq!(idp.who_is_there(&mut dwho).await, None);
        assert!(!world.is_signed_in(&mut dwho, &one).await);
        assert_eq!(idp.who_is_there(&mut rtyler).await.as_deref(), Some("rtyler"));
        assert!(world.is_signed_in(&mut rtyler, &one).await);
    }
}

/// A world whose `corp` is LemonLDAP::NG, each on a site of its own.
async fn over_tls(on: On, settings: &str) -> (World, LemonLdap) {
    connected(Setting::on(on).https().begin().await, Some("https://llng.test"), settings).await
}

/// The same on plain HTTP, so that we can reach it by SOAP.
async fn plain(on: On) -> (World, LemonLdap) {
    connected(World::on(on).await, None, "").await
}

async fn connected(world: World, base_url: Option<&str>, settings: &str) -> (World, LemonLdap) {
    let idp = LemonLdap::start(base_url, &world.get(paths::SAML_METADATA).await.body).await;
    world.connect_by(&idp.metadata().await, settings).await;
    (world, idp)
}

fn browser(world: &World, idp: &LemonLdap) -> Browser {
    world.browser().with_host(idp.base_url(), idp.address())
}

/// Signs in to an app. LemonLDAP::NG asks for the name if it does not know the browser.
async fn sign_in(idp: &LemonLdap, browser: &mut Browser, app: &RelyingParty, user: &str) -> Tokens {
    let attempt = app.begin(&[]).await;
    let mut page = browser.open(attempt.url.as_str()).await;
    if idp.asks_who_is_there(&page) {
        let named = browser.submit(&page, &[("user", user), ("password", user)]).await;
        page = browser.settle(named).await;
    }
    let tokens = app.finish(&attempt, &page.url).await;
    tokens
        .unwrap_or_else(|error| panic!("{error:?} {} {} {}", page.summary(), page.body, idp.said()))
}

fn home(app: &RelyingParty) -> String {
    format!("{}?state=the-state", app.post_logout_redirect_uri())
}
