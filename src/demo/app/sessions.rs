//! What an app remembers of its visitors, in memory only.

use std::collections::HashMap;

use super::relying_party::{Attempt, Person};
use super::tokens::LogoutToken;

#[derive(Default)]
pub(super) struct Sessions {
    /// By the value of the browser's cookie.
    visitors: HashMap<String, Visitor>,
    receipts: Vec<Receipt>,
}

#[derive(Default)]
struct Visitor {
    attempt: Option<Attempt>,
    person: Option<Person>,
    /// The `state` with which the browser was sent away to sign out.
    leaving: Option<String>,
}

/// Somebody who is signed in at this app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::demo) struct SignedIn {
    pub(in crate::demo) subject: String,
    pub(in crate::demo) sid: String,
    pub(in crate::demo) email: Option<String>,
}

/// A logout token that was valid, and what it did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::demo) struct Receipt {
    pub(in crate::demo) jti: String,
    pub(in crate::demo) sid: Option<String>,
    /// Seconds from its issue to its end.
    pub(in crate::demo) lifetime: i64,
    /// How many sessions of this app it ended.
    pub(in crate::demo) ended: usize,
}

impl Sessions {
    pub(super) fn person(&self, cookie: &str) -> Option<&Person> {
        self.visitors.get(cookie)?.person.as_ref()
    }

    pub(super) fn signed_in(&self) -> Vec<SignedIn> {
        let people = self.visitors.values().filter_map(|visitor| visitor.person.as_ref());
        let public = |person: &Person| SignedIn {
            subject: person.subject.clone(),
            sid: person.sid.clone(),
            email: person.email.clone(),
        };
        people.map(public).collect()
    }

    pub(super) fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    pub(super) fn begin(&mut self, cookie: &str, attempt: Attempt) {
        self.visitors.entry(cookie.to_owned()).or_default().attempt = Some(attempt);
    }

    /// The sign-in that this browser began with `state`. It is answered once.
    pub(super) fn take_attempt(&mut self, cookie: &str, state: &str) -> Option<Attempt> {
        self.visitors.get_mut(cookie)?.attempt.take_if(|attempt| attempt.state == state)
    }

    pub(super) fn sign_in(&mut self, old_cookie: &str, cookie: &str, person: Person) {
        self.visitors.remove(old_cookie);
        let visitor = Visitor { person: Some(person), ..Visitor::default() };
        self.visitors.insert(cookie.to_owned(), visitor);
    }

    pub(super) fn leave(&mut self, cookie: &str, state: &str) {
        if let Some(visitor) = self.visitors.get_mut(cookie) {
            visitor.leaving = Some(state.to_owned());
        }
    }

    /// Ends the session of a browser that comes back from signing out. Returns whether it was sent
    /// away with this `state`; if not, somebody else sent it here, and nothing is ended.
    pub(super) fn arrive(&mut self, cookie: &str, state: &str) -> bool {
        let visitor = self.visitors.get(cookie);
        let known = visitor.is_some_and(|visitor| visitor.leaving.as_deref() == Some(state));
        if known {
            self.visitors.remove(cookie);
        }
        known
    }

    /// Ends every session that a logout token names. Returns `false`, and does nothing, if the token
    /// was used before.
    pub(super) fn end(&mut self, token: &LogoutToken) -> bool {
        if self.receipts.iter().any(|receipt| receipt.jti == token.jti) {
            return false;
        }
        let named = |person: &Person| match (&token.sid, &token.subject) {
            (Some(sid), _) => person.sid == *sid,
            (None, subject) => subject.as_ref() == Some(&person.subject),
        };
        let mut ended = 0;
        for visitor in self.visitors.values_mut() {
            ended += usize::from(visitor.person.take_if(|person| named(person)).is_some());
        }
        self.receipts.push(Receipt {
            jti: token.jti.clone(),
            sid: token.sid.clone(),
            lifetime: token.lifetime,
            ended,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(subject: &str, sid: &str) -> Person {
        Person {
            subject: subject.into(),
            sid: sid.into(),
            name: None,
            email: None,
            id_token: String::new(),
        }
    }

    fn token(jti: &str, subject: Option<&str>, sid: Option<&str>) -> LogoutToken {
        LogoutToken {
            jti: jti.into(),
            subject: subject.map(str::to_owned),
            sid: sid.map(str::to_owned),
            lifetime: 120,
        }
    }

    #[test]
    fn a_token_with_a_sid_ends_that_session_only_and_is_taken_once() {
        let mut sessions = Sessions::default();
        sessions.sign_in("", "one", person("ada", "s1"));
        sessions.sign_in("", "two", person("ada", "s2"));
        assert!(sessions.end(&token("j", Some("ada"), Some("s1"))));
        assert!(sessions.person("one").is_none() && sessions.person("two").is_some());
        assert!(!sessions.end(&token("j", Some("ada"), Some("s2"))));
        assert!(sessions.person("two").is_some());
        assert_eq!(sessions.receipts().iter().map(|receipt| receipt.ended).sum::<usize>(), 1);
    }

    #[test]
    fn a_token_without_a_sid_ends_every_session_of_its_subject() {
        let mut sessions = Sessions::default();
        sessions.sign_in("", "one", person("ada", "s1"));
        sessions.sign_in("", "two", person("ada", "s2"));
        sessions.sign_in("", "three", person("ben", "s3"));
        assert!(sessions.end(&token("j", Some("ada"), None)));
        assert_eq!(sessions.signed_in().len(), 1);
        assert!(sessions.person("three").is_some());
    }

    #[test]
    fn only_the_state_that_went_out_is_recognised() {
        let mut sessions = Sessions::default();
        sessions.sign_in("", "one", person("ada", "s1"));
        assert!(!sessions.arrive("one", ""));
        sessions.leave("one", "x");
        assert!(!sessions.arrive("one", "y") && !sessions.arrive("two", "x"));
        assert!(sessions.person("one").is_some());
        assert!(sessions.arrive("one", "x"));
        assert!(sessions.person("one").is_none());
    }
}
