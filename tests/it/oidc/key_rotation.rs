//! A new key takes over while people are signed in: nobody notices, and everything old is known long
//! enough.

use std::time::Duration;

use sloop::change::KeyPurpose;
use sloop::keys::Stage;
use sloop::paths;
use sloop::use_cases::{Begin, KeyReport};

use crate::both;
use crate::support::jwt::kid;
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The names of the published keys, as relying parties see them.
async fn published(world: &World) -> Vec<String> {
    let keys = world.get(paths::JWKS).await.json();
    let names = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone());
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Who signs for a person who signs in now. The app verifies the token with what is published.
async fn signer(world: &World, app: &RelyingParty) -> String {
    kid(&world.sign_in(&mut world.browser(), app, "ada").await.id_token)
}

async fn keys(world: &World, algorithm: &str) -> Vec<KeyReport> {
    let keys = world.use_cases().key_reports().await.unwrap();
    let of = |key: &KeyReport| key.purpose == KeyPurpose::Oidc && key.algorithm == algorithm;
    keys.into_iter().filter(of).collect()
}

async fn time_passes(world: &World, by: Duration) {
    world.clock.advance(by);
    world.use_cases().refresh_keys().await.unwrap();
}

both!(a_new_key_is_published_a_day_before_it_signs_and_the_old_one_two_days_longer, rotation);
async fn rotation(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let old = signer(&world, &app).await;
    let before = published(&world).await;

    let made = world.use_cases().rotate_keys(KeyPurpose::Oidc, Begin::Announced).await.unwrap();
    let new = made.iter().find(|key| key.algorithm == "RS256").unwrap().id.clone();
    assert!(made.iter().all(|key| key.stage == Some(Stage::Next)), "{made:?}");
    assert_eq!(made.len(), before.len(), "each algorithm has its own line of keys");
    let during = published(&world).await;
    assert!(during.len() == 2 * before.len() && during.contains(&new), "{during:?}");
    assert_eq!(signer(&world, &app).await, old);
    let twice = world.use_cases().rotate_keys(KeyPurpose::Oidc, Begin::Announced).await;
    assert_eq!(twice.unwrap_err().code(), "key_waiting");

    time_passes(&world, DAY - Duration::from_secs(60)).await;
    assert_eq!(signer(&world, &app).await, old);
    time_passes(&world, Duration::from_secs(120)).await;
    assert_eq!(signer(&world, &app).await, new);
    assert!(published(&world).await.contains(&old), "tokens of the old key are still about");

    time_passes(&world, 2 * DAY).await;
    let after = published(&world).await;
    assert!(!after.contains(&old) && after.contains(&new), "{after:?}");
    assert_eq!(after.len(), before.len());
}

both!(a_key_can_take_over_at_once, at_once);
async fn at_once(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let old = signer(&world, &app).await;
    // What was announced begins; no third key is made.
    world.use_cases().rotate_keys(KeyPurpose::Oidc, Begin::Announced).await.unwrap();
    let begun = world.use_cases().rotate_keys(KeyPurpose::Oidc, Begin::Now).await.unwrap();
    assert_eq!(keys(&world, "RS256").await.len(), 2);
    let new = begun.iter().find(|key| key.algorithm == "RS256").unwrap();
    assert_eq!((signer(&world, &app).await, new.stage), (new.id.clone(), Some(Stage::Active)));
    assert!(published(&world).await.contains(&old));
    // And where nothing was announced, a new one.
    world.use_cases().rotate_keys(KeyPurpose::Oidc, Begin::Now).await.unwrap();
    assert_eq!(keys(&world, "RS256").await.len(), 3);
    assert_ne!(signer(&world, &app).await, new.id);
}

both!(a_revoked_key_is_replaced_forgotten_and_believed_no_more, revoked);
async fn revoked(on: On) {
    let mut world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let old = kid(&tokens.id_token);

    world.use_cases().revoke_key(&old).await.unwrap();

    assert!(!published(&world).await.contains(&old));
    let new = signer(&world, &app).await;
    assert_ne!(new, old);
    let again = world.use_cases().revoke_key(&old).await;
    assert_eq!(again.unwrap_err().code(), "not_found");
    // Its tokens prove nothing: the person is asked, where a good hint would do.
    let page = world.sign_out(&mut browser, &app, &tokens.id_token).await;
    assert!(page.url.as_str().starts_with(&world.url(paths::LOGOUT_PAGE)), "{}", page.summary());
    assert!(world.is_signed_in(&mut browser, &app).await);
    world.restart().await;
    assert_eq!(signer(&world, &app).await, new, "it is no matter of memory");
}

both!(a_running_service_sees_what_another_node_did_to_the_keys, seen);
async fn seen(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let old = signer(&world, &app).await;
    let elsewhere = sloop::server::open(&world.config, &world.clock)
        .await
        .expect("as the command line opens it");
    elsewhere.rotate_keys(KeyPurpose::Oidc, Begin::Now).await.unwrap();
    // The worker looks about once a second.
    for _ in 0..200 {
        if signer(&world, &app).await != old {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it still signs with the old key: {old}");
}
