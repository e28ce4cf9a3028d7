//! How an IdP is asked when it offers less than single logout with a SessionIndex.

use std::time::Duration;

use sloop::connection::{BrowserBinding, Fallback, IdpSettings, WithoutSessionIndex};
use sloop::mock_idp::{Entry, Options, Slo};

use super::{eventually, home, idp_leg, logout_receipt, signed_in};
use crate::both;
use crate::support::browser::ELSEWHERE;
use crate::support::idp_key::{self, Asked};
use crate::support::world::{On, Setting, World};

async fn without_slo(on: On) -> World {
    Setting::on(on).idp(Options { slo: Slo::None, ..Options::default() }).begin().await
}

both!(without_a_logout_url_the_request_goes_to_the_login_url, login_url);
async fn login_url(on: On) {
    let world = without_slo(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let issued = world.idp.sessions();
    let hint = ada.hint().to_owned();

    let page = world.sign_out(&mut ada.browser, &app, &hint).await;

    assert!(page.url.as_str().starts_with(&format!("{}/sso", world.idp_url)), "{}", page.summary());
    let journal = world.idp.journal();
    let Some(Entry::LogoutRequest {
        name_id, session_indexes, signature_valid, at_login_url, ..
    }) = journal.last()
    else {
        panic!("{journal:#?}");
    };
    assert!(*signature_valid && *at_login_url);
    assert_eq!(*name_id, issued[0].name_id);
    assert_eq!(*session_indexes, [issued[0].session_index.clone().unwrap()]);
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(idp_leg(&world).await, "open");
    eventually("the app's token", async || app.logouts().await.unwrap().len() == 1).await;

    world.clock.advance(Duration::from_secs(601));
    let closed = async || world.newest_logout().await.answered_at.is_some();
    eventually("the deadline", closed).await;
    assert!(idp_leg(&world).await.starts_with("unconfirmed"), "{}", idp_leg(&world).await);
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    // Nobody gets a wrong page afterwards: the same link leads home.
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
}

both!(an_answer_from_the_login_url_counts_as_any_other, answer_from_login_url);
async fn answer_from_login_url(on: On) {
    let world = without_slo(on).await;
    let app = world.app("app-one").await;
    let key = idp_key::IdpKey::connect(&world).await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let asked = ada.begin(&world, &app).await;
    assert_eq!(asked.at, format!("{}/sso", world.idp_url));
    let answer = asked.answer(&world, &key);
    let page = answer.deliver(&mut ada.browser, idp_key::By::Post).await;
    assert_eq!(page.location().unwrap().as_str(), home(&app));
    assert!(idp_leg(&world).await.starts_with("confirmed"));
}

both!(fallback_local_ends_our_side_and_says_so, local);
async fn local(on: On) {
    let world = without_slo(on).await;
    let again = world.add_idp("corp", &world.idp.metadata(), "&fallback=local").await;
    assert_eq!(again.status, 200, "{}", again.body);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let journal = world.idp.journal().len();

    let end = world.sign_out(&mut ada.browser, &app, &hint).await;

    assert_eq!(end.url.as_str(), home(&app));
    assert_eq!(world.idp.journal().len(), journal, "the IdP was not even visited");
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: not_possible"]);
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    // The IdP session lives on, and no page says otherwise.
    assert_eq!(world.idp.sessions().len(), 1);
    let mut bob = signed_in(&world, &app, "bob").await;
    let page = bob.ask(&app, &[]).await;
    let end = bob.browser.settle(page).await;
    assert!(end.text().contains("You are signed out here"), "{}", end.text());
    assert!(end.text().contains("It offers no way to be told. You may still be signed in there."));
}

both!(fallback_url_sends_the_person_there, to_url);
async fn to_url(on: On) {
    let world = without_slo(on).await;
    let fallback = "&fallback=url:https://idp.example/goodbye?a=b";
    let again = world.add_idp("corp", &world.idp.metadata(), fallback).await;
    assert_eq!(again.status, 200, "{}", again.body);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!((end.status, end.url.as_str()), (ELSEWHERE, "https://idp.example/goodbye?a=b"));
    assert!(idp_leg(&world).await.starts_with("unconfirmed"));
    assert!(world.newest_logout().await.answered_at.is_some());
    assert!(!ada.is_in(&world, &app).await);
}

both!(without_a_session_index_the_name_alone_is_sent, name_id_only);
async fn name_id_only(on: On) {
    let idp = Options { session_index: false, ..Options::default() };
    let world = Setting::on(on).idp(idp).begin().await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let issued = world.idp.sessions();
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    let journal = world.idp.journal();
    let Some(Entry::LogoutRequest { name_id, session_indexes, ended, .. }) = journal.last() else {
        panic!("{journal:#?}");
    };
    assert_eq!((name_id, session_indexes.as_slice(), *ended), (&issued[0].name_id, &[][..], 1));
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
}

both!(without_a_session_index_the_next_rung_can_be_chosen, next_rung);
async fn next_rung(on: On) {
    let url = Fallback::Url("https://idp.example/goodbye".into());
    for (fallback, outcome, why) in [
        (Fallback::Local, "IdP corp: not_possible", "no SessionIndex"),
        (url, "IdP corp: unconfirmed", "configured URL"),
    ] {
        let idp = Options { session_index: false, ..Options::default() };
        let world = Setting::on(on).idp(idp).begin().await;
        let without_session_index = WithoutSessionIndex::NextRung;
        let settings = IdpSettings { without_session_index, fallback, ..IdpSettings::default() };
        idp_key::settle(&world, settings).await;
        let app = world.app("app-one").await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        let end = world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_ne!(end.status, 500);
        world.settled().await;
        assert_eq!(world.outcomes().await, ["app app-one: confirmed", outcome]);
        assert_eq!(world.idp.sessions().len(), 1, "the IdP was not asked");
        assert!(!ada.is_in(&world, &app).await);
        let receipt = logout_receipt::of(&world, &app, ada.sid()).await;
        assert_eq!(receipt["outcome"], "partial");
        let evidence = receipt["idps"][0]["evidence"].as_str().unwrap();
        assert!(evidence.contains(why), "the app reads why: {evidence}");
    }
    // An IdP that names its sessions is asked all the same.
    let world = World::on(on).await;
    let without_session_index = WithoutSessionIndex::NextRung;
    let settings =
        IdpSettings { without_session_index, fallback: Fallback::Local, ..IdpSettings::default() };
    idp_key::settle(&world, settings).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    assert_eq!(world.sign_out(&mut ada.browser, &app, &hint).await.url.as_str(), home(&app));
    assert_eq!(world.idp.sessions(), []);
}

both!(an_idp_that_leads_back_to_us_is_no_loop, no_loop);
async fn no_loop(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let target = app.post_logout_redirect_uri();
    let fields = [("client_id", "app-one"), ("post_logout_redirect_uri", target.as_str())];
    let again = app.logout_url(&fields).await.to_string();
    let ours = [sloop::paths::SAML_LOGOUT, sloop::paths::V2_LOGOUT].map(|path| world.url(path));
    for slo_url in ours.into_iter().chain([again]) {
        let settings =
            IdpSettings { slo_url: Some(slo_url.parse().unwrap()), ..IdpSettings::default() };
        idp_key::settle(&world, settings).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let (hint, before) = (ada.hint().to_owned(), ada.browser.history().len());

        // The test's browser gives up after twenty hops.
        world.sign_out(&mut ada.browser, &app, &hint).await;

        let hops = ada.browser.history().len() - before;
        assert!(hops <= 6, "{slo_url}: {hops}");
        assert!(!ada.is_in(&world, &app).await, "{slo_url}");
        eventually("the app's token", async || !app.is_signed_in(ada.sid()).await).await;
        assert!(!idp_leg(&world).await.starts_with("confirmed"), "{slo_url}");
    }
    assert_eq!(world.logout_count().await, 3, "one for each");
}

both!(every_session_index_of_the_session_is_sent, several_indexes);
async fn several_indexes(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let first = world.idp.sessions()[0].session_index.clone().unwrap();
    // The IdP forgets her by itself; signing in again begins another session there.
    let home_page = ada.browser.open(&world.idp_url).await;
    ada.browser.submit(&home_page, &[]).await;
    assert_eq!(world.idp.sessions(), []);
    let attempt = app.begin(&[("prompt", "login")]).await;
    let callback = world.at_app(&mut ada.browser, &app, &attempt, "ada").await;
    ada.tokens = app.finish(&attempt, &callback).await.unwrap();
    let second = world.idp.sessions()[0].session_index.clone().unwrap();
    assert_ne!(first, second);

    let asked = ada.begin(&world, &app).await;

    assert_eq!(asked.session_indexes(), [first.as_str(), second.as_str()]);
    assert_eq!(world.newest_logout().await.legs.len(), 2, "one IdP session, one leg");
}

both!(a_request_says_where_it_goes_from_whom_and_until_when, request);
async fn request(on: On) {
    for slo in [Slo::Redirect, Slo::Post] {
        let world = Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await;
        let app = world.app("app-one").await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        let request = &asked.request;
        assert_eq!(asked.at, format!("{}/slo", world.idp_url));
        assert_eq!(request.destination.as_deref(), Some(asked.at.as_str()));
        assert_eq!(request.issuer.as_str(), world.url(sloop::paths::SAML_METADATA));
        let until = request.not_on_or_after.expect("NotOnOrAfter");
        assert!(until > world.clock.now());
        assert!(until.since(request.issue_instant) <= Duration::from_secs(600));
        let reason = request.reason.as_ref().map(sloop::saml::LogoutReason::uri);
        assert_eq!(reason, Some("urn:oasis:names:tc:SAML:2.0:logout:user"));
        assert!((16..=80).contains(&asked.relay_state.len()), "{}", asked.relay_state);
        // The local part is over before the message has left.
        assert!(!ada.is_in(&world, &app).await);
    }
}

both!(the_login_url_takes_the_binding_that_is_settled, login_url_by_post);
async fn login_url_by_post(on: On) {
    let world = without_slo(on).await;
    let sso_binding = Some(BrowserBinding::Post);
    idp_key::settle(&world, IdpSettings { sso_binding, ..IdpSettings::default() }).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let url = world.logout_url(&app, &hint, "the-state").await;
    let page = ada.browser.get(url.as_str()).await;
    assert_eq!(page.status, 200, "a form: {}", page.summary());
    assert_eq!(Asked::of(&page).at, format!("{}/sso", world.idp_url));
    ada.browser.settle(page).await;
    let last = world.idp.journal().pop();
    assert!(matches!(last, Some(Entry::LogoutRequest { at_login_url: true, .. })), "{last:?}");
}

both!(an_idp_that_was_disabled_is_not_asked, disabled);
async fn disabled(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    world.use_cases().disable_idp(&"corp".parse().unwrap()).await.unwrap();
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: not_possible"]);
    assert!(!ada.is_in(&world, &app).await);
}
