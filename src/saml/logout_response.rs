use super::message::{self, Head, MessageError, Proof};
use super::{EntityId, Status};
use crate::clock::Timestamp;
use crate::xml::write::{WriteError, Writer};
use crate::xml::{Element, ns};

/// The answer to a LogoutRequest (SAML Core 3.7.2).
#[derive(Clone, PartialEq, Debug)]
pub struct LogoutResponse {
    pub id: String,
    pub issue_instant: Timestamp,
    pub destination: Option<String>,
    pub issuer: EntityId,
    pub in_response_to: String,
    pub status: Status,
}

/// SAML Core 3.2.2.
const SEQUENCE: &[&[(&str, &str)]] =
    &[&[(ns::SAML, "Issuer")], &[(ns::SAMLP, "Extensions")], &[(ns::SAMLP, "Status")]];

/// Which answer a leg of a logout waits for.
#[derive(Clone, PartialEq, Debug)]
pub struct ExpectedAnswer {
    pub idp: EntityId,
    pub request_id: String,
    /// The URL at which it must have arrived. `None`: it came back by the connection on which we
    /// asked (SAML Bindings 3.2), so that nobody can have sent it elsewhere.
    pub destination: Option<String>,
}

/// The answer belongs to something else. It must not consume the leg.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnswerMismatch {
    #[error("the answer comes from {found}, another IdP was asked")]
    Issuer { found: EntityId },
    #[error("the answer is not for the request that is waiting")]
    InResponseTo,
    #[error("the answer was made for another address")]
    Destination,
    #[error("the answer is signed but does not say for which address")]
    NoDestination,
}

impl AnswerMismatch {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Issuer { .. } => "saml.answer_issuer",
            Self::InResponseTo => "saml.answer_in_response_to",
            Self::Destination => "saml.answer_destination",
            Self::NoDestination => "saml.answer_no_destination",
        }
    }
}

impl LogoutResponse {
    /// # Errors
    /// If a value holds a character that XML cannot carry.
    pub fn to_xml(&self) -> Result<String, WriteError> {
        let mut writer = Writer::new();
        let mut attributes = Vec::new();
        attributes.extend(self.destination.as_deref().map(|url| ("Destination", url)));
        attributes.push(("InResponseTo", &self.in_response_to));
        let head = Head { id: &self.id, issue_instant: self.issue_instant, issuer: &self.issuer };
        message::open(&mut writer, "LogoutResponse", &head, &attributes);
        self.status.write(&mut writer);
        writer.close();
        writer.finish()
    }

    /// Reads an answer. Nothing is verified here; use it to find what is waiting for it.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub fn parse(root: Element<'_>) -> Result<Self, MessageError> {
        message::expect(root, "LogoutResponse")?;
        let read = Self {
            id: message::id(root)?,
            issue_instant: message::required_time(root, "IssueInstant")?,
            destination: root.attribute("Destination").map(str::to_owned),
            issuer: message::required_issuer(root)?,
            in_response_to: root.required_attribute("InResponseTo")?.to_owned(),
            status: Status::read(root)?,
        };
        message::in_order(root, SEQUENCE)?;
        Ok(read)
    }

    /// Whether this is the expected answer. `proof` says what its signature was worth: a signed
    /// message must name its Destination (SAML Bindings 3.4.5.2 and 3.5.5.2).
    ///
    /// # Errors
    /// Which part belongs to something else.
    pub fn check(&self, expected: &ExpectedAnswer, proof: &Proof) -> Result<(), AnswerMismatch> {
        if self.issuer != expected.idp {
            return Err(AnswerMismatch::Issuer { found: self.issuer.clone() });
        }
        if self.in_response_to != expected.request_id {
            return Err(AnswerMismatch::InResponseTo);
        }
        let Some(expected) = &expected.destination else { return Ok(()) };
        match &self.destination {
            Some(destination) if destination == expected => Ok(()),
            Some(_) => Err(AnswerMismatch::Destination),
            None if *proof == Proof::Signed => Err(AnswerMismatch::NoDestination),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, parse};

    fn response() -> LogoutResponse {
        LogoutResponse {
            id: "_r".into(),
            issue_instant: Timestamp::from_seconds(1_795_000_000),
            destination: Some("https://sp.example/logout".into()),
            issuer: EntityId::parse("https://idp.example").unwrap(),
            in_response_to: "_q".into(),
            status: Status::partial_logout(),
        }
    }

    fn expected() -> ExpectedAnswer {
        ExpectedAnswer {
            idp: EntityId::parse("https://idp.example").unwrap(),
            request_id: "_q".into(),
            destination: Some("https://sp.example/logout".into()),
        }
    }

    fn read(xml: &str) -> Result<LogoutResponse, MessageError> {
        LogoutResponse::parse(parse(xml.as_bytes(), &Limits::MESSAGE).unwrap().root())
    }

    #[test]
    fn answers_read_as_they_are_written() {
        let bare = LogoutResponse { destination: None, status: Status::success(), ..response() };
        for response in [response(), bare] {
            assert_eq!(read(&response.to_xml().unwrap()).unwrap(), response);
        }
    }

    #[test]
    fn an_answer_without_status_or_request_is_refused() {
        let xml = response().to_xml().unwrap();
        assert!(matches!(
            read(&xml.replace("samlp:Status>", "samlp:State>")),
            Err(MessageError::Shape(_))
        ));
        assert!(matches!(
            read(&xml.replace("InResponseTo", "InAnswerTo")),
            Err(MessageError::Shape(_))
        ));
    }

    #[test]
    fn only_the_expected_answer_counts() {
        let check = |response: LogoutResponse, proof| response.check(&expected(), &proof);
        let destination = |url: Option<&str>| LogoutResponse {
            destination: url.map(str::to_owned),
            ..response()
        };
        for proof in [Proof::Signed, Proof::Unsigned] {
            assert_eq!(check(response(), proof), Ok(()));
            let other = EntityId::parse("https://idp.example/").unwrap();
            assert_eq!(
                check(LogoutResponse { issuer: other.clone(), ..response() }, proof),
                Err(AnswerMismatch::Issuer { found: other })
            );
            assert_eq!(
                check(LogoutResponse { in_response_to: "_Q".into(), ..response() }, proof),
                Err(AnswerMismatch::InResponseTo)
            );
            assert_eq!(
                check(destination(Some("https://sp.example/logout/")), proof),
                Err(AnswerMismatch::Destination)
            );
        }
        let by_soap = ExpectedAnswer { destination: None, ..expected() };
        for answer in [response(), destination(None), destination(Some("urn:any"))] {
            assert_eq!(answer.check(&by_soap, &Proof::Signed), Ok(()));
        }
        let other = LogoutResponse { in_response_to: "_Q".into(), ..response() };
        assert_eq!(other.check(&by_soap, &Proof::Signed), Err(AnswerMismatch::InResponseTo));
        assert_eq!(check(destination(None), Proof::Unsigned), Ok(()));
        assert_eq!(check(destination(None), Proof::Signed), Err(AnswerMismatch::NoDestination));
    }
}
