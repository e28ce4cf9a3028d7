//! An IdP begins the logout, and some apps can only be told through the browser: their frames come
//! first, and the IdP hears what is known after them.

use std::time::Duration;

use sloop::connection::IdpSettings;
use sloop::mock_idp::{Options, Session, Slo};
use sloop::paths;

use super::{leads_to, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::rp::RelyingParty;
use crate::support::world::{On, Setting, World};

/// The IdP's session of the person who signed in last.
fn newest(world: &World) -> Session {
    world.idp.sessions().pop().expect("somebody is signed in at the IdP")
}

fn sids(app: &RelyingParty) -> Vec<String> {
    let sid = |query: String| query.rsplit("sid=").next().unwrap().to_owned();
    app.loaded_frames().into_iter().map(|frame| sid(frame.query)).collect()
}

fn onward(page: &Page) -> String {
    page.refresh().unwrap_or_else(|| panic!("no refresh: {}", page.summary())).to_string()
}

both!(frames_come_first_and_the_answer_after_them, frames_first);
async fn frames_first(on: On) {
    for (by, slo) in [(By::Redirect, Slo::Redirect), (By::Post, Slo::Post)] {
        let idp = Options { slo, ..Options::default() };
        let mut world = Setting::on(on).idp(idp).begin().await;
        let key = IdpKey::connect(&world).await;
        let (one, two) = (world.app("app-one").await, world.framed_app("app-two").await);
        let mut ada = signed_in(&world, &one, "ada").await;
        world.sign_in(&mut ada.browser, &two, "ada").await;
        let relay_state = format!("& <state> {}", "x".repeat(500));
        let request = key.asks(&world, &newest(&world));
        let request = request.with(|it| it.relay_state = Some(relay_state.clone()));

        let page = request.through(&mut ada.browser, by).await;

        // Everything is over before any frame is shown, and no message stays in the address bar.
        assert!(leads_to(&page).starts_with(&world.url(paths::LOGOUT_PAGE)), "{}", page.summary());
        assert!(!ada.is_in(&world, &one).await && !ada.is_in(&world, &two).await);
        assert!(ada.browser.cookie(&world.issuer, "sid").is_none());
        super::eventually("the token", async || !one.received_logout_tokens().is_empty()).await;
        let page = ada.browser.follow(page).await;
        assert_eq!(page.frames().len(), 1, "{}", page.summary());
        world.restart().await;
        for frame in page.frames() {
            ada.browser.load_frame(&page, frame.as_str()).await;
        }
        let answer = ada.browser.click(&page, &onward(&page)).await;
        let said = Answered::of(&world, &answer).await;
        assert_eq!(said.status(), "Success PartialLogout", "no frame proves anything");
        assert_eq!(said.response.in_response_to, request.request.id);
        assert_eq!(said.at, format!("{}/slo", world.idp_url));
        assert_eq!(said.relay_state, Some(relay_state), "exactly as it came");
        assert_eq!(sids(&two), [ada.sid()]);
        assert!(!one.is_signed_in(ada.sid()).await);
        let outcomes =
            ["app app-one: confirmed", "app app-two: unconfirmed", "IdP corp: confirmed"];
        assert_eq!(world.outcomes().await, outcomes);
        assert!(world.settled().await.answered_at.is_some());
        // Back, or the request once more: the same answer, and nothing is told twice.
        for again in [page.url.as_str(), &onward(&page)] {
            let again = ada.browser.get(again).await;
            let again = Answered::of(&world, &again).await;
            assert_eq!(again.status(), "Success PartialLogout");
            assert_eq!(again.response.in_response_to, request.request.id);
        }
        let again = request.through(&mut ada.browser, by).await;
        assert_eq!(Answered::of(&world, &again).await.status(), "Success PartialLogout");
        assert_eq!((sids(&two).len(), one.received_logout_tokens().len()), (1, 1));
        assert_eq!(world.logout_count().await, 1);
    }
}

both!(the_same_request_again_leads_to_the_same_frames, again);
async fn again(on: On) {
    let world = World::on(on).await;
    let settings = IdpSettings { always_success: true, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &newest(&world));
    let first = request.through(&mut ada.browser, By::Redirect).await;
    let second = request.through(&mut ada.browser, By::Post).await;
    assert_eq!(leads_to(&second), leads_to(&first));
    let page = ada.browser.follow(second).await;
    let again = ada.browser.get(page.url.as_str()).await;
    assert_eq!((again.frames(), onward(&again)), (page.frames(), onward(&page)));
    let answer = ada.browser.click(&page, &onward(&page)).await;
    // For IdPs that break off at a PartialLogout. We know better.
    assert_eq!(Answered::of(&world, &answer).await.status(), "Success");
    assert_eq!(world.newest_logout().await.outcome.as_str(), "partial");
}

both!(one_page_shows_the_frames_of_every_session_that_ended, several);
async fn several(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let (one, two) = (world.framed_app("app-one").await, world.framed_app("app-two").await);
    let mut first = signed_in(&world, &one, "ada").await;
    let mut second = signed_in(&world, &one, "ada").await;
    world.sign_in(&mut second.browser, &two, "ada").await;
    let mut bob = signed_in(&world, &one, "bob").await;
    let of_ada = world.idp.sessions().into_iter().find(|held| held.user == "ada").unwrap();
    let all = key.asks(&world, &of_ada).with(|it| it.request.session_indexes.clear());

    // No cookie tells which session is this browser's: each app can tell, by the sid.
    let page = all.through(&mut first.browser, By::Post).await;
    let page = first.browser.follow(page).await;
    assert_eq!(page.frames().len(), 3, "{}", page.summary());
    let origins = [one.origin.as_str(), two.origin.as_str()].join(" ");
    assert_eq!(page.directive("frame-src"), Some(origins.as_str()), "each origin once");
    for frame in page.frames() {
        first.browser.load_frame(&page, frame.as_str()).await;
    }
    let answer = first.browser.click(&page, &onward(&page)).await;

    assert_eq!(Answered::of(&world, &answer).await.status(), "Success PartialLogout");
    assert_eq!(sids(&one), [first.sid(), second.sid()]);
    assert_eq!(sids(&two), [second.sid()]);
    assert_eq!(world.logout_count().await, 2);
    for story in world.use_cases().logouts(2).await.unwrap() {
        assert!(story.answered && story.settled);
        assert_eq!(story.outcome.as_str(), "partial");
    }
    assert!(!first.is_in(&world, &one).await && !second.is_in(&world, &one).await);
    assert!(bob.is_in(&world, &one).await);
}

both!(who_comes_back_after_the_deadline_still_takes_the_answer_along, deadline);
async fn deadline(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &newest(&world));
    let page = request.through(&mut ada.browser, By::Redirect).await;
    let page = ada.browser.follow(page).await;
    world.clock.advance(Duration::from_secs(601));
    let answered = async || world.newest_logout().await.answered_at.is_some();
    super::eventually("the deadline", answered).await;
    assert_eq!(world.outcomes().await, ["app app-one: no_answer", "IdP corp: confirmed"]);
    let answer = ada.browser.click(&page, &onward(&page)).await;
    let said = Answered::of(&world, &answer).await;
    assert_eq!(said.status(), "Success PartialLogout");
    assert_eq!(said.relay_state, request.relay_state);
    assert_eq!(world.outcomes().await, ["app app-one: no_answer", "IdP corp: confirmed"]);
}

both!(without_a_browser_no_frame_is_sent_and_the_answer_says_so, by_soap);
async fn by_soap(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let (one, two) = (world.app("app-one").await, world.framed_app("app-two").await);
    for (app, status, outcomes) in [
        (&one, "Success", vec!["app app-one: confirmed", "IdP corp: confirmed"]),
        (&two, "Success PartialLogout", vec!["app app-two: not_sent", "IdP corp: confirmed"]),
    ] {
        let mut ada = signed_in(&world, app, "ada").await;
        let request = key.asks(&world, &newest(&world));
        let answer = request.by_soap(&world).await;
        assert_eq!(Answered::in_envelope(&world, &answer).await.status(), status);
        assert_eq!(world.outcomes().await, outcomes);
        assert!(!ada.is_in(&world, app).await);
        assert!(world.settled().await.answered_at.is_some(), "nobody will come");
    }
    assert_eq!(sids(&two), Vec::<String>::new());
}

both!(a_disabled_idp_is_answered_and_a_click_at_the_app_leads_home, disabled);
async fn disabled(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let (hint, session) = (ada.hint().to_owned(), newest(&world));
    let page = key.asks(&world, &session).through(&mut world.browser(), By::Redirect).await;
    let address = leads_to(&page);
    world.use_cases().disable_idp(&"corp".parse().unwrap()).await.unwrap();
    // Her own sign-out link leads home: the answer is not hers to take along, and it is asked for
    // at the page only.
    let url = world.logout_url(&app, &hint, "the-state").await;
    let clicked = ada.browser.get(url.as_str()).await;
    assert!(
        leads_to(&clicked).starts_with(&app.post_logout_redirect_uri()),
        "{}",
        clicked.summary()
    );
    let page = ada.browser.get(&address).await;
    assert_eq!(page.frames().len(), 1);
    let answer = ada.browser.click(&page, &onward(&page)).await;
    assert_eq!(Answered::of(&world, &answer).await.status(), "Success PartialLogout");
    assert_eq!(world.logout_count().await, 1);
    assert!(!ada.is_in(&world, &app).await);
}
