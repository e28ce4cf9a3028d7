//! An IdP is asked by SOAP: where it offers nothing else, or where no browser is there.

use std::time::Duration;

use sloop::mock_idp::{Options, Slo};
use sloop::saml::status::REQUEST_DENIED;
use sloop::saml::{LogoutReason, Status, StatusCode};

use super::{eventually, home, idp_leg, signed_in};
use crate::both;
use crate::support::soap_idp::{Says, SoapIdp};
use crate::support::world::{On, Setting, World};

async fn without_slo(on: On) -> World {
    Setting::on(on).idp(Options { slo: Slo::None, ..Options::default() }).begin().await
}

both!(the_only_binding_is_used_although_a_browser_is_there, only_binding);
async fn only_binding(on: On) {
    let world = without_slo(on).await;
    let soap = SoapIdp::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let issued = world.idp.sessions().remove(0);
    let hint = ada.hint().to_owned();

    let end = world.sign_out(&mut ada.browser, &app, &hint).await;

    assert_eq!(end.url.as_str(), home(&app), "the browser saw nothing of the IdP");
    assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)", "before the redirect");
    assert!(!ada.is_in(&world, &app).await);
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
    let story = world.settled().await;
    assert_eq!(story.outcome.as_str(), "complete");
    assert_eq!(story.legs[1].channel, format!("LogoutRequest by SOAP to {}", soap.url));
    // What arrived: the person exactly as asserted, signed in the envelope (verified there).
    let [heard] = soap.heard().try_into().expect("one request");
    assert_eq!(heard.request.name_id, issued.name_id);
    assert_eq!(heard.request.session_indexes, [issued.session_index.unwrap()]);
    assert_eq!(heard.request.destination.as_deref(), Some(soap.url.as_str()));
    assert_eq!(heard.request.reason, Some(LogoutReason::User));
    assert!(heard.is_from(&world) && heard.request.not_on_or_after.is_some());
    assert_eq!(heard.header("content-type"), "text/xml; charset=utf-8");
    let action = "\"http://www.oasis-open.org/committees/security\"";
    assert_eq!(heard.header("soapaction"), action);
    assert_eq!(heard.header("cache-control"), "no-cache, no-store");
}

both!(where_a_browser_can_carry_it_soap_is_not_used, browser_first);
async fn browser_first(on: On) {
    let world = World::on(on).await;
    let soap = SoapIdp::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert_eq!(world.settled().await.outcome.as_str(), "complete");
    assert!(soap.heard().is_empty());
    assert_eq!(world.idp.sessions(), []);
}

both!(each_answer_counts_for_what_is_known_of_it, answers);
async fn answers(on: On) {
    let world = without_slo(on).await;
    let soap = SoapIdp::connect(&world).await;
    let app = world.app("app-one").await;
    let denied = Status::failure(StatusCode::Responder, REQUEST_DENIED, "no");
    for (says, said) in [
        (Says::Signed(Status::success()), "confirmed (Success, signed)"),
        (Says::Signed(Status::partial_logout()), "partial (PartialLogout, signed)"),
        (Says::Signed(denied), "refused (Responder (RequestDenied), signed)"),
        (Says::Unsigned(Status::success()), "unconfirmed (Success, but nobody signed it)"),
    ] {
        soap.says(says.clone());
        let before = soap.heard().len();
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        let end = world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_eq!(end.url.as_str(), home(&app), "{says:?}");
        world.settled().await;
        assert_eq!(idp_leg(&world).await, said, "{says:?}");
        // It answered, so it is not asked again.
        world.clock.advance(Duration::from_secs(120));
        world.work().await;
        assert_eq!(soap.heard().len(), before + 1, "{says:?}");
        assert!(!ada.is_in(&world, &app).await, "{says:?}");
    }
}

both!(an_unsigned_answer_counts_where_the_idp_is_trusted_without, trusted_unsigned);
async fn trusted_unsigned(on: On) {
    let world = without_slo(on).await;
    let soap = SoapIdp::connect_with(&world, "&unsigned_logout_response=accept").await;
    let app = world.app("app-one").await;
    for (says, said) in [
        (Says::Unsigned(Status::success()), "confirmed (Success, unsigned)"),
        (Says::Signed(Status::success()), "confirmed (Success, signed)"),
    ] {
        soap.says(says);
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        world.sign_out(&mut ada.browser, &app, &hint).await;
        world.settled().await;
        assert_eq!(idp_leg(&world).await, said);
    }
    // A signature that does not hold is worse than none.
    soap.says(Says::SignedByStranger);
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(idp_leg(&world).await, "open");
}

both!(an_answer_under_the_other_name_of_the_idp_counts_by_setting, other_name);
async fn other_name(on: On) {
    let world = without_slo(on).await;
    let app = world.app("app-one").await;
    for (setting, said) in [
        ("&logout_response_issuer=https://another.test", "confirmed (Success, signed)"),
        ("&logout_response_issuer=https://a-third.test", "open"),
    ] {
        let soap = SoapIdp::connect_with(&world, setting).await;
        soap.says(Says::AsAnother);
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_eq!(idp_leg(&world).await, said, "{setting}");
        // What is no answer may have been asked for again by now.
        let heard = soap.heard().len();
        assert!(heard == 1 || said == "open" && heard > 0, "{setting}: {heard}");
        assert!(!ada.is_in(&world, &app).await, "{setting}");
    }
}

both!(what_is_no_answer_is_tried_again_until_the_deadline, no_answer);
async fn no_answer(on: On) {
    let setting = Setting::on(on).idp(Options { slo: Slo::None, ..Options::default() });
    let hasty = setting.config(|config| config.logout.wait = Duration::from_millis(50));
    let world = hasty.begin().await;
    let soap = SoapIdp::connect(&world).await;
    let app = world.app("app-one").await;
    let fault = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>\
                 <s:Fault><faultcode>s:Server</faultcode><faultstring>inner-secret</faultstring>\
                 </s:Fault></s:Body></s:Envelope>";
    let page = "<html><title>inner-secret</title></html>";
    let inner = crate::support::sink::Sink::listen().await;
    for (says, why) in [
        (Says::Http(403, String::new()), "it answered 403"),
        (Says::Http(500, fault.to_owned()), "it answered 500 with a SOAP Fault"),
        (Says::Http(200, fault.to_owned()), "it answered 200 with a SOAP Fault"),
        (Says::Http(200, page.to_owned()), "what it answered does not count: "),
        (Says::Http(200, "x".repeat(300_000)), "the answer is larger than 262144 bytes"),
        (Says::Redirect(302, inner.url("/")), "it answered 302"),
        (Says::Redirect(307, inner.url("/")), "it answered 307"),
        (Says::SignedByStranger, "what it answered does not count: "),
        (Says::ForAnotherRequest, "what it answered does not count: the answer is not for the"),
        (Says::AsAnother, "what it answered does not count: the answer comes from https://another"),
    ] {
        soap.says(says.clone());
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        let before = soap.heard().len();

        let end = world.sign_out(&mut ada.browser, &app, &hint).await;

        assert_eq!(end.url.as_str(), home(&app), "nobody waits on a stranger: {says:?}");
        assert!(!ada.is_in(&world, &app).await, "{says:?}");
        let leg = async || world.newest_logout().await.legs.remove(1);
        let told = format!(" times without success ({why}");
        eventually("a failed try", async || leg().await.said.contains(&told)).await;
        let story = serde_json::to_string(&world.newest_logout().await).unwrap();
        assert!(!story.contains("inner-secret"), "{story}");
        assert_eq!(world.newest_logout().await.answered_at, None);

        // It comes to its senses in time.
        soap.says(Says::Signed(Status::success()));
        world.clock.advance(Duration::from_secs(6));
        assert_eq!(world.settled().await.outcome.as_str(), "complete", "{says:?}");
        let heard = soap.heard().split_off(before);
        assert!(heard.len() >= 2, "{says:?}");
        assert_ne!(heard[0].request.id, heard[1].request.id, "a request of its own");
        assert_ne!(heard[0].request.issue_instant, heard[1].request.issue_instant);
        assert_eq!(heard[0].request.name_id, heard[1].request.name_id);
    }
    assert_eq!(inner.connections(), 0, "redirects are not followed");

    soap.says(Says::Http(503, String::new()));
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    for _ in 0..11 {
        world.clock.advance(Duration::from_secs(60));
        world.work().await;
    }
    let story = world.settled().await;
    assert_eq!(idp_leg(&world).await, "no_answer (it answered 503)");
    assert!(story.answered_at.is_some());
    let tries = soap.heard().len();
    world.clock.advance(Duration::from_secs(3600));
    world.work().await;
    assert_eq!(soap.heard().len(), tries, "the deadline is the end");
}

both!(an_idp_that_hangs_holds_neither_browser_nor_deadline, hangs);
async fn hangs(on: On) {
    let setting = Setting::on(on).idp(Options { slo: Slo::None, ..Options::default() });
    let world =
        setting.config(|config| config.logout.wait = Duration::from_millis(300)).begin().await;
    let soap = SoapIdp::connect(&world).await;
    soap.says(Says::Hang);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    let begun = world.clock.now();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    let took = world.clock.now().since(begun);
    assert!(took >= Duration::from_millis(300), "the IdP is given its moment: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    world.clock.advance(Duration::from_secs(601));
    eventually("the deadline", async || world.newest_logout().await.answered_at.is_some()).await;
    assert_eq!(idp_leg(&world).await, "no_answer (no try came to an end)");
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
}

both!(an_address_that_the_guard_forbids_is_not_called_by_soap, guarded);
async fn guarded(on: On) {
    let setting = Setting::on(on).idp(Options { slo: Slo::None, ..Options::default() });
    let world =
        setting.config(|config| config.logout.wait = Duration::from_millis(50)).begin().await;
    let app = world.app("app-one").await;
    for (url, why) in [
        ("https://169.254.169.254/latest/meta-data", "blocked: "),
        ("https://10.1.2.3/soap", "blocked: "),
    ] {
        let metadata = crate::support::soap_idp::offering(&world.idp.metadata(), url);
        let added = world.add_idp("corp", &metadata, "").await;
        assert_eq!(added.status, 200, "{}", added.body);
        let mut ada = signed_in(&world, &app, "ada").await;
        let hint = ada.hint().to_owned();
        let end = world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_eq!(end.url.as_str(), home(&app));
        let told = format!(" times without success ({why}");
        let said = async || world.newest_logout().await.legs.remove(1).said;
        eventually("a refused try", async || said().await.contains(&told)).await;
        assert!(!ada.is_in(&world, &app).await);
    }
}

both!(an_idp_that_is_disabled_meanwhile_is_not_asked, disabled);
async fn disabled(on: On) {
    let setting = Setting::on(on).idp(Options { slo: Slo::None, ..Options::default() });
    let world =
        setting.config(|config| config.logout.wait = Duration::from_millis(50)).begin().await;
    let soap = SoapIdp::connect(&world).await;
    soap.says(Says::Http(503, String::new()));
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    let said = async || world.newest_logout().await.legs.remove(1).said;
    eventually("a failed try", async || said().await.starts_with("told ")).await;
    world.use_cases().disable_idp(&"corp".parse().unwrap()).await.unwrap();
    world.use_cases().deliveries_done().await;
    let heard = soap.heard().len();
    world.clock.advance(Duration::from_secs(6));
    world.settled().await;
    assert_eq!(idp_leg(&world).await, "no_answer (it is disabled)");
    assert_eq!(soap.heard().len(), heard);
}
