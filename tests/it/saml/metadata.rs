//! Our SP metadata as an IdP's administrator gets it.

use sloop::paths;
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
    assert!(slo.iter().all(|(_, url)| url == "https://sloop.test/logout"), "{slo:?}");
    let mut bindings: Vec<_> = slo.iter().map(|(binding, _)| binding.as_str()).collect();
    bindings.sort_unstable();
    assert_eq!(bindings, ["HTTP-POST", "HTTP-Redirect"], "what is built, and no more");
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
