//! How people are signed in.

use std::time::Duration;

use http::StatusCode;

use super::{BASE, SP, World};
use crate::keys;
use crate::mock_idp::{Entry, MockIdp, Options, SSO, Session, Sign};
use crate::saml::binding::redirect;
use crate::saml::{AuthnRequest, EntityId, MessageKind};
use crate::xml::sign::SigningKey;

#[tokio::test]
async fn a_person_is_asked_once_and_signed_in_by_every_way_of_signing() {
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let mut world = World::new(Options { sign, ..Options::default() });
        let login = world.sign_in("ada").await;
        let name_id = login.name_id.clone().unwrap();
        assert_eq!(name_id.name_qualifier.as_deref(), Some("http://127.0.0.1:8081/metadata"));
        assert_eq!(name_id.sp_name_qualifier.as_deref(), Some(SP));
        assert_eq!(login.attributes[0].name, "urn:oid:0.9.2342.19200300.100.1.3");
        assert_eq!(login.attributes[0].values, ["ada@example.com"]);
        let [Session { user, name_id: held, session_index, .. }] = &world.idp.sessions()[..] else {
            panic!("one session");
        };
        assert_eq!((user.as_str(), held), ("ada", &name_id));
        assert_eq!(login.session_indexes, session_index.iter().cloned().collect::<Vec<_>>());

        let request = world.authn_request();
        let page = world.ask(&request).await;
        let again = world.accept(&page, &request).unwrap();
        assert_eq!((again.name_id, again.session_indexes), (login.name_id, login.session_indexes));
        assert!(matches!(world.last_entry(), Entry::Issued { asked: false, .. }));
    }
}

#[tokio::test]
async fn force_authn_asks_although_somebody_is_signed_in() {
    let mut world = World::new(Options::default());
    let first = world.sign_in("ada").await;
    world.clock.advance(Duration::from_secs(5));
    let request = AuthnRequest { force_authn: true, ..world.authn_request() };
    let page = world.ask(&request).await;
    let handle = page.field("request");
    let page = world.post("/login", &[("request", &handle), ("user", "ada")]).await;
    let second = world.accept(&page, &request).unwrap();
    assert_eq!(second.session_indexes, first.session_indexes);
    assert!(second.authn_instant > first.authn_instant);
    // The page is used up.
    let page = world.post("/login", &[("request", &handle), ("user", "ben")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.users(), ["ada"]);
}

#[tokio::test]
async fn a_passive_request_gets_an_answer_without_a_person() {
    let mut world = World::new(Options::default());
    let request = AuthnRequest { is_passive: true, ..world.authn_request() };
    let page = world.ask(&request).await;
    let rejection = world.accept(&page, &request).unwrap_err();
    assert_eq!(rejection.code(), "response.status");
    world.sign_in("ada").await;
    let request = AuthnRequest { is_passive: true, ..world.authn_request() };
    let page = world.ask(&request).await;
    assert!(world.accept(&page, &request).is_ok());
}

#[tokio::test]
async fn requests_that_are_not_the_service_providers_are_refused() {
    let mut world = World::new(Options::default());
    let good = world.authn_request();
    let stranger = keys::SigningKey::generate(keys::KeyAlgorithm::Rs256, 2048).unwrap();
    let stranger = SigningKey::from_pkcs8_der(&stranger.to_pkcs8_der().unwrap()).unwrap();
    let kind = MessageKind::Request;
    let (xml, sso) = (good.to_xml().unwrap(), world.idp.url(SSO));
    let unsigned = redirect::encode(kind, &xml, None, &sso, None).unwrap();
    let forged = redirect::encode(kind, &xml, None, &sso, Some(&stranger)).unwrap();
    for (url, code) in [(unsigned, "unsigned"), (forged, "sig.invalid")] {
        assert_eq!(world.get(&url).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(world.last_entry(), Entry::Refused { code });
    }
    let other = || EntityId::parse("http://other/").unwrap();
    for (bad, code) in [
        (AuthnRequest { issuer: other(), ..good.clone() }, "issuer"),
        (AuthnRequest { destination: "http://other/".into(), ..good.clone() }, "destination"),
        (AuthnRequest { acs_url: "http://other/".into(), ..good.clone() }, "assertion_consumer"),
    ] {
        assert_eq!(world.ask(&bad).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(world.last_entry(), Entry::Refused { code });
    }
    assert_eq!(world.ask(&good).await.status, StatusCode::OK);
    assert!(world.users().is_empty());
}

#[tokio::test]
async fn nothing_is_answered_before_somebody_is_trusted() {
    let mut world = World::new(Options::default());
    let (clock, rng) = (world.clock.clone(), world.rng.clone());
    let request = world.authn_request();
    world.idp = MockIdp::new(BASE, Options::default(), clock, rng).unwrap();
    assert_eq!(world.ask(&request).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.last_entry(), Entry::Refused { code: "nobody_trusted" });
}
