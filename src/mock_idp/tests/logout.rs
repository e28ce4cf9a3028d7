//! How sessions end when the service provider asks for it.

use std::time::Duration;

use http::StatusCode;

use super::{BASE, SLO_URL, World};
use crate::mock_idp::{Entry, Options, SLO, SSO, Slo};
use crate::saml::binding::{post, redirect};
use crate::saml::message::verify_enveloped;
use crate::saml::{Binding, LogoutRequest, LogoutResponse, MessageKind, NameId, SessionIndex};
use crate::xml::sign::sign_enveloped;
use crate::xml::{Limits, parse};

#[tokio::test]
async fn the_session_that_a_logout_request_names_ends() {
    let mut world = World::new(Options::default());
    let login = world.sign_in("ada").await;
    let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
    let page = world.log_out(&request).await;
    assert!(world.logout_answer(&page, &request).status.is_success());
    assert!(world.users().is_empty());
    let Entry::LogoutRequest { signature_valid, at_login_url, ended, name_id, .. } =
        world.last_entry()
    else {
        panic!("a LogoutRequest is the last entry");
    };
    assert!(signature_valid && !at_login_url && ended == 1 && name_id == request.name_id);
    // Signed out means that the next sign-in asks.
    let request = world.authn_request();
    assert!(world.ask(&request).await.body.contains("Who are you?"));
}

#[tokio::test]
async fn one_part_that_differs_ends_nothing() {
    let mut world = World::new(Options::default());
    let login = world.sign_in("ada").await;
    let (name_id, indexes) = (login.name_id.unwrap(), login.session_indexes);
    let wrong_index = vec![SessionIndex::parse("other").unwrap()];
    for (name_id, indexes) in [
        (NameId { value: "other".into(), ..name_id.clone() }, indexes.clone()),
        (NameId { format: None, ..name_id.clone() }, indexes.clone()),
        (NameId { name_qualifier: None, ..name_id.clone() }, indexes.clone()),
        (NameId { sp_name_qualifier: Some(String::new()), ..name_id.clone() }, indexes.clone()),
        (NameId { sp_provided_id: Some(String::new()), ..name_id.clone() }, indexes.clone()),
        (name_id.clone(), wrong_index),
    ] {
        let request = world.logout_request(name_id, indexes);
        let page = world.log_out(&request).await;
        let status = world.logout_answer(&page, &request).status;
        assert!(!status.is_success());
        assert_eq!(status.nested, ["urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"]);
        assert_eq!(world.users(), ["ada"]);
    }
    // Without any SessionIndex all sessions of that name are meant.
    let request = world.logout_request(name_id, vec![]);
    let page = world.log_out(&request).await;
    assert!(world.logout_answer(&page, &request).status.is_success());
    assert!(world.users().is_empty());
}

#[tokio::test]
async fn a_logout_request_that_is_not_believed_ends_nothing_and_is_written_down() {
    let mut world = World::new(Options::default());
    let login = world.sign_in("ada").await;
    let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
    let (xml, slo) = (request.to_xml().unwrap(), world.idp.url(SLO));
    let unsigned = redirect::encode(MessageKind::Request, &xml, None, &slo, None).unwrap();
    assert_eq!(world.get(&unsigned).await.status, StatusCode::BAD_REQUEST);
    let written_down = world.idp.journal().into_iter().any(|entry| {
        matches!(entry, Entry::LogoutRequest { signature_valid: false, ended: 0, .. })
    });
    assert!(written_down);
    assert_eq!(world.users(), ["ada"]);

    let elsewhere = LogoutRequest { destination: None, ..request.clone() };
    assert_eq!(world.log_out(&elsewhere).await.status, StatusCode::BAD_REQUEST);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.log_out(&request).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.last_entry(), Entry::Refused { code: "expired" });
    assert_eq!(world.users(), ["ada"]);
}

#[tokio::test]
async fn by_post_the_signature_is_in_the_document_and_the_answer_is_a_form() {
    let mut world = World::new(Options { slo: Slo::Post, ..Options::default() });
    let request = world.authn_request();
    let sign = |world: &World, xml: &str| {
        sign_enveloped(xml, &world.key, Some(&world.certificate)).unwrap()
    };
    let signed = sign(&world, &request.to_xml().unwrap());
    let form = |xml: &str| post::PostForm::new(MessageKind::Request, xml, None, "").fields;
    let fields = form(&signed);
    let page = world.post(SSO, &[(fields[0].0, &fields[0].1)]).await;
    assert_eq!(page.status, StatusCode::OK);
    let binding = Binding::Post;
    assert!(matches!(world.last_entry(), Entry::AuthnRequest { binding: by, .. } if by == binding));

    let login = world.sign_in("ada").await;
    let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
    assert_eq!(world.log_out(&request).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.last_entry(), Entry::Refused { code: "logout_not_offered" });

    let fields = form(&request.to_xml().unwrap());
    let page = world.post(SLO, &[(fields[0].0, &fields[0].1)]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.last_entry(), Entry::Refused { code: "unsigned" });
    assert_eq!(world.users(), ["ada"]);

    let signed = sign(&world, &request.to_xml().unwrap());
    let fields = form(&signed);
    let page = world.post(SLO, &[(fields[0].0, &fields[0].1)]).await;
    assert!(page.body.contains(&format!("action=\"{SLO_URL}\"")));
    let xml = post::decode(&page.field("SAMLResponse"), 100_000).unwrap();
    let document = parse(&xml, &Limits::MESSAGE).unwrap();
    let proof = verify_enveloped(document.root(), &world.metadata.signing_keys).unwrap();
    let answer = LogoutResponse::parse(document.root()).unwrap();
    assert_eq!(answer.check(&world.expected_answer(&request), &proof), Ok(()));
    assert!(answer.status.is_success() && world.users().is_empty());
}

#[tokio::test]
async fn without_single_logout_a_request_at_the_login_url_is_written_down_only() {
    let mut world =
        World::new(Options { slo: Slo::None, session_index: false, ..Options::default() });
    assert!(world.metadata.single_logout.is_empty());
    let login = world.sign_in("ada").await;
    assert!(login.session_indexes.is_empty());
    let mut request = world.logout_request(login.name_id.unwrap(), vec![]);
    request.destination = Some(world.idp.url(SSO));
    let url = world.redirect(&request.to_xml().unwrap(), &world.idp.url(SSO));
    let page = world.get(&url).await;
    assert!(page.status.is_success() && page.body.contains("Who are you?"));
    assert!(matches!(
        world.last_entry(),
        Entry::LogoutRequest { signature_valid: true, at_login_url: true, ended: 0, .. }
    ));
    assert_eq!(world.users(), ["ada"]);
}

#[tokio::test]
async fn a_person_can_sign_out_of_the_idp_alone() {
    let mut world = World::new(Options::default());
    world.sign_in("ada").await;
    assert!(world.get(&format!("{BASE}/")).await.body.contains("ada is signed in"));
    world.post("/signout", &[]).await;
    assert!(world.users().is_empty());
    assert_eq!(world.last_entry(), Entry::SignedOutHere { user: "ada".into() });
}
