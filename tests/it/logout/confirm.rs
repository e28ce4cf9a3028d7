//! The question before a sign-out: only the person at this browser can answer it.

use serde_json::json;
use sloop::paths;

use super::{home, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::world::{On, World};

/// A sign-out without a hint, which is always asked about.
async fn question(
    world: &World,
    browser: &mut crate::support::browser::Browser,
    app: &crate::support::rp::RelyingParty,
) -> Page {
    let uri = app.post_logout_redirect_uri();
    let parameters = [
        ("client_id", app.client_id.as_str()),
        ("post_logout_redirect_uri", &uri),
        ("state", "the-state"),
    ];
    let page = browser.open(app.logout_url(&parameters).await.as_str()).await;
    assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
    assert!(page.url.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)));
    page
}

both!(yes_signs_out_and_goes_home, yes);
async fn yes(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = question(&world, &mut ada.browser, &app).await;
    assert!(page.text().contains("The app app-one asks to sign you out"), "{}", page.text());
    assert!(ada.is_in(&world, &app).await);

    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;

    // Browsers apply `form-action` to redirects, so a form of ours is answered by a page.
    assert_eq!((pressed.status, pressed.location()), (200, None));
    let end = ada.browser.settle(pressed).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(world.idp.sessions(), []);
}

both!(the_question_names_whom_it_reaches_and_only_to_this_browser, reaches);
async fn reaches(on: On) {
    let world = World::on(on).await;
    let one = world.app("app-one").await;
    let two = world.app_with("app-two", json!({ "scope": "all_apps" })).await;
    let three = world.app_with("app-three", json!({ "scope": "op_only" })).await;
    let mut ada = signed_in(&world, &one, "ada").await;
    for app in [&two, &three] {
        world.sign_in(&mut ada.browser, app, "ada").await;
    }
    let mut bob = signed_in(&world, &one, "bob").await;
    let mut said = Vec::new();
    for app in [&one, &two, &three] {
        let page = question(&world, &mut ada.browser, app).await;
        said.push(page.text());
        // Whoever else comes to this address reads about himself, or about nobody.
        let shown = bob.browser.get(page.url.as_str()).await;
        assert!(!shown.text().contains("app-one , app-two"), "{}", shown.text());
        let shown = world.browser().get(page.url.as_str()).await;
        assert!(!shown.text().contains("This signs you out of"), "{}", shown.text());
    }
    let reaches = "This signs you out of: app-one , app-two , app-three";
    assert!(said[0].contains(&format!("{reaches} , corp .")), "{}", said[0]);
    assert!(said[1].contains(&format!("{reaches} .")), "{}", said[1]);
    assert!(!said[2].contains("This signs you out of"), "{}", said[2]);

    let page = question(&world, &mut ada.browser, &one).await;
    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    ada.browser.settle(pressed).await;
    let parties: Vec<_> = world.newest_logout().await.legs;
    let parties: Vec<_> = parties.iter().map(|leg| leg.party.as_str()).collect();
    assert_eq!(parties, ["app app-one", "app app-two", "app app-three", "IdP corp"]);
    assert!(bob.is_in(&world, &one).await && !ada.is_in(&world, &one).await);
}

both!(no_leaves_everything_as_it_is, no);
async fn no(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = question(&world, &mut ada.browser, &app).await;
    let kept = ada.browser.submit(&page, &[("answer", "no")]).await;
    assert_eq!((kept.status, kept.location(), kept.refresh()), (200, None, None));
    assert!(kept.text().contains("You are still signed in"), "{}", kept.text());
    assert!(ada.is_in(&world, &app).await);
    assert_eq!(app.userinfo(&ada.tokens.access_token).await.status, 200);
    // The question is answered: it cannot be answered otherwise later.
    let late = ada.browser.submit(&page, &[("answer", "yes")]).await;
    assert_eq!(late.status, 400);
    assert!(ada.is_in(&world, &app).await);
    assert_eq!(world.logout_count().await, 0);
    assert_eq!(world.idp.sessions().len(), 1);
}

both!(a_form_that_another_page_made_up_is_refused, forged);
async fn forged(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = question(&world, &mut ada.browser, &app).await;
    let action = page.form().action;
    let csrf = page.form().field("csrf").unwrap().to_owned();
    let cut = &csrf[..csrf.len() - 1];
    let swapped: String = csrf.chars().rev().collect();
    let own = Some(world.issuer.clone());
    for fields in [
        vec![("answer", "yes")],
        vec![("answer", "yes"), ("csrf", "")],
        vec![("answer", "yes"), ("csrf", cut)],
        vec![("answer", "yes"), ("csrf", &swapped)],
        vec![("csrf", csrf.as_str())],
        vec![("answer", "maybe"), ("csrf", &csrf)],
    ] {
        let refused = ada.browser.post(&action, &fields, own.as_deref()).await;
        assert_eq!(refused.status, 400, "{fields:?}: {}", refused.summary());
        assert!(ada.is_in(&world, &app).await, "{fields:?}");
    }
    // From another site the browser does not even send its cookie.
    let fields = [("answer", "yes"), ("csrf", csrf.as_str())];
    let refused = ada.browser.post(&action, &fields, Some("https://evil.test/")).await;
    assert_eq!(refused.status, 400);
    assert!(ada.is_in(&world, &app).await);
    assert_eq!(world.logout_count().await, 0);
    // The page cannot be framed, to be clicked by mistake.
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"));

    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    assert_eq!(ada.browser.settle(pressed).await.url.as_str(), home(&app));
    assert!(!ada.is_in(&world, &app).await);
}

both!(another_browser_cannot_answer_for_this_one, another_browser);
async fn another_browser(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let page = question(&world, &mut ada.browser, &app).await;
    for other in [&mut bob.browser, &mut world.browser()] {
        let refused = other.submit(&page, &[("answer", "yes")]).await;
        assert_eq!(refused.status, 400, "{}", refused.summary());
    }
    assert!(ada.is_in(&world, &app).await && bob.is_in(&world, &app).await);
    // Not even with the page's address: what they are shown is a question about themselves.
    let mut nobody = world.browser();
    let shown = nobody.open(page.url.as_str()).await;
    assert_eq!(shown.status, 200);
    let pressed = nobody.submit(&shown, &[("answer", "yes")]).await;
    nobody.settle(pressed).await;
    assert!(ada.is_in(&world, &app).await && bob.is_in(&world, &app).await);
    assert_eq!(world.logout_count().await, 0);

    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    assert_eq!(ada.browser.settle(pressed).await.url.as_str(), home(&app));
    assert!(!ada.is_in(&world, &app).await && bob.is_in(&world, &app).await);
}

both!(pressing_twice_signs_out_once_and_ends_in_one_place, twice);
async fn twice(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = question(&world, &mut ada.browser, &app).await;

    // Twice at once: both requests carry the cookie.
    let cookie = ada.browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    let cookie = format!("sid={cookie}");
    let csrf = page.form().field("csrf").unwrap().to_owned();
    let body = format!("answer=yes&csrf={csrf}");
    let kind = "application/x-www-form-urlencoded";
    let headers = [("cookie", cookie.as_str()), ("content-type", kind)];
    let press = || world.request("POST", page.url.path(), &headers, &body);
    let (first, second) = tokio::join!(press(), press());
    for answer in [&first, &second] {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(world.logout_count().await, 1);

    // Once more from the history, when the cookie is gone: the same logout goes on.
    ada.browser.jar = Default::default();
    let third = ada.browser.submit(&page, &[("answer", "yes")]).await;
    assert_eq!(third.status, 200, "{}", third.summary());
    let onward = third.refresh().unwrap();
    assert!(onward.as_str().starts_with(&world.idp_url), "{}", third.summary());
    assert_eq!(world.logout_count().await, 1);
    assert!(!ada.is_in(&world, &app).await);
}

both!(a_client_may_always_have_the_person_asked, always);
async fn always(on: On) {
    let world = World::on(on).await;
    let app = world.app_with("app-one", json!({ "confirm": "always" })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let page = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert!(page.text().contains("Do you want to sign out?"), "{}", page.summary());
    assert!(ada.is_in(&world, &app).await);
    let pressed = ada.browser.submit(&page, &[("answer", "yes")]).await;
    assert_eq!(ada.browser.settle(pressed).await.url.as_str(), home(&app));
    assert!(!ada.is_in(&world, &app).await);
    // A question that nobody answers is forgotten.
    let mut bob = signed_in(&world, &app, "bob").await;
    let page = question(&world, &mut bob.browser, &app).await;
    world.clock.advance(std::time::Duration::from_secs(601));
    let late = bob.browser.submit(&page, &[("answer", "yes")]).await;
    assert_eq!(late.status, 400);
    assert!(bob.is_in(&world, &app).await);
}
