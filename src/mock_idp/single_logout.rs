//! `/slo`: a LogoutRequest ends the sessions that it names, and is answered.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::journal::Entry;
use super::message::Received;
use super::service_provider::ServiceProvider;
use super::{MockIdp, Refusal, SLO, pages};
use crate::http::extract::{RawParams, RawParamsError};
use crate::saml::binding::{PostForm, redirect};
use crate::saml::{
    Binding, LogoutRequest, LogoutResponse, MessageKind, Status, StatusCode as SamlStatus,
};
use crate::xml::sign::sign_enveloped;
use crate::xml::{Element, Limits, parse};

/// Nobody of that name and session is signed in (SAML Core 3.2.2.2).
const UNKNOWN_PRINCIPAL: &str = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal";

pub(super) async fn handle(
    State(idp): State<MockIdp>,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let answer = params.map_err(Refusal::from).and_then(|raw| idp.log_out(&raw));
    idp.or_refuse(answer)
}

impl MockIdp {
    fn log_out(&self, raw: &RawParams) -> Result<Response, Refusal> {
        let sp = self.service_provider()?;
        let received = Received::read(raw, &sp.keys)?;
        if self.0.options.slo.binding() != Some(received.binding) {
            return Err(Refusal::LogoutNotOffered);
        }
        let document = parse(&received.xml, &Limits::MESSAGE)?;
        let request = LogoutRequest::parse(document.root())?;
        let signature_valid = received.signature.is_ok();
        let accepted = received.signature.and_then(|()| self.check_logout(&sp, &request));
        let mut state = self.state();
        let ended = match &accepted {
            Ok(()) => state.end_named(&request.name_id, &request.session_indexes),
            Err(_) => 0,
        };
        state.record(entry(&request, received.binding, signature_valid, false, ended));
        drop(state);
        accepted?;
        let status = match ended {
            0 => Status::failure(
                SamlStatus::Requester,
                UNKNOWN_PRINCIPAL,
                "no session has this NameID and SessionIndex",
            ),
            _ => Status::success(),
        };
        let relay_state = received.relay_state.as_deref();
        self.answer_logout(&sp, received.binding, &request.id, status, relay_state)
    }

    /// A LogoutRequest at the sign-in URL: the IdP offers no single logout, and somebody tried it
    /// all the same. It is written down and nothing else.
    pub(super) fn note_logout_request(
        &self,
        received: &Received,
        root: Element<'_>,
    ) -> Result<(), Refusal> {
        let request = LogoutRequest::parse(root)?;
        let signature_valid = received.signature.is_ok();
        self.state().record(entry(&request, received.binding, signature_valid, true, 0));
        Ok(())
    }

    fn check_logout(&self, sp: &ServiceProvider, request: &LogoutRequest) -> Result<(), Refusal> {
        self.check_address(sp, &request.issuer, request.destination.as_deref(), SLO)?;
        let now = self.0.clock.now();
        match request.not_on_or_after {
            Some(end) if end <= now => Err(Refusal::Expired),
            _ => Ok(()),
        }
    }

    fn answer_logout(
        &self,
        sp: &ServiceProvider,
        asked_by: Binding,
        request_id: &str,
        status: Status,
        relay_state: Option<&str>,
    ) -> Result<Response, Refusal> {
        let (binding, location) =
            sp.logout_answers(asked_by).ok_or(Refusal::NoAddressForAnswers)?;
        let xml = LogoutResponse {
            id: self.0.rng.saml_id(),
            issue_instant: self.0.clock.now(),
            destination: Some(location.to_owned()),
            issuer: self.0.entity_id.clone(),
            in_response_to: request_id.to_owned(),
            status,
        }
        .to_xml()?;
        let kind = MessageKind::Response;
        if binding == Binding::Redirect {
            let url = redirect::encode(kind, &xml, relay_state, location, Some(&self.0.key))?;
            let url = HeaderValue::try_from(url).map_err(|_| Refusal::NoAddressForAnswers)?;
            return Ok((StatusCode::FOUND, [(LOCATION, url)]).into_response());
        }
        let signed = sign_enveloped(&xml, &self.0.key, Some(&self.0.certificate))?;
        Ok(pages::post_form(&PostForm::new(kind, &signed, relay_state, location)))
    }
}

fn entry(
    request: &LogoutRequest,
    binding: Binding,
    signature_valid: bool,
    at_login_url: bool,
    ended: usize,
) -> Entry {
    Entry::LogoutRequest {
        id: request.id.clone(),
        name_id: request.name_id.clone(),
        session_indexes: request.session_indexes.clone(),
        signature_valid,
        binding,
        at_login_url,
        ended,
    }
}
