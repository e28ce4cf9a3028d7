use std::time::Duration;

use super::{AppSession, IdpSession, SignedIn};
use crate::clock::Timestamp;
use crate::id::{AppSessionId, BrowserSessionId, ClientId, IdpId, IdpSessionId};
use crate::oidc::Subject;

/// The `sid` of ID tokens and logout tokens: opaque, 128 random bits (Back-Channel Logout 1.0 2.1).
pub type Sid = String;

/// Our session with one browser. An aggregate: whoever adds to it or ends it names the version that
/// was read, so no app joins a session unseen while it is being ended.
#[derive(Clone, PartialEq, Debug)]
pub struct BrowserSession {
    pub id: BrowserSessionId,
    pub version: i64,
    pub sid: Sid,
    /// The `sub` of the person, the same for every client.
    pub subject: Subject,
    pub created_at: Timestamp,
    pub idle_until: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub idp_sessions: Vec<IdpSession>,
    pub app_sessions: Vec<AppSession>,
    /// What cannot be read of it any more. Such a session signs nobody in; it can be ended, and everybody
    /// who is known of it is told.
    pub unreadable: Vec<Unreadable>,
}

/// A row of a session that does not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// What this IdP asserted.
    Idp(IdpId),
    /// Not even by which IdP it was.
    UnknownIdp,
    /// Which app took part.
    UnknownApp,
}

/// How long a browser session may last.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lifetime {
    /// Without any use of it.
    pub idle: Duration,
    /// From the sign-in on, whatever is done with it. `SessionNotOnOrAfter` shortens it.
    pub absolute: Duration,
}

impl BrowserSession {
    /// A session that begins with a first sign-in.
    pub fn begin(
        id: BrowserSessionId,
        sid: Sid,
        subject: Subject,
        lifetime: Lifetime,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            version: 1,
            sid,
            subject,
            created_at: now,
            idle_until: now.plus(lifetime.idle),
            expires_at: now.plus(lifetime.absolute),
            ended_at: None,
            idp_sessions: Vec::new(),
            app_sessions: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Whether it still signs anybody in.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.idle_until && now < self.expires_at
    }

    /// Whether a logout can end it. It may have lapsed: then it signs nobody in any more, but its apps
    /// and IdPs may go on with sessions of their own.
    pub fn can_be_ended(&self) -> bool {
        self.ended_at.is_none()
    }

    /// The person has signed in anew with the browser. Where the session had lapsed it goes on, so that
    /// nobody who took part in it is forgotten, and what was asserted before signs in to nothing
    /// any more.
    pub fn renew(&mut self, lifetime: Lifetime, now: Timestamp) {
        if !self.is_live(now) {
            self.expires_at = now.plus(lifetime.absolute);
            self.idp_sessions.iter_mut().for_each(|held| held.signed_in.end_at(now));
        }
        self.touch(lifetime, now);
    }

    /// Adds what an IdP asserted. `SessionNotOnOrAfter` only ever shortens the session
    /// (SAML Profiles 4.1.4.3; the nearest of several counts).
    pub fn add_sign_in(&mut self, id: IdpSessionId, idp: IdpId, facts: SignedIn) -> IdpSession {
        if let Some(end) = facts.session_not_on_or_after {
            self.expires_at = self.expires_at.min(end);
        }
        let same = |held: &IdpSession| held.idp == idp && held.signed_in.name_id == facts.name_id;
        let session = match self.idp_sessions.iter().position(same) {
            Some(at) => self.idp_sessions.remove(at).renewed(facts),
            None => IdpSession { id, idp, signed_in: facts },
        };
        self.idp_sessions.push(session.clone());
        session
    }

    /// Whether this client takes part.
    pub fn has_app(&self, client: &ClientId) -> bool {
        self.app_sessions.iter().any(|held| held.client == *client)
    }

    /// Adds the client, unless it takes part already.
    pub fn join(
        &mut self,
        id: AppSessionId,
        client: &ClientId,
        now: Timestamp,
    ) -> Option<AppSession> {
        if self.has_app(client) {
            return None;
        }
        let app = AppSession { id, client: client.clone(), created_at: now };
        self.app_sessions.push(app.clone());
        Some(app)
    }

    /// The IdP of each IdP session whose facts do not read.
    pub fn unreadable_idps(&self) -> impl Iterator<Item = &IdpId> {
        self.unreadable.iter().filter_map(|lost| match lost {
            Unreadable::Idp(idp) => Some(idp),
            Unreadable::UnknownIdp | Unreadable::UnknownApp => None,
        })
    }

    /// Whether somebody took part in it of whom nothing is known any more.
    pub fn has_lost_somebody(&self) -> bool {
        let nameless = |lost: &Unreadable| !matches!(lost, Unreadable::Idp(_));
        self.unreadable.iter().any(nameless)
    }

    /// Marks a use of the session.
    pub fn touch(&mut self, lifetime: Lifetime, now: Timestamp) {
        self.idle_until = now.plus(lifetime.idle);
    }

    /// The newest sign-in by one of `allowed` IdPs that is still usable; an empty list allows every IdP.
    pub fn sign_in_by(&self, allowed: &[IdpId], now: Timestamp) -> Option<&IdpSession> {
        self.idp_sessions
            .iter()
            .filter(|session| allowed.is_empty() || allowed.contains(&session.idp))
            .filter(|session| session.signed_in.is_usable(now))
            .max_by_key(|session| session.signed_in.authn_instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::saml::SessionIndex;

    const LIFETIME: Lifetime =
        Lifetime { idle: Duration::from_secs(100), absolute: Duration::from_secs(1000) };

    fn start() -> Timestamp {
        Timestamp::from_seconds(1_000)
    }

    fn session() -> BrowserSession {
        let id = BrowserSessionId::new(start(), &Rng::system());
        BrowserSession::begin(id, "sid".into(), Subject::stored("sub".into()), LIFETIME, start())
    }

    fn facts(index: &str, end: Option<Timestamp>) -> SignedIn {
        SignedIn {
            name_id: None,
            session_indexes: vec![SessionIndex::parse(index).unwrap()],
            authn_instant: start(),
            authn_context: None,
            session_not_on_or_after: end,
            claims: serde_json::Map::new(),
        }
    }

    fn sign_in(session: &mut BrowserSession, index: &str, end: Option<Timestamp>) -> IdpSession {
        let id = IdpSessionId::new(start(), &Rng::system());
        session.add_sign_in(id, "corp".parse().unwrap(), facts(index, end))
    }

    #[test]
    fn a_second_sign_in_of_the_same_name_id_adds_its_session_index() {
        let mut session = session();
        let first = sign_in(&mut session, "one", None);
        let again = sign_in(&mut session, "two", None);
        sign_in(&mut session, "two", None);
        assert_eq!(first.id, again.id);
        assert_eq!(session.idp_sessions.len(), 1);
        let indexes = &session.idp_sessions[0].signed_in.session_indexes;
        assert_eq!(indexes.iter().map(SessionIndex::as_str).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn session_not_on_or_after_shortens_and_never_lengthens() {
        let mut session = session();
        sign_in(&mut session, "one", Some(start().plus(Duration::from_secs(50))));
        assert!(session.is_live(start().plus(Duration::from_secs(49))));
        assert!(!session.is_live(start().plus(Duration::from_secs(50))));
        sign_in(&mut session, "two", Some(start().plus(Duration::from_secs(5000))));
        assert!(!session.is_live(start().plus(Duration::from_secs(50))));
    }

    #[test]
    fn idle_time_ends_it_and_use_prolongs_it() {
        let mut session = session();
        let later = start().plus(Duration::from_secs(99));
        assert!(session.is_live(later));
        session.touch(LIFETIME, later);
        assert!(session.is_live(start().plus(Duration::from_secs(198))));
        assert!(!session.is_live(start().plus(Duration::from_secs(199))));
    }

    #[test]
    fn a_lapsed_session_goes_on_with_the_new_sign_in_alone() {
        let mut session = session();
        sign_in(&mut session, "one", Some(start().plus(Duration::from_secs(50))));
        let other = "other".parse().unwrap();
        let id = IdpSessionId::new(start(), &Rng::system());
        session.add_sign_in(id, other, facts("two", None));
        let later = start().plus(Duration::from_secs(60));
        assert!(!session.is_live(later) && session.can_be_ended());

        session.renew(LIFETIME, later);
        sign_in(&mut session, "three", None);

        assert!(session.is_live(later.plus(Duration::from_secs(99))));
        let usable = |idp: &str| session.sign_in_by(&[idp.parse().unwrap()], later);
        assert_eq!(usable("other"), None, "it was not asked again");
        assert_eq!(usable("corp").unwrap().signed_in.session_indexes.len(), 2);
        assert_eq!(session.idp_sessions.len(), 2, "both are asked at a logout");
        // One that is live is only used again.
        let before = session.clone();
        session.renew(LIFETIME, later);
        assert_eq!(session, before);
        session.ended_at = Some(later);
        assert!(!session.can_be_ended());
    }

    #[test]
    fn an_app_joins_once() {
        let mut session = session();
        let id = AppSessionId::new(start(), &Rng::system());
        let client: ClientId = "app-one".parse().unwrap();
        assert!(session.join(id, &client, start()).is_some());
        assert!(session.join(id, &client, start()).is_none());
        assert_eq!(session.app_sessions.len(), 1);
    }
}
