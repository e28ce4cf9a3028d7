//! Our SP metadata as an IdP's administrator gets it.

use std::time::Duration;

use sloop::change::KeyPurpose;
use sloop::paths;
use sloop::use_cases::Begin;
use sloop::xml::{Limits, ns, parse};

use crate::both;
use crate::support::world::{On, Setting, World};

both!(it_says_where_answers_go_and_who_signs, content);
async fn content(on: On) {
    let world = Setting::on(on).https().begin().await;

    let answer = world.get(paths::SAML_METADATA).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/samlmetadata+xml"));
    let document = parse(answer.body.as_bytes(), &Limits::METADATA).unwrap();
    let root = document.root();
    assert!(root.is(ns::MD, "EntityDescriptor"));
    assert_eq!(root.attribute("entityID"), Some("https://sloop.test/saml/metadata"));
    let role = root.required(ns::MD, "SPSSODescriptor").unwrap();
    assert_eq!(role.attribute("AuthnRequestsSigned"), Some("true"));
    assert_eq!(role.attribute("WantAssertionsSigned"), Some("true"));
    let places = |name: &'static str| {
        let found = role.children(ns::MD, name);
        let found = found.map(|place| {
            let binding = place.attribute("Binding").unwrap().rsplit(':').next().unwrap();
            (binding.to_owned(), place.attribute("Location").unwrap().to_owned())
        });
        found.collect::<Vec<_>>()
    };
    let acs = ("HTTP-POST".to_owned(), "https://sloop.test/saml/acs".to_owned());
    assert_eq!(places("AssertionConsumerService"), [acs]);
    let slo = places("SingleLogoutService");
    let slo: Vec<_> = slo.iter().map(|(binding, url)| (binding.as_str(), url.as_str())).collect();
    let browser = "https://sloop.test/logout";
    let soap = ("SOAP", "https://sloop.test/logout/soap");
    assert_eq!(slo, [("HTTP-Redirect", browser), ("HTTP-POST", browser), soap]);
}

both!(a_restart_changes_neither_the_name_nor_the_key, restart);
async fn restart(on: On) {
    let mut world = World::on(on).await;
    let certificate = |body: &str| {
        let (_, rest) = body.split_once("<ds:X509Certificate>").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let before = world.get(paths::SAML_METADATA).await.body;
    world.restart().await;
    let after = world.get(paths::SAML_METADATA).await.body;
    assert_eq!(certificate(&before), certificate(&after));
    assert!(after.contains(&format!("entityID=\"{}\"", world.url(paths::SAML_METADATA))));
}

/// The certificates of our signing keys, as metadata shows them.
async fn certificates(world: &World) -> Vec<String> {
    let body = world.get(paths::SAML_METADATA).await.body;
    let document = parse(body.as_bytes(), &Limits::METADATA).unwrap();
    let role = document.root().required(ns::MD, "SPSSODescriptor").unwrap();
    let keys = role.children(ns::MD, "KeyDescriptor");
    let signing = keys.filter(|key| key.attribute("use") == Some("signing"));
    let certificate = |key: sloop::xml::Element<'_>| {
        let info = key.required(ns::DS, "KeyInfo").unwrap();
        let data = info.required(ns::DS, "X509Data").unwrap();
        data.required(ns::DS, "X509Certificate").unwrap().text().unwrap().to_owned()
    };
    signing.map(certificate).collect()
}

both!(during_a_rollover_both_keys_are_there_and_the_idp_believes_each, rollover);
async fn rollover(on: On) {
    let month = Duration::from_secs(30 * 24 * 3600);
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let old = certificates(&world).await;
    assert_eq!(old.len(), 1);

    // Announced: the old key signs, so an IdP that has not read anything goes on as before.
    world.use_cases().rotate_keys(KeyPurpose::SamlSigning, Begin::Announced).await.unwrap();
    let both = certificates(&world).await;
    assert!(both.len() == 2 && both.contains(&old[0]), "{both:?}");
    world.sign_in(&mut world.browser(), &app, "ada").await;

    // The IdP reads both; then the new one signs, and it believes that too.
    world.idp.trust(&world.get(paths::SAML_METADATA).await.body).unwrap();
    world.clock.advance(month);
    world.use_cases().refresh_keys().await.unwrap();
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    world.sign_out(&mut browser, &app, &tokens.id_token).await;
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
    assert_eq!(certificates(&world).await, both);

    // In the end the old one is gone.
    world.clock.advance(month);
    world.use_cases().refresh_keys().await.unwrap();
    let new = certificates(&world).await;
    assert!(new.len() == 1 && both.contains(&new[0]) && new != old, "{new:?}");
}
