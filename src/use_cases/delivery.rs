//! Telling parties without a browser: what is due is leased, tried, and written down, by whichever
//! node comes first. Deadlines are dealt with on the way.

mod places;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::change::Change;
use crate::clock::Timestamp;
use crate::id::{LegId, LogoutId};
use crate::logout::retry::Jitter;
use crate::logout::{Attempt, Event, Logout, Next as Step, Party, Rung};
use crate::store::{CommitError, DueLeg, LogoutKey, StoreError};
use crate::use_cases::{Failure, TRIES, UseCases};

use places::Place;
pub(super) use places::Places;

/// The most logouts past their deadline that one look at the store takes on.
const BATCH: i64 = 64;

/// How long what cannot be read is left alone. It may be read again one day: a node of a newer version
/// may have written it, or somebody mends it.
const UNREADABLE_FOR: Duration = Duration::from_secs(300);

/// What the worker does with a logout.
enum Work {
    /// The deadline has passed.
    Close,
    /// These parties are to be told.
    Tell(Vec<(LegId, Place)>),
}

impl UseCases {
    /// Tells the parties of a logout that has just been committed. Nobody waits for it here; the legs
    /// are leased, so they are told again if this node dies.
    pub(super) fn tell_at_once(&self, logout: &Logout) {
        let due = due_of(logout);
        if !due.is_empty() {
            let (use_cases, logout) = (self.clone(), Arc::new(logout.clone()));
            tokio::spawn(async move { use_cases.tell_and_write_down(&logout, due, |_| ()).await });
        }
    }

    /// The same for whoever waits for it: each party is told once, and each result is written down.
    /// `told` is called with how many are done, and how many there are.
    pub async fn tell_now(&self, logouts: &[Logout], told: impl Fn(usize, usize)) {
        let all = logouts.iter().map(|logout| logout.due_legs().count()).sum();
        let done = AtomicUsize::new(0);
        told(0, all);
        let count = |more| told(done.fetch_add(more, Ordering::Relaxed) + more, all);
        let each = logouts.iter().map(|logout| {
            let (due, logout) = (due_of(logout), Arc::new(logout.clone()));
            async move { self.tell_and_write_down(&logout, due, count).await }
        });
        futures_util::future::join_all(each).await;
    }

    /// Takes on what is due: logouts whose deadline has passed, and parties to be told again, of each
    /// receiver as many at a time. Any node may do it; the version of a logout decides who does.
    /// Returns how many logouts were advanced; the deliveries themselves go on behind, so that nobody
    /// waits for a party that hangs.
    pub async fn work_due(&self) -> Result<usize, Failure> {
        let due = self.store().due(BATCH).await?.found;
        let mut work: Vec<(LogoutId, Work)> =
            due.late.into_iter().map(|id| (id, Work::Close)).collect();
        let mut told: BTreeMap<LogoutId, Vec<(LegId, Place)>> = BTreeMap::new();
        for DueLeg { logout, leg, receiver } in due.legs {
            // Without a free place the leg stays due.
            if let Some(place) = self.0.deliveries.take(&receiver) {
                told.entry(logout).or_default().push((leg, place));
            }
        }
        work.extend(told.into_iter().map(|(id, legs)| (id, Work::Tell(legs))));
        let mut advanced = 0;
        for (id, work) in work {
            match self.work_on(id, work).await {
                Ok(true) => advanced += 1,
                Ok(false) => {}
                // One that is damaged must not keep the others from being worked on.
                Err(error) => tracing::error!(logout.id = %id, code = error.code(), "{error}"),
            }
        }
        Ok(advanced)
    }

    /// Returns when nothing that the worker took on is under way any more.
    pub async fn deliveries_done(&self) {
        self.0.deliveries.all_free().await;
    }

    /// Returns when a party that was told again has answered, and more may be due for it.
    pub async fn somebody_answered(&self) {
        self.0.deliveries.somebody_answered().await;
    }

    async fn work_on(&self, id: LogoutId, work: Work) -> Result<bool, Failure> {
        let read = match self.store().logout(LogoutKey::Id(id)).await {
            Err(error @ StoreError::Corrupt(_)) => {
                self.put_off(id, &work).await?;
                return Err(error.into());
            }
            read => read?,
        };
        let Some(found) = read.found else { return Ok(false) };
        let (logout, now) = (found.logout, read.now);
        let (event, mut places) = match work {
            Work::Close if logout.answered_at.is_none() && logout.deadline <= now => {
                (Event::DeadlinePassed, Vec::new())
            }
            Work::Close => return Ok(false),
            Work::Tell(places) => {
                (Event::Leased { legs: places.iter().map(|(leg, _)| *leg).collect() }, places)
            }
        };
        let decision = logout.on([event], now);
        if decision.changes.is_empty() {
            return Ok(false);
        }
        match self.store().commit(now, decision.changes).await {
            Ok(()) => {}
            // Another node was faster.
            Err(CommitError::Conflict { .. } | CommitError::Unknown) => return Ok(false),
            Err(other) => return Err(Failure::commit(other)),
        }
        self.a_leg_closed(id);
        let Step::Tell(leased) = decision.next else { return Ok(true) };
        let logout = Arc::new(decision.logout);
        places.retain(|(leg, _)| leased.contains(leg));
        let use_cases = self.clone();
        tokio::spawn(async move { use_cases.tell_and_write_down(&logout, places, |_| ()).await });
        Ok(true)
    }

    /// What cannot be read would be first in the list at every look, and those behind it would never be
    /// worked on.
    async fn put_off(&self, logout: LogoutId, work: &Work) -> Result<(), Failure> {
        let now = self.now().await?;
        let until = now.plus(UNREADABLE_FOR);
        let changes = match work {
            Work::Close => vec![Change::PutOffDeadline { logout, until }],
            Work::Tell(legs) => {
                legs.iter().map(|(leg, _)| Change::PutOffLeg { leg: *leg, until }).collect()
            }
        };
        self.store().commit(now, changes).await.map_err(Failure::commit)
    }

    /// Tells these parties in parallel, and writes down what came of it: of all that have answered by then
    /// in one commit, because the commits of one logout stand in each other's way. `written` is called
    /// with how many they are; their places are free then. What cannot be written is not lost: the lease
    /// runs out, and the party is told again.
    async fn tell_and_write_down<P: Send + 'static>(
        &self,
        logout: &Arc<Logout>,
        legs: Vec<(LegId, P)>,
        written: impl Fn(usize),
    ) {
        let mut tries = JoinSet::new();
        for (leg, place) in legs {
            let (use_cases, logout) = (self.clone(), Arc::clone(logout));
            tries.spawn(async move { (use_cases.tell(&logout, leg).await, place) });
        }
        while let Some(first) = tries.join_next().await {
            let more = std::iter::from_fn(|| tries.try_join_next());
            let (happened, places): (Vec<_>, Vec<_>) =
                std::iter::once(first).chain(more).flatten().unzip();
            let happened: Vec<Event> = happened.into_iter().flatten().collect();
            let (count, answered) = (places.len(), happened.iter().any(is_an_answer));
            let recorded = self.write_down(logout.id, happened).await;
            drop(places);
            match recorded {
                Ok(()) if answered => self.0.deliveries.note_answer(),
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(logout.id = %logout.id, %error, "tries could not be recorded");
                }
            }
            written(count);
        }
    }

    /// What came of one try. `None`: such a leg is never due.
    async fn tell(&self, logout: &Logout, leg: LegId) -> Option<Event> {
        let leg = logout.leg(leg)?;
        match &leg.party {
            Party::App { client, .. } => Some(self.tell_app(logout, leg.id, client).await),
            Party::Idp { idp, rung: Rung::Soap { location } } => {
                Some(self.ask_by_soap(logout, leg, idp, location).await)
            }
            Party::Idp { .. } => None,
        }
    }

    /// What came of a try, with what decides when the next one may be.
    pub(super) fn tried(&self, leg: LegId, attempt: Attempt) -> Event {
        Event::Tried { leg, attempt, jitter: Jitter::from_bytes(self.rng().bytes()) }
    }

    async fn write_down(&self, id: LogoutId, happened: Vec<Event>) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let (logout, now) = self.read_again(id).await?;
            let decision = logout.on(happened.clone(), now);
            match self.store().commit(now, decision.changes).await {
                Ok(()) => {
                    self.a_leg_closed(id);
                    return Ok(());
                }
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {}
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    /// The store's time.
    pub(super) async fn now(&self) -> Result<Timestamp, Failure> {
        Ok(self.store().now().await?)
    }
}

/// Everybody whom we tell ourselves and who is due, by no place of the worker's.
fn due_of(logout: &Logout) -> Vec<(LegId, ())> {
    logout.due_legs().map(|leg| (leg.id, ())).collect()
}

/// Whether the party has answered for good.
fn is_an_answer(happened: &Event) -> bool {
    let open = matches!(
        happened,
        Event::Tried {
            attempt: Attempt::Failed(_)
                | Attempt::Later { .. }
                | Attempt::NotFound(_)
                | Attempt::NotSent(_),
            ..
        }
    );
    !open
}
