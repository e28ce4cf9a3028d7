//! The browser loses an answer of ours on its way: a double click, a dropped connection.

use crate::both;
use crate::support::browser::Page;
use crate::support::world::{On, World};

both!(a_second_click_on_the_apps_logout_link_still_gets_to_the_idp, second_click);
async fn second_click(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let [url, again] = ["the-first", "the-second"];
    let url = world.logout_url(&app, &tokens.id_token, url).await;
    let again = world.logout_url(&app, &tokens.id_token, again).await;
    // The first click: the browser never sees the answer, nor its cookies.
    let cookie = browser.cookie(&world.issuer, "sid").unwrap().value.clone();
    let path = format!("{}?{}", url.path(), url.query().unwrap());
    let lost = world.request("GET", &path, &[("cookie", &format!("sid={cookie}"))], "").await;
    assert_eq!(lost.status, 303);

    let end = browser.open(again.as_str()).await;

    // One logout, and it keeps the state that it began with.
    let home = format!("{}?state=the-first", app.post_logout_redirect_uri());
    assert_eq!(end.url.as_str(), home);
    assert_eq!(world.idp.sessions(), []);
    assert_eq!(world.logout_count().await, 1);
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
}

both!(the_waiting_page_asks_again_or_goes_on, waiting_page);
async fn waiting_page(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    for (button, outcome) in [("again", "confirmed"), ("continue", "no_answer")] {
        let mut browser = world.browser();
        world.sign_in(&mut browser, &app, "ada").await;
        // Without a hint the person is asked; the answer to the yes is lost.
        let page = browser.open(&world.url("/connect/endsession")).await;
        let lost = browser.submit(&page, &[("answer", "yes")]).await;
        assert!(lost.body.contains(&world.idp_url), "{}", lost.summary());

        let waiting = browser.get(page.url.as_str()).await;
        assert!(waiting.body.contains("its answer is not here yet"), "{}", waiting.summary());
        let next = browser.submit(&waiting, &[("answer", button)]).await;
        let end = browser.settle(next).await;

        assert!(end.body.contains("You are signed out"), "{}", end.summary());
        let outcomes = world.outcomes().await;
        assert_eq!(outcomes[1], format!("IdP corp: {outcome}"), "{button}");
    }
}

fn is_at_the_idp(world: &World, page: &Page) -> bool {
    page.location().is_some_and(|at| at.as_str().starts_with(&world.idp_url))
}

both!(a_click_that_asks_for_something_else_is_answered_for_itself, something_else);
async fn something_else(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let first = world.sign_in(&mut browser, &one, "ada").await;
    let second = world.sign_in(&mut browser, &two, "ada").await;
    let url = world.logout_url(&one, &first.id_token, "of-one").await;
    let asked = browser.get(url.as_str()).await;
    assert!(is_at_the_idp(&world, &asked), "{}", asked.summary());

    // The logout is under way. Neither another app's link ends at the first one's URL with its state,
    // nor is whoever holds an ID token sent on in another browser's place.
    for (app, token, state) in
        [(&two, &second.id_token, "of-two"), (&one, &first.id_token, "another")]
    {
        let url = world.logout_url(app, token, state).await;
        let page = world.browser().get(url.as_str()).await;
        let home = format!("{}?state={state}", app.post_logout_redirect_uri());
        assert_eq!(page.location().map(String::from), Some(home), "{}", page.summary());
    }
    let same = browser.get(url.as_str()).await;
    assert!(is_at_the_idp(&world, &same), "{}", same.summary());
    assert_eq!(world.logout_count().await, 1);
}

both!(who_comes_back_from_the_frames_twice_still_gets_to_the_idp, frames_twice);
async fn frames_twice(on: On) {
    let world = World::on(on).await;
    let app = world.framed_app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let url = world.logout_url(&app, &tokens.id_token, "the-state").await;
    let page = browser.get(url.as_str()).await;
    let page = browser.follow(page).await;
    assert_eq!(page.frames().len(), 1, "{}", page.summary());
    let onward = page.refresh().expect("the page goes on by itself");
    for answer in ["lost", "seen"] {
        let answered = browser.get(onward.as_str()).await;
        assert!(is_at_the_idp(&world, &answered), "{answer}: {}", answered.summary());
    }
}

both!(a_logout_that_another_app_began_is_nobody_elses, other_app);
async fn other_app(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    let mut browser = world.browser();
    let first = world.sign_in(&mut browser, &one, "ada").await;
    let second = world.sign_in(&mut browser, &two, "ada").await;
    let url = one.logout_url(&[("id_token_hint", &first.id_token)]).await;
    assert!(is_at_the_idp(&world, &browser.get(url.as_str()).await));

    // Neither names a URL to return to; only the app tells the two apart.
    let url = two.logout_url(&[("id_token_hint", &second.id_token)]).await;
    let page = world.browser().get(url.as_str()).await;
    assert!(page.text().contains("Nobody was signed in"), "{}", page.summary());
}
