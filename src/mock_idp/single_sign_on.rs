//! `/sso`: an AuthnRequest comes in, an assertion goes out, at once or after the sign-in page.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::assertion::{self, Envelope, Finish, Statement};
use super::journal::{Entry, Session};
use super::message::Received;
use super::person::Person;
use super::service_provider::ServiceProvider;
use super::state::OpenRequest;
use super::{MockIdp, Refusal, SSO, pages};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::saml::binding::PostForm;
use crate::saml::status::NO_PASSIVE;
use crate::saml::{AuthnRequest, EntityId, MessageKind, Status, StatusCode as SamlStatus};
use crate::xml::sign::sign_enveloped;
use crate::xml::{Limits, ns, parse};

/// The cookie of the IdP's own session.
pub(super) const COOKIE: &str = "mock_idp";

pub(super) async fn handle(
    State(idp): State<MockIdp>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let answer = params.map_err(Refusal::from).and_then(|raw| idp.authenticate(&cookies, &raw));
    idp.or_refuse(answer)
}

impl MockIdp {
    fn authenticate(&self, cookies: &Cookies, raw: &RawParams) -> Result<Response, Refusal> {
        let sp = self.service_provider()?;
        let received = Received::read(raw, &sp.keys)?;
        let document = parse(&received.xml, &Limits::MESSAGE)?;
        if document.root().is(ns::SAMLP, "LogoutRequest") {
            self.note_logout_request(&received, document.root())?;
            return Ok(pages::sign_in(StatusCode::OK, None, None));
        }
        received.signature?;
        let request = AuthnRequest::parse(document.root())?;
        self.check_address(&sp, &request.issuer, Some(&request.destination), SSO)?;
        if !sp.assertion_consumers.contains(&request.acs_url) {
            return Err(Refusal::AssertionConsumer { found: request.acs_url });
        }
        self.state().record(Entry::AuthnRequest {
            id: request.id.clone(),
            force_authn: request.force_authn,
            is_passive: request.is_passive,
            binding: received.binding,
        });
        let open = OpenRequest {
            id: request.id,
            acs_url: request.acs_url,
            relay_state: received.relay_state,
        };
        let session = cookies.get(COOKIE).and_then(|cookie| self.state().session(cookie).cloned());
        match session {
            Some(session) if !request.force_authn => self.answer(&sp, &open, &session, false),
            _ if request.is_passive => self.answer_no_passive(&open),
            session => {
                let handle = self.0.rng.handle();
                self.state().keep_open(handle.expose(), open);
                let user = session.map(|session| session.user);
                Ok(pages::sign_in(StatusCode::OK, Some(handle.expose()), user.as_deref()))
            }
        }
    }

    /// The form that carries an assertion about `session` to the service provider.
    pub(super) fn answer(
        &self,
        sp: &ServiceProvider,
        open: &OpenRequest,
        session: &Session,
        asked: bool,
    ) -> Result<Response, Refusal> {
        let idp = &self.0;
        let person = Person::named(&session.user).ok_or(Refusal::UserName)?;
        let (response_id, assertion_id) = (idp.rng.saml_id(), idp.rng.saml_id());
        let statement = Statement {
            assertion_id: &assertion_id,
            audience: &sp.entity_id,
            person: &person,
            name_id: &session.name_id,
            session_index: session.session_index.as_ref(),
            authn_instant: session.authn_instant,
        };
        let xml = assertion::signed_in(&self.envelope(open, &response_id), &statement)?;
        let finish = Finish {
            sign: idp.options.sign,
            key: &idp.key,
            certificate_der: &idp.certificate,
            encrypt: idp.options.encrypt,
            recipient_der: sp.encryption_certificate.as_deref(),
            rng: &idp.rng,
        };
        let xml = finish.finish(xml, &assertion_id)?;
        self.state().record(Entry::Issued {
            user: session.user.clone(),
            name_id: session.name_id.clone(),
            session_index: session.session_index.clone(),
            in_response_to: open.id.clone(),
            asked,
        });
        Ok(to_consumer(open, &xml))
    }

    /// Nobody is signed in, and no page may be shown (SAML Core 3.4.1, IsPassive).
    fn answer_no_passive(&self, open: &OpenRequest) -> Result<Response, Refusal> {
        let response_id = self.0.rng.saml_id();
        let status = Status::failure(SamlStatus::Responder, NO_PASSIVE, "nobody is signed in here");
        let xml = assertion::failed(&self.envelope(open, &response_id), &status)?;
        let xml = sign_enveloped(&xml, &self.0.key, Some(&self.0.certificate))?;
        Ok(to_consumer(open, &xml))
    }

    fn envelope<'a>(&'a self, open: &'a OpenRequest, response_id: &'a str) -> Envelope<'a> {
        Envelope {
            response_id,
            now: self.0.clock.now(),
            issuer: &self.0.entity_id,
            acs_url: &open.acs_url,
            in_response_to: &open.id,
        }
    }

    pub(super) fn service_provider(&self) -> Result<ServiceProvider, Refusal> {
        self.state().service_provider().cloned().ok_or(Refusal::NobodyTrusted)
    }

    /// Whether a message comes from the service provider that is trusted, and was made for the
    /// address at which it arrived.
    pub(super) fn check_address(
        &self,
        sp: &ServiceProvider,
        issuer: &EntityId,
        destination: Option<&str>,
        path: &str,
    ) -> Result<(), Refusal> {
        if *issuer != sp.entity_id {
            return Err(Refusal::Issuer { found: issuer.clone() });
        }
        // A signed message names its destination (SAML Bindings 3.4.5.2 and 3.5.5.2).
        if destination != Some(self.url(path).as_str()) {
            return Err(Refusal::Destination { found: destination.map(str::to_owned) });
        }
        Ok(())
    }

    /// The answer, or the page that says why there is none. Refusals stand in the journal.
    pub(super) fn or_refuse(&self, answer: Result<Response, Refusal>) -> Response {
        answer.unwrap_or_else(|refusal| {
            self.state().record(Entry::Refused { code: refusal.code() });
            pages::refusal(&refusal)
        })
    }
}

fn to_consumer(open: &OpenRequest, xml: &str) -> Response {
    let relay_state = open.relay_state.as_deref();
    pages::post_form(&PostForm::new(MessageKind::Response, xml, relay_state, &open.acs_url))
}
