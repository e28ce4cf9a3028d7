//! An app's hint without the session's cookie: it ends the session, and its holder hears of nobody but the
//! app. The app's server has it, and perhaps somebody who found an old ID token.

use sloop::connection::{IdpSettings, UnsignedLogoutResponse};

use super::{idp_leg, signed_in};
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::world::{On, World};

/// The page of the logout that has sent this browser to the IdP.
async fn its_page(world: &World, browser: &mut Browser) -> Page {
    let issuer = world.issuer.parse().unwrap();
    let cookies = browser.cookies_for(&issuer);
    let of_request = |pair: &str| Some(pair.strip_prefix("tx-")?.split_once('=')?.1.to_owned());
    let handle = cookies.split("; ").find_map(of_request).unwrap_or_else(|| panic!("{cookies}"));
    let page = format!("{}/{handle}", sloop::paths::LOGOUT_PAGE);
    browser.get(&world.url(&page)).await
}

both!(the_end_page_names_the_app_alone_and_counts_the_others, end_page);
async fn end_page(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    for (language, unnamed) in [
        (
            "en",
            "App app-one Signed out. App not named here Signed out. Organisation not named here",
        ),
        ("de", "App hier nicht genannt Abgemeldet. Organisation hier nicht genannt"),
        ("fr", "Application nom non indiqué ici"),
        ("es", "no se nombra aquí"),
    ] {
        for with_cookie in [false, true] {
            let mut ada = signed_in(&world, &one, "ada").await;
            world.sign_in(&mut ada.browser, &two, "ada").await;
            let asks = [("id_token_hint", ada.hint()), ("ui_locales", language)];
            let url = one.logout_url(&asks).await;
            let mut holder = world.browser();
            let browser = if with_cookie { &mut ada.browser } else { &mut holder };
            let asked = Asked::of(&browser.get(url.as_str()).await);

            let waiting = its_page(&world, browser).await;
            let end = browser.submit(&waiting, &[("answer", "continue")]).await;

            let text = end.text();
            assert_eq!(text.contains(unnamed), !with_cookie, "{text}");
            assert_eq!(end.body.contains("app-two"), with_cookie, "{text}");
            assert_eq!(end.body.contains("corp"), with_cookie, "{text}");
            assert!(text.contains("app-one"), "{text}");
            assert!(idp_leg(&world).await.starts_with("no_answer"));
            // Whoever it is, the session has ended, and the IdP can be asked once more.
            assert!(!ada.is_in(&world, &one).await);
            let browser = if with_cookie { &mut ada.browser } else { &mut holder };
            let pressed = browser.submit(&end, &[("answer", "try_again")]).await;
            let again = Asked::of_url(&pressed.refresh().expect("it is asked once more"));
            assert_ne!(again.request.id, asked.request.id);
            let back = again.answer(&world, &key).deliver(browser, By::Redirect).await;
            let end = browser.follow(back).await;
            assert_eq!(end.body.contains("corp"), with_cookie, "{}", end.text());
            assert_eq!(world.newest_logout().await.outcome.as_str(), "complete");
        }
    }
}

both!(the_page_with_frames_loads_them_and_does_not_say_whose_they_are, frames);
async fn frames(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.framed_app("app-two").await);
    for with_cookie in [false, true] {
        let mut ada = signed_in(&world, &one, "ada").await;
        world.sign_in(&mut ada.browser, &two, "ada").await;
        let url = one.logout_url(&[("id_token_hint", ada.hint())]).await;
        let mut holder = world.browser();
        let browser = if with_cookie { &mut ada.browser } else { &mut holder };

        let page = browser.get(url.as_str()).await;
        let page = browser.follow(page).await;

        assert_eq!(page.body.contains("app-two"), with_cookie, "{}", page.body);
        assert_eq!(page.text().contains("not named here"), !with_cookie, "{}", page.text());
        assert_eq!(page.frames().len(), 1);
        let before = two.loaded_frames().len();
        browser.settle(page).await;
        assert_eq!(two.loaded_frames().len(), before + 1);
        assert!(!ada.is_in(&world, &one).await);
    }
}

both!(who_began_it_cannot_answer_in_the_place_of_an_idp_that_signs_nothing, answered);
async fn answered(on: On) {
    let world = World::on(on).await;
    let unsigned_logout_response = UnsignedLogoutResponse::Accept;
    let settings = IdpSettings { unsigned_logout_response, ..IdpSettings::default() };
    let key = IdpKey::connect_with(&world, settings).await;
    let app = world.app("app-one").await;
    for (with_cookie, signed, said) in [
        (true, false, "confirmed (Success, unsigned)"),
        (false, true, "confirmed (Success, signed)"),
        (false, false, "unconfirmed"),
    ] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let url = app.logout_url(&[("id_token_hint", ada.hint())]).await;
        let mut holder = world.browser();
        let browser = if with_cookie { &mut ada.browser } else { &mut holder };
        let asked = Asked::of(&browser.get(url.as_str()).await);
        let answer = asked.answer(&world, &key).with(|it| {
            it.signer = it.signer.take().filter(|_| signed);
        });
        answer.deliver(browser, By::Redirect).await;
        let leg = idp_leg(&world).await;
        assert!(leg.starts_with(said), "{with_cookie}, {signed}: {leg}");
        assert!(!ada.is_in(&world, &app).await);
    }
}
