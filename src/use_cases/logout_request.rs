//! An IdP's LogoutRequest at `/logout` and `/logout/soap` (SAML Profiles 4.4.3.2): it ends the sessions
//! that it names, here and in every app, and is answered with what is known.

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, EndedPrincipal};
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::id::IdpId;
use crate::logout::plan::IdpLegs;
use crate::logout::{LegOutcome, Logout, Reason};
use crate::oidc::LogoutScope;
use crate::saml::binding::{redirect, soap};
use crate::saml::logout_request::{Arrival, MAX_AGE};
use crate::saml::status::REQUEST_DENIED;
use crate::saml::{
    Binding, LogoutRequest, LogoutResponse, MessageKind, PostForm, Proof, RedirectMessage, Status,
    StatusCode,
};
use crate::session::{BrowserSession, SignedIn};
use crate::store::{CommitError, LogoutKey, SessionKey};
use crate::use_cases::saml_message::{Arrived, say};
use crate::use_cases::sign_out::SignOut;
use crate::use_cases::{Browser, CookieChange, Failure, Next, Page, Reply, TRIES, UseCases};
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
        let connection = self.view().await?.of_entity(&issuer, now).await?;

        // (2) Did they, and is it meant for us, now?
        let judged = self.judge(arrived, &connection, now).await?;
        let (status, asynchronous, logouts) = match judged {
            Ok(request) => {
                // (3) End what it names, then say what is known of it.
                let ended = self.end_principal(&connection, &request).await?;
                let mut logouts = Vec::with_capacity(ended.len());
                for logout in ended {
                    logouts.push(self.wait_for_apps(logout, now).await?);
                }
                (status_of(&logouts, &connection), request.asynchronous, logouts)
            }
            Err(reason) => {
                self.refuse(&connection, &reason, now).await;
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
    ) -> Result<Result<LogoutRequest, String>, Failure> {
        let (trusted, own) = (&connection.metadata.signing_keys, self.keys());
        // Nobody has us decrypt what the IdP did not sign.
        let read = |message: Element<'_>, proof: Proof| match proof {
            Proof::Signed => LogoutRequest::parse_encrypted(message, own.decryption.all()),
            Proof::Unsigned => LogoutRequest::parse(message),
        };
        let authenticated = self.authenticate(arrived, trusted, read).await?;
        Ok(authenticated.and_then(|(request, proof)| {
            self.check(&request, proof, arrived.binding(), connection, now)?;
            Ok(request)
        }))
    }

    fn check(
        &self,
        request: &LogoutRequest,
        proof: Proof,
        by: Binding,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<(), String> {
        if proof != Proof::Signed {
            return Err("nobody signed it".to_owned());
        }
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

    async fn refuse(&self, connection: &Connection, reason: &str, now: Timestamp) {
        let event = AuditEvent::new(AuditKind::LogoutRequestRefused).idp(&connection.id);
        let record = Change::Record(event.detail(reason));
        tracing::warn!(idp = %connection.id, reason, "a LogoutRequest is refused");
        // It is answered whether it can be written or not.
        if let Err(error) = self.store().commit(now, vec![record]).await {
            tracing::error!(idp = %connection.id, "a refused LogoutRequest is not recorded: {error}");
        }
    }

    /// Ends every session that the request names, once. The same request again ends nothing more: the
    /// person may have signed in anew.
    async fn end_principal(
        &self,
        connection: &Connection,
        request: &LogoutRequest,
    ) -> Result<Vec<Logout>, Failure> {
        let now = self.now().await?;
        let ended = EndedPrincipal {
            idp: connection.id.clone(),
            request_id: request.id.clone(),
            name_id: request.name_id.clone(),
            session_indexes: request.session_indexes.clone(),
            issued_at: request.issue_instant,
            logouts: Vec::new(),
            // Longer than the request can be shown again, and than a sign-in that it overtook is on
            // its way.
            expires_at: now.plus(MAX_AGE.saturating_mul(3)),
        };
        match self.end_sessions_of(ended, connection, false).await? {
            Some(logouts) => Ok(logouts),
            None => self.ended_before(&connection.id, &request.id).await,
        }
    }

    /// Writes the request down with the first sessions that it ends, and goes on until a look finds no
    /// more: a sign-in that was being written at the same time either is found here, or finds what is
    /// written here. `None`: it was
    /// written down before, though not `is_written`.
    async fn end_sessions_of(
        &self,
        mut ended: EndedPrincipal,
        connection: &Connection,
        mut is_written: bool,
    ) -> Result<Option<Vec<Logout>>, Failure> {
        let mut logouts: Vec<Logout> = Vec::new();
        let mut conflicts = 0;
        while conflicts < TRIES {
            let read = self.store().sessions_of(&ended.idp, &ended.name_id.value).await?;
            let meant: Vec<_> =
                read.found.iter().filter(|held| self.means(&ended, connection, held)).collect();
            if meant.is_empty() && is_written {
                return Ok(Some(logouts));
            }
            let mut changes = Vec::new();
            let mut begun = Vec::new();
            for session in meant {
                let idps = IdpLegs::BegunBy(ended.idp.clone());
                let planned = self.plan_idp_initiated(session, idps, read.now).await?;
                changes.extend(planned.0);
                begun.push(planned.1);
            }
            let before = ended.logouts.len();
            ended.logouts.extend(begun.iter().map(|logout| logout.id));
            let written = Box::new(ended.clone());
            changes.push(match is_written {
                true => Change::SaveEndedPrincipal(written),
                false => Change::AddEndedPrincipal(written),
            });
            let event = AuditEvent::new(AuditKind::LogoutRequestCarriedOut).idp(&ended.idp);
            let detail = format!("{} sessions ended", begun.len());
            changes.push(Change::Record(event.detail(detail)));
            match self.store().commit(read.now, changes).await {
                Ok(()) => {
                    begun.iter().for_each(|logout| self.tell_apps(logout));
                    logouts.extend(begun);
                    is_written = true;
                }
                Err(CommitError::Conflict { what: "AddEndedPrincipal" }) => return Ok(None),
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {
                    ended.logouts.truncate(before);
                    conflicts += 1;
                }
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    async fn plan_idp_initiated(
        &self,
        session: &BrowserSession,
        idps: IdpLegs,
        now: Timestamp,
    ) -> Result<(Vec<Change>, Logout), Failure> {
        let wanted = SignOut {
            reason: Reason::IdpInitiated,
            scope: LogoutScope::AllAppsAndIdp,
            idps,
            initiator: None,
            target: None,
        };
        let begun = self.plan_sign_out(session, wanted, self.rng().handle(), now).await?;
        Ok((begun.changes, begun.logout))
    }

    fn means(
        &self,
        ended: &EndedPrincipal,
        connection: &Connection,
        session: &BrowserSession,
    ) -> bool {
        session
            .idp_sessions
            .iter()
            .filter(|held| held.idp == ended.idp)
            .any(|held| self.names(ended, connection, &held.signed_in))
    }

    /// Whether the request means this sign-in. One that the IdP made after the request is another
    /// matter; both times are by the IdP's clocks.
    fn names(&self, ended: &EndedPrincipal, connection: &Connection, held: &SignedIn) -> bool {
        let (idp, sp) = (&connection.metadata.entity_id, &self.settings().saml_entity_id);
        let skew = self.settings().clock_skew;
        held.is_named_by(&ended.name_id, &ended.session_indexes, idp, sp)
            && held.authn_instant <= ended.issued_at.plus(skew)
    }

    async fn ended_before(&self, idp: &IdpId, request_id: &str) -> Result<Vec<Logout>, Failure> {
        let ended = self.store().carried_out(idp, request_id).await?;
        let mut logouts = Vec::new();
        for id in ended.map(|ended| ended.logouts).unwrap_or_default() {
            // Settled logouts are deleted after a while; what is gone was told in time.
            let found = self.store().logout(LogoutKey::Id(id)).await?.found;
            logouts.extend(found.map(|found| found.logout));
        }
        Ok(logouts)
    }

    /// The LogoutRequests that have overtaken this sign-in (SAML Core 3.7.3.1). With a SessionIndex it
    /// is known by that; without, by the time: who signs in anew after a logout is welcome.
    pub(super) async fn overtaken_by(
        &self,
        connection: &Connection,
        signed_in: &SignedIn,
    ) -> Result<Vec<EndedPrincipal>, Failure> {
        let Some(name_id) = &signed_in.name_id else { return Ok(Vec::new()) };
        let mut ended = self.store().ended_principals(&connection.id, &name_id.value).await?;
        ended.retain(|ended| {
            let by_index =
                !ended.session_indexes.is_empty() && !signed_in.session_indexes.is_empty();
            self.names(ended, connection, signed_in)
                && (by_index || signed_in.authn_instant <= ended.issued_at)
        });
        Ok(ended)
    }

    /// Ends the sessions of sign-ins that were written at the same moment as these requests.
    pub(super) async fn end_overtaken(
        &self,
        ended: Vec<EndedPrincipal>,
        connection: &Connection,
    ) -> Result<(), Failure> {
        for ended in ended {
            self.end_sessions_of(ended, connection, true).await?;
        }
        Ok(())
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
            return Ok(Reply::page(match heard.logouts.last() {
                Some(logout) => {
                    Page::LogoutEnd { logout: Box::new(logout.clone()), continue_to: None }
                }
                None => Page::NobodySignedIn,
            }));
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
