//! Whose session does a logout request end?

use crate::change::Hint;
use crate::oidc::Confirm;
use crate::session::{BrowserSession, NamedPerson};

#[derive(Clone, PartialEq, Debug)]
pub enum WhoseSession {
    /// This one, without a question.
    End(Box<BrowserSession>),
    /// This one, if the person says yes.
    Ask(Box<BrowserSession>),
    /// Nobody is signed in; the request is answered all the same.
    Nobody,
}

/// `cookie` is the live session of the browser's cookie, `hinted` the live session that the hint's
/// `sid` names. RP-Initiated Logout 1.0 2: without a hint, or where the hint names another session
/// than the browser's, the person must be asked; and so where `named`, which a `logout_hint` gave, is
/// somebody else than the person whose session would end.
pub fn whose_session(
    cookie: Option<BrowserSession>,
    hint: Option<&Hint>,
    hinted: Option<BrowserSession>,
    named: Option<&NamedPerson>,
    confirm: Confirm,
) -> WhoseSession {
    let ends = cookie.as_ref().or(hinted.as_ref());
    let another = ends.zip(named).is_some_and(|(session, named)| named.is_another_than(session));
    let always = another || confirm == Confirm::Always;
    match (cookie, hint) {
        (None, None) => WhoseSession::Nobody,
        (None, Some(_)) => match hinted {
            None => WhoseSession::Nobody,
            Some(session) if always => WhoseSession::Ask(Box::new(session)),
            Some(session) => WhoseSession::End(Box::new(session)),
        },
        (Some(session), None) => WhoseSession::Ask(Box::new(session)),
        (Some(session), Some(hint)) => {
            let same = hint.sid.as_deref() == Some(session.sid.as_str())
                && hint.subject == session.subject;
            match same && !always {
                true => WhoseSession::End(Box::new(session)),
                false => WhoseSession::Ask(Box::new(session)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::BrowserSessionId;
    use crate::oidc::Subject;
    use crate::rng::Rng;
    use crate::session::Lifetime;

    fn session(sid: &str) -> BrowserSession {
        let now = Timestamp::from_seconds(1);
        let lifetime =
            Lifetime { idle: Duration::from_secs(60), absolute: Duration::from_secs(60) };
        let id = BrowserSessionId::new(now, &Rng::system());
        BrowserSession::begin(
            id,
            sid.into(),
            Subject::stored(format!("person of {sid}")),
            lifetime,
            now,
        )
    }

    fn hint(sid: &str) -> Hint {
        Hint { subject: Subject::stored(format!("person of {sid}")), sid: Some(sid.into()) }
    }

    fn decide(cookie: Option<&str>, hinted: Option<(&str, bool)>, confirm: Confirm) -> String {
        let hint = hinted.map(|(sid, _)| hint(sid));
        let live = hinted.filter(|(_, live)| *live).map(|(sid, _)| session(sid));
        match whose_session(cookie.map(session), hint.as_ref(), live, None, confirm) {
            WhoseSession::End(session) => format!("end {}", session.sid),
            WhoseSession::Ask(session) => format!("ask {}", session.sid),
            WhoseSession::Nobody => "nobody".into(),
        }
    }

    #[test]
    fn every_case_of_cookie_and_hint() {
        let (auto, always) = (Confirm::Auto, Confirm::Always);
        assert_eq!(decide(Some("a"), Some(("a", true)), auto), "end a");
        assert_eq!(decide(Some("a"), Some(("a", true)), always), "ask a");
        assert_eq!(decide(Some("a"), Some(("b", true)), auto), "ask a");
        assert_eq!(decide(Some("a"), Some(("b", false)), auto), "ask a");
        assert_eq!(decide(Some("a"), None, auto), "ask a");
        assert_eq!(decide(None, Some(("b", true)), auto), "end b");
        assert_eq!(decide(None, Some(("b", true)), always), "ask b");
        assert_eq!(decide(None, Some(("b", false)), auto), "nobody");
        assert_eq!(decide(None, None, auto), "nobody");
    }

    #[test]
    fn a_hint_without_sid_is_never_enough_beside_a_cookie() {
        let hint = Hint { subject: Subject::stored("person of a".into()), sid: None };
        let decided = whose_session(Some(session("a")), Some(&hint), None, None, Confirm::Auto);
        assert!(matches!(decided, WhoseSession::Ask(_)));
    }

    #[test]
    fn a_logout_hint_for_somebody_else_makes_us_ask() {
        let mut ada = session("0123456789abcdefghij_-");
        let decide = |session: &BrowserSession, logout_hint: &str| {
            let named = NamedPerson::of(logout_hint);
            let own = hint(&session.sid);
            let whose = whose_session(
                Some(session.clone()),
                Some(&own),
                None,
                named.as_ref(),
                Confirm::Auto,
            );
            matches!(whose, WhoseSession::End(_))
        };
        // Nothing is known of her address, and a name may be one that only the app knows.
        for fits in ["0123456789abcdefghij_-", "eve@example.com", "ada", "<garbage>", ""] {
            assert!(decide(&ada, fits), "{fits}");
        }
        assert!(!decide(&ada, "0123456789abcdefghijkl"), "another sid");
        let mut claims = serde_json::Map::new();
        claims.insert("email".into(), "Ada@Example.com".into());
        let facts = crate::session::SignedIn {
            name_id: None,
            session_indexes: Vec::new(),
            authn_instant: Timestamp::from_seconds(1),
            authn_context: None,
            session_not_on_or_after: None,
            claims,
        };
        let id = crate::id::IdpSessionId::new(Timestamp::from_seconds(1), &Rng::system());
        ada.add_sign_in(id, "corp".parse().unwrap(), facts);
        assert!(decide(&ada, " ada@example.COM ") && decide(&ada, "ada"));
        assert!(!decide(&ada, "eve@example.com"), "another address");
    }
}
