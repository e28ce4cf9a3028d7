//! An IdP's LogoutRequest at `/logout` and `/logout/soap` (SAML Profiles 4.4.3.2): it ends the sessions
//! that it names, here and in every app, and is answered with what is known.

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::logout::{LegOutcome, Logout};
use crate::saml::binding::{redirect, soap};
use crate::saml::logout_request::Arrival;
use crate::saml::status::REQUEST_DENIED;
use crate::saml::{
    Binding, LogoutRequest, LogoutResponse, MessageKind, PostForm, Proof, RedirectMessage, Status,
    StatusCode,
};
use crate::store::SessionKey;
use crate::use_cases::end_principal::Asking;
use crate::use_cases::saml_message::{Arrived, say};
use crate::use_cases::{Browser, CookieChange, Failure, Next, Page, Reply, UseCases};
use crate::xml::Element;
use crate::xml::sign::sign_enveloped;

/// What became of a request.
struct Heard {
    connection: Arc<Connection>,
    request_id: String,
    /// The IdP does not wait for an answer.
    asynchronous: bool,
    status: Status,
    logouts: Vec<Logout>,
}

/// Why a request is not carried out.
enum Refusal {
    /// The IdP signed it, and it is not for us, now.
    OfTheIdp(String),
    /// Anybody may have written it. The log says so; the audit is not filled by strangers.
    OfAnybody(String),
}

impl UseCases {
    /// `GET /logout?SAMLRequest=…`
    ///
    /// # Errors
    /// [`Failure::Idp`] if it cannot be read or no IdP of ours wrote it: then there is nobody to answer.
    pub async fn logout_request_by_redirect(
        &self,
        message: &RedirectMessage<'_>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        let heard = self.hear(&Arrived::Redirect(message)).await?;
        self.answer_through_browser(heard, message.relay_state(), browser).await
    }

    /// `POST /logout` with `SAMLRequest`
    ///
    /// # Errors
    /// As above.
    pub async fn logout_request_by_post(
        &self,
        message: &str,
        relay_state: Option<&str>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        let heard = self.hear(&Arrived::Post(message)).await?;
        self.answer_through_browser(heard, relay_state, browser).await
    }

    /// `POST /logout/soap`: the envelope of the answer.
    ///
    /// # Errors
    /// As above.
    pub async fn logout_request_by_soap(&self, envelope: &[u8]) -> Result<String, Failure> {
        let heard = self.hear(&Arrived::Soap(envelope)).await?;
        let xml = self.response(&heard, None, self.now().await?)?;
        let key = &self.keys().saml;
        let signed = sign_enveloped(&xml, &key.signing, Some(&key.certificate)).map_err(broken)?;
        Ok(soap::envelope(&signed))
    }

    /// Carries the request out, or refuses it. A refusal has a status of its own: the chain of the
    /// IdP's logout goes on without us.
    async fn hear(&self, arrived: &Arrived<'_>) -> Result<Heard, Failure> {
        // (1) Who says to have sent it?
        let head = self.peek(arrived, LogoutRequest::head).await?;
        let (issuer, request_id) = head.map_err(|detail| Failure::Idp {
            code: "saml.logout_request",
            idp: String::new(),
            detail,
        })?;
        let now = self.now().await?;
        let (connection, ids) = self.view().await?.of_entity(&issuer, now).await?;

        // (2) Did they, and is it meant for us, now?
        let judged = self.judge(arrived, &connection, now).await?;
        let (status, asynchronous, logouts) = match judged {
            Ok(request) => {
                // (3) End what it names, then say what is known of it.
                let asynchronous = request.asynchronous;
                let asking = Asking { connection: connection.clone(), ids };
                let ended = self.end_principal(&asking, request).await?;
                let mut logouts = Vec::with_capacity(ended.len());
                for logout in ended {
                    let until = logout.created_at.plus(self.settings().logout_wait);
                    logouts.push(self.wait_for_told(logout, until, now).await?);
                }
                (status_of(&logouts, &connection), asynchronous, logouts)
            }
            Err(refusal) => {
                self.refuse(&connection, &refusal, now).await;
                let said = "the request was not accepted; the service's log says why";
                let status = Status::failure(StatusCode::Requester, REQUEST_DENIED, said);
                (status, false, Vec::new())
            }
        };
        Ok(Heard { connection, request_id, asynchronous, status, logouts })
    }

    /// Signature first, then meaning. No setting turns the signature off: a LogoutRequest that anybody
    /// can write ends anybody's session.
    async fn judge(
        &self,
        arrived: &Arrived<'_>,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Result<LogoutRequest, Refusal>, Failure> {
        let (trusted, own) = (&connection.metadata.signing_keys, self.keys());
        // Nobody has us decrypt what the IdP did not sign.
        let read = |message: Element<'_>, proof: Proof| match proof {
            Proof::Signed => LogoutRequest::parse_encrypted(message, own.decryption.all()),
            Proof::Unsigned => LogoutRequest::parse(message),
        };
        let authenticated = self.authenticate(arrived, trusted, read).await?;
        Ok(match authenticated {
            Ok((request, Proof::Signed)) => {
                let checked = self.check(&request, arrived.binding(), connection, now);
                checked.map(|()| request).map_err(Refusal::OfTheIdp)
            }
            Ok((_, Proof::Unsigned)) => Err(Refusal::OfAnybody("nobody signed it".to_owned())),
            Err(reason) => Err(Refusal::OfAnybody(reason)),
        })
    }

    fn check(
        &self,
        request: &LogoutRequest,
        by: Binding,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<(), String> {
        if request.issuer != connection.metadata.entity_id {
            return Err("its Issuer is another than the one whose key signed it".to_owned());
        }
        let at = match by {
            Binding::Redirect | Binding::Post => self.settings().slo_url(),
            Binding::Soap => self.settings().slo_soap_url(),
        };
        let clock_skew = self.settings().clock_skew;
        request.check(&Arrival { at: &at, by, now, clock_skew }).map_err(say)
    }

    async fn refuse(&self, connection: &Connection, refusal: &Refusal, now: Timestamp) {
        let (Refusal::OfTheIdp(reason) | Refusal::OfAnybody(reason)) = refusal;
        tracing::warn!(idp = %connection.id, reason, "a LogoutRequest is refused");
        if matches!(refusal, Refusal::OfAnybody(_)) {
            return;
        }
        let event = AuditEvent::new(AuditKind::LogoutRequestRefused).idp(&connection.id);
        let record = Change::Record(event.detail(reason));
        // It is answered whether it can be written or not.
        if let Err(error) = self.store().commit(now, vec![record]).await {
            tracing::error!(idp = %connection.id, "a refused LogoutRequest is not recorded: {error}");
        }
    }

    async fn answer_through_browser(
        &self,
        heard: Heard,
        relay_state: Option<&str>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        let mut reply = self.to_the_idp(&heard, relay_state).await?;
        if let Some(cookie) = browser.session_hash() {
            let own = self.store().browser_session(SessionKey::Cookie(cookie)).await?;
            if own.found.is_none() {
                reply = reply.with(CookieChange::ClearSession);
            }
        }
        Ok(reply)
    }

    /// SAML Profiles 4.4.3.4: by whichever binding of the browser the IdP takes answers, with its
    /// RelayState exactly as it came.
    async fn to_the_idp(&self, heard: &Heard, relay_state: Option<&str>) -> Result<Reply, Failure> {
        let offered = &heard.connection.metadata.single_logout;
        let endpoint = [Binding::Redirect, Binding::Post]
            .into_iter()
            .find_map(|binding| offered.iter().find(|endpoint| endpoint.binding == binding));
        let Some(endpoint) = endpoint.filter(|_| !heard.asynchronous) else {
            if !heard.status.is_success() {
                return Err(Failure::Idp {
                    code: "saml.logout_request",
                    idp: heard.connection.id.to_string(),
                    detail: "it was refused, and the IdP takes no answer through a browser".into(),
                });
            }
            return match heard.logouts.last() {
                Some(logout) => {
                    let now = self.now().await?;
                    self.end_page(logout.clone(), None, None, now).await
                }
                None => Ok(Reply::page(Page::NobodySignedIn)),
            };
        };
        let (kind, key) = (MessageKind::Response, &self.keys().saml);
        let location = endpoint.location_for(kind);
        let xml = self.response(heard, Some(location), self.now().await?)?;
        let next = match endpoint.binding {
            Binding::Redirect => Next::Redirect(
                redirect::encode(kind, &xml, relay_state, location, Some(&key.signing))
                    .map_err(broken)?,
            ),
            Binding::Post | Binding::Soap => {
                let signed = sign_enveloped(&xml, &key.signing, Some(&key.certificate));
                Next::Post(PostForm::new(kind, &signed.map_err(broken)?, relay_state, location))
            }
        };
        Ok(Reply::of(next))
    }

    fn response(
        &self,
        heard: &Heard,
        destination: Option<&str>,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let response = LogoutResponse {
            id: self.rng().saml_id(),
            issue_instant: now,
            destination: destination.map(str::to_owned),
            issuer: self.settings().saml_entity_id.clone(),
            in_response_to: heard.request_id.clone(),
            status: heard.status.clone(),
        };
        response.to_xml().map_err(broken)
    }
}

/// SAML Core 3.7.3.2: who could not be told makes it a PartialLogout. What other IdPs know of the
/// person is no matter of the one that asks.
fn status_of(logouts: &[Logout], connection: &Connection) -> Status {
    let mut apps = logouts.iter().flat_map(|logout| &logout.legs).filter(|leg| !leg.is_idp());
    let all_told = apps.all(|leg| leg.outcome() == Some(LegOutcome::Confirmed));
    match all_told || connection.settings.always_success {
        true => Status::success(),
        false => Status::partial_logout(),
    }
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(format!("answering a LogoutRequest: {error}"))
}
