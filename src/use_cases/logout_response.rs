//! An IdP's answer to our LogoutRequest, at `/logout` (SAML Profiles 4.4.3.5).

use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::connection::{Connection, UnsignedLogoutResponse};
use crate::id::LegId;
use crate::logout::{Answer, Event, Leg, LegOutcome, Logout, Party};
use crate::saml::binding::post;
use crate::saml::message::verify_enveloped;
use crate::saml::{ExpectedAnswer, LogoutResponse, Proof, RedirectMessage, Status, StatusCode};
use crate::secret::Token;
use crate::store::{CommitError, FoundLogout, LogoutKey};
use crate::use_cases::{
    Browser, CookieChange, Failure, Page, Reply, TRIES, UseCases, transaction_name,
};
use crate::xml;
use crate::xml::verify::TrustedKeys;

/// The message as it arrived.
pub(super) enum Arrived<'m> {
    Redirect(&'m RedirectMessage<'m>),
    Post { message: &'m str },
}

impl UseCases {
    /// `GET /logout?SAMLResponse=…`
    ///
    /// # Errors
    /// Only when the store fails: what is wrong with an answer never strands its browser.
    pub async fn logout_response_by_redirect(
        &self,
        message: &RedirectMessage<'_>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        self.logout_response(&Arrived::Redirect(message), message.relay_state(), browser).await
    }

    /// `POST /logout` with `SAMLResponse`
    ///
    /// # Errors
    /// As above.
    pub async fn logout_response_by_post(
        &self,
        message: &str,
        relay_state: Option<&str>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        self.logout_response(&Arrived::Post { message }, relay_state, browser).await
    }

    async fn logout_response(
        &self,
        arrived: &Arrived<'_>,
        relay_state: Option<&str>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        // (1) Find what is waiting: by RelayState, which only this browser was given; where the IdP
        //     lost or emptied it, by InResponseTo. A wrong RelayState finds nothing and consumes
        //     nothing.
        let relay_state = relay_state.filter(|text| !text.is_empty());
        let key = match relay_state {
            Some(relay_state) => LogoutKey::RelayState(Token::received(relay_state).hash()),
            None => match self.read_whoever_wrote_it(arrived).await? {
                Ok(response) => LogoutKey::RequestId(response.in_response_to),
                Err(reason) => return self.unknown_answer(&reason, browser).await,
            },
        };
        let read_now = self.store().logout(key).await?;
        let now = read_now.now;
        let Some(FoundLogout { logout, handle, leg: Some(leg) }) = read_now.found else {
            return self.unknown_answer("no logout waits for it", browser).await;
        };
        let Some(leg) = logout.leg(leg).cloned() else {
            return self.unknown_answer("no logout waits for it", browser).await;
        };

        // (2) Is it this browser's? RelayState says so, or the transaction cookie, which holds the
        //     handle of the logout.
        let asked = leg.asked.as_ref();
        let handle = asked.and_then(|asked| browser.transaction(&asked.request_id, &handle));
        let by_relay_state = relay_state.is_some();

        // (3) What is it worth?
        let answer = self.weigh(arrived, &leg, by_relay_state, now).await?;

        // (4) Record it, and let the browser go on.
        let its_browser = by_relay_state || handle.is_some();
        let mut reply = match (answer, its_browser) {
            (Ok(answer), true) => {
                let event = Event::Answered { leg: leg.id, answer };
                self.go_on(logout, handle, vec![event], false, now).await?
            }
            (Ok(answer), false) => {
                let event = Event::Answered { leg: leg.id, answer };
                self.take_note(logout, vec![event], now).await?
            }
            (Err(reason), true) => {
                self.record_refused(&logout, &leg, &reason, now).await;
                let event = unproven(leg.id, &reason);
                self.go_on(logout, handle, vec![event], false, now).await?
            }
            (Err(reason), false) => {
                self.record_refused(&logout, &leg, &reason, now).await;
                return self.unknown_answer(&reason, browser).await;
            }
        };
        if let Some(handle) = handle {
            reply = self.at_its_page(reply, handle);
        }
        if let Some(asked) = &leg.asked {
            let name = transaction_name(&asked.request_id);
            reply = reply.with(CookieChange::ClearTransaction { name });
        }
        Ok(reply)
    }

    /// Whether the answer can be believed, and what it says. `Err` is the reason why it cannot.
    async fn weigh(
        &self,
        arrived: &Arrived<'_>,
        leg: &Leg,
        by_relay_state: bool,
        now: Timestamp,
    ) -> Result<Result<Answer, String>, Failure> {
        let (Party::Idp { idp, .. }, Some(asked)) = (&leg.party, &leg.asked) else {
            return Ok(Err("this leg was not asked".into()));
        };
        let connection = match self.view().await?.connection(idp, now).await {
            Ok(connection) => connection,
            Err(Failure::Connection { detail, .. }) => return Ok(Err(detail)),
            Err(other) => return Err(other),
        };
        let expected = ExpectedAnswer {
            idp: connection.metadata.entity_id.clone(),
            request_id: asked.request_id.clone(),
            destination: self.settings().slo_url(),
        };
        let keys = &connection.metadata.signing_keys;
        let unpacked = verify_query(arrived, keys).and_then(|query| Ok((query, unpack(arrived)?)));
        let (query, bytes) = match unpacked {
            Ok(unpacked) => unpacked,
            Err(reason) => return Ok(Err(reason)),
        };
        let _turn = self.xml_turn(bytes.len()).await?;
        Ok(judge(query, &bytes, &connection, &expected, by_relay_state))
    }

    /// Reads the message without asking who wrote it, to find what it may be an answer to.
    async fn read_whoever_wrote_it(
        &self,
        arrived: &Arrived<'_>,
    ) -> Result<Result<LogoutResponse, String>, Failure> {
        let bytes = match unpack(arrived) {
            Ok(bytes) => bytes,
            Err(reason) => return Ok(Err(reason)),
        };
        let _turn = self.xml_turn(bytes.len()).await?;
        let read = || {
            let document = xml::parse(&bytes, &xml::Limits::MESSAGE).map_err(say)?;
            LogoutResponse::parse(document.root()).map_err(say)
        };
        Ok(read())
    }

    /// Records an outcome without moving the browser on: it could not prove that the logout is its
    /// own, so it gets a link instead of a redirect.
    async fn take_note(
        &self,
        mut logout: Logout,
        events: Vec<Event>,
        mut now: Timestamp,
    ) -> Result<Reply, Failure> {
        for _ in 0..TRIES {
            let decision = logout.clone().on(events.iter().cloned(), now);
            match self.store().commit(now, decision.changes).await {
                Ok(()) => {
                    let continue_to = decision.logout.document.target.clone();
                    let logout = Box::new(decision.logout);
                    return Ok(Reply::page(Page::LogoutEnd { logout, continue_to }));
                }
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {
                    (logout, now) = self.read_again(logout.id).await?;
                }
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    async fn record_refused(&self, logout: &Logout, leg: &Leg, reason: &str, now: Timestamp) {
        let mut event = AuditEvent::new(AuditKind::LogoutAnswerRefused).logout(logout.id);
        if let Party::Idp { idp, .. } = &leg.party {
            event = event.idp(idp);
        }
        let record = Change::Record(event.detail(reason));
        // The person goes on whether it can be written or not.
        if let Err(error) = self.store().commit(now, vec![record]).await {
            tracing::error!(logout.id = %logout.id, reason, "a refused answer is not recorded: {error}");
        }
    }

    /// An answer that belongs to nothing we know: used up, forged, mangled, or years late. It
    /// consumes nothing; but if this browser has a logout under way, it is sent to its page.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn unknown_answer(&self, reason: &str, browser: &Browser) -> Result<Reply, Failure> {
        tracing::warn!(reason, "a LogoutResponse belongs to no logout that we know");
        for (_, value) in &browser.transactions {
            let found = self.store().logout(LogoutKey::Handle(value.hash())).await?.found;
            if found.is_some() {
                let page = self.settings().logout_page_url(value.expose());
                return Ok(Reply::redirect(page));
            }
        }
        Ok(Reply::page(Page::UnknownAnswer))
    }
}

/// The signature of a query, over the octets as they arrived, before anything is unpacked (SAML
/// Bindings 3.4.4.1). `None`: the binding has none there.
fn verify_query(arrived: &Arrived<'_>, keys: &TrustedKeys) -> Result<Option<Proof>, String> {
    match arrived {
        Arrived::Redirect(message) if message.is_signed() => {
            message.verify(keys).map(|()| Some(Proof::Signed)).map_err(say)
        }
        Arrived::Redirect(_) => Ok(Some(Proof::Unsigned)),
        Arrived::Post { .. } => Ok(None),
    }
}

/// The XML of the message.
fn unpack(arrived: &Arrived<'_>) -> Result<Vec<u8>, String> {
    let limit = xml::Limits::MESSAGE.bytes;
    match arrived {
        Arrived::Redirect(message) => message.inflate(limit),
        Arrived::Post { message } => post::decode(message, limit),
    }
    .map_err(say)
}

/// Signature first, then meaning. `query` is what the signature of a query was worth; a form is
/// signed inside.
fn judge(
    query: Option<Proof>,
    bytes: &[u8],
    connection: &Connection,
    expected: &ExpectedAnswer,
    by_relay_state: bool,
) -> Result<Answer, String> {
    let document = xml::parse(bytes, &xml::Limits::MESSAGE).map_err(say)?;
    let proof = match query {
        Some(proof) => proof,
        None => verify_enveloped(&document, &connection.metadata.signing_keys).map_err(say)?,
    };
    let response = LogoutResponse::parse(document.root()).map_err(say)?;
    response.check(expected, &proof).map_err(say)?;
    let accept_unsigned = by_relay_state
        && connection.settings.unsigned_logout_response == UnsignedLogoutResponse::Accept;
    let (outcome, said) = outcome_of(&response.status);
    match proof {
        Proof::Signed => Ok(Answer { outcome, proven: true, detail: format!("{said}, signed") }),
        Proof::Unsigned if accept_unsigned => {
            Ok(Answer { outcome, proven: true, detail: format!("{said}, unsigned") })
        }
        Proof::Unsigned => Err(format!("{said}, but nobody signed it")),
    }
}

/// SAML Core 3.7.3.2.
fn outcome_of(status: &Status) -> (LegOutcome, String) {
    if status.is_partial_logout() {
        (LegOutcome::Partial, "PartialLogout".to_owned())
    } else if status.is_success() {
        (LegOutcome::Confirmed, "Success".to_owned())
    } else {
        (LegOutcome::Refused, describe(status))
    }
}

fn describe(status: &Status) -> String {
    let short = |uri: &str| uri.rsplit(':').next().unwrap_or(uri).chars().take(64).collect();
    let code: String = match &status.code {
        StatusCode::Other(uri) => short(uri),
        known => short(known.uri()),
    };
    let nested = status.nested.iter().map(|uri| short(uri)).collect::<Vec<String>>();
    match nested.is_empty() {
        true => code,
        false => format!("{code} ({})", nested.join(", ")),
    }
}

fn unproven(leg: LegId, reason: &str) -> Event {
    let outcome = LegOutcome::Unconfirmed;
    Event::Answered { leg, answer: Answer { outcome, proven: false, detail: reason.to_owned() } }
}

fn say(error: impl std::fmt::Display) -> String {
    error.to_string()
}
