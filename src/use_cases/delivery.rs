//! Telling parties without a browser: what is due is leased, tried, and written down, by whichever
//! node comes first. Deadlines are dealt with on the way.

mod places;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::clock::Timestamp;
use crate::id::{LegId, LogoutId};
use crate::logout::retry::Jitter;
use crate::logout::{Attempt, Event, Leg, Logout, Next as Step, Party, Rung};
use crate::store::{CommitError, DueLeg, LogoutKey};
use crate::use_cases::{Failure, TRIES, UseCases};

use places::Place;
pub(super) use places::Places;

/// The most logouts past their deadline that one look at the store takes on.
const BATCH: i64 = 64;

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
        let read = self.store().logout(LogoutKey::Id(id)).await?;
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
        for (leg, place) in places {
            let (use_cases, logout) = (self.clone(), Arc::clone(&logout));
            tokio::spawn(async move {
                let Some(leg) = logout.leg(leg) else { return };
                let answered = use_cases.tell_and_write_down(&logout, leg).await;
                drop(place);
                if answered {
                    use_cases.0.deliveries.note_answer();
                }
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
    /// Returns whether the party has answered for good.
    async fn tell_and_write_down(&self, logout: &Logout, leg: &Leg) -> bool {
        let happened = match &leg.party {
            Party::App { client, .. } => self.tell_app(logout, leg.id, client).await,
            Party::Idp { idp, rung: Rung::Soap { location } } => {
                self.ask_by_soap(logout, leg, idp, location).await
            }
            // Such a leg is never due.
            Party::Idp { .. } => return false,
        };
        let open = matches!(
            &happened,
            Event::Tried {
                attempt: Attempt::Failed(_)
                    | Attempt::Later { .. }
                    | Attempt::NotFound(_)
                    | Attempt::NotSent(_),
                ..
            }
        );
        if let Err(error) = self.write_down(logout.id, happened).await {
            tracing::error!(logout.id = %logout.id, %error, "a try could not be recorded");
            return false;
        }
        !open
    }

    /// What came of a try, with what decides when the next one may be.
    pub(super) fn tried(&self, leg: LegId, attempt: Attempt) -> Event {
        Event::Tried { leg, attempt, jitter: Jitter::from_bytes(self.rng().bytes()) }
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
