//! Its page with a frame for each service (`logouttype = iframe`), as it is without script.

use sloop::paths;

use super::{Story, answered, home};
use crate::both;
use crate::logout::eventually;
use crate::support::simplesamlphp::{LogoutType, Options};
use crate::support::world::On;

both!(in_simplesamlphps_frames_our_pages_show_and_everybody_is_told, frames);
async fn frames(on: On) {
    let in_frames = Options { logout_type: LogoutType::Frames, ..Options::default() };
    for told_by_frame in [false, true] {
        let story = Story::begin(on, in_frames, "").await;
        let (world, idp) = (&story.world, &story.idp);
        let one = world.app("app-one").await;
        let two = match told_by_frame {
            true => world.framed_app("app-two").await,
            false => world.app("app-two").await,
        };
        let mut ada = story.browser();
        story.sign_in(&mut ada, &one, "ada").await;
        story.sign_in(&mut ada, &two, "nobody").await;

        let (logout, its_end) = idp.logout_url();
        let asked = ada.open(&logout).await;
        assert!(world.is_signed_in(&mut ada, &one).await, "its page asks first");
        // "Yes, all services": its page without script has a frame that watches, and one with us.
        let page = ada.submit(&asked, &[]).await;
        let frames = page.frames();
        let [watching, ours] = frames.as_slice() else { panic!("{frames:?} {}", page.summary()) };
        assert!(ours.as_str().starts_with(&world.url(paths::SAML_LOGOUT)), "{ours}");
        let mut frame = ada.load_frame(&page, ours.as_str()).await;
        if told_by_frame {
            assert!(frame.may_be_framed_by(idp.base_url()), "{:?}", frame.headers);
            for inner in frame.frames() {
                ada.load_frame(&frame, inner.as_str()).await;
            }
            let onward = frame.refresh().unwrap();
            frame = ada.load_frame(&page, onward.as_str()).await;
        }
        assert!(frame.body.contains("logoutCompleted"), "{}", frame.summary());
        let watching = ada.load_frame(&page, watching.as_str()).await;
        let forms = watching.forms();
        let done = forms.iter().find(|form| form.id.as_deref() == Some("done-form")).unwrap();
        let end = ada.submit_form(&watching, done).await;
        let end = ada.settle(end).await;

        assert_eq!(end.url.as_str(), its_end, "{}", end.summary());
        assert!(!frame.body.contains("logoutFailed"), "{}", frame.body);
        let (other, outcome, said) = match told_by_frame {
            true => ("unconfirmed", "partial", "Success PartialLogout"),
            false => ("confirmed", "complete", "Success"),
        };
        let outcomes =
            ["app app-one: confirmed", &format!("app app-two: {other}"), "IdP corp: confirmed"];
        assert_eq!(world.settled().await.outcome.as_str(), outcome);
        assert_eq!(world.outcomes().await, outcomes);
        assert_eq!(answered(&ada, &story).await, said);
        assert_eq!(two.loaded_frames().len(), usize::from(told_by_frame));
        assert_eq!(idp.who_is_there(&mut ada).await, None);
        assert!(!world.is_signed_in(&mut ada, &one).await);
    }
}

/// Our request, and another service that it cannot sign out: the person reads that on its page, goes on,
/// and comes home.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_page_of_frames_comes_before_the_way_home() {
    let in_frames = Options { logout_type: LogoutType::Frames, ..Options::default() };
    let story = Story::begin(On::Sqlite, in_frames, "").await;
    let (world, idp) = (&story.world, &story.idp);
    let app = world.app("app-one").await;
    let mut ada = story.browser();
    for other_service in [false, true] {
        let tokens = story.sign_in(&mut ada, &app, "ada").await;
        if other_service {
            story.visit_another_service(&mut ada).await;
        }
        let mut end = world.sign_out(&mut ada, &app, &tokens.id_token).await;
        if other_service {
            assert!(end.url.as_str().starts_with(idp.base_url()), "{}", end.summary());
            let told = ["app app-one: confirmed", "IdP corp: open"];
            eventually("the app's token", async || world.outcomes().await == told).await;
            assert!(!world.is_signed_in(&mut ada, &app).await);
            let page = ada.submit(&end, &[]).await;
            let watching = ada.load_frame(&page, page.frames()[0].as_str()).await;
            let forms = watching.forms();
            let failed = forms.iter().find(|form| form.id.as_deref() == Some("failed-form"));
            end = ada.submit_form(&watching, failed.unwrap()).await;
            end = ada.settle(end).await;
        }
        assert_eq!(end.url.as_str(), home(&app), "{}", end.summary());
        world.settled().await;
        let outcome = if other_service { "IdP corp: partial" } else { "IdP corp: confirmed" };
        assert_eq!(world.outcomes().await, ["app app-one: confirmed", outcome]);
        assert_eq!(idp.who_is_there(&mut ada).await, None);
    }
}
