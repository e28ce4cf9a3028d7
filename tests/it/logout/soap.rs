//! The IdP's LogoutRequest without a browser, by SOAP.

use sloop::mock_idp::Session;
use sloop::rng::Rng;
use sloop::saml::EntityId;

use super::signed_in;
use crate::both;
use crate::support::idp_key::IdpKey;
use crate::support::idp_request::{Answered, send_soap};
use crate::support::rp::Answer;
use crate::support::world::{On, World};

fn newest(world: &World) -> Session {
    world.idp.sessions().pop().expect("somebody is signed in at the IdP")
}

both!(it_ends_the_session_and_answers_in_the_same_exchange, success);
async fn success(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &newest(&world));
    let id = request.request.id.clone();

    let answer = Answered::in_envelope(&world, &request.by_soap(&world).await).await;

    assert_eq!((answer.status().as_str(), answer.response.in_response_to), ("Success", id));
    assert!(!ada.is_in(&world, &app).await);
    assert!(!app.is_signed_in(ada.sid()).await);
    assert_eq!(world.newest_logout().await.outcome.as_str(), "complete");

    // An app that could not be told is told of, too.
    app.answer_back_channel_with(Answer::Status(500));
    signed_in(&world, &app, "ada").await;
    let request = key.asks(&world, &newest(&world));
    let answer = Answered::in_envelope(&world, &request.by_soap(&world).await).await;
    assert_eq!(answer.status(), "Success PartialLogout");
}

both!(what_cannot_be_believed_ends_nothing, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let stranger = IdpKey::stranger(&world);
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let session = newest(&world);
    let good = || key.asks(&world, &session).with(|it| it.request.id = Rng::system().saml_id());
    for (what, request) in [
        ("nobody signed it", good().with(|it| it.signer = None)),
        ("a stranger signed it", good().with(|it| it.signer = Some(&stranger))),
        (
            "another address",
            good().with(|it| it.request.destination = Some("https://evil.test/logout/soap".into())),
        ),
    ] {
        let answer = Answered::in_envelope(&world, &request.by_soap(&world).await).await;
        assert_eq!(answer.status(), "Requester RequestDenied", "{what}");
        assert!(ada.is_in(&world, &app).await, "{what}");
    }
    let unknown = EntityId::parse("https://unknown.test").unwrap();
    let unknown = good().with(|it| it.request.issuer = unknown).by_soap(&world).await;
    assert_eq!((unknown.status, unknown.body.as_str()), (403, "saml.unknown_issuer\n"));
    for envelope in [
        "",
        "<a/>",
        "<!DOCTYPE a><a/>",
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body/></s:Envelope>",
    ] {
        let answer = send_soap(&world, envelope).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, "saml.logout_request\n"));
    }
    assert!(ada.is_in(&world, &app).await);
    // The address may go without saying.
    let good = good().with(|it| it.request.destination = None);
    let answer = Answered::in_envelope(&world, &good.by_soap(&world).await).await;
    assert_eq!(answer.status(), "Success");
    assert!(!ada.is_in(&world, &app).await);
}
