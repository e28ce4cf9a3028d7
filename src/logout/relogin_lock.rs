//! The re-login lock: after a logout that an IdP has not confirmed, nobody is signed in here again
//! just because the IdP still knows the browser.
//!
//! It does two things. The browser's next request to that IdP demands a fresh authentication
//! (`ForceAuthn`). And an assertion that rests on what was logged out signs nobody in before the
//! person has said so.

use std::time::Duration;

use super::{Leg, LegOutcome, Logout, Party};
use crate::clock::Timestamp;
use crate::id::{IdpId, LegId, LogoutId};
use crate::oidc::Subject;
use crate::saml::SessionIndex;
use crate::secret::TokenHash;
use crate::session::{BrowserSession, IdpSession, SignedIn};

/// How long a lock holds: longer than IdPs keep their own sessions.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// What one IdP leg of a logout leaves behind until it is confirmed.
#[derive(Clone, PartialEq, Debug)]
pub struct ReloginLock {
    pub leg: LegId,
    pub logout: LogoutId,
    /// Of the cookie of the browser that asked for the logout.
    pub browser: TokenHash,
    pub idp: IdpId,
    /// Whoever was logged out.
    pub subject: Subject,
    /// Of the IdP session that was to end.
    pub session_indexes: Vec<SessionIndex>,
    /// An authentication after this moment of the IdP's clock is a new one.
    pub fresh_after: Timestamp,
    pub expires_at: Timestamp,
}

/// What the locks say of a sign-in.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// It goes on. The IdP has authenticated the person since, so these locks are done with: those of
    /// this person. Somebody else's stay, even if the IdP gives its sessions the same names again
    /// (SAML Core 2.7.2 advises that).
    Fresh(Vec<ReloginLock>),
    /// The IdP relied on what was logged out. It goes on only if the person says so, and then
    /// without these locks.
    Ended(Vec<ReloginLock>),
}

/// Who signs in, as far as the IdP says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who<'s> {
    Person(&'s Subject),
    /// The subject is made of a transient NameID: the same person has another at every sign-in.
    Somebody,
}

impl ReloginLock {
    /// One lock for every IdP leg of this logout that is not confirmed, for the browser that asked
    /// for it. `clock_skew` is by how much an IdP's clock may differ from ours.
    pub fn of(
        logout: &Logout,
        session: &BrowserSession,
        browser: TokenHash,
        clock_skew: Duration,
    ) -> Vec<Self> {
        let unconfirmed = |leg: &&Leg| leg.outcome() != Some(LegOutcome::Confirmed);
        let lock = |leg: &Leg| {
            let signed_in = idp_session(leg, session).map(|held| &held.signed_in);
            // The IdP's clock may go behind ours. What we know that it did before the logout is
            // old by whatever clock.
            let ended_at = logout.created_at.minus(clock_skew);
            Some(Self {
                leg: leg.id,
                logout: logout.id,
                browser,
                idp: idp_of(leg)?.clone(),
                subject: session.subject.clone(),
                session_indexes: signed_in
                    .map(|known| known.session_indexes.clone())
                    .unwrap_or_default(),
                fresh_after: signed_in.map_or(ended_at, |known| ended_at.max(known.authn_instant)),
                expires_at: logout.created_at.plus(LIFETIME),
            })
        };
        logout.legs.iter().filter(unconfirmed).filter_map(lock).collect()
    }

    /// Whether this sign-in comes from where the logout was asked for, or from the very session at
    /// the IdP that was to end. The person's other devices are neither.
    fn concerns(
        &self,
        browser: Option<TokenHash>,
        idp: &IdpId,
        who: Who<'_>,
        signed_in: &SignedIn,
    ) -> bool {
        let same_session =
            signed_in.session_indexes.iter().any(|index| self.session_indexes.contains(index));
        let here = browser == Some(self.browser);
        self.idp == *idp && (same_session || self.may_be_of(who) && here)
    }

    fn may_be_of(&self, who: Who<'_>) -> bool {
        match who {
            Who::Person(subject) => self.subject == *subject,
            Who::Somebody => true,
        }
    }
}

/// Judges a sign-in by the locks of its browser, of its person and of its session at the IdP.
pub fn judge(
    locks: &[ReloginLock],
    browser: Option<TokenHash>,
    idp: &IdpId,
    who: Who<'_>,
    signed_in: &SignedIn,
) -> Verdict {
    let concerned = locks.iter().filter(|lock| lock.concerns(browser, idp, who, signed_in));
    let mut concerned: Vec<_> = concerned.cloned().collect();
    match concerned.iter().all(|lock| signed_in.authn_instant > lock.fresh_after) {
        true => {
            concerned.retain(|lock| lock.may_be_of(who));
            Verdict::Fresh(concerned)
        }
        false => Verdict::Ended(concerned),
    }
}

fn idp_of(leg: &Leg) -> Option<&IdpId> {
    match &leg.party {
        Party::Idp { idp, .. } => Some(idp),
        Party::App { .. } => None,
    }
}

fn idp_session<'s>(leg: &Leg, session: &'s BrowserSession) -> Option<&'s IdpSession> {
    if leg.is_unreadable() {
        return None;
    }
    let (idp, name_id) = (idp_of(leg)?, leg.principal.as_ref().map(|found| &found.name_id));
    session
        .idp_sessions
        .iter()
        .find(|held| held.idp == *idp && held.signed_in.name_id.as_ref() == name_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const ENDED: i64 = 10_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    fn indexes(of: &[&str]) -> Vec<SessionIndex> {
        of.iter().map(|index| SessionIndex::parse(index).unwrap()).collect()
    }

    fn browser(name: &str) -> TokenHash {
        TokenHash::of(name.as_bytes())
    }

    /// A lock of ada's session `one` at `corp`, in the browser `office`.
    fn lock() -> ReloginLock {
        let rng = Rng::system();
        ReloginLock {
            leg: LegId::new(at(ENDED), &rng),
            logout: LogoutId::new(at(ENDED), &rng),
            browser: browser("office"),
            idp: "corp".parse().unwrap(),
            subject: Subject::stored("ada".into()),
            session_indexes: indexes(&["one"]),
            fresh_after: at(ENDED),
            expires_at: at(ENDED).plus(LIFETIME),
        }
    }

    fn signed_in(session_indexes: &[&str], authn_instant: i64) -> SignedIn {
        SignedIn {
            name_id: None,
            session_indexes: indexes(session_indexes),
            authn_instant: at(authn_instant),
            authn_context: None,
            session_not_on_or_after: None,
            claims: serde_json::Map::new(),
        }
    }

    #[test]
    fn what_rests_on_the_ended_session_is_told_from_what_does_not() {
        let lock = lock();
        let (old, new) = (ENDED, ENDED + 1);
        for (name, idp, who, held, authn_instant, ended) in [
            ("office", "corp", "ada", &["one"][..], old, true),
            // An IdP that gives every assertion an index of its own, or none at all.
            ("office", "corp", "ada", &["two"], old, true),
            ("office", "corp", "ada", &[], old, true),
            ("home", "corp", "ada", &["one"], old, true),
            ("home", "corp", "ada", &["two"], old, false),
            ("home", "corp", "ada", &[], old, false),
            ("office", "corp", "bob", &["two"], old, false),
            ("office", "corp", "bob", &[], old, false),
            // Whatever it is called, the session was to end.
            ("office", "corp", "bob", &["one"], old, true),
            ("office", "corp", "bob", &["one"], new, false),
            ("office", "corp", "", &["two"], old, true),
            ("office", "corp", "", &[], old, true),
            ("office", "corp", "", &["two"], new, false),
            ("office", "other", "", &["one"], old, false),
            ("home", "corp", "", &["one"], old, true),
            ("home", "corp", "", &["two"], old, false),
            ("office", "other", "ada", &["one"], old, false),
            ("office", "corp", "ada", &["one"], new, false),
            ("home", "corp", "ada", &["one"], new, false),
        ] {
            let facts = signed_in(held, authn_instant);
            let (idp, subject) = (idp.parse().unwrap(), Subject::stored(who.into()));
            let by = if who.is_empty() { Who::Somebody } else { Who::Person(&subject) };
            let locks = std::slice::from_ref(&lock);
            let verdict = judge(locks, Some(browser(name)), &idp, by, &facts);
            let case = format!("{who} at {idp} from {name} with {held:?} of {authn_instant}");
            assert_eq!(matches!(verdict, Verdict::Ended(_)), ended, "{case}");
        }
    }

    #[test]
    fn a_fresh_authentication_is_done_with_the_locks_that_it_answers_and_no_other() {
        let ada = Subject::stored("ada".into());
        let corp: IdpId = "corp".parse().unwrap();
        let mut other = lock();
        other.browser = browser("home");
        other.session_indexes = indexes(&["two"]);
        let locks = [lock(), other];
        let fresh = |held: &[&str], name| {
            let facts = signed_in(held, ENDED + 1);
            judge(&locks, Some(browser(name)), &corp, Who::Person(&ada), &facts)
        };
        assert_eq!(fresh(&["three"], "office"), Verdict::Fresh(vec![locks[0].clone()]));
        assert_eq!(fresh(&["one"], "home"), Verdict::Fresh(locks.to_vec()));
        assert_eq!(fresh(&["three"], "phone"), Verdict::Fresh(vec![]));
        let (bob, facts) = (Subject::stored("bob".into()), signed_in(&["one"], ENDED + 1));
        let as_bob = |who| judge(&locks, Some(browser("office")), &corp, who, &facts);
        assert_eq!(as_bob(Who::Person(&bob)), Verdict::Fresh(vec![]), "hers stays hers");
        assert_eq!(as_bob(Who::Somebody), Verdict::Fresh(vec![locks[0].clone()]));
    }

    #[test]
    fn one_old_lock_is_enough() {
        let mut later = lock();
        later.fresh_after = at(ENDED + 100);
        let locks = [lock(), later];
        let facts = signed_in(&["one"], ENDED + 50);
        let (idp, who) = ("corp".parse().unwrap(), Subject::stored("ada".into()));
        let verdict = judge(&locks, None, &idp, Who::Person(&who), &facts);
        assert_eq!(verdict, Verdict::Ended(locks.to_vec()));
    }
}
