//! "Try again" at the end page: an IdP that gave no proof is asked once more, and its proof counts.

use std::time::Duration;

use sloop::saml::{Status, StatusCode};

use super::{home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::html::Form;
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

fn button(page: &Page) -> Option<Form> {
    let pressed = ("answer".to_owned(), "try_again".to_owned());
    page.forms().into_iter().find(|form| form.buttons.contains(&pressed))
}

/// Presses "Try again": the page answers itself, and goes to the IdP with this.
async fn press(browser: &mut Browser, page: &Page) -> Asked {
    let mut form = button(page).unwrap_or_else(|| panic!("no button: {}", page.summary()));
    form.set("answer", "try_again");
    let pressed = browser.submit_form(page, &form).await;
    assert_eq!((pressed.status, pressed.location()), (200, None), "{}", pressed.summary());
    Asked::of_url(&pressed.refresh().expect("the page goes on by itself"))
}

/// Signs out with a yes and does not wait for the IdP: what it was asked, and the page of the logout.
async fn gave_up(
    browser: &mut Browser,
    app: &RelyingParty,
    more: &[(&str, &str)],
) -> (Asked, Page) {
    let parameters = [&[("client_id", app.client_id.as_str())], more].concat();
    let question = browser.open(app.logout_url(&parameters).await.as_str()).await;
    let onward = browser.submit(&question, &[("answer", "yes")]).await;
    let asked = Asked::of_url(&onward.refresh().unwrap());
    let waiting = browser.get(question.url.as_str()).await;
    browser.submit(&waiting, &[("answer", "continue")]).await;
    (asked, question)
}

both!(an_idp_that_was_silent_is_asked_once_more, silent);
async fn silent(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let (first, question) = gave_up(&mut ada.browser, &app, &[]).await;
    let end = ada.browser.get(question.url.as_str()).await;
    assert!(end.text().contains("It did not answer. You may still be signed in there."));
    let before = world.settled().await;
    assert_eq!(before.outcome.as_str(), "partial");

    let again = press(&mut ada.browser, &end).await;

    // A fresh message about the same session; what is known stays until it is answered.
    assert_ne!(again.request.id, first.request.id);
    assert_ne!(again.relay_state, first.relay_state);
    assert_eq!(again.request.name_id, first.request.name_id);
    assert_eq!(again.session_indexes(), first.session_indexes());
    let asked = world.newest_logout().await;
    assert!(idp_leg(&world).await.starts_with("no_answer"));
    assert_eq!(
        (&asked.answered_at, &asked.settled_at),
        (&before.answered_at, &before.settled_at),
        "nothing is open again"
    );
    // The answer to the first message is nobody's now.
    let page = first.answer(&world, &key).deliver(&mut ada.browser, By::Redirect).await;
    assert!(idp_leg(&world).await.starts_with("no_answer"), "{}", page.summary());

    let back = again.answer(&world, &key).deliver(&mut ada.browser, By::Redirect).await;
    assert_eq!(leads_to(&back), question.url.as_str(), "back at the same end");
    let end = ada.browser.follow(back).await;
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.summary());
    assert!(button(&end).is_none());
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    assert_eq!(world.newest_logout().await.outcome.as_str(), "complete");
    assert_eq!(world.logout_count().await, 1);
    assert!(!ada.is_in(&world, &app).await);
    // A second answer to the same message changes nothing.
    let denied = Status::failure(StatusCode::Responder, "urn:x:no", "no");
    let second = again.answer(&world, &key).with(|it| it.answer.status = denied);
    second.deliver(&mut ada.browser, By::Redirect).await;
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
}

both!(a_refusal_stands_until_something_else_is_proven, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let denied = Status::failure(StatusCode::Responder, "urn:x:no", "no");
    let first = Asked::of(&ada.ask(&app, &[]).await);
    let no = first.answer(&world, &key).with(|it| it.answer.status = denied.clone());
    let page = no.deliver(&mut ada.browser, By::Redirect).await;
    let end = ada.browser.follow(page).await;
    assert!(end.text().contains("It answered that it did not sign you out."), "{}", end.text());
    let said = idp_leg(&world).await;
    assert!(said.starts_with("refused"), "{said}");

    // Silence, an answer that nobody signed, another key: the refusal is what is known.
    let again = press(&mut ada.browser, &end).await;
    assert_eq!(idp_leg(&world).await, said);
    let stranger = IdpKey::stranger(&world);
    for signer in [None, Some(&stranger)] {
        let unproven = again.answer(&world, &key).with(|it| it.signer = signer);
        let back = unproven.deliver(&mut ada.browser, By::Redirect).await;
        // The first one uses the cookie up by which the browser is known to have the page.
        match signer {
            None => assert_eq!(leads_to(&back), end.url.as_str()),
            Some(_) => assert!(back.text().contains("It answered that it did not sign you out.")),
        }
        assert_eq!(idp_leg(&world).await, said);
    }
    // Pressed once more it is the same question, so that no answer to it is lost …
    let end = ada.browser.get(end.url.as_str()).await;
    let twice = press(&mut ada.browser, &end).await;
    assert_eq!((&twice.request.id, &twice.relay_state), (&again.request.id, &again.relay_state));
    // … until that is too old: another try, another answer, and only that one counts.
    world.clock.advance(Duration::from_secs(600));
    let end = ada.browser.get(end.url.as_str()).await;
    let last = press(&mut ada.browser, &end).await;
    again.answer(&world, &key).deliver(&mut ada.browser, By::Post).await;
    assert_eq!(idp_leg(&world).await, said);
    last.answer(&world, &key).deliver(&mut ada.browser, By::Post).await;
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
    let kinds = world.newest_logout().await.events;
    let sent = kinds.iter().filter(|event| event.kind == "leg.sent").count();
    assert_eq!(sent, 3, "{kinds:?}");
}

both!(who_comes_back_lands_on_the_same_end_with_a_link_home, same_end);
async fn same_end(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let uri = app.post_logout_redirect_uri();
    let target = [("post_logout_redirect_uri", uri.as_str()), ("state", "the-state")];
    let (_, question) = gave_up(&mut ada.browser, &app, &target).await;
    // Whoever is on the way is taken on …
    let page = ada.browser.get(question.url.as_str()).await;
    assert_eq!(leads_to(&page), home(&app));
    world.clock.advance(Duration::from_secs(31));
    // … who comes back reads how it ended, as often as they like, and can go on from there.
    for _ in 0..2 {
        let end = ada.browser.get(question.url.as_str()).await;
        assert_eq!((end.status, end.location(), end.refresh()), (200, None, None));
        assert!(end.text().contains("You are signed out here"), "{}", end.summary());
        assert_eq!(end.links(), [home(&app).parse().unwrap()]);
    }
    let end = ada.browser.get(question.url.as_str()).await;
    let again = press(&mut ada.browser, &end).await;
    let back = again.answer(&world, &key).deliver(&mut ada.browser, By::Redirect).await;
    assert_eq!(leads_to(&back), question.url.as_str(), "back to where the person asked from");
    let end = ada.browser.follow(back).await;
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.summary());
    assert_eq!(end.links(), [home(&app).parse().unwrap()]);
    // After a day there is nothing left to ask about.
    let mut bob = signed_in(&world, &app, "bob").await;
    let (_, question) = gave_up(&mut bob.browser, &app, &[]).await;
    let end = bob.browser.get(question.url.as_str()).await;
    let mut late = button(&end).unwrap();
    late.set("answer", "try_again");
    world.clock.advance(Duration::from_secs(24 * 3600));
    let gone = bob.browser.get(question.url.as_str()).await;
    assert!(gone.text().contains("It did not answer."), "{}", gone.summary());
    assert!(button(&gone).is_none());
    let pressed = bob.browser.submit_form(&end, &late).await;
    assert_eq!(pressed.refresh().unwrap(), question.url, "{}", pressed.summary());
}

both!(only_the_page_of_the_logout_can_ask_again, only_its_page);
async fn only_its_page(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let (_, question) = gave_up(&mut ada.browser, &app, &[]).await;
    let end = ada.browser.get(question.url.as_str()).await;
    let leg = button(&end).unwrap().field("leg").unwrap().to_owned();
    let mut bob = signed_in(&world, &app, "bob").await;
    let (_, other) = gave_up(&mut bob.browser, &app, &[]).await;
    let sent = || async {
        let story = world.newest_logout().await;
        story.events.iter().filter(|event| event.kind == "leg.sent").count()
    };
    let before = sent().await;
    // A leg of another logout, none at all, and a handle that is nobody's.
    let fields = [("leg", leg.as_str()), ("answer", "try_again")];
    let page = bob.browser.post(other.url.as_str(), &fields, Some(&world.issuer)).await;
    assert_eq!(page.refresh().as_ref(), Some(&other.url), "{}", page.summary());
    for leg in ["", "x", "../.."] {
        let fields = [("leg", leg), ("answer", "try_again")];
        let page = bob.browser.post(other.url.as_str(), &fields, Some(&world.issuer)).await;
        assert_eq!(page.status, 400, "{leg}");
    }
    let nobody = world.url(&format!("{}/{}", sloop::paths::LOGOUT_PAGE, "x".repeat(22)));
    let page = bob.browser.post(&nobody, &fields, Some(&world.issuer)).await;
    assert_eq!(page.status, 400);
    assert_eq!(sent().await, before);

    // A browser that cannot show the page gets no button: it could not do anything with it.
    let again = press(&mut ada.browser, &end).await;
    let lost = again.answer(&world, &key).with(|it| it.relay_state = None);
    let page = lost.deliver(&mut world.browser(), By::Redirect).await;
    assert!(page.text().contains("This session has ended everywhere"), "{}", page.summary());
    assert_eq!(page.forms(), []);
}

both!(it_is_not_asked_once_somebody_else_has_signed_in, somebody_else);
async fn somebody_else(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let (_, question) = gave_up(&mut ada.browser, &app, &[]).await;
    let end = ada.browser.get(question.url.as_str()).await;
    let mut form = button(&end).expect("it may be asked again");
    form.set("answer", "try_again");
    let visits = world.idp.journal().len();
    let bob = world.sign_in(&mut ada.browser, &app, "bob").await;
    assert_ne!(bob.claims["sub"], ada.tokens.claims["sub"]);
    let signed_in = world.idp.journal().len();
    assert!(signed_in > visits);

    // The page has no button any more, and one that was shown before leads back to it.
    world.clock.advance(Duration::from_secs(31));
    let shown = ada.browser.get(question.url.as_str()).await;
    assert!(button(&shown).is_none(), "{}", shown.summary());
    let pressed = ada.browser.submit_form(&end, &form).await;

    assert_eq!(pressed.refresh(), Some(question.url), "{}", pressed.summary());
    assert!(idp_leg(&world).await.starts_with("no_answer"));
    assert_eq!(world.idp.journal().len(), signed_in);
    assert!(world.is_signed_in(&mut ada.browser, &app).await, "as bob");
}
