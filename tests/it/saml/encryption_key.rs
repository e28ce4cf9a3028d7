//! The key that IdPs encrypt to, over its life.

use std::time::Duration;

use sloop::change::KeyPurpose;
use sloop::mock_idp::Encryption;
use sloop::rng::Rng;
use sloop::saml::binding::soap;
use sloop::saml::{EntityId, LogoutRequest, NameId};
use sloop::store::{Expect, Statement};
use sloop::use_cases::Begin;

use super::{ask, forged};
use crate::both;
use crate::support::forger::{Forger, Sign};
use crate::support::idp_request::{Answered, send_soap};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

async fn signs_in(world: &World, forger: &Forger, app: &RelyingParty, to: &[u8]) -> bool {
    let mut browser = world.browser();
    let (_, asked) = ask(forger, &mut browser, app).await;
    let said = forger.says(&asked, "ada");
    let xml = forger.encrypted(&said, Sign::Assertion, Encryption::COMMON, to);
    let page = forger.post(world, &mut browser, &xml, asked.relay_state.as_deref()).await;
    let works = page.location().is_some();
    assert_eq!(works, world.is_signed_in(&mut browser, app).await, "{}", page.summary());
    works
}

/// Signs somebody in by a plain assertion, and has the IdP sign them out under a name that is encrypted
/// to this certificate.
async fn signs_out(world: &World, forger: &Forger, app: &RelyingParty, to: &[u8]) -> bool {
    let mut browser = world.browser();
    let (attempt, asked) = ask(forger, &mut browser, app).await;
    let page = forger.send(world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    let request = LogoutRequest {
        id: Rng::system().saml_id(),
        issue_instant: world.clock.now(),
        not_on_or_after: None,
        destination: None,
        issuer: EntityId::parse(&forger.entity_id()).unwrap(),
        name_id: NameId {
            value: "ada".into(),
            format: None,
            name_qualifier: None,
            sp_name_qualifier: None,
            sp_provided_id: None,
        },
        session_indexes: Vec::new(),
        reason: None,
        asynchronous: false,
    };
    let (plain, names) = (request.to_xml().unwrap(), ("NameID", "EncryptedID"));
    let secret = Encryption::COMMON.replace(&plain, names, to, &Rng::system()).unwrap();
    assert!(!secret.contains(">ada<"));
    let answer = send_soap(world, &soap::envelope(&forger.signs(&secret))).await;
    let status = Answered::in_envelope(world, &answer).await.status();
    let ended = !world.is_signed_in(&mut browser, app).await;
    assert_eq!(status, if ended { "Success" } else { "Requester RequestDenied" });
    // Times in SAML have seconds.
    world.clock.advance(Duration::from_secs(1));
    ended
}

async fn apply(world: &World, sql: &'static str) {
    let statement = Statement { sql, params: Vec::new(), expect: Expect::ExactlyOne, what: "test" };
    world.use_cases().store().engine().apply(vec![statement]).await.unwrap();
}

async fn time_passes(world: &World, days: u64) {
    world.clock.advance(Duration::from_secs(days * 86_400));
    world.use_cases().refresh_keys().await.unwrap();
}

both!(two_keys_decrypt_during_a_roll_over, roll_over);
async fn roll_over(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let first = world.encryption_certificate().await;
    world.use_cases().rotate_keys(KeyPurpose::SamlDecryption, Begin::Announced).await.unwrap();
    let published = world.certificates("encryption").await;
    let second = published.iter().find(|certificate| **certificate != first).unwrap().clone();
    assert_eq!(published.len(), 2, "an IdP may take either");
    for to in [&first, &second] {
        assert!(signs_in(&world, &forger, &app, to).await);
        assert!(signs_out(&world, &forger, &app, to).await);
    }

    // A key that has been replaced is not in the metadata any more, but IdPs keep that for a while.
    time_passes(&world, 30).await;
    assert_eq!(world.certificates("encryption").await, std::slice::from_ref(&second));
    for to in [&first, &second] {
        assert!(signs_in(&world, &forger, &app, to).await);
        assert!(signs_out(&world, &forger, &app, to).await);
    }

    time_passes(&world, 30).await;
    assert!(!signs_in(&world, &forger, &app, &first).await);
    assert!(!signs_out(&world, &forger, &app, &first).await);
    assert!(signs_in(&world, &forger, &app, &second).await);
    assert!(signs_out(&world, &forger, &app, &second).await);
}

both!(an_installation_without_the_key_gets_one_at_its_next_start, older_installation);
async fn older_installation(on: On) {
    let mut world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let first = world.encryption_certificate().await;
    let signing = world.certificates("signing").await;
    apply(&world, "DELETE FROM signing_key WHERE purpose = 'saml_decryption'").await;

    world.restart().await;

    let made = world.encryption_certificate().await;
    assert_ne!(made, first);
    assert_eq!(world.certificates("signing").await, signing);
    assert!(signs_in(&world, &forger, &app, &made).await);
    assert!(!signs_in(&world, &forger, &app, &first).await);
    world.restart().await;
    assert_eq!(world.certificates("encryption").await, [made]);
}
