//! LogoutRequests that end nothing: nobody signed them, or they are not meant for us, now.

use std::time::Duration;

use sloop::connection::IdpSettings;
use sloop::mock_idp::{MockIdp, Options, Session};
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::{EntityId, SessionIndex};

use super::signed_in;
use crate::both;
use crate::support::browser::Page;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::{Answered, IdpRequest};
use crate::support::world::{On, World};

const BOTH: [By; 2] = [By::Redirect, By::Post];

fn newest(world: &World) -> Session {
    world.idp.sessions().pop().expect("somebody is signed in at the IdP")
}

fn is_vague(page: &Page) {
    assert_eq!((page.status, page.location()), (400, None), "{}", page.summary());
    assert!(page.body.contains("A message of your organisation cannot be used"), "{}", page.text());
}

both!(what_the_idp_did_not_sign_for_us_now_ends_nothing, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let stranger = IdpKey::stranger(&world);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = newest(&world);
    let slo = world.url(paths::SAML_LOGOUT);
    type Forge<'k> = Box<dyn Fn(&mut IdpRequest<'k>) + 'k>;
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let forgeries: Vec<(&str, Forge)> = vec![
        ("nobody signed it", Box::new(|it| it.signer = None)),
        ("a stranger signed it", Box::new(|it| it.signer = Some(&stranger))),
        ("no address", Box::new(|it| it.request.destination = None)),
        ("another address", Box::new(|it| it.request.destination = Some(format!("{slo}/")))),
        (
            "our other address",
            Box::new(|it| it.request.destination = Some(slo.replace("/logout", "/saml/acs"))),
        ),
        (
            "its time has passed",
            Box::new(|it| {
                let issued = it.request.issue_instant;
                it.request.not_on_or_after = Some(issued.minus(Duration::from_secs(61)));
            }),
        ),
        (
            "it is too old",
            Box::new(|it| {
                it.request.not_on_or_after = None;
                it.request.issue_instant = it.request.issue_instant.minus(minutes(12));
            }),
        ),
        (
            "it is too old, whatever it allows itself",
            Box::new(|it| it.request.issue_instant = it.request.issue_instant.minus(minutes(12))),
        ),
        (
            "it is of tomorrow",
            Box::new(|it| it.request.issue_instant = it.request.issue_instant.plus(minutes(2))),
        ),
        (
            "sixty-five indexes",
            Box::new(|it| {
                it.request.session_indexes = vec![SessionIndex::parse("i").unwrap(); 65];
            }),
        ),
    ];
    for by in BOTH {
        for (what, forge) in &forgeries {
            let request = key.asks(&world, &session).with(|it| forge(it));
            let page = request.through(&mut ada.browser, by).await;
            // The chain of the IdP's logout goes on, without us.
            let answer = Answered::of(&world, &page).await;
            assert_eq!(answer.status(), "Requester RequestDenied", "{by:?} {what}");
            assert_eq!(answer.response.in_response_to, request.request.id);
            assert_eq!(answer.at, format!("{}/slo", world.idp_url), "never where the request says");
            assert!(ada.is_in(&world, &app).await, "{by:?} {what}");
            assert!(app.is_signed_in(ada.sid()).await, "{by:?} {what}");
        }
    }
    assert_eq!(world.logout_count().await, 0);
    assert!(app.received_logout_tokens().is_empty());
    // The twin: the same request, as it should be.
    key.asks(&world, &session).through(&mut ada.browser, By::Post).await;
    assert!(!ada.is_in(&world, &app).await);
}

both!(clocks_may_differ_by_a_minute_and_a_request_may_take_ten, in_time);
async fn in_time(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let seconds = Duration::from_secs;
    type Change<'k> = Box<dyn Fn(&mut IdpRequest<'k>)>;
    let cases: Vec<(&str, Change, Duration)> = vec![
        (
            "its time has passed, by a clock of ours that may be fast",
            Box::new(move |it| {
                let issued = it.request.issue_instant;
                it.request.not_on_or_after = Some(issued.minus(seconds(50)));
            }),
            seconds(0),
        ),
        (
            "it is issued in a minute",
            Box::new(move |it| {
                it.request.issue_instant = it.request.issue_instant.plus(seconds(50));
            }),
            seconds(0),
        ),
        (
            "it took nine minutes, and says no time",
            Box::new(|it| it.request.not_on_or_after = None),
            seconds(540),
        ),
        ("it took four minutes of its five", Box::new(|_| {}), seconds(240)),
    ];
    for (what, change, on_its_way) in cases {
        let mut ada = signed_in(&world, &app, "ada").await;
        let request = key.asks(&world, &newest(&world)).with(|it| change(it));
        world.clock.advance(on_its_way);
        let page = request.through(&mut ada.browser, By::Redirect).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Success", "{what}");
        assert!(!ada.is_in(&world, &app).await, "{what}");
        world.clock.advance(seconds(120));
    }
}

both!(an_idp_ends_only_its_own_sessions, strangers);
async fn strangers(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app_with("app-one", serde_json::json!({ "idps": ["corp"] })).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = newest(&world);

    // Another IdP of ours, with its own good key, about a person of `corp`; and in `corp`'s name.
    let other =
        MockIdp::new("http://localhost:9", Options::default(), world.clock.clone(), Rng::system());
    let other = other.unwrap();
    let rogue = IdpKey::stranger(&world);
    let metadata = rogue.beside(&other.metadata());
    assert_eq!(world.add_idp("other", &metadata, "").await.status, 201);
    let about_ada = rogue.asks(&world, &session);
    for by in BOTH {
        let own_name = about_ada.clone().with(|it| it.request.issuer = other.entity_id().clone());
        let own_name = own_name.with(|it| it.request.id = Rng::system().saml_id());
        let page = own_name.through(&mut ada.browser, by).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Success", "it has no such session");
        let page = about_ada.through(&mut ada.browser, by).await;
        assert_eq!(Answered::of(&world, &page).await.status(), "Requester RequestDenied");
        let unknown = EntityId::parse("https://unknown.test").unwrap();
        let unknown = about_ada.clone().with(|it| it.request.issuer = unknown);
        is_vague(&unknown.through(&mut ada.browser, by).await);
        assert!(ada.is_in(&world, &app).await, "{by:?}");
    }
    key.asks(&world, &session).through(&mut ada.browser, By::Redirect).await;
    assert!(!ada.is_in(&world, &app).await);
}

both!(what_is_no_logout_request_is_told_nothing, unreadable);
async fn unreadable(on: On) {
    let world = World::on(on).await;
    IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let slo = world.url(paths::SAML_LOGOUT);
    for message in ["PGE+", "PCFET0NUWVBFIGE+PGEvPg=="] {
        is_vague(&ada.browser.get(&format!("{slo}?SAMLRequest={message}")).await);
        let form = [("SAMLRequest", message)];
        is_vague(&ada.browser.post(&slo, &form, Some("https://elsewhere.test")).await);
    }
    assert!(ada.is_in(&world, &app).await);
}

both!(a_disabled_idp_can_still_sign_its_people_out, disabled);
async fn disabled(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect_with(&world, IdpSettings::default()).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = newest(&world);
    let id = "corp".parse().unwrap();
    world.use_cases().disable_idp(&id).await.unwrap();
    let page = key.asks(&world, &session).through(&mut ada.browser, By::Redirect).await;
    assert_eq!(Answered::of(&world, &page).await.status(), "Success");
    assert!(!ada.is_in(&world, &app).await);
}
