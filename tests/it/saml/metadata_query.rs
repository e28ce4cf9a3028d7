//! The metadata of one entity, asked of a metadata query service (draft-young-md-query).

use std::time::Duration;

use serde_json::Value;
use sloop::paths::API_IDENTITY_PROVIDERS;

use super::refresh::{believes, with_key_of};
use crate::both;
use crate::support::forger::Forger;
use crate::support::query_service::QueryService;
use crate::support::wire::Response;
use crate::support::world::{On, World};

const HERS: &str = "http%3A%2F%2Flocalhost%3A9%2Fmetadata";

async fn ask(world: &World, service: &QueryService, more: &str) -> Response {
    let place = format!("&metadata_url=mdq:{}/{more}", service.base);
    world.add_idp("forged", "", &place).await
}

async fn refresh(world: &World) -> Value {
    let path = format!("{API_IDENTITY_PROVIDERS}/forged/refresh");
    world.api("POST", &path, "application/json", "").await.json()
}

// MI-18
both!(one_entity_is_asked_for_and_that_one_must_be_in_the_answer, one_entity);
async fn one_entity(on: On) {
    let world = World::on(on).await;
    let (old, new) = (Forger::new(&world.clock), Forger::new(&world.clock));
    assert_eq!(old.entity_id(), "http://localhost:9/metadata");
    let other = Forger::at("http://localhost:10", &world.clock);
    let service = QueryService::serve().await;
    let hers = format!("&entity_id={}", old.entity_id());

    let nobody = ask(&world, &service, "").await;
    assert_eq!((nobody.status, &nobody.json()["code"]), (400, &"entity_id_missing".into()));
    assert_eq!(service.asked(), []);
    let unknown = ask(&world, &service, &hers).await;
    assert_eq!(unknown.json()["code"], "metadata_unreachable");
    assert!(unknown.json()["detail"].as_str().unwrap().contains("404"), "{}", unknown.body);
    // Another entity than the one that was asked for is none.
    service.say(HERS, other.metadata());
    assert_eq!(ask(&world, &service, &hers).await.json()["code"], "metadata.other_entity");

    service.say(HERS, old.metadata());
    let added = ask(&world, &service, &hers).await;
    assert_eq!(added.status, 201, "{}", added.body);
    let added = added.json();
    assert_eq!(added["refresh"]["url"], format!("mdq:{}/", service.base));
    assert_eq!(added["settings"]["entity_id"], old.entity_id());
    let request = (format!("/public/entities/{HERS}"), "application/samlmetadata+xml".to_owned());
    assert_eq!(service.asked(), [request.clone(), request.clone(), request.clone()]);
    let app = world.app_with("app-one", serde_json::json!({"idps": ["forged"]})).await;
    assert!(believes(&world, &app, &old, &old).await);

    // It is asked again when the time has come.
    service.say(HERS, with_key_of(&old.metadata(), &new));
    assert!(!believes(&world, &app, &old, &new).await);
    world.clock.advance(Duration::from_secs(6 * 3600 + 1));
    world.use_cases().refresh_due_idps().await.unwrap();
    assert_eq!(service.asked().last(), Some(&request));
    assert!(believes(&world, &app, &old, &new).await);
    // And what does not hold her takes nothing away.
    service.say(HERS, other.metadata());
    assert_eq!(refresh(&world).await["code"], "metadata.other_entity");
    assert!(believes(&world, &app, &old, &new).await);
}

both!(a_service_that_is_no_address_is_refused, addresses);
async fn addresses(on: On) {
    let world = World::on(on).await;
    for (place, code) in [
        ("mdq:", "invalid_setting"),
        ("mdq:mdq.example", "invalid_setting"),
        ("mdq:file:///etc/passwd", "invalid_setting"),
        ("mdq:https://mdq.example/?a", "invalid_setting"),
        ("mdq:https://10.0.0.1/", "metadata_unreachable"),
        ("mdq:http://169.254.169.254/latest", "metadata_unreachable"),
    ] {
        let query = format!("&metadata_url={place}&entity_id=urn:x:y");
        let answer = world.add_idp("inside", "", &query).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &code.into()), "{place}");
    }
}
