//! What an IdP hears of a LogoutRequest of its own.

use super::mail::names;
use super::parties::SignIn;
use super::wish::{Running, Wish};
use super::world::World;
use crate::logout::Logout;
use crate::saml::{LogoutResponse, RawQuery, Status};
use crate::use_cases::{Next, Reply};
use crate::xml::{Limits, parse};

/// What is said of the request at this place in the list of all that were issued.
struct Heard {
    request: usize,
    status: Status,
    /// The IdP reads it. Where it waits for no answer, a person does.
    by_idp: bool,
}

impl World<'_> {
    /// I1: if an IdP is told that its request was carried out, no session that the request named lives.
    /// I8: if it hears nothing but success, every app of these sessions knows. I11: what was forged ends
    /// nothing, and is told so.
    pub(super) fn idp_hears(&mut self, running: &Running, reply: &Reply) {
        let Some(heard) = self.heard(running, reply) else { return };
        if !heard.status.is_success() {
            return;
        }
        let issued = &self.truth.requests[heard.request];
        assert!(issued.is_genuine, "I11: {} is forged, and {:?}", issued.request.id, heard.status);
        let told_complete = heard.by_idp && !heard.status.is_partial_logout();
        let ended = self.model.ended.values().find(|ended| ended.request_id == issued.request.id);
        for known in self.model.sessions.values() {
            let of_idp = self.truth.sign_ins.iter().filter(|one| {
                known.assertions.contains(&one.assertion_id)
                    && one.idp == issued.idp
                    && one.name == issued.request.name_id
            });
            // No app knows of a sign-in that did not come to its end: an answer that says that all of
            // them were told is true without it.
            let is_named = |one: &SignIn| one.completed && names(&issued.request, one);
            if !of_idp.clone().any(is_named) {
                continue;
            }
            // Who has signed in there anew since is not meant.
            let all_before = of_idp.clone().all(|one| one.instant <= issued.request.issue_instant);
            assert!(
                known.ended.is_some() || !all_before,
                "I1: {} is answered, and {} lives",
                issued.request.id,
                known.session.id
            );
            // Whoever has ended it: an app that does not know is no Success.
            let logout = self.model.of_session(known.session.id).map(|known| &known.logout);
            let is_its = |logout: &Logout| ended.is_some_and(|by| by.logouts.contains(&logout.id));
            let open = logout
                .filter(|logout| all_before || is_its(logout))
                .filter(|logout| !logout.has_told_every_app());
            assert!(
                !told_complete || open.is_none(),
                "I8: {} hears Success, but for {open:?}",
                issued.request.id
            );
        }
        let step = self.history.steps();
        self.truth.requests[heard.request].answered.get_or_insert(step);
    }

    /// Nothing, where the answer is not there yet or where nobody waits for one.
    fn heard(&self, running: &Running, reply: &Reply) -> Option<Heard> {
        let carried = match &running.wish {
            Wish::IdpRequest { request, .. } => Some(*request),
            _ => None,
        };
        match (&reply.next, carried) {
            (Next::Redirect(url), _) if url.contains("SAMLResponse=") => {
                let query = url.split_once('?').expect("a query").1;
                let message = RawQuery::new(query).parse().expect("what we sent can be read");
                assert_eq!(message.relay_state(), Some("the IdP's own"));
                let xml = message.inflate(Limits::MESSAGE.bytes).expect("DEFLATE");
                let document = parse(&xml, &Limits::MESSAGE).expect("XML");
                let answer = LogoutResponse::parse(document.root()).expect("an answer");
                let mut issued = self.truth.requests.iter();
                let request = issued.position(|one| one.request.id == answer.in_response_to);
                let request = request.expect("I5: an answer to nobody");
                Some(Heard { request, status: answer.status, by_idp: true })
            }
            // Nobody waits for an answer, or there is nowhere to send it.
            (Next::Page(_), Some(request)) => {
                Some(Heard { request, status: Status::success(), by_idp: false })
            }
            // Frames come first, and the answer when the browser has shown them.
            (Next::Frames { .. } | Next::Redirect(_), Some(_)) | (_, None) => None,
            (other, Some(_)) => panic!("an IdP gets {other:?}"),
        }
    }
}
