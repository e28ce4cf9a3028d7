//! The key that IdPs encrypt to, over its life.

use sloop::change::{Change, KeyPurpose, StoredSigningKey};
use sloop::keys::{KeyAlgorithm, SigningKey, certificate};
use sloop::mock_idp::Encryption;
use sloop::store::{Expect, Statement};

use super::{ask, forged};
use crate::both;
use crate::support::forger::{Forger, Sign};
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

async fn apply(world: &World, sql: &'static str) {
    let statement = Statement { sql, params: Vec::new(), expect: Expect::ExactlyOne, what: "test" };
    world.use_cases().store().engine().apply(vec![statement]).await.unwrap();
}

/// Adds a key as a roll-over does, and returns its certificate.
async fn add_key(world: &World) -> Vec<u8> {
    let pair = SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap();
    let (now, day) = (world.clock.now(), std::time::Duration::from_secs(86_400));
    let certificate =
        certificate::self_signed(pair.private_key(), "second", now, day, [2; 16]).unwrap();
    let add = Change::AddSigningKey(Box::new(StoredSigningKey {
        id: pair.kid().to_owned(),
        purpose: KeyPurpose::SamlEncryption,
        algorithm: KeyAlgorithm::Rs256.as_str().to_owned(),
        certificate: Some(certificate.clone()),
        private: pair.to_pkcs8_der().unwrap(),
    }));
    world.use_cases().store().commit(now, vec![add]).await.unwrap();
    certificate
}

both!(two_keys_decrypt_during_a_roll_over, roll_over);
async fn roll_over(on: On) {
    let mut world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let first = world.encryption_certificate().await;
    let second = add_key(&world).await;
    assert!(signs_in(&world, &forger, &app, &first).await);
    assert!(!signs_in(&world, &forger, &app, &second).await, "not before it is loaded");

    world.restart().await;
    assert_eq!(world.certificates("encryption").await, [second.clone(), first.clone()]);
    for to in [&first, &second] {
        assert!(signs_in(&world, &forger, &app, to).await);
    }

    // A retired key is not in the metadata any more, but IdPs keep metadata for a while.
    let retire = "UPDATE signing_key SET retired_at = created_at WHERE id = 'saml-encryption-1'";
    apply(&world, retire).await;
    world.restart().await;
    assert_eq!(world.certificates("encryption").await, std::slice::from_ref(&second));
    for to in [&first, &second] {
        assert!(signs_in(&world, &forger, &app, to).await);
    }

    apply(&world, "DELETE FROM signing_key WHERE id = 'saml-encryption-1'").await;
    world.restart().await;
    assert!(!signs_in(&world, &forger, &app, &first).await);
    assert!(signs_in(&world, &forger, &app, &second).await);
}

both!(an_installation_without_the_key_gets_one_at_its_next_start, older_installation);
async fn older_installation(on: On) {
    let mut world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let first = world.encryption_certificate().await;
    let signing = world.certificates("signing").await;
    apply(&world, "DELETE FROM signing_key WHERE purpose = 'saml_encryption'").await;

    world.restart().await;

    let made = world.encryption_certificate().await;
    assert_ne!(made, first);
    assert_eq!(world.certificates("signing").await, signing);
    assert!(signs_in(&world, &forger, &app, &made).await);
    assert!(!signs_in(&world, &forger, &app, &first).await);
    world.restart().await;
    assert_eq!(world.certificates("encryption").await, [made]);
}
