//! What happened to logouts, for whoever runs this service, and telling apps again.

use serde::Serialize;

use crate::id::LogoutId;
use crate::logout::{Event, Leg, LegOutcome, Logout, Outcome, PartyId, explain};
use crate::oidc::{LogoutScope, without_query};
use crate::store::{CommitError, LogoutSummary, RecordedEvent};
use crate::use_cases::{Failure, TRIES, UseCases};

/// One logout as a story.
#[derive(Clone, Debug, Serialize)]
pub struct LogoutStory {
    pub id: LogoutId,
    pub outcome: Outcome,
    pub summary: &'static str,
    pub reason: &'static str,
    /// How far it was to reach.
    pub scope: LogoutScope,
    pub asked_by: Option<String>,
    pub begun_at: String,
    pub deadline: String,
    pub answered_at: Option<String>,
    pub settled_at: Option<String>,
    pub returns_to: Option<String>,
    pub legs: Vec<LegStory>,
    /// Who was not told because the person left them unticked.
    pub left: Vec<String>,
    pub events: Vec<RecordedEvent>,
}

/// One party's part. It names no person: NameIDs stay sealed.
#[derive(Clone, Debug, Serialize)]
pub struct LegStory {
    pub party: String,
    pub channel: String,
    pub outcome: Option<LegOutcome>,
    pub said: String,
    pub session_indexes: usize,
}

impl UseCases {
    /// The newest first.
    pub async fn logouts(&self, limit: i64) -> Result<Vec<LogoutSummary>, Failure> {
        Ok(self.store().logouts(limit).await?)
    }

    /// Has the apps told again that were given up or said no, for another three days. They are not
    /// told here: that is for [`UseCases::tell_now`] or [`UseCases::tell_soon`].
    ///
    /// # Errors
    /// [`Failure::NotFound`]; [`Failure::Admin`] `nothing_to_retry` if no app is given up.
    pub async fn retry_logout(&self, id: LogoutId) -> Result<Logout, Failure> {
        for _ in 0..TRIES {
            let (logout, now) = self.read_again(id).await?;
            let decision = logout.on([Event::Retried], now);
            if decision.changes.is_empty() {
                return Err(Failure::Admin {
                    code: "nothing_to_retry",
                    detail: format!("no app of logout {id} was given up or said no"),
                });
            }
            match self.store().commit(now, decision.changes).await {
                Ok(()) => return Ok(decision.logout),
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {}
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    /// # Errors
    /// [`Failure::NotFound`]
    pub async fn logout_story(&self, id: LogoutId) -> Result<LogoutStory, Failure> {
        let (logout, _) = self.read_again(id).await?;
        Ok(LogoutStory {
            id,
            outcome: logout.outcome(),
            summary: explain::whole(&logout),
            reason: explain::reason(logout.document.reason),
            scope: logout.document.scope,
            asked_by: logout.document.initiator.as_ref().map(ToString::to_string),
            begun_at: logout.created_at.to_string(),
            deadline: logout.deadline.to_string(),
            answered_at: logout.answered_at.map(|at| at.to_string()),
            settled_at: logout.settled_at.map(|at| at.to_string()),
            // The client's `state` is nobody else's.
            returns_to: logout.document.target.as_deref().map(without_query).map(str::to_owned),
            legs: logout.legs.iter().map(leg_story).collect(),
            left: logout.document.left.iter().map(ToString::to_string).collect(),
            events: self.store().events_of(id).await?,
        })
    }
}

fn leg_story(leg: &Leg) -> LegStory {
    LegStory {
        party: PartyId::from(&leg.party).to_string(),
        channel: explain::channel(leg),
        outcome: leg.outcome(),
        said: explain::leg(leg),
        session_indexes: leg.principal.as_ref().map_or(0, |found| found.session_indexes.len()),
    }
}
