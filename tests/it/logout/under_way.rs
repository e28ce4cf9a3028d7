//! Two tabs of one browser: what is under way in one of them while the other signs in or out.

use std::time::Duration;

use serde_json::json;
use sloop::mock_idp::{Entry, Options};
use sloop::paths;
use url::Url;

use super::{SignedIn, home, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::rp::{Attempt, RelyingParty};
use crate::support::wire;
use crate::support::world::{On, Setting, World};

/// A tab whose requests left before the browser got what another tab was answered.
struct OtherTab {
    cookies: String,
}

impl OtherTab {
    fn of(world: &World, browser: &crate::support::browser::Browser) -> Self {
        let issuer = Url::parse(&world.url("/")).unwrap();
        Self { cookies: browser.cookies_for(&issuer) }
    }

    async fn get(&self, world: &World, url: &Url) -> wire::Response {
        let path = url.as_str().strip_prefix(&world.issuer).expect("a URL of the service");
        world.request("GET", path, &[("cookie", &self.cookies)], "").await
    }

    /// The form that the IdP's page submits by itself.
    async fn bring(&self, world: &World, answering: &Page) -> wire::Response {
        let form = answering.form();
        let path = form.action.strip_prefix(&world.issuer).expect("our assertion consumer");
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(&form.fields);
        let kind = "application/x-www-form-urlencoded";
        let headers = [("cookie", self.cookies.as_str()), ("content-type", kind)];
        world.request("POST", path, &headers, &body.finish()).await
    }
}

fn location(answer: &wire::Response) -> Url {
    let location = answer.header("location").unwrap_or_else(|| panic!("no redirect: {answer:?}"));
    Url::parse(location).expect("a URL")
}

/// Whether the answer takes the session cookie away.
fn clears_the_cookie(answer: &wire::Response) -> bool {
    answer.headers_named("set-cookie").any(|line| line.starts_with("sid=;"))
}

/// The IdP asks the person anew, who is there, up to the page that carries its answer to us.
async fn up_to_the_answer(ada: &mut SignedIn, app: &RelyingParty) -> (Attempt, Page) {
    let attempt = app.begin(&[("prompt", "login")]).await;
    let asked = ada.browser.open(attempt.url.as_str()).await;
    (attempt, ada.browser.submit(&asked, &[("user", "ada")]).await)
}

async fn signs_in_anew(world: &World, ada: &mut SignedIn, app: &RelyingParty) {
    let attempt = app.begin(&[("prompt", "login")]).await;
    let callback = world.at_app(&mut ada.browser, app, &attempt, "ada").await;
    ada.tokens = app.finish(&attempt, &callback).await.unwrap();
}

/// How many live sessions there are.
async fn sessions(world: &World) -> usize {
    let answer = world.api("GET", paths::API_SESSIONS, "application/json", "").await;
    answer.json()["items"].as_array().expect("a list").len()
}

both!(a_logout_with_the_cookie_of_a_moment_ago_finds_the_session, former_cookie);
async fn former_cookie(on: On) {
    let world = World::on(on).await;
    let out = "https://one.example/out";
    let app = world.app_with("app-one", json!({ "allowed_logout_urls": [out] })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let long_ago = OtherTab::of(&world, &ada.browser);
    signs_in_anew(&world, &mut ada, &app).await;
    let tab = OtherTab::of(&world, &ada.browser);
    signs_in_anew(&world, &mut ada, &app).await;
    assert_ne!(tab.cookies, OtherTab::of(&world, &ada.browser).cookies);

    // Without a hint the person is asked, and keeps the cookie.
    let back = app.post_logout_redirect_uri();
    let wanted = [("client_id", app.client_id.as_str()), ("post_logout_redirect_uri", &back)];
    let url = app.logout_url(&wanted).await;
    let asked = tab.get(&world, &url).await;
    let question = location(&asked);
    assert!(question.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{question}");
    assert!(!clears_the_cookie(&asked));
    assert!(ada.is_in(&world, &app).await);
    // What the person may end is there, and the cookie lets nobody in.
    let own_page = tab.get(&world, &Url::parse(&world.url(paths::SAML_LOGOUT)).unwrap()).await;
    assert!(own_page.body.contains("app-one"), "{}", own_page.body);
    let silent = tab.get(&world, &app.begin(&[("prompt", "none")]).await.url).await;
    assert!(location(&silent).as_str().contains("error=login_required"), "{silent:?}");
    // One from before that names nobody.
    let nobody = long_ago.get(&world, &url).await;
    assert!(location(&nobody).as_str().starts_with(&back), "{nobody:?}");
    assert!(ada.is_in(&world, &app).await);
    assert_eq!(world.logout_count().await, 0);

    let mut v2 = Url::parse(&world.url(paths::V2_LOGOUT)).unwrap();
    v2.query_pairs_mut().append_pair("client_id", "app-one").append_pair("returnTo", out);
    let ended = tab.get(&world, &v2).await;
    assert!(clears_the_cookie(&ended) && location(&ended).as_str() == out, "{ended:?}");
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!((sessions(&world).await, world.logout_count().await), (0, 1));
    assert_eq!(app.logouts().await.unwrap().len(), 1);
}

both!(two_sign_ins_at_once_are_one_session, at_once);
async fn at_once(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    let (attempt, answering) = up_to_the_answer(&mut ada, &two).await;
    let tab = OtherTab::of(&world, &ada.browser);
    signs_in_anew(&world, &mut ada, &one).await;

    let callback = location(&tab.bring(&world, &answering).await);

    let second = two.finish(&attempt, &callback).await.unwrap();
    assert_eq!(second.claims["sid"], ada.tokens.claims["sid"]);
    assert_eq!(sessions(&world).await, 1, "none is forgotten");
    // The browser may have got the other answer last.
    let url = one.logout_url(&[("id_token_hint", ada.hint())]).await;
    let page = ada.browser.open(url.as_str()).await;
    assert!(page.text().contains("This session has ended everywhere"), "{}", page.summary());
    assert_eq!((sessions(&world).await, world.logout_count().await), (0, 1));
    assert_eq!((one.logouts().await.unwrap().len(), two.logouts().await.unwrap().len()), (1, 1));
}

both!(a_sign_in_that_was_under_way_during_a_logout_is_asked_for_again, overtaken);
async fn overtaken(on: On) {
    for session_index in [false, true] {
        let idp = Options { session_index, ..Options::default() };
        let world = Setting::on(on).idp(idp).begin().await;
        let app = world.app("app-one").await;
        for in_flight in [true, false] {
            let mut ada = signed_in(&world, &app, "ada").await;
            let (attempt, answering) = up_to_the_answer(&mut ada, &app).await;
            let tab = OtherTab::of(&world, &ada.browser);
            world.clock.advance(Duration::from_secs(2));
            let hint = ada.hint().to_owned();
            let end = world.sign_out(&mut ada.browser, &app, &hint).await;
            assert_eq!(end.url.as_str(), home(&app));
            assert_eq!(world.settled().await.outcome.as_str(), "complete");

            // It left before the browser was answered, or it leaves afterwards.
            let page = match in_flight {
                true => {
                    ada.browser.open(location(&tab.bring(&world, &answering).await).as_str()).await
                }
                false => ada.browser.settle(answering).await,
            };

            let case = format!("index: {session_index}, in flight: {in_flight}");
            assert!(page.url.as_str().starts_with(&world.idp_url), "{case}: {}", page.summary());
            let last = world.idp.journal().pop();
            let forced = matches!(last, Some(Entry::AuthnRequest { force_authn: true, .. }));
            assert!(forced, "{case}: {last:?}");
            assert!(!ada.is_in(&world, &app).await, "{case}");
            assert_eq!(sessions(&world).await, 0, "{case}");
            // It is the same sign-in, for whoever wants it.
            if !in_flight {
                let answering = ada.browser.submit(&page, &[("user", "ada")]).await;
                let callback = ada.browser.settle(answering).await.url;
                app.finish(&attempt, &callback).await.unwrap();
                assert!(ada.is_in(&world, &app).await);
            }
        }
        // Who proves after the logout who they are is welcome – more than a minute after it, whatever the
        // IdP's clock says –, and so is who begins anew.
        let mut ada = signed_in(&world, &app, "ada").await;
        let attempt = app.begin(&[("prompt", "login")]).await;
        let asked = ada.browser.open(attempt.url.as_str()).await;
        let hint = ada.hint().to_owned();
        world.sign_out(&mut ada.browser, &app, &hint).await;
        world.clock.advance(Duration::from_secs(62));
        let answering = ada.browser.submit(&asked, &[("user", "ada")]).await;
        let callback = ada.browser.settle(answering).await.url;
        app.finish(&attempt, &callback).await.unwrap();
        assert!(ada.is_in(&world, &app).await);
        let hint = ada.hint().to_owned();
        world.sign_out(&mut ada.browser, &app, &hint).await;
        world.sign_in(&mut ada.browser, &app, "ada").await;
        assert!(ada.is_in(&world, &app).await);
    }
}

both!(one_that_was_begun_when_the_session_had_lapsed_is_asked_for_again, lapsed);
async fn lapsed(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    world.clock.advance(Duration::from_secs(9 * 3600));
    let (attempt, answering) = up_to_the_answer(&mut ada, &app).await;
    world.clock.advance(Duration::from_secs(2));
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert_eq!(world.settled().await.outcome.as_str(), "complete");

    let page = ada.browser.settle(answering).await;

    assert!(page.url.as_str().starts_with(&world.idp_url), "{}", page.summary());
    let last = world.idp.journal().pop();
    assert!(matches!(last, Some(Entry::AuthnRequest { force_authn: true, .. })), "{last:?}");
    assert_eq!(sessions(&world).await, 0);
    assert!(!ada.is_in(&world, &app).await);
    let answering = ada.browser.submit(&page, &[("user", "ada")]).await;
    let callback = ada.browser.settle(answering).await.url;
    app.finish(&attempt, &callback).await.unwrap();
    assert!(ada.is_in(&world, &app).await);
}

both!(a_sign_in_at_the_moment_of_a_logout_does_not_survive_it, same_moment);
async fn same_moment(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for round in 0..10u64 {
        let mut ada = signed_in(&world, &app, "ada").await;
        let (_, answering) = up_to_the_answer(&mut ada, &app).await;
        let tab = OtherTab::of(&world, &ada.browser);
        // Times in SAML have seconds.
        world.clock.advance(Duration::from_secs(2));
        let url = world.logout_url(&app, ada.hint(), "the-state").await;
        let out = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            ada.browser.open(url.as_str()).await
        };
        let (_, end) = tokio::join!(tab.bring(&world, &answering), out);
        assert_eq!(end.url.as_str(), home(&app), "round {round}");
        assert_eq!(sessions(&world).await, 0, "round {round}");
    }
}

both!(three_sign_ins_at_once_are_one_session, three_at_once);
async fn three_at_once(on: On) {
    for lapsed in [false, true] {
        let world = World::on(on).await;
        let (one, two) = (world.app("app-one").await, world.app("app-two").await);
        let three = world.app("app-three").await;
        let mut ada = signed_in(&world, &one, "ada").await;
        if lapsed {
            world.clock.advance(Duration::from_secs(9 * 3600));
        }
        let (second, second_answer) = up_to_the_answer(&mut ada, &two).await;
        let (third, third_answer) = up_to_the_answer(&mut ada, &three).await;
        let tab = OtherTab::of(&world, &ada.browser);
        let sid = ada.sid().to_owned();
        signs_in_anew(&world, &mut ada, &one).await;

        // Both left with the cookie that two others have replaced by the time they are read.
        for (app, attempt, answer) in [(&two, second, second_answer), (&three, third, third_answer)]
        {
            let callback = location(&tab.bring(&world, &answer).await);
            let tokens = app.finish(&attempt, &callback).await.unwrap();
            assert_eq!(tokens.claims["sid"], sid.as_str(), "lapsed: {lapsed}");
        }

        assert_eq!((sessions(&world).await, world.logout_count().await), (1, 0));
        let url = one.logout_url(&[("id_token_hint", ada.hint())]).await;
        let page = ada.browser.open(url.as_str()).await;
        assert!(page.text().contains("This session has ended everywhere"), "{}", page.summary());
        assert_eq!((sessions(&world).await, world.logout_count().await), (0, 1));
        for app in [&one, &two, &three] {
            assert!(!app.is_signed_in(&sid).await);
        }
    }
}

both!(another_person_in_a_third_tab_ends_the_session, another_at_once);
async fn another_at_once(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut ada = signed_in(&world, &one, "ada").await;
    let attempt = two.begin(&[("prompt", "login")]).await;
    let asked = ada.browser.open(attempt.url.as_str()).await;
    let answer = ada.browser.submit(&asked, &[("user", "bob")]).await;
    let tab = OtherTab::of(&world, &ada.browser);
    signs_in_anew(&world, &mut ada, &one).await;
    signs_in_anew(&world, &mut ada, &one).await;

    let callback = location(&tab.bring(&world, &answer).await);

    let bob = two.finish(&attempt, &callback).await.unwrap();
    assert_ne!(bob.claims["sub"], ada.tokens.claims["sub"]);
    assert_eq!((sessions(&world).await, world.logout_count().await), (1, 1));
    assert_eq!(world.settled().await.reason, "another person signed in with this browser");
    assert!(!one.is_signed_in(ada.sid()).await && !ada.is_in(&world, &one).await);
}
