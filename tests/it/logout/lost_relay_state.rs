//! IdPs that lose the RelayState: the answer counts, and the browser goes on if it can prove that
//! the logout is its own.

use sloop::paths;

use super::{home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::world::{On, Setting, World};

const BOTH: [By; 2] = [By::Redirect, By::Post];

async fn world(on: On, https: bool) -> World {
    Setting { https, ..Setting::on(on) }.begin().await
}

both!(the_browser_that_asked_goes_home, own_browser);
async fn own_browser(on: On) {
    for https in [false, true] {
        let world = world(on, https).await;
        let key = IdpKey::connect(&world).await;
        let app = world.app("app-one").await;
        for by in BOTH {
            let mut ada = signed_in(&world, &app, "ada").await;
            let asked = ada.begin(&world, &app).await;
            let lost = asked.answer(&world, &key).with(|it| it.relay_state = None);
            let page = lost.deliver(&mut ada.browser, by).await;
            assert_eq!(leads_to(&page), home(&app), "{by:?} https: {https}");
            assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        }
    }
}

both!(another_browser_gets_the_truth_and_a_link, other_browser);
async fn other_browser(on: On) {
    for https in [false, true] {
        let world = world(on, https).await;
        let key = IdpKey::connect(&world).await;
        let app = world.app("app-one").await;
        for by in BOTH {
            let mut ada = signed_in(&world, &app, "ada").await;
            let asked = ada.begin(&world, &app).await;
            let lost = asked.answer(&world, &key).with(|it| it.relay_state = None);
            let page = lost.deliver(&mut world.browser(), by).await;
            assert_eq!((page.status, page.location(), page.refresh()), (200, None, None));
            assert!(page.text().contains("You are signed out"), "{}", page.text());
            assert_eq!(page.links(), [url::Url::parse(&home(&app)).unwrap()]);
            assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        }
    }
}

both!(an_empty_relay_state_is_a_lost_one, empty);
async fn empty(on: On) {
    let world = world(on, false).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    for by in BOTH {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        let lost = asked.answer(&world, &key).with(|it| it.relay_state = Some(String::new()));
        let page = lost.deliver(&mut ada.browser, by).await;
        assert_eq!(leads_to(&page), home(&app), "{by:?}: {}", page.summary());
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    }
}

both!(what_nobody_signed_and_nobody_can_place_changes_nothing, unsigned);
async fn unsigned(on: On) {
    let world = world(on, false).await;
    let key = IdpKey::connect(&world).await;
    let stranger = IdpKey::stranger(&world);
    let app = world.app("app-one").await;
    for by in BOTH {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        let lost = asked.answer(&world, &key).with(|it| it.relay_state = None);
        for signer in [None, Some(&stranger)] {
            let forged = lost.clone().with(|it| it.signer = signer);
            let page = forged.deliver(&mut world.browser(), by).await;
            assert_eq!((page.status, page.location()), (200, None));
            assert_eq!(idp_leg(&world).await, "open", "{by:?}");
            let recorded = world.newest_logout().await.events;
            let refused = recorded.iter().any(|event| event.kind == "logout.answer_refused");
            assert!(!refused, "{by:?}: strangers fill no audit");
        }
        let wrong = lost.clone().with(|it| it.answer.in_response_to = "_unknown".into());
        let page = wrong.deliver(&mut ada.browser, by).await;
        assert!(leads_to(&page).starts_with(&world.url(sloop::paths::LOGOUT_PAGE)));
        assert_eq!(idp_leg(&world).await, "open", "{by:?}");
        lost.deliver(&mut ada.browser, by).await;
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    }
}

both!(an_unsigned_answer_in_the_right_browser_moves_it_on, unsigned_own_browser);
async fn unsigned_own_browser(on: On) {
    let world = world(on, false).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    for by in BOTH {
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        let lost = asked.answer(&world, &key).with(|it| {
            it.relay_state = None;
            it.signer = None;
        });
        let page = lost.deliver(&mut ada.browser, by).await;
        assert_eq!(leads_to(&page), home(&app), "{by:?}");
        assert!(idp_leg(&world).await.starts_with("unconfirmed"), "{by:?}");
        let recorded = world.newest_logout().await.events;
        assert!(recorded.iter().any(|event| event.kind == "logout.answer_refused"), "{by:?}");
    }
}

both!(without_a_registered_url_the_end_page_has_an_address_of_its_own, end_page);
async fn end_page(on: On) {
    let world = world(on, false).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = ada.ask(&app, &[]).await;
    let asked = crate::support::idp_key::Asked::of(&page);
    let lost = asked.answer(&world, &key).with(|it| it.relay_state = None);
    let page = lost.deliver(&mut ada.browser, By::Redirect).await;
    let end = ada.browser.settle(page).await;
    assert!(end.url.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{}", end.summary());
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.text());
    // It can be loaded again, and says the same.
    let again = ada.browser.open(end.url.as_str()).await;
    assert_eq!(again.text(), end.text());
}

both!(an_answer_that_is_nobodys_leads_to_the_logout_that_waits, several);
async fn several(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    // A yes at the page of the logout, whose address is known therefore. The IdP does not answer.
    let mut waiting = Vec::new();
    for _ in 0..3 {
        world.clock.advance(std::time::Duration::from_secs(2));
        let tokens = world.sign_in(&mut ada.browser, &app, "ada").await;
        ada.tokens = tokens;
        let question = app.logout_url(&[("client_id", &app.client_id)]).await;
        let question = ada.browser.open(question.as_str()).await;
        let onward = ada.browser.submit(&question, &[("answer", "yes")]).await;
        waiting.push((question.url.to_string(), Asked::of_url(&onward.refresh().unwrap())));
    }
    assert!(!ada.is_in(&world, &app).await);
    let mangled = |asked: &Asked| {
        let wrong = Some("nobody's".to_owned());
        asked.answer(&world, &key).with(|it| it.relay_state = wrong)
    };
    let of_first = mangled(&waiting[0].1);
    let page = of_first.deliver(&mut ada.browser, By::Redirect).await;
    assert_eq!(leads_to(&page), waiting[2].0, "the newest of those that wait");
    // She does not wait for the answer to the newest, nor to the second.
    for (address, at) in [(&waiting[2].0, 1), (&waiting[1].0, 0)] {
        let page = ada.browser.get(address).await;
        ada.browser.submit(&page, &[("answer", "continue")]).await;
        let page = of_first.deliver(&mut ada.browser, By::Redirect).await;
        assert_eq!(leads_to(&page), waiting[at].0, "the one that waits");
    }
    let page = ada.browser.get(&waiting[0].0).await;
    ada.browser.submit(&page, &[("answer", "continue")]).await;
    let page = of_first.deliver(&mut ada.browser, By::Redirect).await;
    assert_eq!(leads_to(&page), waiting[2].0, "of those that are over, the newest");
    assert!(world.outcomes().await.contains(&"IdP corp: no_answer".to_owned()));
}
