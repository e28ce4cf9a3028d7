//! `/slo` and `/slo/soap`: a LogoutRequest ends the sessions that it names, and is answered. What
//! the service provider answers to the IdP's own requests arrives at `/slo` too.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::fault::{Fault, Occasion};
use super::journal::Entry;
use super::message::Received;
use super::outgoing::Outgoing;
use super::own_logout::Whom;
use super::plan::Faults;
use super::service_provider::ServiceProvider;
use super::{MockIdp, Refusal, SLO, SLO_SOAP, pages};
use crate::http::extract::{BodyError, RawParams, RawParamsError, TimedBody};
use crate::saml::binding::soap;
use crate::saml::{
    Binding, EntityId, LogoutRequest, LogoutResponse, MessageKind, Status, StatusCode as SamlStatus,
};
use crate::xml::{Element, ns};

/// Nobody of that name and session is signed in (SAML Core 3.2.2.2).
pub(super) const UNKNOWN_PRINCIPAL: &str = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal";
/// SOAP 1.1 section 6.
pub(super) const SOAP_TYPE: &str = "text/xml; charset=utf-8";

/// `GET` and `POST /slo`
pub(super) async fn handle(
    State(idp): State<MockIdp>,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let answer = match params {
        Ok(raw) => idp.at_slo(&raw).await,
        Err(error) => Err(error.into()),
    };
    idp.or_refuse(answer)
}

/// `POST /slo/soap` (SAML Bindings 3.2)
pub(super) async fn handle_soap(
    State(idp): State<MockIdp>,
    body: Result<TimedBody, BodyError>,
) -> Response {
    let answer = match body {
        Ok(body) => idp.at_slo_soap(&body.0).await,
        Err(error) => Err(RawParamsError::from(error).into()),
    };
    idp.or_refuse(answer)
}

/// A LogoutRequest that was carried out, or refused as a fault wants it.
struct Heard {
    request_id: String,
    status: Status,
    faults: Faults,
    whom: Option<Whom>,
}

impl MockIdp {
    async fn at_slo(&self, raw: &RawParams) -> Result<Response, Refusal> {
        let sp = self.known_service_provider().await?;
        let received = Received::read(raw, &sp.keys)?;
        if received.kind == MessageKind::Response {
            return self.note_answer(&sp, &received).map(|status| pages::told(&status));
        }
        let heard = self.hear(&sp, &received)?;
        if !self.is_answered(&heard).await {
            return Ok(pages::silence());
        }
        let answers = sp.logout_answers(received.binding);
        let (binding, location) = answers.ok_or(Refusal::NoAddressForAnswers)?;
        let xml = self.response(&heard, Some(location))?;
        let lost = heard.faults.has(Fault::LostRelayState);
        let outgoing = Outgoing {
            kind: MessageKind::Response,
            xml,
            relay_state: received.relay_state.as_deref().filter(|_| !lost),
            location,
            identity: &self.identity(),
            faults: &heard.faults,
        };
        outgoing.through_browser(binding)
    }

    async fn at_slo_soap(&self, envelope: &[u8]) -> Result<Response, Refusal> {
        let sp = self.known_service_provider().await?;
        let received = Received::in_envelope(MessageKind::Request, envelope, &sp.keys)?;
        let heard = self.hear(&sp, &received)?;
        if !self.is_answered(&heard).await {
            // Until whoever asked has lost patience.
            std::future::pending::<()>().await;
        }
        let outgoing = Outgoing {
            kind: MessageKind::Response,
            xml: self.response(&heard, None)?,
            relay_state: None,
            location: "",
            identity: &self.identity(),
            faults: &heard.faults,
        };
        let envelope = soap::envelope(&outgoing.signed_xml()?);
        Ok((StatusCode::OK, [(CONTENT_TYPE, SOAP_TYPE)], envelope).into_response())
    }

    /// The request, and whether its NameID was encrypted. Nothing is decrypted of what nobody signed.
    fn read_logout_request(
        &self,
        received: &Received,
        root: Element<'_>,
    ) -> Result<(LogoutRequest, bool), Refusal> {
        let encrypted = root.children(ns::SAML, "EncryptedID").next().is_some();
        let key = std::slice::from_ref(self.0.identities.decryption());
        let request = match received.signature {
            Ok(()) => LogoutRequest::parse_encrypted(root, key),
            Err(_) => LogoutRequest::parse(root),
        };
        Ok((request?, encrypted))
    }

    /// Ends what the request names.
    fn hear(&self, sp: &ServiceProvider, received: &Received) -> Result<Heard, Refusal> {
        if !self.state().shown().single_logout.contains(&received.binding) {
            return Err(Refusal::LogoutNotOffered);
        }
        let document = received.document()?;
        let (request, encrypted) =
            self.read_logout_request(received, received.message(&document)?)?;
        let accepted = received
            .signature
            .clone()
            .and_then(|()| self.check_logout(sp, &request, received.binding));
        let mut state = self.state();
        let user = state.user_of(&request.name_id).map(str::to_owned);
        let faults = match &accepted {
            Ok(()) => state.faults(Occasion::Answer, user.as_deref()),
            Err(_) => Faults::default(),
        };
        let ended = match &accepted {
            Ok(()) if faults.refused().is_none() => {
                state.end_named(&request.name_id, &request.session_indexes)
            }
            _ => 0,
        };
        let entry = entry((&request, encrypted), received, false, ended, faults.list());
        state.record(self.0.clock.now(), entry);
        drop(state);
        accepted?;
        let status = faults.status().unwrap_or_else(|| match ended {
            0 => Status::failure(
                SamlStatus::Requester,
                UNKNOWN_PRINCIPAL,
                "no session has this NameID and SessionIndex",
            ),
            _ => Status::success(),
        });
        let (name_id, session_indexes) = (request.name_id, request.session_indexes);
        let whom = user.map(|user| Whom { user, name_id, session_indexes });
        Ok(Heard { request_id: request.id, status, faults, whom })
    }

    /// Does what delays the answer. `false` if there is to be none.
    async fn is_answered(&self, heard: &Heard) -> bool {
        if let (true, Some(whom)) = (heard.faults.has(Fault::IdpInitiated), &heard.whom) {
            // What came of it stands in the journal; the answer to the request does not depend on it.
            let _ = self.tell_by_soap(whom).await;
        }
        tokio::time::sleep(heard.faults.delay()).await;
        !heard.faults.has(Fault::NoAnswer)
    }

    fn response(&self, heard: &Heard, destination: Option<&str>) -> Result<String, Refusal> {
        let in_response_to = match heard.faults.has(Fault::WrongInResponseTo) {
            true => self.0.rng.saml_id(),
            false => heard.request_id.clone(),
        };
        let response = LogoutResponse {
            id: self.0.rng.saml_id(),
            issue_instant: self.0.clock.now(),
            destination: destination.map(str::to_owned),
            issuer: self.issuer(&heard.faults),
            in_response_to,
            status: heard.status.clone(),
        };
        Ok(response.to_xml()?)
    }

    /// In whose name a message is written.
    pub(super) fn issuer(&self, faults: &Faults) -> EntityId {
        let own = self.0.entity_id.clone();
        match faults.has(Fault::WrongIssuer) {
            true => EntityId::parse("https://another-idp.example/metadata").unwrap_or(own),
            false => own,
        }
    }

    /// A LogoutRequest at the sign-in URL: the IdP offers no single logout, and somebody tried it
    /// all the same. It is written down and nothing else.
    pub(super) fn note_logout_request(
        &self,
        received: &Received,
        root: Element<'_>,
    ) -> Result<(), Refusal> {
        let (request, encrypted) = self.read_logout_request(received, root)?;
        let entry = entry((&request, encrypted), received, true, 0, &[]);
        self.state().record(self.0.clock.now(), entry);
        Ok(())
    }

    /// The service provider's answer to a LogoutRequest of the IdP's own: what it says.
    pub(super) fn note_answer(
        &self,
        sp: &ServiceProvider,
        received: &Received,
    ) -> Result<String, Refusal> {
        let document = received.document()?;
        let response = LogoutResponse::parse(received.message(&document)?)?;
        let status = response.status.to_string();
        let mut state = self.state();
        let waited = state.take_asked(&response.in_response_to);
        let relay_state = match received.binding {
            Binding::Soap => None,
            _ => Some(received.relay_state.as_deref() == Some(&response.in_response_to)),
        };
        let entry = Entry::LogoutResponse {
            in_response_to: response.in_response_to,
            status: status.clone(),
            signature_valid: received.signature.is_ok(),
            relay_state_returned: relay_state,
            binding: received.binding,
        };
        state.record(self.0.clock.now(), entry);
        drop(state);
        received.signature.clone()?;
        self.check_address(
            sp,
            &response.issuer,
            response.destination.as_deref(),
            received.binding,
        )?;
        if waited { Ok(status) } else { Err(Refusal::NothingWasAsked) }
    }

    fn check_logout(
        &self,
        sp: &ServiceProvider,
        request: &LogoutRequest,
        by: Binding,
    ) -> Result<(), Refusal> {
        self.check_address(sp, &request.issuer, request.destination.as_deref(), by)?;
        let now = self.0.clock.now();
        match request.not_on_or_after {
            Some(end) if end <= now => Err(Refusal::Expired),
            _ => Ok(()),
        }
    }

    /// Whether a message of single logout comes from the service provider that is trusted, and was
    /// made for us.
    fn check_address(
        &self,
        sp: &ServiceProvider,
        issuer: &EntityId,
        destination: Option<&str>,
        by: Binding,
    ) -> Result<(), Refusal> {
        match by {
            // Nothing asks for a Destination there (SAML Bindings 3.2).
            Binding::Soap if destination.is_none() => self.check_issuer(sp, issuer),
            Binding::Soap => self.check_sender(sp, issuer, destination, SLO_SOAP),
            Binding::Redirect | Binding::Post => self.check_sender(sp, issuer, destination, SLO),
        }
    }
}

fn entry(
    (request, name_id_encrypted): (&LogoutRequest, bool),
    received: &Received,
    at_login_url: bool,
    ended: usize,
    faults: &[Fault],
) -> Entry {
    Entry::LogoutRequest {
        id: request.id.clone(),
        name_id: request.name_id.clone(),
        name_id_encrypted,
        session_indexes: request.session_indexes.clone(),
        signature_valid: received.signature.is_ok(),
        binding: received.binding,
        at_login_url,
        ended,
        faults: faults.to_vec(),
    }
}
