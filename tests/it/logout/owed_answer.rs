//! An IdP that began a logout, and whose browser shows the frames of apps first: each browser takes
//! back the answer to the request that it brought, however late it comes, and then is done with it.

use std::time::Duration;

use sloop::mock_idp::Session;

use super::{idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::idp_request::{Answered, IdpRequest};
use crate::support::world::{On, World};

fn newest(world: &World) -> Session {
    world.idp.sessions().pop().expect("somebody is signed in at the IdP")
}

fn onward(page: &Page) -> String {
    page.refresh().unwrap_or_else(|| panic!("no refresh: {}", page.summary())).to_string()
}

/// A page of ours that says how the logout ended, and sends nobody anywhere.
fn is_an_end(page: &Page) -> bool {
    page.status == 200 && page.refresh().is_none() && page.text().contains("You are signed out")
}

both!(each_browser_takes_back_the_answer_to_the_request_that_it_brought, two_browsers);
async fn two_browsers(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let of_ada = newest(&world);
    let mut other = world.browser();
    let first = key.asks(&world, &of_ada).with(|it| it.relay_state = Some("the first".into()));
    let page = first.through(&mut ada.browser, By::Redirect).await;
    let of_first = ada.browser.follow(page).await;
    world.clock.advance(Duration::from_secs(1));
    let second = key.asks(&world, &of_ada).with(|it| it.relay_state = Some("the second".into()));
    let page = second.through(&mut other, By::Redirect).await;
    let of_second = other.follow(page).await;
    assert_eq!(of_first.frames(), of_second.frames());
    assert_eq!(world.logout_count().await, 1);

    // Whoever goes on first, and whoever loads the page again.
    let reloaded = ada.browser.get(of_first.url.as_str()).await;
    takes_back(&world, &mut ada.browser, &reloaded, &first).await;
    takes_back(&world, &mut other, &of_second, &second).await;
    takes_back(&world, &mut ada.browser, &of_first, &first).await;
    // Without the mark of a request, or with one that is nobody's, it is the newest.
    let bare = &of_first.url[..url::Position::AfterPath];
    for address in [bare.to_owned(), format!("{bare}?request=x"), format!("{bare}?request=")] {
        let answer = Answered::of(&world, &ada.browser.get(&address).await).await;
        assert_eq!(answer.response.in_response_to, second.request.id);
    }
    assert!(!ada.is_in(&world, &app).await);
}

/// Goes on from the page with frames: this request is answered.
async fn takes_back(world: &World, browser: &mut Browser, page: &Page, request: &IdpRequest<'_>) {
    let answer = browser.click(page, &onward(page)).await;
    let answer = Answered::of(world, &answer).await;
    assert_eq!(answer.status(), "Success PartialLogout");
    assert_eq!(answer.response.in_response_to, request.request.id);
    assert_eq!(answer.relay_state, request.relay_state);
}

both!(however_late_the_browser_comes_back_the_idp_gets_its_answer_once, late);
async fn late(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &newest(&world));
    let page = request.through(&mut ada.browser, By::Redirect).await;
    let page = ada.browser.follow(page).await;
    let bare = page.url[..url::Position::AfterPath].to_owned();
    // Its frames were left open, and the deadline closed them.
    world.clock.advance(Duration::from_secs(601));
    world.work().await;
    assert_eq!(world.outcomes().await, ["app app-one: no_answer", "IdP corp: confirmed"]);
    world.clock.advance(Duration::from_secs(31));

    // It may lose the answer and ask again. Then it has come back, and reads how it ended.
    for address in [page.url.as_str(), &bare, page.url.as_str()] {
        let answer = Answered::of(&world, &ada.browser.get(address).await).await;
        assert_eq!(answer.status(), "Success PartialLogout");
        assert_eq!(answer.response.in_response_to, request.request.id);
        world.clock.advance(Duration::from_secs(10));
    }
    world.clock.advance(Duration::from_secs(1));
    for address in [page.url.as_str(), &bare] {
        let end = ada.browser.get(address).await;
        assert!(is_an_end(&end), "{address}: {}", end.summary());
    }
    assert!(!ada.is_in(&world, &app).await);
}

/// Presses "Try again".
async fn press(browser: &mut Browser, page: &Page) -> Asked {
    let mut form = page.form();
    form.set("answer", "try_again");
    let pressed = browser.submit_form(page, &form).await;
    Asked::of_url(&pressed.refresh().unwrap_or_else(|| panic!("{}", pressed.summary())))
}

both!(try_again_leads_back_to_the_end_and_not_to_the_idp_that_began, try_again);
async fn try_again(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let stranger = IdpKey::stranger(&world);
    let app = world.framed_app("app-one").await;
    for signer in [&key, &stranger] {
        // She has signed in twice, and the IdP names the second sign-in only.
        let mut ada = signed_in(&world, &app, "ada").await;
        let home_page = ada.browser.open(&world.idp_url).await;
        ada.browser.submit(&home_page, &[]).await;
        let attempt = app.begin(&[("prompt", "login")]).await;
        let callback = world.at_app(&mut ada.browser, &app, &attempt, "ada").await;
        app.finish(&attempt, &callback).await.unwrap();
        let request = key.asks(&world, &newest(&world));
        let page = request.through(&mut ada.browser, By::Redirect).await;
        let page = ada.browser.follow(page).await;
        let answer = ada.browser.click(&page, &onward(&page)).await;
        assert_eq!(Answered::of(&world, &answer).await.status(), "Success PartialLogout");
        assert!(idp_leg(&world).await.starts_with("not_sent"), "{}", idp_leg(&world).await);
        world.clock.advance(Duration::from_secs(31));
        let end = ada.browser.get(page.url.as_str()).await;
        assert!(is_an_end(&end), "{}", end.summary());

        let asked = press(&mut ada.browser, &end).await;
        assert_eq!(asked.session_indexes().len(), 2);
        let answer = asked.answer(&world, &key).with(|it| it.signer = Some(signer));
        let back = answer.deliver(&mut ada.browser, By::Redirect).await;

        let own_page = &page.url[..url::Position::AfterPath];
        assert_eq!(leads_to(&back), own_page);
        let end = ada.browser.follow(back).await;
        assert!(is_an_end(&end), "{}", end.summary());
        let proven = std::ptr::eq(signer, &raw const key);
        assert_eq!(idp_leg(&world).await == "confirmed (Success, signed)", proven);
        // A browser that is not known to have the page reads it, too.
        let answer = asked.answer(&world, &key);
        let end = answer.deliver(&mut world.browser(), By::Post).await;
        assert!(is_an_end(&end), "{}", end.summary());
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        assert!(!ada.is_in(&world, &app).await);
        world.clock.advance(Duration::from_secs(2));
    }
}
