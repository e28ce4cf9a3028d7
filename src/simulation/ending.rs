//! How a run ends: everybody goes away, time passes, and everything must come to its end by itself.

use std::time::Duration;

use super::wish::Wish;
use super::world::World;
use crate::clock::Timestamp;
use crate::id::LogoutId;
use crate::logout::{Leg, Logout, Outcome, retry};
use crate::store::{LogoutKey, SessionKey};

/// A worker looks once a second, and may have to look again.
const WORKER_LAG: Duration = Duration::from_secs(15);

impl World<'_> {
    /// I9: every logout is answered by its deadline and settled in 72 h even if everybody vanishes.
    pub(super) fn come_to_an_end(&mut self) {
        self.closing = true;
        self.mail.clear();
        // What a node had taken on is done, or lost with it; what was leased stays leased.
        self.run_quiet();
        let alone = self.now;
        for _ in 0..400 {
            let Some(due) = self.next_due() else { break };
            let wait = due.since(self.now).max(Duration::from_secs(1));
            self.pass(wait.max(self.may_be_idle()));
            self.ask(Wish::Work);
            self.run_quiet();
            self.check_lateness(alone);
        }
        assert_eq!(self.next_due(), None, "I9: a logout never comes to its end");
        for known in self.model.logouts.values() {
            let logout = &known.logout;
            assert!(logout.answered_at.is_some(), "I9: {} is not answered", logout.id);
            assert!(logout.settled_at.is_some(), "I9: {} is not settled", logout.id);
            // I3
            assert!(logout.legs.iter().all(|leg| !leg.is_open()), "I3: {:?}", logout.legs);
            assert_ne!((logout.outcome(), logout.legs.len()), (Outcome::Complete, 0));
        }
        self.compare_with_database();
    }

    /// An app that never answers is tried a thousand times in three days. Here the worker skips most of
    /// them, and is there for everything that must end by its time.
    fn may_be_idle(&self) -> Duration {
        let end = |logout: &Logout| match logout.answered_at {
            None => logout.deadline,
            Some(_) => give_up_at(logout),
        };
        let open = self.model.logouts.values().map(|known| &known.logout);
        let open = open.filter(|logout| logout.settled_at.is_none());
        let next = open.map(|logout| end(logout).since(self.now)).min();
        next.unwrap_or_default().min(Duration::from_secs(3600))
    }

    /// When the worker must look at something next.
    fn next_due(&self) -> Option<Timestamp> {
        let due = |logout: &Logout| {
            let apps = logout.legs.iter().filter_map(Leg::due_at).min();
            let deadline = logout.answered_at.is_none().then_some(logout.deadline);
            apps.into_iter().chain(deadline).min()
        };
        self.model.logouts.values().filter_map(|known| due(&known.logout)).min()
    }

    /// `alone` is since when only the worker is there, and nothing keeps it from working.
    fn check_lateness(&self, alone: Timestamp) {
        for known in self.model.logouts.values() {
            let logout = &known.logout;
            let by = |end: Timestamp| self.now > end.max(alone).plus(WORKER_LAG);
            let late = logout.answered_at.is_none() && by(logout.deadline);
            assert!(!late, "I9: {} has not been answered by its deadline", logout.id);
            let end = give_up_at(logout).plus(retry::LEASE);
            let never = logout.settled_at.is_none() && by(end.max(alone.plus(retry::LEASE)));
            assert!(!never, "I9: {} has not been settled in 72 h", logout.id);
        }
    }

    /// What the service reads is what the model holds: of every logout and every session.
    fn compare_with_database(&mut self) {
        let ids: Vec<LogoutId> = self.model.logouts.keys().copied().collect();
        for id in ids {
            let read = self.read_at_once(async |store| store.logout(LogoutKey::Id(id)).await);
            let stored = read.found.expect("a logout that was written");
            let known = &self.model.logouts[&id];
            assert_eq!(stored.logout, known.logout, "store: the logout differs");
            assert_eq!(stored.handle, known.handle);
            let read = self.read_at_once(async |store| store.events_of(id).await);
            let stored: Vec<String> = read.into_iter().map(|event| event.kind).collect();
            let known = self.model.events[&id].iter().map(|event| event.kind.as_str());
            let known: Vec<&str> = known.collect();
            assert_eq!(stored, known, "I10: the audit differs");
        }
        let ids: Vec<_> = self.model.sessions.keys().copied().collect();
        for id in ids {
            let key = SessionKey::Id(id);
            let read = self.read_at_once(async |store| store.browser_session(key).await);
            let known = &self.model.sessions[&id].session;
            let expected = known.is_live(self.now).then(|| known.clone());
            assert_eq!(read.found, expected, "store: the session differs");
        }
    }
}

/// When nobody is told any more.
fn give_up_at(logout: &Logout) -> Timestamp {
    let retried = logout.legs.iter().filter_map(|leg| leg.retried_at).max();
    let since = retried.map_or(logout.created_at, |at| at.max(logout.created_at));
    since.plus(retry::GIVE_UP_AFTER)
}
