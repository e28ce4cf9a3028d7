//! What others try with `/logout`: only the person at this browser can end something there.

use sloop::paths;

use super::person_page::{CORP, TWO, Two, open, send, without};
use super::signed_in;
use crate::both;
use crate::support::browser::Page;
use crate::support::world::{On, Setting};

both!(a_form_that_another_page_made_up_ends_nothing, forged);
async fn forged(on: On) {
    let mut two = Two::begin(on).await;
    let page = two.open().await;
    let url = two.world.url(paths::SAML_LOGOUT);
    let field = |name: &str| page.form().field(name).unwrap().to_owned();
    let (csrf, handle) = (field("csrf"), field("handle"));
    let cut = &csrf[..csrf.len() - 1];
    let swapped: String = csrf.chars().rev().collect();
    let own = Some(two.world.issuer.clone());
    let ticked = [("app", "app-one"), ("idp", "corp")];
    for fields in [
        vec![("csrf", ""), ("handle", handle.as_str())],
        vec![("csrf", cut), ("handle", &handle)],
        vec![("csrf", &swapped), ("handle", &handle)],
        vec![("csrf", &csrf)],
        vec![("csrf", &csrf), ("handle", "another")],
        vec![("csrf", &csrf), ("csrf", &csrf), ("handle", &handle)],
        vec![("csrf", &csrf), ("handle", &handle), ("app", "not an id")],
        vec![("csrf", &csrf), ("handle", &handle), ("shown_apps", "<b>")],
    ] {
        let fields = [&fields[..], &ticked].concat();
        let refused = two.ada.browser.post(&url, &fields, own.as_deref()).await;
        assert_refused(&refused);
    }
    two.is_untouched().await;

    // The question before an app's sign-out fits no other page, and this form fits no question.
    let asking = two.world.url(paths::END_SESSION);
    let question = two.ada.browser.open(&asking).await;
    let other = question.form().field("csrf").unwrap().to_owned();
    let asked = question.url.path_segments().unwrap().next_back().unwrap().to_owned();
    let fields = [("csrf", other.as_str()), ("handle", &asked), ("app", "app-one")];
    assert_refused(&two.ada.browser.post(&url, &fields, own.as_deref()).await);
    let fields = [("csrf", csrf.as_str()), ("answer", "yes")];
    let answer = two.world.url(&format!("{}/{handle}", paths::LOGOUT_PAGE));
    assert_refused(&two.ada.browser.post(&answer, &fields, own.as_deref()).await);
    two.is_untouched().await;

    // The page as it was shown is good.
    let end = send(&mut two.ada.browser, &page, &[TWO, CORP]).await;
    assert!(end.text().contains("You are signed out of what you chose"), "{}", end.text());
    assert_eq!((two.told(), two.userinfo().await), ([1, 0], [401, 200]));
}

both!(another_browser_cannot_send_the_form, another_browser);
async fn another_browser(on: On) {
    let mut two = Two::begin(on).await;
    let mut bob = signed_in(&two.world, &two.one, "bob").await;
    let page = two.open().await;
    for other in [&mut bob.browser, &mut two.world.browser()] {
        assert_refused(&other.submit_form(&page, &page.form()).await);
    }
    two.is_untouched().await;
    assert!(bob.is_in(&two.world, &two.one).await);
    // A page of the session before fits the next one as little.
    let end = send(&mut two.ada.browser, &page, &[]).await;
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.text());
    let mut ada = signed_in(&two.world, &two.one, "ada").await;
    let old = open(&two.world, &mut ada.browser).await;
    let attempt = two.one.begin(&[("prompt", "login")]).await;
    two.world.at_app(&mut ada.browser, &two.one, &attempt, "ada").await;
    assert_refused(&ada.browser.submit_form(&old, &old.form()).await);
    assert!(ada.is_in(&two.world, &two.one).await && bob.is_in(&two.world, &two.one).await);
    assert_eq!(two.world.logout_count().await, 1);
}

both!(no_page_of_an_attacker_ends_anything, attacker);
async fn attacker(on: On) {
    let world = Setting::on(on).https().begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let own = open(&world, &mut ada.browser).await;
    let evil = ada.browser.get("https://evil.test/").await;
    let cookie =
        format!("__Host-sid={}", ada.browser.cookie(&world.issuer, "__Host-sid").unwrap().value);
    for path in [paths::SAML_LOGOUT, paths::END_SESSION, "/oidc/logout", "/connect/end_session"] {
        let url = world.url(path);
        // A frame, and with the same cookies an image or a script's fetch: nobody is signed in there.
        let framed = ada.browser.load_frame(&evil, &url).await;
        assert!(framed.text().contains("Nobody was signed in"), "{}", framed.summary());
        let policy = framed.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        // Even if the cookie went with it.
        for destination in ["image", "iframe", "empty", "script"] {
            let headers = [("cookie", cookie.as_str()), ("sec-fetch-dest", destination)];
            let answer = world.request("GET", path, &headers, "").await;
            assert!(answer.status == 200 || answer.status == 303, "{}", answer.body);
            assert_eq!(answer.header("access-control-allow-origin"), None, "nobody reads it");
            assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        }
        // A form, with everything that can be guessed, and a link.
        let fields = [("app", "app-one"), ("idp", "corp"), ("answer", "yes"), ("csrf", "x")];
        let posted = ada.browser.post(&url, &fields, Some("https://evil.test/")).await;
        ada.browser.settle(posted).await;
        let clicked = ada.browser.click(&evil, &url).await;
        let shown = ada.browser.settle(clicked).await;
        assert!(shown.text().contains("sign out"), "{}", shown.summary());
        assert_eq!(world.logout_count().await, 0, "{path}");
        assert!(ada.is_in(&world, &app).await, "{path}");
    }
    // Not even with the form of the page itself: the cookie does not travel.
    let stolen = own.form();
    let fields: Vec<_> = stolen.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let url = world.url(paths::SAML_LOGOUT);
    assert_refused(&ada.browser.post(&url, &fields, Some("https://evil.test/")).await);
    assert_eq!((world.logout_count().await, world.idp.sessions().len()), (0, 1));
    assert_eq!(app.userinfo(&ada.tokens.access_token).await.status, 200);

    let end = send(&mut ada.browser, &own, &[]).await;
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.summary());
    assert!(!ada.is_in(&world, &app).await);
}

both!(what_is_no_form_of_ours_is_taken_as_before, no_form);
async fn no_form(on: On) {
    let mut two = Two::begin(on).await;
    let page = two.open().await;
    let url = two.world.url(paths::SAML_LOGOUT);
    let own = Some(two.world.issuer.clone());
    let form = without(&page, &[]);
    let ours: Vec<_> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let (request, response) = (("SAMLRequest", "PHg+"), ("SAMLResponse", "PHg+"));
    for fields in [
        vec![],
        vec![("garbage", "x")],
        vec![("RelayState", "x")],
        vec![request, response],
        [&ours[..], &[response]].concat(),
        [&ours[..], &[request, response]].concat(),
        [&ours[..], &[("SAMLResponse", "")]].concat(),
    ] {
        let answer = two.ada.browser.post(&url, &fields, own.as_deref()).await;
        assert!(answer.text().contains("too late, or twice"), "{}", answer.summary());
    }
    // A message of an IdP is read as one.
    let answer =
        two.ada.browser.post(&url, &[&ours[..], &[request]].concat(), own.as_deref()).await;
    assert_eq!(answer.status, 400, "{}", answer.summary());
    // And a query beside a form is not read.
    let aside =
        two.ada.browser.post(&format!("{url}?csrf=x&app=app-one"), &[], own.as_deref()).await;
    assert!(aside.text().contains("too late, or twice"), "{}", aside.summary());
    two.is_untouched().await;

    let end = send(&mut two.ada.browser, &page, &[]).await;
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.text());
}

/// Vaguely, with the reference that finds the log line.
fn assert_refused(page: &Page) {
    assert_eq!(page.status, 400, "{}", page.summary());
    assert!(page.text().contains("give them this reference"), "{}", page.text());
    assert!(!page.text().contains("csrf"), "{}", page.text());
}
