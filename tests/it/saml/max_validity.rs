//! Metadata must say how long it is valid, and not for too long, where that is asked for.

use std::time::Duration;

use serde_json::Value;
use sloop::connection::MaxValidity;
use sloop::paths::API_IDENTITY_PROVIDERS;

use super::refresh::believes;
use crate::both;
use crate::support::document::Document;
use crate::support::forger::Forger;
use crate::support::rp::RelyingParty;
use crate::support::wire::Response;
use crate::support::world::{On, World};

const DAY: Duration = Duration::from_secs(86_400);

/// This metadata, valid for so many days.
fn for_days(world: &World, metadata: &str, days: u32) -> String {
    let until = world.clock.now().plus(DAY * days);
    metadata.replacen(" entityID=", &format!(" validUntil=\"{until}\" entityID="), 1)
}

fn problem(answer: &Response) -> (u16, String, String) {
    let problem = answer.json();
    let text = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("detail"))
}

async fn listed(world: &World, id: &str) -> Value {
    let all = world.api("GET", API_IDENTITY_PROVIDERS, "application/json", "").await.json();
    let items = all["items"].as_array().unwrap();
    items.iter().find(|item| item["id"] == id).unwrap().clone()
}

/// Whether a sign-in is sent to this IdP at all.
async fn leads_to(world: &World, app: &RelyingParty, idp: &Forger) -> bool {
    let page = world.browser().get(app.begin(&[]).await.url.as_str()).await;
    page.location().is_some_and(|to| to.as_str().starts_with(&idp.base))
}

// MI-03: at an upload, for the root element, with a word of the connection itself.
both!(metadata_must_end_in_time_where_that_is_asked_for, at_upload);
async fn at_upload(on: On) {
    let mut world = World::on(on).await;
    world.config.saml.metadata_max_validity = "14d".parse().unwrap();
    world.restart().await;
    let forger = Forger::new(&world.clock);
    let plain = forger.metadata();

    let (status, code, detail) = problem(&world.add_idp("forged", &plain, "").await);
    assert_eq!((status, code.as_str()), (400, "metadata.no_valid_until"));
    assert_eq!(
        detail,
        "line 1: EntityDescriptor: there is no validUntil, and one at most 14d ahead is asked for \
         (metadata_max_validity)"
    );
    for days in [15, 3650] {
        let refused = world.add_idp("forged", &for_days(&world, &plain, days), "").await;
        let (status, code, detail) = problem(&refused);
        assert_eq!((status, code.as_str()), (400, "metadata.valid_too_long"), "{days}");
        assert!(detail.starts_with("line 1: EntityDescriptor: validUntil "), "{detail}");
        assert!(detail.contains("more than 14d ahead"), "{detail}");
    }
    // The root counts: whoever drops its time could show the rest for ever.
    let inner = for_days(&world, &plain, 2);
    let around = |more: &str| {
        format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\"{more}>\n\
             {inner}</md:EntitiesDescriptor>"
        )
    };
    let (_, code, detail) = problem(&world.add_idp("forged", &around(""), "").await);
    assert_eq!(code, "metadata.no_valid_until");
    assert!(detail.starts_with("line 1: EntitiesDescriptor: "), "{detail}");

    let until = format!(" validUntil=\"{}\"", world.clock.now().plus(DAY * 13));
    let added = world.add_idp("forged", &around(&until), "").await;
    assert_eq!(added.status, 201, "{}", added.body);
    // One connection can be asked for less, or for more.
    for (setting, metadata, status) in [
        ("&metadata_max_validity=1d", for_days(&world, &plain, 2), 400),
        ("&metadata_max_validity=30d", for_days(&world, &plain, 15), 200),
        ("&metadata_max_validity=none", plain.clone(), 200),
        ("", plain.clone(), 200),
        ("&metadata_max_validity=14", plain, 400),
    ] {
        let answer = world.add_idp("forged", &metadata, setting).await;
        assert_eq!(answer.status, status, "{setting}: {}", answer.body);
    }
    let app = world.app_with("app-one", serde_json::json!({"idps": ["forged"]})).await;
    assert!(believes(&world, &app, &forger, &forger).await);
}

both!(a_limit_that_is_set_later_counts_for_what_is_there_as_if_it_had_expired, at_load);
async fn at_load(on: On) {
    let mut world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    assert_eq!(world.add_idp("forged", &forger.metadata(), "").await.status, 201);
    let app = world.app_with("app-one", serde_json::json!({"idps": ["forged"]})).await;
    let corp = world.app_with("app-two", serde_json::json!({"idps": ["corp"]})).await;
    let mut ada = world.browser();
    let tokens = world.sign_in(&mut ada, &corp, "ada").await;
    assert!(leads_to(&world, &app, &forger).await);

    world.config.saml.metadata_max_validity = "14d".parse().unwrap();
    world.restart().await;

    assert!(!leads_to(&world, &app, &forger).await);
    let reason = listed(&world, "forged").await["unusable"].clone();
    assert!(reason.as_str().unwrap().contains("there is no validUntil"), "{reason}");
    // Nobody gets in by it, not even by single sign-on; who is in can sign out, and it is not asked.
    assert!(!world.is_signed_in(&mut ada, &corp).await);
    world.sign_out(&mut ada, &corp, &tokens.id_token).await;
    assert_eq!(world.outcomes().await, ["app app-two: confirmed", "IdP corp: not_possible"]);

    let answer = world.add_idp("forged", &for_days(&world, &forger.metadata(), 13), "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(believes(&world, &app, &forger, &forger).await);
    world.config.saml.metadata_max_validity = MaxValidity::Unlimited;
    world.restart().await;
    assert!(listed(&world, "corp").await["unusable"].is_null());
}

both!(a_refresh_that_brings_too_long_a_time_takes_nothing_away, at_refresh);
async fn at_refresh(on: On) {
    let mut world = World::on(on).await;
    world.config.saml.metadata_max_validity = "14d".parse().unwrap();
    world.restart().await;
    let forger = Forger::new(&world.clock);
    let document = Document::serve(for_days(&world, &forger.metadata(), 10)).await;
    let added = world.add_idp("forged", "", &format!("&metadata_url={}", document.url)).await;
    assert_eq!(added.status, 201, "{}", added.body);
    let app = world.app_with("app-one", serde_json::json!({"idps": ["forged"]})).await;
    let path = format!("{API_IDENTITY_PROVIDERS}/forged/refresh");
    let refresh = async |world: &World| world.api("POST", &path, "application/json", "").await;

    for (metadata, code) in [
        (for_days(&world, &forger.metadata(), 15), "metadata.valid_too_long"),
        (forger.metadata(), "metadata.no_valid_until"),
    ] {
        document.replace(metadata);
        assert_eq!(refresh(&world).await.json()["code"], code);
        assert!(believes(&world, &app, &forger, &forger).await, "{code}");
    }
    let failure = listed(&world, "forged").await["refresh"]["failure"].clone();
    assert!(failure.as_str().unwrap().contains("there is no validUntil"), "{failure}");
    // What we have counts until it ends, and no longer.
    world.clock.advance(DAY * 10);
    assert!(!leads_to(&world, &app, &forger).await);
    document.replace(for_days(&world, &forger.metadata(), 14));
    assert_eq!(refresh(&world).await.json()["result"], "updated");
    assert!(leads_to(&world, &app, &forger).await);
}
