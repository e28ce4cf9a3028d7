//! The IdP against a service provider made of the program's own SAML code.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use url::Url;

use super::*;
use crate::saml::binding::{post, redirect};
use crate::saml::message::verify_enveloped;
use crate::saml::{
    AuthnRequest, Binding, Decryption, Expected, ExpectedAnswer, IdpMetadata, Login, LogoutRequest,
    LogoutResponse, MessageKind, NameId, Proof, RawQuery, Received, SessionIndex, SpMetadata,
};
use crate::xml::decrypt::DecryptionKey;
use crate::xml::sign::sign_enveloped;
use crate::xml::{Limits, parse};

const BASE: &str = "http://127.0.0.1:8081";
const SP: &str = "http://localhost:8080/saml/metadata";
const ACS: &str = "http://localhost:8080/saml/acs";
const SLO_URL: &str = "http://localhost:8080/logout";

/// An IdP, the service provider that it trusts, and one browser's cookie.
struct World {
    idp: MockIdp,
    clock: Clock,
    rng: Rng,
    key: SigningKey,
    decryption_key: DecryptionKey,
    certificate: Vec<u8>,
    metadata: IdpMetadata,
    cookie: Option<String>,
}

impl World {
    fn new(options: Options) -> Self {
        let (clock, rng) = (Clock::system(), Rng::system());
        let idp = MockIdp::new(BASE, options, clock.clone(), rng.clone()).unwrap();
        let pair = keys::SigningKey::generate(keys::KeyAlgorithm::Rs256, 2048).unwrap();
        let certificate = keys::certificate::self_signed(
            pair.private_key(),
            "sp",
            clock.now(),
            CERTIFICATE_LIFETIME,
            [1; 16],
        )
        .unwrap();
        let sp_metadata = SpMetadata {
            id: "_m".into(),
            entity_id: EntityId::parse(SP).unwrap(),
            valid_until: clock.now().plus(CERTIFICATE_LIFETIME),
            acs: vec![ACS.into()],
            slo: SLO_URL.into(),
            slo_soap: format!("{SLO_URL}/soap"),
            signing_certificates: vec![certificate.clone()],
            encryption_certificates: vec![certificate.clone()],
            name_id_formats: vec![],
        };
        idp.trust(&sp_metadata.to_xml().unwrap()).unwrap();
        let metadata = IdpMetadata::parse(idp.metadata().as_bytes(), None, clock.now()).unwrap();
        let der = pair.to_pkcs8_der().unwrap();
        let key = SigningKey::from_pkcs8_der(&der).unwrap();
        let decryption_key = DecryptionKey::from_pkcs8_der(&der).unwrap();
        Self { idp, clock, rng, key, decryption_key, certificate, metadata, cookie: None }
    }

    async fn send(&mut self, request: Request<Body>) -> Page {
        let response = self.idp.router().oneshot(request).await.unwrap();
        if let Some(line) = response.headers().get(SET_COOKIE) {
            let line = line.to_str().unwrap();
            self.cookie = Some(line.split(';').next().unwrap().to_owned());
        }
        Page::of(response).await
    }

    async fn get(&mut self, url: &str) -> Page {
        let url = url.strip_prefix(BASE).unwrap();
        let request = Request::get(url).header(COOKIE, self.cookie.clone().unwrap_or_default());
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(COOKIE, self.cookie.clone().unwrap_or_default())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form)).unwrap()).await
    }

    fn authn_request(&self) -> AuthnRequest {
        AuthnRequest {
            id: self.rng.saml_id(),
            issue_instant: self.clock.now(),
            destination: self.idp.url(SSO),
            issuer: EntityId::parse(SP).unwrap(),
            acs_url: ACS.into(),
            force_authn: false,
            is_passive: false,
            name_id_policy: None,
            requested_authn_context: vec![],
        }
    }

    async fn ask(&mut self, request: &AuthnRequest) -> Page {
        let xml = request.to_xml().unwrap();
        let url = self.redirect(&xml, &self.idp.url(SSO));
        self.get(&url).await
    }

    fn redirect(&self, xml: &str, endpoint: &str) -> String {
        let kind = MessageKind::Request;
        redirect::encode(kind, xml, Some("relay & state"), endpoint, Some(&self.key)).unwrap()
    }

    fn accept(&self, page: &Page, request: &AuthnRequest) -> Result<Login, crate::saml::Rejection> {
        assert_eq!(page.field("RelayState"), "relay & state");
        let xml = post::decode(&page.field("SAMLResponse"), 100_000).unwrap();
        let document = parse(&xml, &Limits::MESSAGE).unwrap();
        let expected = Expected {
            idp: self.metadata.entity_id.clone(),
            sp: EntityId::parse(SP).unwrap(),
            acs_url: ACS.into(),
            request_id: request.id.clone(),
            clock_skew: Duration::ZERO,
            authn_not_before: None,
        };
        let keys = [self.decryption_key.clone()];
        let decryption = Decryption { keys: &keys, ..Decryption::NONE };
        let received = Received::read(&document)?;
        received.verify(&self.metadata.signing_keys, &decryption, |signed| {
            signed.accept(&expected, self.clock.now())
        })
    }

    /// Signs a person in and returns what was asserted.
    async fn sign_in(&mut self, user: &str) -> Login {
        let request = self.authn_request();
        let page = self.ask(&request).await;
        assert_eq!(page.status, StatusCode::OK);
        let handle = page.field("request");
        let page = self.post("/login", &[("request", &handle), ("user", user)]).await;
        self.accept(&page, &request).unwrap()
    }

    fn logout_request(&self, name_id: NameId, session_indexes: Vec<SessionIndex>) -> LogoutRequest {
        LogoutRequest {
            asynchronous: false,
            id: self.rng.saml_id(),
            issue_instant: self.clock.now(),
            not_on_or_after: Some(self.clock.now().plus(Duration::from_secs(60))),
            destination: Some(self.idp.url(SLO)),
            issuer: EntityId::parse(SP).unwrap(),
            name_id,
            session_indexes,
            reason: None,
        }
    }

    async fn log_out(&mut self, request: &LogoutRequest) -> Page {
        let xml = request.to_xml().unwrap();
        let url = self.redirect(&xml, &self.idp.url(SLO));
        self.get(&url).await
    }

    /// Reads an answer by Redirect, with its signature verified.
    fn logout_answer(&self, page: &Page, request: &LogoutRequest) -> LogoutResponse {
        let url = Url::parse(page.location.as_deref().unwrap()).unwrap();
        let message = RawQuery::new(url.query().unwrap()).parse().unwrap();
        message.verify(&self.metadata.signing_keys).unwrap();
        assert_eq!(message.relay_state(), Some("relay & state"));
        let xml = message.inflate(100_000).unwrap();
        let document = parse(&xml, &Limits::MESSAGE).unwrap();
        let answer = LogoutResponse::parse(document.root()).unwrap();
        answer.check(&self.expected_answer(request), &Proof::Signed).unwrap();
        answer
    }

    fn expected_answer(&self, request: &LogoutRequest) -> ExpectedAnswer {
        ExpectedAnswer {
            idp: self.metadata.entity_id.clone(),
            request_id: request.id.clone(),
            destination: Some(SLO_URL.to_owned()),
        }
    }

    fn users(&self) -> Vec<String> {
        self.idp.sessions().into_iter().map(|session| session.user).collect()
    }

    fn last_entry(&self) -> Entry {
        self.idp.journal().last().unwrap().clone()
    }
}

struct Page {
    status: StatusCode,
    location: Option<String>,
    body: String,
}

impl Page {
    async fn of(response: Response) -> Self {
        let status = response.status();
        let location = response.headers().get(LOCATION).map(|url| url.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 1_000_000).await.unwrap();
        Self { status, location, body: String::from_utf8(body.into()).unwrap() }
    }

    /// The value of a hidden field.
    fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&start).expect("the field is there");
        let (value, _) = rest.split_once('"').unwrap();
        value.replace("&#38;", "&").replace("&#43;", "+")
    }
}

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
