//! An IdP's LogoutRequest at `/logout` and `/logout/soap` (SAML Profiles 4.4.3.2): it ends the sessions
//! that it names, here and in every app, and is answered with what is known.

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::logout::{Leg, Logout, Outcome, OwedAnswer};
use crate::saml::binding::{redirect, soap};
use crate::saml::logout_request::Arrival;
use crate::saml::status::REQUEST_DENIED;
use crate::saml::{
    Binding, Endpoint, LogoutRequest, LogoutResponse, MessageKind, PostForm, Proof,
    RedirectMessage, Status, StatusCode,
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
    /// What the IdP is to be told, and how it asked to be.
    owed: OwedAnswer,
    /// Every logout that it began; `Err`: it was refused.
    ended: Result<Vec<Logout>, Status>,
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
        let (arrived, relay_state) = (Arrived::Redirect(message), message.relay_state());
        self.logout_request_by_browser(&arrived, relay_state, browser).await
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
        self.logout_request_by_browser(&Arrived::Post(message), relay_state, browser).await
    }

    /// `POST /logout/soap`: the envelope of the answer.
    ///
    /// # Errors
    /// As above.
    pub async fn logout_request_by_soap(&self, envelope: &[u8]) -> Result<String, Failure> {
        let Heard { connection, owed, ended } = self.hear(&Arrived::Soap(envelope), None).await?;
        let status = match ended {
            Ok(logouts) => {
                let logouts = self.wait_for_all_told(logouts).await?;
                self.status_of(&logouts, &connection, &owed).await?
            }
            Err(status) => status,
        };
        let xml = self.response(&owed, &status, None, self.now().await?)?;
        let key = &self.keys().saml;
        let signed = sign_enveloped(&xml, &key.signing, Some(&key.certificate)).map_err(broken)?;
        Ok(soap::envelope(&signed))
    }

    /// Apps that are told by frames come first, and the answer after them.
    async fn logout_request_by_browser(
        &self,
        arrived: &Arrived<'_>,
        relay_state: Option<&str>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        let Heard { connection, owed, ended } = self.hear(arrived, relay_state).await?;
        let carried_out = ended.is_ok();
        let mut reply = match ended {
            Ok(logouts) => match owes_frames(&logouts) {
                // At its own address it can be loaded again, and the request is not in the address bar.
                Some(logout) => self.to_its_page_for(logout, &owed),
                None => self.answer(&connection, &owed, logouts).await?,
            },
            Err(status) => self.to_the_idp(&connection, &owed, &status, None).await?,
        };
        // A request that anybody may have written takes nothing from a browser, and what has lapsed is
        // still to be ended by its cookie.
        if let Some(cookie) = browser.session_hash().filter(|_| carried_out) {
            let own = self.store().session_to_end(SessionKey::CookieOrFormer(cookie)).await?;
            if own.found.is_none() {
                let relogin = self.relogin_of_its_end(browser).await?;
                reply = reply.with(CookieChange::ClearSession).with_any(relogin);
            }
        }
        Ok(reply)
    }

    /// Says to the IdP what is known of all that its request ended.
    pub(super) async fn answer(
        &self,
        connection: &Connection,
        owed: &OwedAnswer,
        logouts: Vec<Logout>,
    ) -> Result<Reply, Failure> {
        let logouts = self.wait_for_all_told(logouts).await?;
        let status = self.status_of(&logouts, connection, owed).await?;
        self.to_the_idp(connection, owed, &status, least_known(&logouts)).await
    }

    /// SAML Core 3.7.3.2: an app that could not be told makes it a PartialLogout, whoever ended its
    /// session. What other IdPs know of the person is no matter of the one that asks.
    async fn status_of(
        &self,
        logouts: &[Logout],
        connection: &Connection,
        owed: &OwedAnswer,
    ) -> Result<Status, Failure> {
        if connection.settings.always_success {
            return Ok(Status::success());
        }
        let mut known = logouts.to_vec();
        // While some are waited for, there may come more.
        let all_found = loop {
            let before = self.ended_before(connection, owed, &known).await?;
            if before.logouts.is_empty() {
                break before.all;
            }
            known.extend(self.wait_for_all_told(before.logouts).await?);
        };
        // Who cannot read all of a session does not know whether it knows everybody in it.
        let all_read = !known.iter().flat_map(|logout| &logout.legs).any(Leg::is_unreadable);
        let all_known = all_found && all_read;
        Ok(match all_known && known.iter().all(Logout::has_told_every_app) {
            true => Status::success(),
            false => Status::partial_logout(),
        })
    }

    /// Carries the request out, or refuses it. A refusal has a status of its own: the chain of the
    /// IdP's logout goes on without us.
    async fn hear(
        &self,
        arrived: &Arrived<'_>,
        relay_state: Option<&str>,
    ) -> Result<Heard, Failure> {
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
        let mut owed = OwedAnswer {
            idp: connection.id.clone(),
            request_id,
            relay_state: relay_state.map(str::to_owned),
            asynchronous: false,
        };
        let ended = match judged {
            Ok(request) => {
                // (3) End what it names.
                owed.asynchronous = request.asynchronous;
                let by_browser = arrived.binding() != Binding::Soap;
                let answer = by_browser.then(|| owed.clone());
                let asking = Asking { connection: connection.clone(), ids, answer };
                Ok(self.end_principal(&asking, request).await?)
            }
            Err(refusal) => {
                self.refuse(&connection, &refusal, now).await;
                let said = "the request was not accepted; the service's log says why";
                Err(Status::failure(StatusCode::Requester, REQUEST_DENIED, said))
            }
        };
        Ok(Heard { connection, owed, ended })
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
            let idp = &connection.id;
            tracing::error!(%idp, "a refused LogoutRequest is not recorded: {error}");
        }
    }

    /// SAML Profiles 4.4.3.4: by whichever binding of the browser the IdP takes answers, with its
    /// RelayState exactly as it came. Where it takes none, the browser ends here.
    async fn to_the_idp(
        &self,
        connection: &Connection,
        owed: &OwedAnswer,
        status: &Status,
        logout: Option<&Logout>,
    ) -> Result<Reply, Failure> {
        let offered = &connection.metadata.single_logout;
        let endpoint = [Binding::Redirect, Binding::Post]
            .into_iter()
            .find_map(|binding| offered.iter().find(|endpoint| endpoint.binding == binding));
        let withheld = owed.asynchronous || connection.settings.withhold_logout_response;
        let Some(endpoint) = endpoint.filter(|_| !withheld) else {
            if !status.is_success() {
                return Err(Failure::Idp {
                    code: "saml.logout_request",
                    idp: connection.id.to_string(),
                    detail: "it was refused, and the IdP takes no answer through a browser".into(),
                });
            }
            let reply = match logout {
                Some(logout) => {
                    let now = self.now().await?;
                    self.end_page(logout.clone(), None, None, now).await?
                }
                None => Reply::page(Page::NobodySignedIn),
            };
            return Ok(reply.framed_by(pages_of(connection)));
        };
        let (kind, key) = (MessageKind::Response, &self.keys().saml);
        let location = endpoint.location_for(kind);
        let xml = self.response(owed, status, Some(location), self.now().await?)?;
        let relay_state = owed.relay_state.as_deref();
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
        Ok(Reply::of(next).framed_by(pages_of(connection)))
    }

    fn response(
        &self,
        owed: &OwedAnswer,
        status: &Status,
        destination: Option<&str>,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let response = LogoutResponse {
            id: self.rng().saml_id(),
            issue_instant: now,
            destination: destination.map(str::to_owned),
            issuer: self.settings().saml_entity_id.clone(),
            in_response_to: owed.request_id.clone(),
            status: status.clone(),
        };
        response.to_xml().map_err(broken)
    }
}

/// The newest of these logouts with frames that are still to be shown.
fn owes_frames(logouts: &[Logout]) -> Option<&Logout> {
    let owes = |logout: &&Logout| logout.has_open_frame() && logout.document.owed_answer.is_some();
    logouts.iter().rfind(owes)
}

/// The newest of these logouts that is not complete; of complete ones the newest. A page about one of
/// several must not claim what is not known of the others.
pub(super) fn least_known(logouts: &[Logout]) -> Option<&Logout> {
    let open = |logout: &&Logout| logout.outcome() != Outcome::Complete;
    logouts.iter().rfind(open).or(logouts.last())
}

/// Where an IdP's own pages are, of which one may hold ours in a frame.
pub(super) fn pages_of(connection: &Connection) -> Vec<String> {
    let metadata = &connection.metadata;
    let endpoints = metadata.single_sign_on.iter().chain(&metadata.single_logout);
    let locations =
        |endpoint: &Endpoint| [Some(endpoint.location.clone()), endpoint.response_location.clone()];
    endpoints.flat_map(locations).flatten().collect()
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(format!("answering a LogoutRequest: {error}"))
}
