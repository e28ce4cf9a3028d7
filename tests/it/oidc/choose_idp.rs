//! Which IdP is asked: by the request, by the client, by the e-mail domain, or by the person.

use serde_json::json;
use sloop::id::IdpId;
use url::Url;

use crate::both;
use crate::support::browser::Browser;
use crate::support::forger::Forger;
use crate::support::query::{and, value};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

/// A world with the IdP `corp` and one more, `other`, for the domain example.org.
async fn two_idps(on: On) -> (World, Forger, RelyingParty) {
    let world = World::on(on).await;
    let mut other = Forger::new(&world.clock);
    other.display_name = Some("Other <b>&\"</b> <script>alert(1)</script>".into());
    let added = world.add_idp("other", &other.metadata(), "&domains=example.org").await;
    assert_eq!(added.status, 201, "{}", added.body);
    let app = world.app("app-one").await;
    (world, other, app)
}

/// Where one request leads.
async fn leads_to(browser: &mut Browser, app: &RelyingParty, extra: &[(&str, &str)]) -> Url {
    let attempt = app.begin(extra).await;
    let page = browser.get(attempt.url.as_str()).await;
    page.location().unwrap_or_else(|| panic!("{extra:?}: {}", page.summary()))
}

both!(the_request_names_the_idp, by_request);
async fn by_request(on: On) {
    let (world, other, app) = two_idps(on).await;
    let mut browser = world.browser();

    for extra in [
        vec![("idp", "other")],
        vec![("connection", "other")],
        vec![("idp", "other"), ("connection", "other")],
        vec![("login_hint", "ada@example.org")],
        vec![("login_hint", "Ada@EXAMPLE.org")],
        vec![("idp", "other"), ("login_hint", "ada@example.com")],
    ] {
        let location = leads_to(&mut browser, &app, &extra).await;
        assert!(location.as_str().starts_with(&other.sso()), "{extra:?}: {location}");
    }
    let named = [("idp", "corp"), ("login_hint", "ada@example.org")];
    let location = leads_to(&mut browser, &app, &named).await;
    assert!(location.as_str().starts_with(&world.idp_url), "what is named counts: {location}");
    for (extra, error) in [
        (vec![("idp", "other"), ("connection", "corp")], "invalid_request"),
        (vec![("idp", "../other")], "invalid_request"),
        (vec![("idp", "missing")], "temporarily_unavailable"),
    ] {
        let location = leads_to(&mut browser, &app, &extra).await;
        assert_eq!(value(&location, "error").as_deref(), Some(error), "{extra:?}");
        assert!(location.as_str().starts_with(&app.redirect_uri()));
    }
}

both!(a_client_keeps_to_its_own_idps, by_client);
async fn by_client(on: On) {
    let (world, other, app) = two_idps(on).await;
    let only = world.app_with("only-other", json!({"idps": ["other"]})).await;
    let mut browser = world.browser();

    let location = leads_to(&mut browser, &only, &[]).await;
    assert!(location.as_str().starts_with(&other.sso()), "{location}");
    let location = leads_to(&mut browser, &only, &[("idp", "corp")]).await;
    assert_eq!(value(&location, "error").as_deref(), Some("access_denied"));
    // A session by the other IdP is none for this client.
    let attempt = app.begin(&[("idp", "corp")]).await;
    let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
    app.finish(&attempt, &callback).await.unwrap();
    assert!(world.is_signed_in(&mut browser, &app).await);
    assert!(!world.is_signed_in(&mut browser, &only).await);
    // And asking for another IdP than that of the session goes there.
    let location = leads_to(&mut browser, &app, &[("idp", "other")]).await;
    assert!(location.as_str().starts_with(&other.sso()), "{location}");
}

both!(the_person_chooses_on_a_page_that_nobody_can_frame, by_person);
async fn by_person(on: On) {
    let (world, other, app) = two_idps(on).await;
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;
    // Neither of these says anything.
    let url = and(&and(&attempt.url, "login_hint", "ada@nowhere.test"), "display", "<script>");

    let page = browser.get(url.as_str()).await;

    assert_eq!(page.status, 200, "{}", page.summary());
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"));
    assert!(!page.body.contains("<script"), "{}", page.body);
    assert!(page.text().contains("Other <b>&\"</b> <script>alert(1)</script>"), "{}", page.text());
    let links = page.links();
    let to = |idp: &str| {
        links.iter().find(|link| value(link, "idp").as_deref() == Some(idp)).unwrap().to_string()
    };
    let chosen = browser.click(&page, &to("other")).await;
    assert!(chosen.location().unwrap().as_str().starts_with(&other.sso()));
    // The request is the one that was sent: it ends at the app, with state and nonce.
    let chosen = browser.click(&page, &to("corp")).await;
    let asked = browser.settle(chosen).await;
    let named = browser.submit(&asked, &[("user", "ada")]).await;
    let home = browser.settle(named).await;
    app.finish(&attempt, &home.url).await.unwrap();
}

both!(what_is_disabled_is_not_offered, disabled);
async fn disabled(on: On) {
    let (world, _, app) = two_idps(on).await;
    let mut browser = world.browser();
    let other: IdpId = "other".parse().unwrap();
    assert!(browser.get(app.begin(&[]).await.url.as_str()).await.location().is_none(), "a choice");

    world.use_cases().disable_idp(&other).await.unwrap();

    // One is left, so nobody has to choose.
    let location = leads_to(&mut browser, &app, &[]).await;
    assert!(location.as_str().starts_with(&world.idp_url), "{location}");
    let location = leads_to(&mut browser, &app, &[("idp", "other")]).await;
    assert_eq!(value(&location, "error").as_deref(), Some("temporarily_unavailable"));
}

both!(two_idps_that_name_the_same_person_name_two_people, same_name);
async fn same_name(on: On) {
    let world = World::on(on).await;
    let forgers =
        ["http://localhost:9", "http://localhost:10"].map(|b| Forger::at(b, &world.clock));
    let app = world.app("app-one").await;
    let mut subjects = Vec::new();

    for (idp, forger) in ["a", "b"].iter().zip(&forgers) {
        assert_eq!(world.add_idp(idp, &forger.metadata(), "").await.status, 201);
        for _ in 0..2 {
            let mut browser = world.browser();
            let attempt = app.begin(&[("idp", idp)]).await;
            let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
            let mut said = forger.says(&asked, "älice <x>");
            said.attributes = vec![("mail".into(), vec!["ceo@a.test".into()])];
            let page = forger.send(&world, &mut browser, &asked, &said).await;
            let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
            assert_eq!(tokens.claims["idp"], *idp);
            subjects.push(tokens.claims["sub"].as_str().unwrap().to_owned());
        }
    }

    assert_eq!(subjects[0], subjects[1], "stable");
    assert_eq!(subjects[2], subjects[3], "stable");
    assert_ne!(subjects[0], subjects[2], "never joined, whatever name or address they assert");
    assert!(subjects.iter().all(|sub| sub.len() <= 255 && sub.is_ascii()));
}
