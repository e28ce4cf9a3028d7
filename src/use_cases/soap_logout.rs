//! Asking an IdP without a browser: the LogoutRequest goes by SOAP, and its answer comes back on the
//! same connection (SAML Profiles 4.4.3.1, SAML Bindings 3.2).

use url::Url;

use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::id::IdpId;
use crate::logout::{Answer, Attempt, Event, Leg, LegOutcome, Logout};
use crate::outbound::{SendError, SoapAnswer};
use crate::saml::binding::soap;
use crate::saml::metadata::is_loopback;
use crate::saml::{ExpectedAnswer, LogoutResponse, Proof};
use crate::use_cases::logout_response::{expected_of, judge};
use crate::use_cases::saml_message::{Arrived, say};
use crate::use_cases::{Failure, UseCases};
use crate::xml::sign::sign_enveloped;
use crate::xml::{Element, Limits, parse};

impl UseCases {
    /// One try, with a request of its own: new ID and IssueInstant.
    pub(super) async fn ask_by_soap(
        &self,
        logout: &Logout,
        leg: &Leg,
        idp: &IdpId,
        location: &str,
    ) -> Event {
        let asked = self.ask_once_by_soap(logout, leg, idp, location).await;
        match asked {
            Ok(answer) => Event::Answered { leg: leg.id, to: leg.asked.clone(), answer },
            Err(attempt) => self.tried(leg.id, attempt),
        }
    }

    /// `Err`: there is no answer that this IdP can have given to this request.
    async fn ask_once_by_soap(
        &self,
        logout: &Logout,
        leg: &Leg,
        idp: &IdpId,
        location: &str,
    ) -> Result<Answer, Attempt> {
        let now = self.now().await.map_err(not_sent)?;
        let connection = match self.view().await.map_err(not_sent)?.connection(idp, now).await {
            Ok(connection) => connection,
            Err(Failure::Connection { detail, .. }) => return Err(Attempt::Gone(detail)),
            Err(other) => return Err(not_sent(other)),
        };
        let url = Url::parse(location)
            .map_err(|_| Attempt::Gone("the SOAP endpoint of its metadata is no URL".to_owned()))?;
        let request_id = self.rng().saml_id();
        let envelope = self.logout_envelope(logout, leg, &request_id, location, now)?;
        let sent = self.0.outbound.post_soap(&url, envelope, Limits::MESSAGE.bytes).await;
        let sent = sent.map_err(|error| match error {
            SendError::Busy => not_sent(error),
            other => failed(other),
        })?;
        let turn = self.xml_turn(sent.body.len()).await.map_err(failed)?;
        let body = message_of(sent)?;
        drop(turn);
        let expected = ExpectedAnswer {
            idp: connection.metadata.entity_id.clone(),
            request_id,
            destination: None,
        };
        self.read_answer(&body, &connection, &expected, is_ours_alone(&url)).await
    }

    fn logout_envelope(
        &self,
        logout: &Logout,
        leg: &Leg,
        request_id: &str,
        location: &str,
        now: Timestamp,
    ) -> Result<String, Attempt> {
        let principal = leg.principal.as_ref();
        let principal =
            principal.ok_or_else(|| Attempt::Gone("the leg names no person".to_owned()))?;
        let request = self.logout_request(logout, principal, request_id, location, now);
        let xml = self.write_logout_request(&request, principal).map_err(failed)?;
        let key = &self.keys().saml;
        let signed = sign_enveloped(&xml, &key.signing, Some(&key.certificate)).map_err(failed)?;
        Ok(soap::envelope(&signed))
    }

    /// What the answer is worth. One that is unsigned and fits otherwise proves nothing, unless the
    /// IdP is trusted without; anything else that does not fit counts as no answer.
    async fn read_answer(
        &self,
        body: &[u8],
        connection: &Connection,
        expected: &ExpectedAnswer,
        ours_alone: bool,
    ) -> Result<Answer, Attempt> {
        let read = |message: Element<'_>, _: Proof| LogoutResponse::parse(message);
        let keys = &connection.metadata.signing_keys;
        let authenticated = self.authenticate(&Arrived::Soap(body), keys, read).await;
        let (response, proof) = authenticated.map_err(failed)?.map_err(not_an_answer)?;
        let named = expected_of(connection, &response, expected);
        response.check(&named, &proof).map_err(not_an_answer)?;
        Ok(judge(&response, proof, connection, expected, ours_alone).unwrap_or_else(|reason| {
            Answer { outcome: LegOutcome::Unconfirmed, proven: false, detail: reason }
        }))
    }
}

/// The envelope, if there is one with an answer in it. What else came is not repeated in words: it
/// may be a page of an inner network.
fn message_of(answer: SoapAnswer) -> Result<Vec<u8>, Attempt> {
    let status = answer.status;
    let fault = || Attempt::Failed(format!("it answered {status} with a SOAP Fault"));
    match status {
        // SOAP 1.1 6.2: a Fault comes with 500. Some send it with 200.
        200 | 500 if holds_a_fault(&answer.body) => Err(fault()),
        200 => Ok(answer.body),
        _ => Err(Attempt::Failed(format!("it answered {status}"))),
    }
}

fn holds_a_fault(body: &[u8]) -> bool {
    let document = parse(body, &Limits::MESSAGE);
    document.is_ok_and(|document| soap::open(&document).is_ok_and(soap::is_fault))
}

/// Whether nobody else can have read the request on its way: its ID is then as good as RelayState.
fn is_ours_alone(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

fn not_an_answer(reason: impl std::fmt::Display) -> Attempt {
    Attempt::Failed(format!("what it answered does not count: {}", say(reason)))
}

fn not_sent(error: impl std::fmt::Display) -> Attempt {
    Attempt::NotSent(error.to_string())
}

fn failed(error: impl std::fmt::Display) -> Attempt {
    Attempt::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(status: u16, body: &str) -> Result<Vec<u8>, Attempt> {
        message_of(SoapAnswer { status, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn only_an_envelope_with_status_200_is_read_further() {
        let fault = soap::envelope("<soap:Fault><faultcode>soap:Server</faultcode></soap:Fault>");
        let answer = soap::envelope("<a/>");
        assert_eq!(came(200, &answer), Ok(answer.clone().into_bytes()));
        for (status, body, said) in [
            (200, fault.as_str(), "it answered 200 with a SOAP Fault"),
            (500, &fault, "it answered 500 with a SOAP Fault"),
            (500, &answer, "it answered 500"),
            (403, &answer, "it answered 403"),
            (302, "", "it answered 302"),
            (404, "<html>the inner wiki</html>", "it answered 404"),
        ] {
            assert_eq!(came(status, body), Err(Attempt::Failed(said.to_owned())), "{status}");
        }
    }

    #[test]
    fn a_request_is_ours_alone_by_tls_or_on_this_machine() {
        for (url, ours) in [
            ("https://idp.example/soap", true),
            ("http://localhost:8080/soap", true),
            ("http://127.0.0.2/soap", true),
            ("http://[::1]/soap", true),
            ("http://10.0.0.1/soap", false),
            ("http://idp.example/soap", false),
            ("http://localhost.example/soap", false),
        ] {
            assert_eq!(is_ours_alone(&Url::parse(url).unwrap()), ours, "{url}");
        }
    }
}
