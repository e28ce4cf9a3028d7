//! The page that tells apps through the browser: what it shows, what it may, and who may show it.

use std::time::Duration;

use super::{SignedIn, home, leads_to, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::rp::{LoadedFrame, RelyingParty};
use crate::support::world::{On, Setting, World};

/// Signs out as far as the page with frames.
async fn page(world: &World, app: &RelyingParty, person: &mut SignedIn) -> Page {
    let url = world.logout_url(app, person.hint(), "the-state").await;
    let answer = person.browser.get(url.as_str()).await;
    let page = person.browser.follow(answer).await;
    assert!(!page.frames().is_empty(), "{}", page.summary());
    page
}

both!(it_frames_exactly_these_apps_and_nobody_frames_it, policy);
async fn policy(on: On) {
    let world = World::on(on).await;
    let told = world.app("told").await;
    let (one, two) = (world.framed_app("app-one").await, world.framed_app("app-two").await);
    world.framed_app("never-used").await;
    let mut ada = signed_in(&world, &one, "ada").await;
    for app in [&two, &told] {
        world.sign_in(&mut ada.browser, app, "ada").await;
    }

    let page = page(&world, &one, &mut ada).await;

    let origins = [one.origin.as_str(), two.origin.as_str()];
    let framed: Vec<_> =
        page.frames().iter().map(|url| url.origin().ascii_serialization()).collect();
    assert_eq!(framed, origins);
    assert_eq!(page.directive("frame-src"), Some(origins.join(" ").as_str()));
    assert_eq!(page.directive("frame-ancestors"), Some("'none'"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.directive("default-src"), Some("'none'"));
    assert_eq!(page.directive("style-src"), Some("'self'"));
    assert_eq!(page.directive("base-uri"), Some("'none'"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "its address is a secret");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    // The one script runs by its nonce, which is another one each time.
    let nonce = |page: &Page| page.directive("script-src").unwrap().trim_matches('\'').to_owned();
    let script = format!("<script nonce=\"{}\">", nonce(&page).trim_start_matches("nonce-"));
    assert_eq!((page.body.matches("<script").count(), page.body.matches(&script).count()), (1, 1));
    let again = ada.browser.get(page.url.as_str()).await;
    assert_ne!(nonce(&again), nonce(&page));
    // A frame may do its work, and may not take the person away.
    assert_eq!(
        page.body.matches("sandbox=\"allow-scripts allow-same-origin allow-forms\"").count(),
        2
    );
}

both!(it_goes_on_without_script_and_says_what_it_cannot_know, without_script);
async fn without_script(on: On) {
    let world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = page(&world, &app, &mut ada).await;
    // The browser waits some seconds and no longer, whatever the frames do.
    let refresh = crate::support::html::meta_refresh(&page.body).unwrap();
    let wait = Duration::from_secs(refresh.seconds.into());
    assert!((Duration::from_secs(2)..=Duration::from_secs(10)).contains(&wait), "{wait:?}");
    // Or the person goes on, to the same place.
    assert_eq!(page.links(), [page.refresh().unwrap()]);
    let text = page.text();
    for part in ["You are signed out here", "app-one", "you may stay signed in to such an app"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!ada.is_in(&world, &app).await, "and that is true");
    let at_idp = ada.browser.click(&page, page.links()[0].as_str()).await;
    assert!(leads_to(&at_idp).starts_with(&world.idp_url), "{}", at_idp.summary());
}

both!(what_is_registered_is_written_as_text, escaped);
async fn escaped(on: On) {
    let world = World::on(on).await;
    let app = world.unregistered("app-one").await;
    let uri = format!("{}?a='&b=%22%3E%3Cscript%3E", app.frontchannel_logout_uri());
    let app = world.register_framed(app, &uri).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = page(&world, &app, &mut ada).await;
    assert_eq!(page.body.matches("<script").count(), 1, "{}", page.body);
    assert!(!page.body.contains("a='&b"), "{}", page.body);
    let frame = ada.browser.load_frame(&page, page.frames()[0].as_str()).await;
    assert_eq!(frame.status, 200);
    assert!(app.loaded_frames()[0].query.contains("b=%22%3E%3Cscript%3E&iss="));
}

both!(an_app_that_refuses_frames_was_told_all_the_same, refuses_frames);
async fn refuses_frames(on: On) {
    let world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    app.refuse_frames();
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert_eq!(app.loaded_frames().len(), 1);
    assert_eq!(world.outcomes().await, ["app app-one: unconfirmed", "IdP corp: confirmed"]);
}

both!(an_app_whose_cookie_is_kept_out_of_frames_may_stay_signed_in, cookies);
async fn cookies(on: On) {
    let world = Setting::on(on).https().begin().await;
    let told = world.app("told").await;
    for (cookie, arrives) in [("SameSite=None; Secure", true), ("SameSite=Lax; Secure", false)] {
        let id = if arrives { "app-none" } else { "app-lax" };
        let app = world.unregistered(id).await.with_origin(&format!("https://{id}.test"));
        let uri = app.frontchannel_logout_uri();
        let app = world.register_framed(app, &uri).await;
        let mut ada = SignedIn {
            browser: world.browser().with_host(&app.origin, app.address()),
            tokens: world.sign_in(&mut world.browser(), &told, "nobody").await,
        };
        ada.tokens = world.sign_in(&mut ada.browser, &told, "ada").await;
        world.sign_in(&mut ada.browser, &app, "ada").await;
        let own = url::Url::parse(&app.origin).unwrap();
        ada.browser.plant(&own, &format!("session=1; Path=/; {cookie}"));
        let page = ada.ask(&told, &[]).await;

        let end = ada.browser.settle(page).await;

        let has_cookie = |frame: &LoadedFrame| frame.has_cookie;
        let seen: Vec<bool> = app.loaded_frames().iter().map(has_cookie).collect();
        assert_eq!(seen, [arrives], "{cookie}");
        // Nobody can tell the one from the other, and the page does not claim to.
        let text = end.text();
        assert!(text.contains("If your browser blocks its cookies there"), "{text}");
        assert!(text.contains("You are signed out here") && !text.contains("everywhere"), "{text}");
        let framed = format!("app {id}: unconfirmed");
        let outcomes = ["app told: confirmed", framed.as_str(), "IdP corp: confirmed"];
        assert_eq!(world.outcomes().await, outcomes);
        assert!(!told.is_signed_in(ada.sid()).await);
        assert!(!ada.is_in(&world, &told).await);
    }
}

both!(who_goes_on_before_a_frame_has_loaded_gets_home, goes_on);
async fn goes_on(on: On) {
    let world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = page(&world, &app, &mut ada).await;
    // No frame has loaded yet.
    let onward = page.refresh().unwrap();
    let at_idp = ada.browser.click(&page, onward.as_str()).await;
    let end = ada.browser.settle(at_idp).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert_eq!(world.outcomes().await, ["app app-one: unconfirmed", "IdP corp: confirmed"]);
}

both!(nobody_comes_to_it_without_its_handle, unknown_handle);
async fn unknown_handle(on: On) {
    let world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let page = page(&world, &app, &mut ada).await;
    let story = world.newest_logout().await;
    let made_up = sloop::rng::Rng::system().handle();
    for handle in [story.id.to_string(), ada.sid().to_owned(), made_up.expose().to_owned()] {
        for query in ["", "?frames=done"] {
            let path = format!("{}/{handle}{query}", sloop::paths::LOGOUT_PAGE);
            assert_eq!(world.get(&path).await.status, 400, "{path}");
        }
    }
    assert_eq!(world.outcomes().await, ["app app-one: open", "IdP corp: open"]);
    let back = ada.browser.get(page.url.as_str()).await;
    assert_eq!(back.frames(), page.frames());
}
