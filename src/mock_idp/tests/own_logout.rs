//! Logouts that the IdP begins.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;

use super::{SLO_URL, World};
use crate::mock_idp::{Entry, FetchError, MetadataSource, Options, Slo};
use crate::saml::binding::{post as post_binding, redirect, soap};
use crate::saml::message::verify_enveloped;
use crate::saml::{Binding, LogoutRequest, LogoutResponse, MessageKind, Proof, RawQuery, Status};
use crate::xml::sign::sign_enveloped;
use crate::xml::{Limits, parse};

fn everything() -> World {
    World::new(Options { slo: Slo::All, ..Options::default() })
}

/// The LogoutRequest in a redirect, with its signature verified and its NameID decrypted.
fn request_in(world: &World, url: &str) -> LogoutRequest {
    let (location, query) = url.split_once('?').unwrap();
    assert_eq!(location, SLO_URL);
    let message = RawQuery::new(query).parse().unwrap();
    message.verify(&world.metadata.signing_keys).unwrap();
    let xml = message.inflate(100_000).unwrap();
    let document = parse(&xml, &Limits::MESSAGE).unwrap();
    let keys = [world.decryption_key.clone()];
    let request = LogoutRequest::parse_encrypted(document.root(), &keys).unwrap();
    assert_eq!(message.relay_state(), Some(request.id.as_str()));
    request
}

/// The service provider's answer to it.
fn answer(world: &World, request: &LogoutRequest, status: Status) -> LogoutResponse {
    LogoutResponse {
        id: world.rng.saml_id(),
        issue_instant: world.clock.now(),
        destination: Some(world.idp.url("/slo")),
        issuer: crate::saml::EntityId::parse(super::SP).unwrap(),
        in_response_to: request.id.clone(),
        status,
    }
}

#[tokio::test]
async fn the_request_names_the_session_that_it_ends_and_its_answer_is_told() {
    let mut world = everything();
    let login = world.sign_in("ada").await;
    assert!(world.get("http://127.0.0.1:8081/").await.body.contains("Sign out everywhere"));
    let page = world.post("/logout", &[("by", "redirect")]).await;
    let request = request_in(&world, page.location.as_deref().unwrap());
    assert_eq!(Some(&request.name_id), login.name_id.as_ref());
    assert_eq!(request.session_indexes, login.session_indexes);
    assert_eq!(request.destination.as_deref(), Some(SLO_URL));
    assert!(request.not_on_or_after.is_some() && !request.asynchronous);
    assert!(world.users().is_empty());

    let answer = answer(&world, &request, Status::partial_logout()).to_xml().unwrap();
    let (kind, to) = (MessageKind::Response, world.idp.url("/slo"));
    let relay_state = Some(request.id.as_str());
    let url = redirect::encode(kind, &answer, relay_state, &to, Some(&world.key)).unwrap();
    let page = world.get(&url).await;
    assert!(page.body.contains("answered <strong>Success / PartialLogout"), "{}", page.body);
    let told = Entry::LogoutResponse {
        in_response_to: request.id.clone(),
        status: "Success / PartialLogout".into(),
        signature_valid: true,
        relay_state_returned: Some(true),
        binding: Binding::Redirect,
    };
    assert_eq!(world.last_entry(), told);
    // A second time it answers nothing.
    assert_eq!(world.get(&url).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.last_entry(), Entry::Refused { code: "nothing_was_asked" });
}

#[tokio::test]
async fn an_answer_that_nobody_signed_is_written_down_and_not_believed() {
    let mut world = everything();
    world.sign_in("ada").await;
    let page = world.post("/logout", &[]).await;
    let request = request_in(&world, page.location.as_deref().unwrap());
    let answer = answer(&world, &request, Status::success()).to_xml().unwrap();
    let (kind, to) = (MessageKind::Response, world.idp.url("/slo"));
    let url = redirect::encode(kind, &answer, None, &to, None).unwrap();
    assert_eq!(world.get(&url).await.status, StatusCode::BAD_REQUEST);
    let journal = world.idp.journal();
    let unsigned = journal.iter().rev().nth(1).unwrap();
    assert!(matches!(
        unsigned,
        Entry::LogoutResponse { signature_valid: false, relay_state_returned: Some(false), .. }
    ));
}

#[tokio::test]
async fn each_variation_is_in_the_request() {
    let mut world = everything();
    for (fault, changed) in [
        ("no-session-index", [false, true, true, true]),
        ("new-name-id", [true, false, true, true]),
        ("asynchronous", [true, true, false, true]),
        ("wrong-issuer", [true, true, true, false]),
        ("encrypted-name-id", [true; 4]),
        ("lower-case-percent", [true; 4]),
    ] {
        let login = world.sign_in("ada").await;
        let page = world.post("/logout", &[("fault", fault)]).await;
        let url = page.location.unwrap();
        let request = request_in(&world, &url);
        let usual = [
            request.session_indexes == login.session_indexes,
            Some(&request.name_id) == login.name_id.as_ref(),
            !request.asynchronous,
            request.issuer == *world.idp.entity_id(),
        ];
        assert_eq!(usual, changed, "{fault}");
        assert_eq!(url.contains("%2b") || url.contains("%2f"), fault == "lower-case-percent");
        assert!(world.users().is_empty(), "{fault}");
    }
    for (fault, proof) in [("unsigned", Some(Proof::Unsigned)), ("badly-signed", None)] {
        world.sign_in("ada").await;
        let page = world.post("/logout", &[("by", "post"), ("fault", fault)]).await;
        let xml = post_binding::decode(&page.field("SAMLRequest"), 100_000).unwrap();
        let document = parse(&xml, &Limits::MESSAGE).unwrap();
        assert_eq!(verify_enveloped(document.root(), &world.metadata.signing_keys).ok(), proof);
    }
}

#[tokio::test]
async fn in_a_frame_the_page_stays_the_idps() {
    let mut world = everything();
    let login = world.sign_in("ada").await;
    let page = world.post("/logout", &[("by", "post"), ("fault", "iframe-logout")]).await;
    assert_eq!((page.status, page.location.as_deref()), (StatusCode::OK, None));
    let (_, src) = page.body.split_once("<iframe src=\"").unwrap();
    let src = src.split('"').next().unwrap().replace("&#38;", "&");
    assert_eq!(request_in(&world, &src).session_indexes, login.session_indexes);
}

#[tokio::test]
async fn what_cannot_be_done_changes_nothing() {
    let mut world = everything();
    let page = world.post("/logout", &[]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.body.contains("nobody"), "{}", page.body);
    world.sign_in("ada").await;
    for form in [
        vec![("by", "pigeon")],
        vec![("fault", "no-such-fault")],
        vec![("user", "ben")],
        vec![("by", "soap"), ("by", "post")],
    ] {
        let page = world.post("/logout", &form).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{form:?}");
        assert_eq!(world.users(), ["ada"], "{form:?}");
    }
}

/// A service provider that listens: its metadata, and what comes by SOAP.
struct Listening {
    base: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Listening {
    async fn start(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let metadata = world.sp_metadata.replace("http://localhost:8080/logout/soap", &base);
        let (key, certificate) = (world.key.clone(), world.certificate.clone());
        let (rng, clock, kept) = (world.rng.clone(), world.clock.clone(), Arc::clone(&received));
        let answer = async move |envelope: String| {
            let document = parse(envelope.as_bytes(), &Limits::MESSAGE).unwrap();
            let request = LogoutRequest::parse(soap::open(&document).unwrap()).unwrap();
            drop(document);
            let response = LogoutResponse {
                id: rng.saml_id(),
                issue_instant: clock.now(),
                destination: None,
                issuer: crate::saml::EntityId::parse(super::SP).unwrap(),
                in_response_to: request.id,
                status: Status::success(),
            };
            kept.lock().unwrap().push(envelope);
            let xml = response.to_xml().unwrap();
            soap::envelope(&sign_enveloped(&xml, &key, Some(&certificate)).unwrap())
        };
        let router =
            Router::new().route("/metadata", get(async move || metadata)).route("/", post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, received }
    }

    fn received(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

#[tokio::test]
async fn by_soap_a_script_hears_what_was_answered() {
    let mut world = everything();
    let sp = Listening::start(&world).await;
    let source: MetadataSource = format!("{}/metadata", sp.base).parse().unwrap();
    world.idp.trust_at(source).await.unwrap();
    world.sign_in("ada").await;
    let page = world.post("/logout", &[("user", "ada"), ("by", "soap")]).await;
    assert_eq!(page.json(), json!({ "status": "Success" }));
    assert_eq!((sp.received(), world.users().len()), (1, 0));
    assert!(matches!(
        world.last_entry(),
        Entry::LogoutResponse { signature_valid: true, relay_state_returned: None, .. }
    ));

    // While it is asked for a logout it begins one itself, and answers all the same.
    let login = world.sign_in("ada").await;
    world.post("/faults", &[("fault", "idp-initiated")]).await;
    let request = world.logout_request(login.name_id.unwrap(), login.session_indexes);
    assert_eq!(world.asked_by(Binding::Redirect, &request).await.status, "Success");
    assert_eq!(sp.received(), 2);
}

#[tokio::test]
async fn metadata_that_is_not_there_yet_is_fetched_when_it_is_needed() {
    let mut world = everything();
    let sp = Listening::start(&world).await;
    let (clock, rng) = (world.clock.clone(), world.rng.clone());
    let idp = super::MockIdp::new(super::BASE, Options::default(), clock, rng).unwrap();
    assert_eq!(idp.fetch().await, Err(FetchError::NoSource));
    world.idp = idp;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sp.xml");
    let source = MetadataSource::File(file.clone());
    assert!(matches!(world.idp.trust_at(source).await, Err(FetchError::File { .. })));
    assert_eq!(world.idp.trusts(), None);
    std::fs::write(&file, &world.sp_metadata).unwrap();
    let request = world.authn_request();
    assert!(world.ask(&request).await.body.contains("Who are you?"));
    assert_eq!(world.idp.trusts().as_deref(), Some(super::SP));

    // Told by a script: the document itself, or to look again.
    let page = world.send_text("/sp-metadata", "<a/>").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.idp.trusts().as_deref(), Some(super::SP), "the former one stays");
    let other = world.sp_metadata.replace(super::SP, "urn:other");
    let page = world.send_text("/sp-metadata", &other).await;
    assert_eq!(page.json(), json!({ "service_provider": "urn:other" }));
    let page = world.send_text("/sp-metadata", "").await;
    assert_eq!(page.json(), json!({ "service_provider": super::SP }));
    assert_eq!(sp.received(), 0);
}
