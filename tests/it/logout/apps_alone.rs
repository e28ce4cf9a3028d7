//! Apps that a person ended alone, and what becomes of them when the session that lived on ends too.

use serde_json::json;
use sloop::paths;

use super::person_page::{CORP, ONE, TWO, Two, open, pairs, send, ticks, without};
use super::{SignedIn, eventually, home, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::rp::{Answer, RelyingParty};
use crate::support::world::{On, World};

const JSON: &str = "application/json";

/// Ada in an app that is told by a frame and has a name, and in another one.
struct Framed {
    world: World,
    one: RelyingParty,
    ada: SignedIn,
}

impl Framed {
    async fn begin(on: On) -> Self {
        let world = World::on(on).await;
        let one = world.unregistered("app-one").await;
        let uri = one.frontchannel_logout_uri();
        let settings = json!({
            "name": "Wiki & Co",
            "backchannel_logout_uri": null,
            "frontchannel_logout_uri": uri,
        });
        let one = world.register(one, settings).await;
        let two = world.app("app-two").await;
        let mut ada = signed_in(&world, &one, "ada").await;
        world.sign_in(&mut ada.browser, &two, "ada").await;
        Self { world, one, ada }
    }

    /// Ends the framed app alone: what the form is answered, which leads to the page with the frame.
    async fn end_one(&mut self) -> Page {
        let page = open(&self.world, &mut self.ada.browser).await;
        let form = without(&page, &[TWO, CORP]);
        self.ada.browser.submit_form(&page, &form).await
    }
}

async fn end_of_session(world: &World, person: &mut SignedIn) -> Page {
    let page = open(world, &mut person.browser).await;
    send(&mut person.browser, &page, &[]).await
}

both!(what_cannot_be_read_of_their_end_keeps_no_session_from_its_own, unreadable);
async fn unreadable(on: On) {
    let mut two = Two::begin(on).await;
    two.end_all_but(&[TWO, CORP]).await;
    two.world.execute("UPDATE leg SET document = '{}'").await;

    let hint = two.at_two.id_token.clone();
    let end = two.world.sign_out(&mut two.ada.browser, &two.two, &hint).await;

    assert_eq!(end.url.as_str(), home(&two.two));
    assert_eq!((two.is_in().await, two.told()), ([false; 2], [1, 1]));
    assert_eq!(two.world.outcomes().await, ["app app-two: confirmed", "IdP corp: confirmed"]);
    let story = two.world.newest_logout().await;
    assert_eq!(story.outcome.as_str(), "partial", "somebody may not have heard: {}", story.summary);
}

both!(who_did_not_hear_of_its_end_is_told_again_with_the_session, not_heard);
async fn not_heard(on: On) {
    let mut two = Two::begin(on).await;
    two.one.answer_back_channel_with(Answer::Later(503, 30));
    two.end_all_but(&[TWO, CORP]).await;
    let alone = two.world.newest_logout().await;
    assert_eq!(two.world.outcomes().await, ["app app-one: open"]);
    let page = two.open().await;
    assert_eq!(ticks(&page), pairs(&[TWO, CORP]), "of ours it holds nothing any more");

    let hint = two.at_two.id_token.clone();
    two.world.sign_out(&mut two.ada.browser, &two.two, &hint).await;

    let outcomes = ["app app-two: confirmed", "app app-one: open", "IdP corp: confirmed"];
    assert_eq!(two.world.outcomes().await, outcomes);
    assert_eq!(two.world.newest_logout().await.outcome.as_str(), "partial");
    assert_eq!((two.is_in().await, two.told()[1]), ([false; 2], 1));
    let tried = two.told()[0];

    // As soon as it can be told, it is true of the whole too.
    two.one.answer_back_channel_with(Answer::Status(200));
    two.world.clock.advance(std::time::Duration::from_secs(60));
    two.world.work().await;
    assert_eq!(two.world.settled().await.outcome.as_str(), "complete");
    let alone = two.world.use_cases().logout_story(alone.id).await.unwrap();
    assert_eq!(alone.outcome.as_str(), "complete");
    assert_eq!(two.told()[0], tried + 2, "by each of the two once more");
}

both!(who_confirmed_its_end_is_not_told_again, confirmed);
async fn confirmed(on: On) {
    let mut two = Two::begin(on).await;
    // It says no the first time, is opened again, and confirms the second time.
    two.one.answer_back_channel_with(Answer::Status(400));
    two.end_all_but(&[TWO, CORP]).await;
    assert_eq!(two.world.outcomes().await, ["app app-one: refused"]);
    two.world.sign_in(&mut two.ada.browser, &two.one, "nobody is asked").await;
    two.one.answer_back_channel_with(Answer::Status(200));
    two.end_all_but(&[TWO, CORP]).await;
    assert_eq!(two.world.outcomes().await, ["app app-one: confirmed"]);
    let told = two.told();

    let end = two.end_all_but(&[]).await;

    assert!(end.text().contains("This session has ended everywhere"), "{}", end.text());
    assert_eq!(two.world.outcomes().await, ["app app-two: confirmed", "IdP corp: confirmed"]);
    assert_eq!(two.world.settled().await.outcome.as_str(), "complete");
    assert_eq!(two.told(), [told[0], told[1] + 1]);
    assert_eq!(two.is_in().await, [false; 2]);
}

both!(whoever_ends_the_session_tells_it_again, whoever);
async fn whoever(on: On) {
    let world = World::on(on).await;
    let (one, two) = (world.app("app-one").await, world.app("app-two").await);
    // It may still be signed in as far as anybody knows.
    one.answer_back_channel_with(Answer::Status(400));
    for way in [paths::V2_LOGOUT, paths::API_SESSIONS, paths::API_SIGN_OUT] {
        let mut ada = signed_in(&world, &one, "ada").await;
        world.sign_in(&mut ada.browser, &two, "ada").await;
        let page = open(&world, &mut ada.browser).await;
        send(&mut ada.browser, &page, &[TWO, CORP]).await;
        assert_eq!(world.outcomes().await, ["app app-one: refused"], "{way}");
        let live = world.api("GET", paths::API_SESSIONS, JSON, "").await.json();
        let session = live["items"][0].clone();
        assert_eq!(session["apps"], json!(["app-two"]), "{way}");

        let (method, path, body) = match way {
            paths::V2_LOGOUT => {
                ada.browser.get(&world.url(way)).await;
                ("GET", paths::API_SESSIONS.to_owned(), String::new())
            }
            paths::API_SESSIONS => {
                ("DELETE", format!("{way}/{}", session["id"].as_str().unwrap()), String::new())
            }
            _ => ("POST", way.to_owned(), json!({ "sub": session["sub"] }).to_string()),
        };
        let answer = world.api(method, &path, JSON, &body).await;
        assert_eq!(answer.status, 200, "{way}: {}", answer.body);

        eventually("both are told", async || {
            let outcomes = ["app app-two: confirmed", "app app-one: refused"];
            world.outcomes().await.get(..2).is_some_and(|found| found == outcomes)
        })
        .await;
        assert_eq!(world.newest_logout().await.outcome.as_str(), "partial", "{way}");
        assert!(!ada.is_in(&world, &two).await, "{way}");
    }
}

both!(a_frame_never_confirms_so_the_whole_shows_it_again, by_frame);
async fn by_frame(on: On) {
    let mut framed = Framed::begin(on).await;
    let pressed = framed.end_one().await;
    let page = framed.ada.browser.get(pressed.refresh().unwrap().as_str()).await;
    // The session lives on, and the page does not say otherwise; the app has its name there.
    assert_eq!(page.frames().len(), 1, "{}", page.summary());
    let text = page.text();
    assert!(text.contains("What you chose has ended here"), "{text}");
    assert!(!text.contains("You are signed out here"), "{text}");
    assert!(text.contains("Wiki & Co") && !page.body.contains(">app-one<"), "{text}");
    assert!(page.body.contains("title=\"Wiki &#38; Co\""), "{}", page.body);
    framed.ada.browser.settle(page).await;
    assert_eq!(framed.world.outcomes().await, ["app app-one: unconfirmed"]);
    assert_eq!(framed.one.loaded_frames().len(), 1);
    let page = open(&framed.world, &mut framed.ada.browser).await;
    assert_eq!(ticks(&page), pairs(&[TWO, CORP]));

    let end = end_of_session(&framed.world, &mut framed.ada).await;

    let text = end.text();
    assert!(text.contains("Signed out here. Not every other party has confirmed it."), "{text}");
    assert!(!text.contains("everywhere"), "{text}");
    let outcomes = ["app app-two: confirmed", "app app-one: unconfirmed", "IdP corp: confirmed"];
    assert_eq!(framed.world.outcomes().await, outcomes);
    assert_eq!(framed.world.settled().await.outcome.as_str(), "partial");
    assert_eq!(framed.one.loaded_frames().len(), 2);
    assert!(!framed.ada.is_in(&framed.world, &framed.one).await);
}

both!(an_app_that_was_opened_again_is_shown_no_frame_of_its_former_end, opened_again);
async fn opened_again(on: On) {
    for shown in [false, true] {
        let mut framed = Framed::begin(on).await;
        let pressed = framed.end_one().await;
        let address = pressed.refresh().unwrap();
        if shown {
            // The page came, and its frame has not loaded.
            let page = framed.ada.browser.get(address.as_str()).await;
            assert_eq!(page.frames().len(), 1, "{}", page.summary());
        }
        let again = framed.world.sign_in(&mut framed.ada.browser, &framed.one, "nobody").await;

        let page = framed.ada.browser.open(address.as_str()).await;

        assert_eq!((page.status, page.frames()), (200, Vec::new()), "{}", page.summary());
        assert_eq!(framed.one.loaded_frames(), []);
        let story = framed.world.settled().await;
        let why = "(the person has signed in to the app again since)";
        let outcome = if shown { "no_answer" } else { "not_sent" };
        assert_eq!(story.legs[0].said, format!("{outcome} {why}"));
        assert_eq!(framed.one.userinfo(&again.access_token).await.status, 200);
        assert!(framed.ada.is_in(&framed.world, &framed.one).await);
        // Its new part in the session ends with it, by a frame of the whole.
        end_of_session(&framed.world, &mut framed.ada).await;
        assert_eq!(framed.one.loaded_frames().len(), 1);
    }
}

both!(its_end_page_says_still_signed_in_only_while_that_is_so, end_page);
async fn end_page(on: On) {
    let mut two = Two::begin(on).await;
    let end = two.end_all_but(&[TWO, CORP]).await;
    let own_page = two.world.url(paths::SAML_LOGOUT);
    let address = end.url.clone();
    let has_link = |page: &Page| page.links().iter().any(|link| link.as_str() == own_page);

    let page = two.ada.browser.get(address.as_str()).await;
    assert!(page.text().contains("You are still signed in here"), "{}", page.text());
    assert!(has_link(&page));

    two.end_all_but(&[]).await;
    let page = two.ada.browser.get(address.as_str()).await;
    let text = page.text();
    assert!(text.contains("The session of these apps has ended, too"), "{text}");
    assert!(text.contains("App app-one Signed out."), "{text}");
    assert!(!text.contains("still signed in") && !has_link(&page), "{text}");
    assert_eq!(two.is_in().await, [false; 2]);

    // The same if nobody ended it, and its time is over.
    let mut bob = signed_in(&two.world, &two.one, "bob").await;
    two.world.sign_in(&mut bob.browser, &two.two, "bob").await;
    let page = open(&two.world, &mut bob.browser).await;
    let end = send(&mut bob.browser, &page, &[ONE, CORP]).await;
    assert!(has_link(&end));
    two.world.clock.advance(std::time::Duration::from_secs(29 * 24 * 3600));
    let page = bob.browser.get(end.url.as_str()).await;
    assert!(page.text().contains("The session of these apps has ended, too"), "{}", page.text());
    assert!(!has_link(&page));
}
