//! `/sso`: an AuthnRequest comes in, an assertion goes out, at once or after the sign-in page.

use super::assertion::{self, Envelope, Finish, Statement};
use super::fault::{Fault, Occasion};
use super::identity::Identity;
use super::journal::{Entry, Session};
use super::message::Received;
use super::person::Person;
use super::plan::Faults;
use super::service_provider::ServiceProvider;
use super::state::OpenRequest;
use super::{Encrypt, Encryption, MockIdp, Options, Refusal, SSO, pages};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::saml::binding::PostForm;
use crate::saml::status::{NO_PASSIVE, REQUEST_UNSUPPORTED};
use crate::saml::{AuthnRequest, EntityId, MessageKind, Status, StatusCode as SamlStatus};
use crate::xml::ns;
use crate::xml::sign::sign_enveloped;
use axum::extract::State;
use axum::response::Response;

/// The cookie of the IdP's own session.
pub(super) const COOKIE: &str = "mock_idp";

pub(super) async fn handle(
    State(idp): State<MockIdp>,
    cookies: Cookies,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let answer = match params {
        Ok(raw) => idp.authenticate(&cookies, &raw).await,
        Err(error) => Err(error.into()),
    };
    idp.or_refuse(answer)
}

impl MockIdp {
    async fn authenticate(&self, cookies: &Cookies, raw: &RawParams) -> Result<Response, Refusal> {
        let sp = self.known_service_provider().await?;
        let received = Received::read_request(raw, &sp.keys)?;
        let document = received.document()?;
        if document.root().is(ns::SAMLP, "LogoutRequest") {
            self.note_logout_request(&received, document.root())?;
            return Ok(self.sign_in_page(None, None));
        }
        received.signature.clone()?;
        let request = AuthnRequest::parse(document.root())?;
        self.check_sender(&sp, &request.issuer, Some(&request.destination), SSO)?;
        if !sp.assertion_consumers.contains(&request.acs_url) {
            return Err(Refusal::AssertionConsumer { found: request.acs_url });
        }
        let entry = Entry::AuthnRequest {
            id: request.id.clone(),
            force_authn: request.force_authn,
            is_passive: request.is_passive,
            binding: received.binding,
        };
        self.state().record(self.0.clock.now(), entry);
        let open = OpenRequest {
            id: request.id,
            acs_url: request.acs_url,
            relay_state: received.relay_state.clone(),
        };
        let session = cookies.get(COOKIE).and_then(|cookie| self.state().session(cookie).cloned());
        let is_enough = |session: &Session| {
            let ignores = || self.state().has_fault(Fault::IgnoresForceAuthn, &session.user);
            !request.force_authn || ignores()
        };
        let user = session.as_ref().map(|session| session.user.as_str());
        let refuses = |user| self.state().has_fault(Fault::RefusesForceAuthn, user);
        if request.force_authn && refuses(user.unwrap_or_default()) {
            self.state().faults(Occasion::SignIn, user);
            let said = "ForceAuthn is not supported here";
            let status = Status::failure(SamlStatus::Responder, REQUEST_UNSUPPORTED, said);
            return self.answer_failure(&open, &status);
        }
        match session {
            Some(session) if is_enough(&session) => {
                let faults = self.state().faults(Occasion::SignIn, Some(&session.user));
                self.answer(&sp, &open, &session, false, &faults)
            }
            // SAML Core 3.4.1: no page may be shown.
            _ if request.is_passive => {
                let said = "nobody is signed in here";
                let status = Status::failure(SamlStatus::Responder, NO_PASSIVE, said);
                self.answer_failure(&open, &status)
            }
            session => {
                let handle = self.0.rng.handle();
                self.state().keep_open(handle.expose(), open);
                let user = session.map(|session| session.user);
                Ok(self.sign_in_page(Some(handle.expose()), user.as_deref()))
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
        faults: &Faults,
    ) -> Result<Response, Refusal> {
        let (idp, Identity { key, certificate }) = (&self.0, self.identity());
        let named = !faults.has(Fault::NoSessionIndex);
        let session_index = session.session_index.as_ref().filter(|_| named);
        let person = Person::named(&session.user).ok_or(Refusal::UserName)?;
        let (response_id, assertion_id) = (idp.rng.saml_id(), idp.rng.saml_id());
        let statement = Statement {
            assertion_id: &assertion_id,
            audience: &sp.entity_id,
            person: &person,
            name_id: &session.name_id,
            session_index,
            authn_instant: session.authn_instant,
        };
        let xml = assertion::signed_in(&self.envelope(open, &response_id), &statement)?;
        let finish = Finish {
            sign: idp.options.sign,
            key: &key,
            certificate_der: &certificate,
            encrypt: encrypt(idp.options, faults),
            recipient_der: sp.encryption_certificate.as_deref(),
            rng: &idp.rng,
        };
        let xml = finish.finish(xml, &assertion_id)?;
        let entry = Entry::Issued {
            user: session.user.clone(),
            name_id: session.name_id.clone(),
            session_index: session_index.cloned(),
            in_response_to: open.id.clone(),
            asked,
        };
        self.state().record(idp.clock.now(), entry);
        Ok(to_consumer(open, &xml))
    }

    /// Nobody is signed in by this answer, and it says why.
    fn answer_failure(&self, open: &OpenRequest, status: &Status) -> Result<Response, Refusal> {
        let response_id = self.0.rng.saml_id();
        let xml = assertion::failed(&self.envelope(open, &response_id), status)?;
        let Identity { key, certificate } = self.identity();
        let xml = sign_enveloped(&xml, &key, Some(&certificate))?;
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

    /// Whether a message comes from the service provider that is trusted, and was made for the
    /// address at which it arrived.
    pub(super) fn check_sender(
        &self,
        sp: &ServiceProvider,
        issuer: &EntityId,
        destination: Option<&str>,
        path: &str,
    ) -> Result<(), Refusal> {
        self.check_issuer(sp, issuer)?;
        // A signed message names its destination (SAML Bindings 3.4.5.2 and 3.5.5.2).
        if destination != Some(self.url(path).as_str()) {
            return Err(Refusal::Destination { found: destination.map(str::to_owned) });
        }
        Ok(())
    }

    pub(super) fn check_issuer(
        &self,
        sp: &ServiceProvider,
        issuer: &EntityId,
    ) -> Result<(), Refusal> {
        match *issuer == sp.entity_id {
            true => Ok(()),
            false => Err(Refusal::Issuer { found: issuer.clone() }),
        }
    }

    /// The answer, or the page that says why there is none. Refusals stand in the journal.
    pub(super) fn or_refuse(&self, answer: Result<Response, Refusal>) -> Response {
        answer.unwrap_or_else(|refusal| {
            self.state().record(self.0.clock.now(), Entry::Refused { code: refusal.code() });
            pages::refusal(&refusal)
        })
    }
}

/// What it encrypts, the faults considered.
fn encrypt(options: Options, faults: &Faults) -> Option<Encrypt> {
    match options.encrypt {
        usual if !faults.has(Fault::EncryptedNameId) => usual,
        None => Some(Encrypt::NameId(Encryption::COMMON)),
        Some(Encrypt::Assertion(encryption)) => Some(Encrypt::Both(encryption)),
        both => both,
    }
}

fn to_consumer(open: &OpenRequest, xml: &str) -> Response {
    let relay_state = open.relay_state.as_deref();
    pages::post_form(&PostForm::new(MessageKind::Response, xml, relay_state, &open.acs_url))
}
