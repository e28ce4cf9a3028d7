//! An IdP whose single logout does harm is never sent a LogoutRequest, although its metadata has a URL
//! for it.

use sloop::mock_idp::{Entry, Options, Slo};
use sloop::paths::{API_IDENTITY_PROVIDERS, API_SESSIONS};

use super::{home, idp_leg, signed_in};
use crate::both;
use crate::support::browser::ELSEWHERE;
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::Answered;
use crate::support::world::{On, Setting, World};

async fn set(world: &World, settings: &str) {
    let set = world.add_idp("corp", &world.idp.metadata(), settings).await;
    assert_eq!(set.status, 200, "{}", set.body);
}

fn requests(world: &World) -> usize {
    let journal = world.idp.journal();
    journal.iter().filter(|entry| matches!(entry, Entry::LogoutRequest { .. })).count()
}

both!(an_idp_whose_single_logout_is_off_is_not_asked_and_the_fallback_counts, off);
async fn off(on: On) {
    let world = Setting::on(on).idp(Options { slo: Slo::All, ..Options::default() }).begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    assert_eq!(world.sign_out(&mut ada.browser, &app, &hint).await.url.as_str(), home(&app));
    assert_eq!(
        (requests(&world), idp_leg(&world).await.as_str()),
        (1, "confirmed (Success, signed)")
    );

    set(&world, "&single_logout=false&fallback=local").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    assert_eq!(world.sign_out(&mut ada.browser, &app, &hint).await.url.as_str(), home(&app));
    let why = "not_possible (this IdP is set to `single_logout = false` and `fallback = local`)";
    assert_eq!((requests(&world), idp_leg(&world).await.as_str()), (1, why));
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(world.idp.sessions().len(), 1, "and no page says otherwise");

    set(&world, "&fallback=url:https://idp.example/bye").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let hint = bob.hint().to_owned();
    let end = world.sign_out(&mut bob.browser, &app, &hint).await;
    assert_eq!((end.status, end.url.as_str()), (ELSEWHERE, "https://idp.example/bye"));
    assert!(!bob.is_in(&world, &app).await);

    set(&world, "&fallback=login-url").await;
    let mut carol = signed_in(&world, &app, "carol").await;
    let hint = carol.hint().to_owned();
    world.sign_out(&mut carol.browser, &app, &hint).await;
    let last = world.idp.journal().pop();
    assert!(matches!(last, Some(Entry::LogoutRequest { at_login_url: true, ended: 0, .. })));
    assert!(!carol.is_in(&world, &app).await);

    // Nor by SOAP, where an administrator ends it.
    let mut dan = signed_in(&world, &app, "dan").await;
    let listed = world.api("GET", API_SESSIONS, "", "").await.json();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let before = requests(&world);
    world.api("DELETE", &format!("{API_SESSIONS}/{id}"), "", "").await;
    assert!(!dan.is_in(&world, &app).await);
    assert!(world.settled().await.legs[1].said.starts_with("not_possible (no browser"));
    assert_eq!(requests(&world), before);

    // What `idp check` says is what happens.
    let path = format!("{API_IDENTITY_PROVIDERS}/corp");
    let report = world.api("GET", &path, "", "").await.json();
    assert_eq!(report["settings"]["single_logout"], false);
    let logout = report["logout"].as_str().unwrap();
    assert!(logout.starts_with("`single_logout` is `false`: a signed LogoutRequest"), "{logout}");
    assert!(report["advice"].to_string().contains("nothing goes to its logout URL"), "{report}");

    // And back.
    set(&world, "&single_logout=true").await;
    let mut eve = signed_in(&world, &app, "eve").await;
    let hint = eve.hint().to_owned();
    assert_eq!(world.sign_out(&mut eve.browser, &app, &hint).await.url.as_str(), home(&app));
    assert!(idp_leg(&world).await.starts_with("confirmed"));
}

both!(what_such_an_idp_begins_itself_counts_and_is_answered, begun_by_idp);
async fn begun_by_idp(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::stranger(&world);
    let metadata = key.beside(&world.idp.metadata());
    let added = world.add_idp("corp", &metadata, "&single_logout=false&fallback=local").await;
    assert_eq!(added.status, 200, "{}", added.body);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = world.idp.sessions().remove(0);
    let page = key.asks(&world, &session).through(&mut ada.browser, By::Redirect).await;
    let answer = Answered::of(&world, &page).await;
    assert_eq!(
        (answer.status().as_str(), answer.at),
        ("Success", format!("{}/slo", world.idp_url))
    );
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
}
