//! Keys of this installation that are too weak to be used.

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use sloop::change::{Change, KeyPurpose, StoredSigningKey};
use sloop::server;

use crate::both;
use crate::support::world::{On, World};

// MD-07
both!(nothing_starts_with_a_key_of_ours_that_is_too_weak, weak);
async fn weak(on: On) {
    for purpose in KeyPurpose::ALL {
        let world = World::on(on).await;
        assert!(server::open(&world.config, &world.clock).await.is_ok());
        let key = |bits: u32| StoredSigningKey {
            id: format!("of-{bits}-bits"),
            purpose,
            algorithm: "RS256".to_owned(),
            certificate: None,
            active_from: world.clock.now(),
            private: PKey::from_rsa(Rsa::generate(bits).unwrap())
                .and_then(|key| key.private_key_to_pkcs8())
                .unwrap()
                .into(),
        };
        let add = async |key| {
            let (now, add) = (world.clock.now(), Change::AddSigningKey(Box::new(key)));
            world.use_cases().store().commit(now, vec![add]).await.unwrap();
        };
        add(key(2048)).await;
        let opened = server::open(&world.config, &world.clock).await;
        assert!(opened.is_ok(), "{purpose:?}: {:?}", opened.err().map(|error| error.to_string()));

        add(key(1024)).await;

        let refused = server::open(&world.config, &world.clock).await.err().expect("a refusal");
        let said = refused.to_string();
        let named = format!("the {} key of-1024-bits of this installation", purpose.as_str());
        assert!(said.contains(&named) && said.contains("1024 bits"), "{said}");
    }
}
