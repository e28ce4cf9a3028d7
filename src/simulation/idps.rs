//! What IdPs do: they are asked, they answer or do not, they begin logouts of their own; and what
//! strangers do who would like to be one.

use super::installation::{IDPS, ISSUER, SP, entity};
use super::mail::Mail;
use super::parties::{IssuedAnswer, IssuedRequest};
use super::world::World;
use crate::clock::Timestamp;
use crate::logout::LegOutcome;
use crate::saml::binding::{redirect, soap};
use crate::saml::{
    LogoutRequest, LogoutResponse, MessageKind, RawQuery, SessionIndex, Status, StatusCode,
};
use crate::use_cases::transaction_name;
use crate::xml::sign::sign_enveloped;
use crate::xml::{Limits, parse};

/// How an IdP answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    Rightly,
    Unsigned,
    SignedByAnother,
    ForAnotherRequest,
    AsAnother,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carried {
    WithRelayState,
    Without,
    WithAWrongOne,
}

impl World<'_> {
    /// A browser arrives at an IdP with a message of ours.
    pub(super) fn follow_to_idp(&mut self, browser: usize, idp: usize, query: &str) {
        let Ok(message) = RawQuery::new(query).parse() else {
            // The page that an administrator named: nothing answers there.
            return;
        };
        let xml = message.inflate(Limits::MESSAGE.bytes).expect("what we sent can be read");
        let relay_state = message.relay_state().map(str::to_owned);
        let document = parse(&xml, &Limits::MESSAGE).expect("what we sent is XML");
        let root = document.root();
        if root.is(crate::xml::ns::SAMLP, "AuthnRequest") {
            let authn_request = root.attribute("ID").expect("a message has an ID").to_owned();
            let force = root.attribute("ForceAuthn") == Some("true");
            self.mail.push(Mail::AtLogin { browser, idp, authn_request, force });
        } else if root.is(crate::xml::ns::SAMLP, "LogoutRequest") {
            let request = LogoutRequest::parse(root).expect("what we sent is a LogoutRequest");
            self.check_request(idp, &request);
            let (request, relay_state) = (Box::new(request), relay_state.unwrap_or_default());
            self.mail.push(Mail::Asked { browser, idp, request, relay_state });
        }
        // Else it is our answer to a LogoutRequest of the IdP, which has been looked at already.
    }

    /// I7: a LogoutRequest names the person exactly as this IdP did, and every session of it that the
    /// browser session rests on.
    fn check_request(&mut self, idp: usize, request: &LogoutRequest) {
        let known = self.model.logouts.values().find(|known| {
            let mut asked = known.logout.legs.iter().filter_map(|leg| leg.asked.as_ref());
            asked.any(|asked| asked.request_id == request.id)
        });
        let known = known.expect("I5: a request that is not written down");
        let session = &self.model.sessions[&known.logout.document.browser_session];
        let named = self.truth.sign_ins.iter().any(|sign_in| {
            session.assertions.contains(&sign_in.assertion_id)
                && sign_in.idp == idp
                && sign_in.name == request.name_id
        });
        assert!(named, "I7: idp-{idp} never named {:?} so", request.name_id);
        let (found, expected) =
            (sorted(&request.session_indexes), self.asserted(session, idp, request));
        assert_eq!(found, expected, "I7: SessionIndexes of {}", request.id);
        if found.len() > 1 {
            self.tally.note("request: several SessionIndexes");
        }
        assert_eq!(request.issuer.as_str(), SP);
    }

    /// The same without a browser: the answer comes back on the same connection, if at all.
    pub(super) fn idp_is_asked_by_soap(
        &mut self,
        idp: usize,
        envelope: &str,
        is_heard: bool,
    ) -> Vec<u8> {
        let document = parse(envelope.as_bytes(), &Limits::MESSAGE).expect("what we sent is XML");
        let message = soap::open(&document).expect("what we sent is an envelope");
        let request = LogoutRequest::parse(message).expect("what we sent is a LogoutRequest");
        self.check_soap_request(idp, &request);
        let manner = match self.closing {
            true => Manner::Rightly,
            false => self.dice.weighted(&[
                (75, Manner::Rightly),
                (10, Manner::Unsigned),
                (8, Manner::ForAnotherRequest),
                (7, Manner::AsAnother),
            ]),
        };
        let says = self.dice.weighted(&[
            (70, LegOutcome::Confirmed),
            (15, LegOutcome::Partial),
            (15, LegOutcome::Refused),
        ]);
        if says != LegOutcome::Refused {
            self.end_at_idp(idp, &request);
        }
        let other = (idp + 1) % IDPS;
        let response = LogoutResponse {
            id: format!("_answer-{}", self.truth.answers.len()),
            issue_instant: self.now,
            destination: None,
            issuer: entity(if manner == Manner::AsAnother { other } else { idp }),
            in_response_to: match manner {
                Manner::ForAnotherRequest => "_another".to_owned(),
                _ => request.id.clone(),
            },
            status: status_of(says),
        };
        self.truth.answers.push(IssuedAnswer {
            request_id: request.id,
            idp,
            says,
            // The second IdP needs no signature; and over TLS nobody else can have answered.
            is_proof: manner == Manner::Rightly || (manner == Manner::Unsigned && idp == 1),
            delivered: is_heard,
            by_soap: Some(request.name_id),
        });
        let xml = response.to_xml().unwrap();
        let signer = if manner == Manner::AsAnother { other } else { idp };
        let own = &self.installation.idp_keys[signer];
        let xml = match manner {
            Manner::Unsigned => xml,
            _ => sign_enveloped(&xml, &own.key, Some(&own.certificate)).expect("a key that signs"),
        };
        soap::envelope(&xml).into_bytes()
    }

    /// I7, where the request is written down nowhere.
    fn check_soap_request(&self, idp: usize, request: &LogoutRequest) {
        let fits = self.model.logouts.values().any(|known| {
            let session = &self.model.sessions[&known.logout.document.browser_session];
            let asked = known.logout.legs.iter().any(|leg| {
                let named = leg.principal.as_ref().map(|principal| &principal.name_id);
                leg.is_by_soap() && named == Some(&request.name_id)
            });
            asked && self.asserted(session, idp, request) == sorted(&request.session_indexes)
        });
        assert!(fits, "I7: idp-{idp} is asked by SOAP: {request:?}");
    }

    /// The SessionIndexes by which an IdP has named this person in a session.
    fn asserted(
        &self,
        session: &super::model::Session,
        idp: usize,
        request: &LogoutRequest,
    ) -> Vec<SessionIndex> {
        let own = self.truth.sign_ins.iter().filter(|sign_in| {
            session.assertions.contains(&sign_in.assertion_id)
                && sign_in.idp == idp
                && sign_in.name == request.name_id
        });
        let indexes: Vec<_> = own.filter_map(|one| one.index.clone()).collect();
        sorted(&indexes)
    }

    /// The IdP ends what it can, and answers in one of many ways.
    pub(super) fn idp_is_asked(
        &mut self,
        browser: usize,
        idp: usize,
        request: &LogoutRequest,
        relay_state: &str,
    ) {
        // One without a logout URL mostly understands nothing.
        if matches!(idp, 2 | 3) && self.dice.percent(80) {
            return self.comes_back(browser, request);
        }
        if self.dice.percent(15) {
            // It ends the session and its answer is lost.
            self.end_at_idp(idp, request);
            return self.comes_back(browser, request);
        }
        let manner = self.dice.weighted(&[
            (70, Manner::Rightly),
            (10, Manner::Unsigned),
            (6, Manner::SignedByAnother),
            (7, Manner::ForAnotherRequest),
            (7, Manner::AsAnother),
        ]);
        let says = self.dice.weighted(&[
            (70, LegOutcome::Confirmed),
            (15, LegOutcome::Partial),
            (15, LegOutcome::Refused),
        ]);
        let carried = self.dice.weighted(&[
            (80, Carried::WithRelayState),
            (13, Carried::Without),
            (7, Carried::WithAWrongOne),
        ]);
        if says != LegOutcome::Refused {
            self.end_at_idp(idp, request);
        }
        self.answer(browser, idp, request, relay_state, (manner, says, carried));
    }

    /// The person gives up waiting, and mostly goes back to the page of the logout.
    fn comes_back(&mut self, browser: usize, request: &LogoutRequest) {
        let name = transaction_name(&request.id);
        let mut held = self.browsers[browser].transactions.iter();
        if let Some((_, handle)) = held.find(|(held, _)| *held == name) {
            let handle = handle.clone();
            self.mail.push(Mail::Page { browser, handle, mark: None });
        }
    }

    fn end_at_idp(&mut self, idp: usize, request: &LogoutRequest) {
        for login in self.truth.logins.iter_mut().filter(|login| login.idp == idp) {
            let named = login.name == request.name_id;
            let indexed = request.session_indexes.is_empty()
                || login.index.as_ref().is_none_or(|own| request.session_indexes.contains(own));
            login.alive &= !(named && indexed);
        }
    }

    pub(super) fn answer(
        &mut self,
        browser: usize,
        idp: usize,
        request: &LogoutRequest,
        relay_state: &str,
        (manner, says, carried): (Manner, LegOutcome, Carried),
    ) {
        let other = (idp + 1) % IDPS;
        let response = LogoutResponse {
            id: format!("_answer-{}", self.truth.answers.len()),
            issue_instant: self.now,
            destination: Some(format!("{ISSUER}{}", crate::paths::SAML_LOGOUT)),
            issuer: entity(if manner == Manner::AsAnother { other } else { idp }),
            in_response_to: match manner {
                Manner::ForAnotherRequest => self.some_other_request(&request.id),
                _ => request.id.clone(),
            },
            status: status_of(says),
        };
        let relay_state = match carried {
            Carried::WithRelayState => Some(relay_state.to_owned()),
            Carried::Without => None,
            Carried::WithAWrongOne => Some("nobody knows this one".to_owned()),
        };
        let signer = match manner {
            Manner::Unsigned => None,
            Manner::SignedByAnother | Manner::AsAnother => Some(other),
            _ => Some(idp),
        };
        let by_relay_state = carried == Carried::WithRelayState;
        let is_proof = match manner {
            Manner::Rightly => carried != Carried::WithAWrongOne,
            // `unsigned_logout_response = "accept"`
            Manner::Unsigned => idp == 1 && by_relay_state,
            // Without RelayState it is what it says to be: a good answer to the other one.
            Manner::ForAnotherRequest => carried == Carried::Without,
            _ => false,
        };
        let query = self.encode(
            MessageKind::Response,
            &response.to_xml().unwrap(),
            relay_state.as_deref(),
            signer,
        );
        let issued = IssuedAnswer {
            request_id: response.in_response_to.clone(),
            idp,
            says,
            is_proof,
            delivered: false,
            by_soap: None,
        };
        self.history.note(self.now, "idp", || {
            format!("idp-{idp} answers {}: {says} {manner:?} {carried:?}", request.id)
        });
        self.truth.answers.push(issued);
        let answer = Some(self.truth.answers.len() - 1);
        self.mail.push(Mail::Answer { browser, answer, query });
    }

    /// A request of ours to any IdP, but for this one.
    pub(super) fn some_other_request(&mut self, not: &str) -> String {
        let legs = self.model.logouts.values().flat_map(|known| known.logout.legs.iter());
        let asked = legs.filter_map(|leg| leg.asked.as_ref()).map(|asked| asked.request_id.clone());
        let others: Vec<String> = asked.filter(|id| id != not).collect();
        match others.is_empty() {
            true => "_nobody".to_owned(),
            false => others[self.dice.below(others.len())].clone(),
        }
    }

    fn encode(
        &self,
        kind: MessageKind,
        xml: &str,
        relay_state: Option<&str>,
        signer: Option<usize>,
    ) -> String {
        let key = signer.map(|idp| &self.installation.idp_keys[idp].key);
        let url = redirect::encode(kind, xml, relay_state, "x:", key).expect("a key that signs");
        url.split_once('?').expect("a query").1.to_owned()
    }

    /// An IdP ends one of its sessions by itself, and tells us.
    pub(super) fn idp_begins_logout(&mut self) {
        let live: Vec<usize> =
            (0..self.truth.logins.len()).filter(|at| self.truth.logins[*at].alive).collect();
        if live.is_empty() {
            return;
        }
        let login = live[self.dice.below(live.len())];
        let login = &mut self.truth.logins[login];
        login.alive = false;
        let (idp, name_id, index) = (login.idp, login.name.clone(), login.index.clone());
        let everywhere = self.dice.percent(25);
        let indexes = if everywhere { Vec::new() } else { index.into_iter().collect() };
        let request = LogoutRequest {
            id: format!("_request-{}", self.truth.requests.len()),
            issue_instant: Timestamp::from_seconds(self.now.as_seconds()),
            not_on_or_after: None,
            destination: Some(format!("{ISSUER}{}", crate::paths::SAML_LOGOUT)),
            issuer: entity(idp),
            name_id,
            session_indexes: indexes,
            reason: None,
            asynchronous: self.dice.percent(10),
        };
        self.issue(idp, request, Some(idp), true);
    }

    pub(super) fn issue(
        &mut self,
        idp: usize,
        request: LogoutRequest,
        signer: Option<usize>,
        is_genuine: bool,
    ) {
        let xml = request.to_xml().unwrap();
        let query = self.encode(MessageKind::Request, &xml, Some("the IdP's own"), signer);
        self.history.note(self.now, "idp", || {
            let by = if is_genuine { "" } else { ", which is forged" };
            format!("idp-{idp} issues {}: {:?}{by}", request.id, request.session_indexes)
        });
        let url = format!("x:?{query}");
        self.truth.requests.push(IssuedRequest { idp, is_genuine, request, url, answered: None });
        let request = self.truth.requests.len() - 1;
        self.mail.push(Mail::Request { request });
    }
}

fn status_of(says: LegOutcome) -> Status {
    match says {
        LegOutcome::Confirmed => Status::success(),
        LegOutcome::Partial => Status::partial_logout(),
        _ => Status::failure(StatusCode::Responder, crate::saml::status::REQUEST_DENIED, "no"),
    }
}

fn sorted(indexes: &[SessionIndex]) -> Vec<SessionIndex> {
    let mut indexes = indexes.to_vec();
    indexes.sort();
    indexes.dedup();
    indexes
}
