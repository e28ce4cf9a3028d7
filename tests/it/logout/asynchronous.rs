//! An IdP that is told that nobody waits for its answer.

use std::time::Duration;

use serde_json::{Value, json};
use sloop::connection::{BrowserBinding, Fallback, IdpSettings};
use sloop::mock_idp::{Options, Slo};
use sloop::paths::API_IDENTITY_PROVIDERS;

use super::{home, idp_leg, leads_to, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::idp_key::{self, Asked, By, IdpKey};
use crate::support::world::{On, Setting, World};

const ASLO: &str = "urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo";
const NOT_WAITED_FOR: &str =
    "unconfirmed (the IdP was asked, and told that nobody waits for its answer)";

fn asynchronous() -> IdpSettings {
    IdpSettings { asynchronous_logout: true, ..IdpSettings::default() }
}

// AS-01
both!(nobody_waits_for_its_answer_and_the_outcome_says_so, not_waited_for);
async fn not_waited_for(on: On) {
    for slo in [Slo::Redirect, Slo::Post] {
        let world = Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await;
        let app = world.app("app-one").await;
        // The twin waits, and says nothing of that.
        let mut bob = signed_in(&world, &app, "bob").await;
        let asked = bob.begin(&world, &app).await;
        assert!(!asked.request.asynchronous);
        assert_eq!(idp_leg(&world).await, "open");

        let key = IdpKey::connect_with(&world, asynchronous()).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let asked = ada.begin(&world, &app).await;
        assert!(asked.request.asynchronous, "{slo:?}");
        assert_eq!(asked.at, format!("{}/slo", world.idp_url));
        assert!(!ada.is_in(&world, &app).await);
        assert_eq!(idp_leg(&world).await, NOT_WAITED_FOR);
        assert!(world.newest_logout().await.answered_at.is_some(), "nobody waits");
        assert_eq!(world.settled().await.outcome.as_str(), "partial");
        let channel = &world.newest_logout().await.legs[1].channel;
        assert!(channel.ends_with("which asks for no answer"), "{channel}");
        // The answer that sends her there may be lost: a second click gets the same request.
        let second = ada.begin(&world, &app).await;
        assert_eq!(second.request.id, asked.request.id, "{slo:?}");
        assert_eq!(world.logout_count().await, 2);
        world.clock.advance(Duration::from_secs(31));
        // Whoever comes back later goes home.
        let hint = ada.hint().to_owned();
        let page = world.sign_out(&mut ada.browser, &app, &hint).await;
        assert_eq!(page.url.as_str(), home(&app));

        // An answer that comes all the same is judged as any other.
        for by in [By::Redirect, By::Post] {
            let forged = asked.answer(&world, &key).with(|it| it.signer = None);
            forged.deliver(&mut ada.browser, by).await;
            assert_eq!(idp_leg(&world).await, NOT_WAITED_FOR, "{by:?}");
        }
        let page = asked.answer(&world, &key).deliver(&mut ada.browser, By::Post).await;
        assert_eq!(leads_to(&page), home(&app));
        assert_eq!(idp_leg(&world).await, "confirmed (Success, signed)");
        assert_eq!(world.settled().await.outcome.as_str(), "complete");
    }
}

both!(the_page_of_the_logout_sends_there_again_what_may_be_lost, lost);
async fn lost(on: On) {
    for slo in [Slo::Redirect, Slo::None] {
        let world = Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await;
        let elsewhere = Fallback::Url("https://idp.example/goodbye".into());
        idp_key::settle(&world, IdpSettings { fallback: elsewhere, ..asynchronous() }).await;
        let app = world.app("app-one").await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let question = app.logout_url(&[("client_id", &app.client_id)]).await;
        let question = ada.browser.open(question.as_str()).await;
        // Her browser never gets where the answer to her yes sends it, and she loads the page again.
        let onward = ada.browser.submit(&question, &[("answer", "yes")]).await.refresh().unwrap();
        let said = idp_leg(&world).await;
        assert!(said.starts_with("unconfirmed"), "{said}");
        let same = |page: &Page| match slo {
            Slo::None => page.location().as_ref() == Some(&onward),
            _ => Asked::of(page).request.id == Asked::of_url(&onward).request.id,
        };
        for _ in 0..2 {
            let page = ada.browser.get(question.url.as_str()).await;
            assert!(same(&page), "{}", page.summary());
        }
        // Whoever comes later has been there.
        world.clock.advance(Duration::from_secs(31));
        let end = ada.browser.get(question.url.as_str()).await;
        assert_eq!((end.status, end.location()), (200, None), "{}", end.summary());
        assert!(end.text().contains("You are signed out here"), "{}", end.text());
        assert_eq!((idp_leg(&world).await, world.logout_count().await), (said, 1));
        assert!(!ada.is_in(&world, &app).await);
    }
}

async fn report(world: &World, metadata: &str, settings: &str) -> Value {
    let answer = world.add_idp("corp", metadata, settings).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let path = format!("{API_IDENTITY_PROVIDERS}/corp");
    world.api("GET", &path, "application/json", "").await.json()
}

// AS-02
both!(what_the_metadata_says_of_it_is_shown_and_missed, metadata);
async fn metadata(on: On) {
    let world = World::on(on).await;
    let plain = world.idp.metadata();
    let able = plain.replacen(
        "<md:SingleLogoutService ",
        &format!("<md:SingleLogoutService xmlns:aslo=\"{ASLO}\" aslo:supportsAsynchronous=\"1\" "),
        1,
    );
    let slo = format!("{}/slo", world.idp_url);
    for (metadata, setting, shown, warned, ends_there) in [
        (&plain, "", format!("Redirect {slo}"), false, false),
        (&able, "", format!("Redirect {slo} (also without an answer)"), false, false),
        (
            &able,
            "&asynchronous_logout=true",
            format!("Redirect {slo} (also without an answer)"),
            false,
            true,
        ),
        (&plain, "", format!("Redirect {slo}"), true, true),
        (&plain, "&asynchronous_logout=false", format!("Redirect {slo}"), false, false),
    ] {
        let report = report(&world, metadata, setting).await;
        assert_eq!(report["single_logout"], json!([shown]));
        let advice = report["advice"].to_string();
        assert_eq!(advice.contains("supportsAsynchronous"), warned, "{setting} {advice}");
        assert_eq!(advice.contains("The person ends on the IdP's page"), ends_there, "{advice}");
        let logout = report["logout"].as_str().unwrap();
        assert_eq!(logout.contains("asks for no answer"), ends_there, "{logout}");
    }
    // Of two endpoints the one that says that it understands, whichever binding is preferred.
    let both = able.replacen(
        "<md:SingleLogoutService ",
        "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
         Location=\"https://idp.example/post\"/><md:SingleLogoutService ",
        1,
    );
    let settings = "&asynchronous_logout=true&slo_binding=post";
    let chosen = report(&world, &both, settings).await["logout"].clone();
    assert!(chosen.as_str().unwrap().contains(&format!("by Redirect to {slo}")), "{chosen}");
    let settings = "&asynchronous_logout=false";
    let chosen = report(&world, &both, settings).await["logout"].clone();
    assert!(chosen.as_str().unwrap().contains("by POST to https://idp.example/post"), "{chosen}");
    assert_eq!(BrowserBinding::Post.to_string(), "POST");
}
