//! The person's page in two tabs, pressed twice, out of the history, and beside everything else that
//! ends sessions or joins them: each part ends once, and what is said of it is so.

use futures_util::future::join_all;
use sloop::paths;
use url::form_urlencoded::Serializer;

use super::person_page::{CORP, ONE, TWO, Two, open, send, without};
use crate::both;
use crate::support::html::Form;
use crate::support::rp::Answer;
use crate::support::wire::Response;
use crate::support::world::{On, World};

/// Requests that leave at the same moment all carry the cookie.
struct AtOnce<'w> {
    world: &'w World,
    cookie: String,
}

impl<'w> AtOnce<'w> {
    fn of(two: &'w Two) -> Self {
        let cookie = two.ada.browser.cookie(&two.world.issuer, "sid").unwrap().value.clone();
        Self { world: &two.world, cookie: format!("sid={cookie}") }
    }

    async fn send(&self, form: &Form) -> Response {
        let body = Serializer::new(String::new()).extend_pairs(&form.fields).finish();
        let kind = "application/x-www-form-urlencoded";
        let headers = [("cookie", self.cookie.as_str()), ("content-type", kind)];
        self.world.request("POST", paths::SAML_LOGOUT, &headers, &body).await
    }

    async fn get(&self, url: &url::Url) -> Response {
        let target = &url[url::Position::BeforePath..];
        self.world.request("GET", target, &[("cookie", self.cookie.as_str())], "").await
    }
}

/// Where an answer to a form of ours takes the browser.
fn onward(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let refresh = crate::support::html::meta_refresh(&answer.body);
    refresh.unwrap_or_else(|| panic!("nowhere: {}", answer.body)).url
}

both!(pressed_many_times_it_ends_once_and_leads_to_one_page, many_times);
async fn many_times(on: On) {
    let mut two = Two::begin(on).await;
    let page = two.open().await;
    let form = without(&page, &[TWO, CORP]);
    let at_once = AtOnce::of(&two);
    let answers = join_all((0..12).map(|_| at_once.send(&form))).await;
    let first = onward(&answers[0]);
    assert!(first.starts_with(&two.world.url(paths::LOGOUT_PAGE)), "{first}");
    assert!(answers.iter().all(|answer| onward(answer) == first));
    assert_eq!(two.world.logout_count().await, 1);
    two.world.settled().await;
    assert_eq!((two.told(), two.userinfo().await), ([1, 0], [401, 200]));

    // All of it, at once too: one logout, whichever answer the browser keeps.
    let page = two.open().await;
    let form = without(&page, &[]);
    let at_once = AtOnce::of(&two);
    let answers = join_all((0..12).map(|_| at_once.send(&form))).await;
    let (idp, own) = (&two.world.idp_url, two.world.url(paths::LOGOUT_PAGE));
    assert!(answers.iter().map(onward).all(|to| to.starts_with(idp) || to.starts_with(&own)));
    assert_eq!(two.world.logout_count().await, 2);
    // Once more, when the first answer has taken the cookie: the same logout goes on to its end.
    two.ada.browser.jar = Default::default();
    let end = send(&mut two.ada.browser, &page, &[]).await;
    assert!(end.url.as_str().starts_with(&own), "{}", end.summary());
    assert_eq!(two.world.logout_count().await, 2);
    assert_eq!(two.world.outcomes().await, ["app app-two: confirmed", "IdP corp: confirmed"]);
    two.world.settled().await;
    assert_eq!((two.told(), two.userinfo().await), ([1, 1], [401; 2]));
}

/// Each app was told; one that ended alone and had not confirmed yet when the session ended, twice.
fn told_once_or_again(told: [usize; 2]) {
    assert!(matches!(told, [1, 1] | [2, 1] | [1, 2]), "{told:?}");
}

both!(two_tabs_with_other_ticks_end_what_each_has_ticked, two_tabs);
async fn two_tabs(on: On) {
    let mut two = Two::begin(on).await;
    let (left, right) = (two.open().await, two.open().await);
    let (first, second) = (without(&left, &[TWO, CORP]), without(&right, &[ONE, CORP]));
    let at_once = AtOnce::of(&two);
    let answers = join_all([at_once.send(&first), at_once.send(&second)]).await;
    assert_ne!(onward(&answers[0]), onward(&answers[1]));

    // Whoever came second found one app: with it the session ended, and the IdP was left alone.
    assert_eq!(two.world.logout_count().await, 2);
    two.world.settled().await;
    told_once_or_again(two.told());
    assert_eq!(two.userinfo().await, [401; 2]);
    assert_eq!((two.is_in().await, two.idp_was_asked()), ([false; 2], false));
    assert_eq!(two.world.newest_logout().await.left, ["IdP corp"]);
}

both!(an_old_page_still_ends_what_is_ticked_on_it, history);
async fn history(on: On) {
    let mut two = Two::begin(on).await;
    let (page, other_tab) = (two.open().await, two.open().await);
    let first = send(&mut two.ada.browser, &page, &[TWO, CORP]).await;
    assert_eq!(two.userinfo().await, [401, 200]);

    // The same once more: the same answer.
    let again = send(&mut two.ada.browser, &page, &[TWO, CORP]).await;
    assert_eq!((again.url, two.world.logout_count().await), (first.url, 1));
    // In another tab, where it has not been pressed: it says that there is nothing to end.
    let late = send(&mut two.ada.browser, &other_tab, &[TWO, CORP]).await;
    assert!(late.text().contains("What you ticked had ended already."), "{}", late.text());
    assert_eq!((two.world.logout_count().await, two.told()), (1, [1, 0]));
    // Back, without any tick: nothing, although this form has ended something before.
    let none = send(&mut two.ada.browser, &page, &[ONE, TWO, CORP]).await;
    assert!(none.text().contains("Nothing was ticked"), "{}", none.text());

    // The app is opened again. What is ticked on the old page ends, by a logout of its own.
    let new = two.world.sign_in(&mut two.ada.browser, &two.one, "nobody is asked").await;
    let end = send(&mut two.ada.browser, &page, &[TWO, CORP]).await;
    assert!(end.text().contains("App app-one Signed out."), "{}", end.text());
    assert_eq!(two.one.userinfo(&new.access_token).await.status, 401);
    assert_eq!((two.world.logout_count().await, two.told()), (2, [2, 0]));
    // Back, with other ticks: these end, and with the last app the session.
    let end = send(&mut two.ada.browser, &page, &[ONE, CORP]).await;
    assert!(end.text().contains("App app-two Signed out."), "{}", end.text());
    assert_eq!((two.world.logout_count().await, two.told()), (3, [2, 1]));
    assert_eq!(two.is_in().await, [false; 2]);
}

both!(an_app_that_joins_meanwhile_is_told_or_not_touched, joining);
async fn joining(on: On) {
    let two = Two::begin(on).await;
    let three = two.world.app("app-three").await;
    for ends_session in [true, false, true, false, true] {
        let mut browser = two.world.browser();
        let tokens = two.world.sign_in(&mut browser, &two.one, "ada").await;
        two.world.sign_in(&mut browser, &two.two, "ada").await;
        let before = two.world.logout_count().await;
        let page = open(&two.world, &mut browser).await;
        let form = without(&page, if ends_session { &[] } else { &[TWO, CORP] });
        let attempt = three.begin(&[("prompt", "none")]).await;
        let cookie = browser.cookie(&two.world.issuer, "sid").unwrap().value.clone();
        let at_once = AtOnce { world: &two.world, cookie: format!("sid={cookie}") };

        let (answer, joined) = tokio::join!(at_once.send(&form), at_once.get(&attempt.url));

        onward(&answer);
        let callback = url::Url::parse(joined.header("location").unwrap()).unwrap();
        let joined = callback.query_pairs().any(|(name, _)| name == "code");
        assert_eq!(two.world.logout_count().await, before + 1);
        let told = two.world.newest_logout().await.legs;
        let told = told.iter().any(|leg| leg.party == "app app-three");
        assert_eq!(two.one.userinfo(&tokens.access_token).await.status, 401);
        if ends_session {
            assert_eq!(joined, told, "who joined before the commit is told; nobody joins after it");
            assert!(three.finish(&attempt, &callback).await.is_err(), "the code is dead");
            assert!(!two.world.is_signed_in(&mut browser, &three).await);
        } else {
            assert!(joined && !told, "it was neither ticked nor in the way");
            three.finish(&attempt, &callback).await.unwrap();
            assert!(two.world.is_signed_in(&mut browser, &three).await);
        }
    }
}

both!(a_logout_that_runs_meanwhile_ends_everything_once, beside_a_logout);
async fn beside_a_logout(on: On) {
    for unticked in [&[TWO, CORP][..], &[]] {
        let mut two = Two::begin(on).await;
        let page = two.open().await;
        let form = without(&page, unticked);
        let out = two.world.logout_url(&two.two, &two.at_two.id_token, "the-state").await;
        let at_once = AtOnce::of(&two);
        let (answer, gone) = tokio::join!(at_once.send(&form), at_once.get(&out));
        assert_eq!(gone.status, 303, "{}", gone.body);
        // The form may come after the app's logout, and then nobody is signed in any more.
        let is_late = answer.body.contains("Nobody was signed in");
        let own_page = (!is_late).then(|| onward(&answer));
        for way in [Some(out.to_string()), own_page].into_iter().flatten() {
            let end = two.ada.browser.open(&way).await;
            two.ada.browser.settle(end).await;
        }
        two.world.settled().await;
        let logouts = two.world.logout_count().await;
        assert!((1..=2).contains(&logouts) && (!unticked.is_empty() || logouts == 1), "{logouts}");
        told_once_or_again(two.told());
        assert_eq!(two.userinfo().await, [401; 2]);
        assert_eq!(two.is_in().await, [false; 2]);
        assert_eq!(two.world.idp.sessions(), []);
        // The page of the session that is gone ends nothing more, and says so.
        let late = AtOnce { world: &two.world, cookie: "sid=gone".into() }.send(&form).await;
        assert!(late.status == 400 || late.status == 200, "{}", late.body);
        assert_eq!(two.world.logout_count().await, logouts);
    }
}

both!(an_app_that_was_opened_again_is_not_told_of_its_end_before, told_late);
async fn told_late(on: On) {
    let mut two = Two::begin(on).await;
    two.one.answer_back_channel_with(Answer::Later(503, 30));
    let end = two.end_all_but(&[TWO, CORP]).await;
    let text = end.text();
    assert!(text.contains("What you chose has ended here"), "{text}");
    assert!(text.contains("App app-one We are still telling it."), "{text}");
    assert_eq!(two.told(), [1, 0]);
    // As long as it is not opened again it is told.
    two.world.clock.advance(std::time::Duration::from_secs(33));
    two.world.work().await;
    assert_eq!(two.told(), [2, 0]);

    // Its new session has the same `sid`: a late token would end that one.
    let again = two.world.sign_in(&mut two.ada.browser, &two.one, "nobody is asked").await;
    two.one.answer_back_channel_with(Answer::Status(200));
    two.world.clock.advance(std::time::Duration::from_secs(60));
    two.world.work().await;

    assert_eq!(two.told(), [2, 0]);
    let story = two.world.settled().await;
    let said = "dead_letter (the person has signed in to the app again since)";
    assert_eq!((story.legs[0].said.as_str(), story.outcome.as_str()), (said, "partial"));
    assert_eq!(two.one.userinfo(&again.access_token).await.status, 200);

    // When the session ends it is told of that.
    two.end_all_but(&[]).await;
    two.world.settled().await;
    assert_eq!(two.told(), [3, 1]);
}
