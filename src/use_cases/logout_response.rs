//! An IdP's answer to our LogoutRequest, at `/logout` (SAML Profiles 4.4.3.5).

use crate::clock::Timestamp;
use crate::connection::{Connection, UnsignedLogoutResponse};
use crate::logout::{Answer, Event, Leg, LegOutcome, Logout, Party};
use crate::saml::{ExpectedAnswer, LogoutResponse, Proof, RedirectMessage, Status, StatusCode};
use crate::secret::Token;
use crate::store::{FoundLogout, LogoutKey};
use crate::use_cases::saml_message::{Arrived, say};
use crate::use_cases::{Browser, CookieChange, Failure, Page, Reply, UseCases, transaction_name};
use crate::xml::Element;

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
        self.logout_response(&Arrived::Post(message), relay_state, browser).await
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
            None => match self.peek(arrived, LogoutResponse::parse).await? {
                Ok(response) => LogoutKey::RequestId(response.in_response_to),
                Err(reason) => return self.unknown_answer(&reason, browser).await,
            },
        };
        let read = self.store().logout(key).await?;
        let now = read.now;
        let Some(FoundLogout { logout, handle, leg: Some(leg) }) = read.found else {
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

        // (3) What is it worth? Whoever began it by a hint alone has seen the request as well as the IdP.
        let ours_alone = by_relay_state && !logout.document.without_cookie;
        let answer = self.weigh(arrived, &leg, ours_alone, now).await?;

        // (4) Record it, and let the browser go on. In a logout that an IdP began, another IdP is asked
        //     from the end only, and the way ends there again: who began it has its answer.
        let its_browser = by_relay_state || handle.is_some();
        let goes_on = its_browser && logout.document.owed_answer.is_none();
        let event = match answer {
            Ok(answer) => Event::Answered { leg: leg.id, to: leg.asked.clone(), answer },
            Err(reason) => {
                tracing::warn!(logout.id = %logout.id, reason, "an answer is refused");
                // Anybody may have written it: the audit is not filled by strangers.
                if !its_browser {
                    return self.unknown_answer(&reason, browser).await;
                }
                unproven(&leg, &reason)
            }
        };
        let mut reply = match goes_on {
            true => self.go_on(logout, handle, vec![event], false, now).await?,
            false => self.take_note(logout, vec![event], now).await?,
        };
        if let Some(handle) = handle {
            reply = match leg.tried_again_at {
                // Back to where the person asked from.
                Some(_) => self.to_its_page(handle),
                None => self.at_its_page(reply, handle),
            };
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
        ours_alone: bool,
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
            destination: Some(self.settings().slo_url()),
        };
        let keys = &connection.metadata.signing_keys;
        let read = |message: Element<'_>, _: Proof| LogoutResponse::parse(message);
        let authenticated = self.authenticate(arrived, keys, read).await?;
        Ok(authenticated.and_then(|(response, proof)| {
            judge(&response, proof, &connection, &expected, ours_alone)
        }))
    }

    /// Records an outcome without moving the browser on: it could not prove that the logout is its
    /// own, so it gets a link instead of a redirect.
    async fn take_note(
        &self,
        logout: Logout,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let (logout, _, now) = self.advance(logout, events, now).await?;
        let continue_to = logout.onward();
        self.end_page(logout, None, continue_to, now).await
    }

    /// An answer that belongs to nothing we know: used up, forged, mangled, or years late. It
    /// consumes nothing; but if this browser has a logout under way, it is sent to its page. Of several
    /// to the one that still needs the browser, and of those to the newest.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn unknown_answer(&self, reason: &str, browser: &Browser) -> Result<Reply, Failure> {
        tracing::warn!(reason, "a LogoutResponse belongs to no logout that we know");
        let mut best = None;
        for (_, value) in &browser.transactions {
            let found = self.store().logout(LogoutKey::Handle(value.hash())).await?.found;
            best = best.max(found.map(|FoundLogout { logout, .. }| {
                (logout.needs_browser(), logout.created_at, value.expose())
            }));
        }
        Ok(match best {
            Some((_, _, handle)) => Reply::redirect(self.settings().logout_page_url(handle)),
            None => Reply::page(Page::UnknownAnswer),
        })
    }
}

/// What the answer means, once it is known what its signature is worth. `ours_alone`: only whom we
/// asked can have seen the request, and only they can answer where this came from.
pub(super) fn judge(
    response: &LogoutResponse,
    proof: Proof,
    connection: &Connection,
    expected: &ExpectedAnswer,
    ours_alone: bool,
) -> Result<Answer, String> {
    let expected = expected_of(connection, response, expected);
    response.check(&expected, &proof).map_err(say)?;
    let accept_unsigned = ours_alone
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

/// What is expected of this answer, whichever way it came: an IdP may answer under another name than
/// its entity ID, if the settings say so.
pub(super) fn expected_of(
    connection: &Connection,
    response: &LogoutResponse,
    expected: &ExpectedAnswer,
) -> ExpectedAnswer {
    let also = connection.settings.logout_response_issuer.as_ref();
    let idp = also.filter(|also| **also == response.issuer).unwrap_or(&expected.idp).clone();
    ExpectedAnswer { idp, ..expected.clone() }
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

fn unproven(leg: &Leg, reason: &str) -> Event {
    let (outcome, detail) = (LegOutcome::Unconfirmed, reason.to_owned());
    let answer = Answer { outcome, proven: false, detail };
    Event::Answered { leg: leg.id, to: leg.asked.clone(), answer }
}
