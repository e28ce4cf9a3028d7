//! `/logout`: the IdP begins a logout. It ends its own session and sends the service provider a
//! LogoutRequest, through the browser or by SOAP.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::control::{chosen_faults, plain_refusal, wants_page};
use super::fault::{Fault, Occasion};
use super::journal::Entry;
use super::message::Received;
use super::outgoing::Outgoing;
use super::plan::Faults;
use super::service_provider::ServiceProvider;
use super::single_sign_on::COOKIE;
use super::{Encryption, EncryptionError, MockIdp, Refusal, pages};
use crate::http::extract::{Cookies, RawParams, RawParamsError};
use crate::saml::binding::soap;
use crate::saml::{Binding, LogoutReason, LogoutRequest, MessageKind, NameId, SessionIndex};

/// How long a LogoutRequest may be on its way.
const LIFETIME: Duration = Duration::from_secs(300);

/// Whose sessions end.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Whom {
    pub(super) user: String,
    pub(super) name_id: NameId,
    /// None: all of that name.
    pub(super) session_indexes: Vec<SessionIndex>,
}

/// A LogoutRequest of our own, ready to go.
struct Begun {
    request_id: String,
    binding: Binding,
    location: String,
    xml: String,
    faults: Faults,
}

/// `POST /logout`: `user` (or the browser's own session), `by`, and any number of `fault`.
pub(super) async fn handle(
    State(idp): State<MockIdp>,
    cookies: Cookies,
    headers: HeaderMap,
    params: Result<RawParams, RawParamsError>,
) -> Response {
    let page = wants_page(&headers);
    let answer = match params {
        Ok(raw) => idp.log_out_everywhere(&cookies, &raw, page).await,
        Err(error) => Err(error.into()),
    };
    match answer {
        Err(refusal) if !page => plain_refusal(StatusCode::BAD_REQUEST, &refusal),
        answer => idp.or_refuse(answer),
    }
}

impl MockIdp {
    async fn log_out_everywhere(
        &self,
        cookies: &Cookies,
        raw: &RawParams,
        page: bool,
    ) -> Result<Response, Refusal> {
        let sp = self.known_service_provider().await?;
        let user = raw.params.single("user")?;
        let whom = self.whom(user, cookies.get(COOKIE)).ok_or(Refusal::NobodySignedIn)?;
        let by = match raw.params.single("by")? {
            Some(word) => Some(binding(word).ok_or(Refusal::UnknownBinding)?),
            None => None,
        };
        let begun = self.begin(&sp, &whom, by, &chosen_faults(&raw.params)?)?;
        if begun.binding == Binding::Soap {
            let status = self.deliver(&sp, &begun).await?;
            return Ok(match page {
                true => pages::told(&status),
                false => Json(json!({ "status": status })).into_response(),
            });
        }
        let outgoing = Outgoing {
            kind: MessageKind::Request,
            xml: begun.xml,
            relay_state: Some(&begun.request_id),
            location: &begun.location,
            identity: &self.identity(),
            faults: &begun.faults,
        };
        match begun.faults.has(Fault::IframeLogout) {
            true => Ok(pages::framed_logout(&outgoing.redirect_url()?)),
            false => outgoing.through_browser(begun.binding),
        }
    }

    /// The same for somebody whose session has ended already: by SOAP, and what was answered.
    pub(super) async fn tell_by_soap(&self, whom: &Whom) -> Result<String, Refusal> {
        let sp = self.known_service_provider().await?;
        let begun = self.begin(&sp, whom, Some(Binding::Soap), &[])?;
        self.deliver(&sp, &begun).await
    }

    /// A named person with all sessions, or whoever has this cookie.
    fn whom(&self, user: Option<&str>, cookie: Option<&str>) -> Option<Whom> {
        let state = self.state();
        let sessions = match user {
            Some(user) => state.sessions_of(user),
            None => state.session(cookie?).cloned().into_iter().collect(),
        };
        let first = sessions.first()?;
        let (user, name_id) = (first.user.clone(), first.name_id.clone());
        let session_indexes = sessions.into_iter().filter_map(|session| session.session_index);
        Some(Whom { user, name_id, session_indexes: session_indexes.collect() })
    }

    fn begin(
        &self,
        sp: &ServiceProvider,
        whom: &Whom,
        by: Option<Binding>,
        more: &[Fault],
    ) -> Result<Begun, Refusal> {
        let (now, rng) = (self.0.clock.now(), &self.0.rng);
        let mut state = self.state();
        let planned = state.faults(Occasion::OwnRequest, Some(&whom.user));
        let shown_now = more.iter().filter(|fault| fault.shows_at(Occasion::OwnRequest));
        let faults: Faults = planned.list().iter().chain(shown_now).copied().collect();
        let by = if faults.has(Fault::IframeLogout) { Some(Binding::Redirect) } else { by };
        let (binding, location) = sp.logout_requests(by).ok_or(Refusal::NoAddressForRequests)?;

        let mut name_id = whom.name_id.clone();
        if faults.has(Fault::NewNameId) {
            name_id.value = rng.saml_id();
        }
        let indexes = whom.session_indexes.iter().filter(|_| !faults.has(Fault::NoSessionIndex));
        let request = LogoutRequest {
            id: rng.saml_id(),
            issue_instant: now,
            not_on_or_after: Some(now.plus(LIFETIME)),
            destination: Some(location.to_owned()),
            issuer: self.issuer(&faults),
            name_id,
            session_indexes: indexes.cloned().collect(),
            reason: Some(LogoutReason::User),
            asynchronous: faults.has(Fault::Asynchronous),
        };
        let mut xml = request.to_xml()?;
        if faults.has(Fault::EncryptedNameId) {
            let to = sp.encryption_certificate.as_deref().ok_or(EncryptionError::NoKey)?;
            xml = Encryption::COMMON.replace(&xml, ("NameID", "EncryptedID"), to, rng)?;
        }
        state.end_named(&whom.name_id, &whom.session_indexes);
        state.keep_asked(&request.id);
        let entry = Entry::LogoutBegun {
            id: request.id.clone(),
            user: whom.user.clone(),
            name_id: request.name_id,
            session_indexes: request.session_indexes,
            binding,
            faults: faults.list().to_vec(),
        };
        state.record(now, entry);
        let location = location.to_owned();
        Ok(Begun { request_id: request.id, binding, location, xml, faults })
    }

    /// Sends it by SOAP (SAML Bindings 3.2) and says what was answered.
    async fn deliver(&self, sp: &ServiceProvider, begun: &Begun) -> Result<String, Refusal> {
        let outgoing = Outgoing {
            kind: MessageKind::Request,
            xml: begun.xml.clone(),
            relay_state: None,
            location: &begun.location,
            identity: &self.identity(),
            faults: &begun.faults,
        };
        let envelope = soap::envelope(&outgoing.signed_xml()?);
        let answer = self.0.peer.post_soap(&begun.location, envelope).await?;
        let answer = Received::in_envelope(MessageKind::Response, answer.as_bytes(), &sp.keys)?;
        self.note_answer(sp, &answer)
    }
}

fn binding(word: &str) -> Option<Binding> {
    match word {
        "redirect" => Some(Binding::Redirect),
        "post" => Some(Binding::Post),
        "soap" => Some(Binding::Soap),
        _ => None,
    }
}
