//! The IdP against a service provider made of the program's own SAML code.

mod faults;
mod guard;
mod logout;
mod own_logout;
mod sign_in;

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use url::Url;

use super::*;
use crate::saml::binding::{post, redirect, soap};
use crate::saml::message::verify_enveloped;
use crate::saml::{
    AuthnRequest, Binding, Decryption, Expected, ExpectedAnswer, IdpMetadata, Login, LogoutRequest,
    LogoutResponse, MessageKind, NameId, Proof, RawQuery, Received, SessionIndex, SpMetadata,
};
use crate::xml::decrypt::DecryptionKey;
use crate::xml::sign::{SigningKey, sign_enveloped};
use crate::xml::{Element, Limits, parse};

const BASE: &str = "http://127.0.0.1:8081";
const SP: &str = "http://localhost:8080/saml/metadata";
const ACS: &str = "http://localhost:8080/saml/acs";
const SLO_URL: &str = "http://localhost:8080/logout";
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// An IdP, the service provider that it trusts, and one browser's cookie.
struct World {
    idp: MockIdp,
    clock: Clock,
    rng: Rng,
    key: SigningKey,
    decryption_key: DecryptionKey,
    certificate: Vec<u8>,
    sp_metadata: String,
    metadata: IdpMetadata,
    cookie: Option<String>,
}

impl World {
    fn new(options: Options) -> Self {
        let (clock, rng) = (Clock::system(), Rng::system());
        let idp = MockIdp::new(BASE, options, clock.clone(), rng.clone()).unwrap();
        let pair = keys::SigningKey::generate(keys::KeyAlgorithm::Rs256, 2048).unwrap();
        let certificate =
            keys::certificate::self_signed(pair.private_key(), "sp", clock.now(), YEAR, [1; 16])
                .unwrap();
        let sp_metadata = SpMetadata {
            id: "_m".into(),
            entity_id: EntityId::parse(SP).unwrap(),
            valid_until: clock.now().plus(YEAR),
            acs: vec![ACS.into()],
            slo: SLO_URL.into(),
            slo_soap: format!("{SLO_URL}/soap"),
            signing_certificates: vec![certificate.clone()],
            encryption_certificates: vec![certificate.clone()],
            name_id_formats: vec![],
        };
        let sp_metadata = sp_metadata.to_xml().unwrap();
        idp.trust(&sp_metadata).unwrap();
        let metadata = IdpMetadata::parse(idp.metadata().as_bytes(), None, clock.now()).unwrap();
        let der = pair.to_pkcs8_der().unwrap();
        let key = SigningKey::from_pkcs8_der(&der).unwrap();
        let decryption_key = DecryptionKey::from_pkcs8_der(&der).unwrap();
        let cookie = None;
        Self { idp, clock, rng, key, decryption_key, certificate, sp_metadata, metadata, cookie }
    }

    async fn send(&mut self, mut request: Request<Body>) -> Page {
        let host = || http::HeaderValue::from_static("127.0.0.1:8081");
        request.headers_mut().entry(HOST).or_insert_with(host);
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

    async fn send_text(&mut self, path: &str, text: &str) -> Page {
        self.send(Request::post(path).body(Body::from(text.to_owned())).unwrap()).await
    }

    async fn delete(&mut self, path: &str) -> StatusCode {
        self.send(Request::delete(path).body(Body::empty()).unwrap()).await.status
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

    async fn by_soap(&mut self, request: &LogoutRequest) -> Page {
        let signed = sign_enveloped(&request.to_xml().unwrap(), &self.key, None).unwrap();
        self.send_text(SLO_SOAP, &soap::envelope(&signed)).await
    }

    /// Sends a request by this binding; by SOAP it names no Destination.
    async fn send_by(&mut self, by: Binding, request: &LogoutRequest) -> Page {
        match by {
            Binding::Redirect => self.log_out(request).await,
            Binding::Post => {
                let xml = sign_enveloped(&request.to_xml().unwrap(), &self.key, None).unwrap();
                let relay_state = Some("relay & state");
                let form = post::PostForm::new(MessageKind::Request, &xml, relay_state, "");
                let fields: Vec<_> =
                    form.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                self.post(SLO, &fields).await
            }
            Binding::Soap => {
                self.by_soap(&LogoutRequest { destination: None, ..request.clone() }).await
            }
        }
    }

    /// As above, and what was answered.
    async fn asked_by(&mut self, by: Binding, request: &LogoutRequest) -> Answer {
        let page = self.send_by(by, request).await;
        let keys = &self.metadata.signing_keys;
        if by == Binding::Redirect {
            let url = page.location.unwrap_or_else(|| panic!("{}", page.body));
            let message = RawQuery::new(url.split_once('?').unwrap().1).parse().unwrap();
            let signature = match message.is_signed() {
                true => message.verify(keys).ok().map(|()| Proof::Signed),
                false => Some(Proof::Unsigned),
            };
            let xml = message.inflate(100_000).unwrap();
            let document = parse(&xml, &Limits::MESSAGE).unwrap();
            let relay_state = message.relay_state();
            let answer = Answer::of(document.root(), request, signature, relay_state);
            return Answer { lower_case: url.contains("%2f") || url.contains("%2b"), ..answer };
        }
        let (xml, relay_state) = match by {
            Binding::Soap => (page.body.into_bytes(), None),
            _ => {
                let relay_state =
                    page.body.contains("RelayState").then(|| page.field("RelayState"));
                (post::decode(&page.field("SAMLResponse"), 100_000).unwrap(), relay_state)
            }
        };
        let document = parse(&xml, &Limits::MESSAGE).unwrap();
        let root = match by {
            Binding::Soap => soap::open(&document).unwrap(),
            _ => document.root(),
        };
        let signature = verify_enveloped(root, keys).ok();
        Answer::of(root, request, signature, relay_state.as_deref())
    }

    fn users(&self) -> Vec<String> {
        self.idp.sessions().into_iter().map(|session| session.user).collect()
    }

    fn last_entry(&self) -> Entry {
        self.idp.journal().last().unwrap().clone()
    }
}

/// What a service provider sees of a LogoutResponse.
#[derive(Clone, PartialEq, Debug)]
struct Answer {
    status: String,
    in_response_to_fits: bool,
    issuer_fits: bool,
    /// `None`: it does not hold.
    signature: Option<Proof>,
    relay_state: bool,
    lower_case: bool,
}

impl Answer {
    fn of(
        root: Element<'_>,
        request: &LogoutRequest,
        signature: Option<Proof>,
        relay_state: Option<&str>,
    ) -> Self {
        let response = LogoutResponse::parse(root).unwrap();
        assert!(relay_state.is_none_or(|text| text == "relay & state"), "{relay_state:?}");
        Self {
            status: response.status.to_string(),
            in_response_to_fits: response.in_response_to == request.id,
            issuer_fits: response.issuer.as_str() == format!("{BASE}/metadata"),
            signature,
            relay_state: relay_state.is_some(),
            lower_case: false,
        }
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

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }
}
