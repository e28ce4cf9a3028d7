//! Telling parties without a browser: what is due is leased, tried, and written down, by whichever
//! node comes first. Deadlines are dealt with on the way.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::clock::Timestamp;
use crate::id::{LegId, LogoutId};
use crate::logout::{Event, Leg, Logout, Next as Step, Party, Rung};
use crate::store::{CommitError, LogoutKey};
use crate::use_cases::{DELIVERIES, Failure, TRIES, UseCases};

/// The most logouts that one look at the store takes on.
const BATCH: i64 = 64;

impl UseCases {
    /// Tells the parties of a logout that has just been committed. Nobody waits for it here; the legs
    /// are leased, so they are told again if this node dies.
    pub(super) fn tell_at_once(&self, logout: &Logout) {
        let due: Vec<LegId> = logout.due_legs().map(|leg| leg.id).collect();
        if !due.is_empty() {
            let (use_cases, logout) = (self.clone(), logout.clone());
            tokio::spawn(async move { use_cases.deliver(&logout, &due).await });
        }
    }

    /// The same for whoever waits for it: each party is told once, and each result is written down.
    /// `told` is called with how many are done, and how many there are.
    pub async fn tell_now(&self, logouts: &[Logout], told: impl Fn(usize, usize)) {
        let legs =
            logouts.iter().flat_map(|logout| logout.due_legs().map(move |leg| (logout, leg)));
        let mut tries: FuturesUnordered<_> =
            legs.map(|(logout, leg)| self.tell_and_write_down(logout, leg)).collect();
        let (mut done, all) = (0, tries.len());
        told(done, all);
        while tries.next().await.is_some() {
            done += 1;
            told(done, all);
        }
    }

    /// Takes on what is due: logouts whose deadline has passed, and parties to be told again. Any node
    /// may do it; the version of a logout decides who does. Returns how many were advanced; the
    /// deliveries themselves go on behind, so that nobody waits for a party that hangs.
    pub async fn work_due(&self) -> Result<usize, Failure> {
        let due = self.store().due_logouts(BATCH).await?;
        let mut advanced = 0;
        for id in due.found {
            match self.work_on(id).await {
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
        let all = u32::try_from(DELIVERIES).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _ = self.0.deliveries.acquire_many(all).await;
    }

    async fn work_on(&self, id: LogoutId) -> Result<bool, Failure> {
        let read = self.store().logout(LogoutKey::Id(id)).await?;
        let Some(found) = read.found else { return Ok(false) };
        let (logout, now) = (found.logout, read.now);
        let late = logout.answered_at.is_none() && logout.deadline <= now;
        // Without a free place the legs stay due, and the deadline is dealt with all the same.
        let place = self.0.deliveries.clone().try_acquire_owned().ok();
        let events = late.then_some(Event::DeadlinePassed).into_iter();
        let events = events.chain(place.is_some().then_some(Event::Leased));
        let decision = logout.on(events, now);
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
        if let Step::Tell(legs) = decision.next
            && !legs.is_empty()
        {
            let (use_cases, logout) = (self.clone(), decision.logout);
            tokio::spawn(async move {
                use_cases.deliver(&logout, &legs).await;
                drop(place);
            });
        }
        Ok(true)
    }

    /// Tells these parties in parallel.
    async fn deliver(&self, logout: &Logout, legs: &[LegId]) {
        let legs = legs.iter().filter_map(|id| logout.leg(*id));
        let mut tries: FuturesUnordered<_> =
            legs.map(|leg| self.tell_and_write_down(logout, leg)).collect();
        while tries.next().await.is_some() {}
    }

    /// A result that cannot be written is not lost: the lease runs out, and the party is told again.
    async fn tell_and_write_down(&self, logout: &Logout, leg: &Leg) {
        let happened = match &leg.party {
            Party::App { client, .. } => self.tell_app(logout, leg.id, client).await,
            Party::Idp { idp, rung: Rung::Soap { location } } => {
                self.ask_by_soap(logout, leg, idp, location).await
            }
            // Such a leg is never due.
            Party::Idp { .. } => return,
        };
        if let Err(error) = self.write_down(logout.id, happened).await {
            tracing::error!(logout.id = %logout.id, %error, "a try could not be recorded");
        }
    }

    async fn write_down(&self, id: LogoutId, happened: Event) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let (logout, now) = self.read_again(id).await?;
            let decision = logout.on([happened.clone()], now);
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
