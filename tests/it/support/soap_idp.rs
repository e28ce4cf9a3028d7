//! The SOAP side of the connected IdP: it takes LogoutRequests straight from the service, checks their
//! signature against our metadata, and answers as a story wants.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use sloop::clock::Clock;
use sloop::paths;
use sloop::rng::Rng;
use sloop::saml::binding::soap;
use sloop::saml::message::verify_enveloped;
use sloop::saml::{EntityId, LogoutRequest, LogoutResponse, Proof, Status};
use sloop::xml::sign::sign_enveloped;
use sloop::xml::verify::TrustedKeys;
use sloop::xml::{Limits, parse};

use super::idp_key::IdpKey;
use super::idp_request::our_keys;
use super::world::World;

pub struct SoapIdp {
    pub url: String,
    shared: Arc<Shared>,
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum Says {
    /// A LogoutResponse that it signed.
    Signed(Status),
    Unsigned(Status),
    /// Signed by a key that is not in its metadata.
    SignedByStranger,
    /// Signed, for a request that nobody made.
    ForAnotherRequest,
    /// Signed, with the name of another IdP.
    AsAnother,
    /// Something else: status and body.
    Http(u16, String),
    /// A redirect to this URL.
    Redirect(u16, String),
    /// Nothing.
    Hang,
}

/// A request as it arrived; its signature has been verified.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The envelope.
    pub body: String,
    pub request: LogoutRequest,
    pub headers: HeaderMap,
}

struct Shared {
    says: Mutex<Says>,
    heard: Mutex<Vec<Heard>>,
    ours: TrustedKeys,
    key: IdpKey,
    stranger: IdpKey,
    entity_id: EntityId,
    clock: Clock,
}

impl SoapIdp {
    /// Offers SOAP beside what the IdP `corp` offers already.
    pub async fn connect(world: &World) -> Self {
        Self::connect_with(world, "").await
    }

    /// As above, with `settings` as more of the query, such as `&fallback=local`.
    pub async fn connect_with(world: &World, settings: &str) -> Self {
        let key = IdpKey::stranger(world);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/soap", listener.local_addr().unwrap());
        let metadata = offering(&key.beside(&world.idp.metadata()), &url);
        let shared = Arc::new(Shared {
            says: Mutex::new(Says::Signed(Status::success())),
            heard: Mutex::default(),
            ours: our_keys(world).await,
            key,
            stranger: IdpKey::stranger(world),
            entity_id: world.idp.entity_id().clone(),
            clock: world.clock.clone(),
        });
        let routes = Router::new().route("/soap", post(answer)).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let added = world.add_idp("corp", &metadata, settings).await;
        assert_eq!(added.status, 200, "{}", added.body);
        Self { url, shared }
    }

    pub fn says(&self, says: Says) {
        *self.shared.says.lock().unwrap() = says;
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap().clone()
    }
}

/// This metadata with a SOAP endpoint for single logout.
pub fn offering(metadata: &str, url: &str) -> String {
    let endpoint = format!(
        "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:SOAP\" \
         Location=\"{url}\"/>"
    );
    // The order of the schema (SAML Metadata 2.4.2).
    let after = ["<md:SingleLogoutService", "<md:NameIDFormat", "<md:SingleSignOnService"];
    let place = after.iter().find_map(|name| metadata.find(name)).expect("an IdP's role");
    format!("{}{endpoint}{}", &metadata[..place], &metadata[place..])
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: String,
) -> Response<Body> {
    let request = {
        let document = parse(body.as_bytes(), &Limits::MESSAGE).expect("well-formed XML");
        let message = soap::open(&document).expect("an envelope");
        assert_eq!(verify_enveloped(message, &shared.ours), Ok(Proof::Signed));
        LogoutRequest::parse(message).expect("a LogoutRequest")
    };
    shared.heard.lock().unwrap().push(Heard { body, request: request.clone(), headers });
    let says = shared.says.lock().unwrap().clone();
    let response = LogoutResponse {
        id: Rng::system().saml_id(),
        issue_instant: shared.clock.now(),
        destination: None,
        issuer: shared.entity_id.clone(),
        in_response_to: request.id,
        status: Status::success(),
    };
    let signed_by = |response: &LogoutResponse, key: &IdpKey| {
        let xml = response.to_xml().unwrap();
        soap::envelope(&sign_enveloped(&xml, &key.key, Some(&key.certificate)).unwrap())
    };
    let whole = Response::builder().header("content-type", "text/xml");
    let (status, body) = match says {
        Says::Signed(status) => {
            (200, signed_by(&LogoutResponse { status, ..response }, &shared.key))
        }
        Says::Unsigned(status) => {
            (200, soap::envelope(&LogoutResponse { status, ..response }.to_xml().unwrap()))
        }
        Says::SignedByStranger => (200, signed_by(&response, &shared.stranger)),
        Says::ForAnotherRequest => {
            let in_response_to = Rng::system().saml_id();
            (200, signed_by(&LogoutResponse { in_response_to, ..response }, &shared.key))
        }
        Says::AsAnother => {
            let issuer = EntityId::parse("https://another.test").unwrap();
            (200, signed_by(&LogoutResponse { issuer, ..response }, &shared.key))
        }
        Says::Http(status, body) => (status, body),
        Says::Redirect(status, url) => {
            let answer = Response::builder().status(status).header("location", url);
            return answer.body(Body::empty()).unwrap();
        }
        Says::Hang => std::future::pending().await,
    };
    whole.status(status).body(Body::from(body)).unwrap()
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where our metadata says that we are.
    pub fn is_from(&self, world: &World) -> bool {
        self.request.issuer.as_str() == world.url(paths::SAML_METADATA)
    }
}
