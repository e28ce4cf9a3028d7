//! Which faults are in force, for whom, and how often.

use std::time::Duration;

use serde::Serialize;

use super::fault::{Fault, Occasion, Refused, RolledKey};
use crate::saml::Status;

/// Faults that somebody chose.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Plan {
    pub faults: Vec<Fault>,
    /// Whom they are for; everybody if nobody is named.
    pub user: Option<String>,
    /// On how many occasions they still show; always if there is no number. An occasion counts if
    /// one of the faults shows on it.
    pub times: Option<u32>,
}

/// Why a plan is not followed. Whoever chose it is at fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    #[error("{fault} is in the metadata: it is for everybody and cannot be counted")]
    Always { fault: Fault },
    #[error("no new key could be made: {0}")]
    Key(String),
}

impl PlanError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Always { .. } => "fault_always",
            Self::Key(_) => "fault_key",
        }
    }
}

impl Plan {
    /// For everybody, until another one is chosen.
    pub fn of(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { faults: faults.into_iter().collect(), user: None, times: None }
    }

    /// For this person only.
    pub fn for_user(self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self }
    }

    /// On the next `times` occasions only.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// # Errors
    /// If what is in the metadata is to be counted, or for one person.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        if self.user.is_none() && self.times.is_none() {
            return Ok(());
        }
        let always = self.faults.iter().find(|fault| fault.shows_at(Occasion::Always));
        always.map_or(Ok(()), |&fault| Err(PlanError::Always { fault }))
    }
}

/// All plans in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Plans(Vec<Plan>);

impl Plans {
    /// A plan replaces the former one for the same person that is counted, or not counted, as this
    /// one is; a plan without faults replaces both.
    pub(super) fn follow(&mut self, plan: Plan) {
        let clears = plan.faults.is_empty();
        self.0.retain(|old| {
            old.user != plan.user || (!clears && old.times.is_some() != plan.times.is_some())
        });
        if !clears && plan.times != Some(0) {
            self.0.push(plan);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn list(&self) -> &[Plan] {
        &self.0
    }

    /// What shows now, and is counted down by that. The latest plan comes first.
    pub(super) fn take(&mut self, occasion: Occasion, user: Option<&str>) -> Faults {
        let mut found = Vec::new();
        for plan in self.0.iter_mut().rev() {
            if plan.user.is_some() && plan.user.as_deref() != user {
                continue;
            }
            let shown = plan.faults.iter().copied().filter(|fault| fault.shows_at(occasion));
            let shown: Vec<Fault> = shown.collect();
            if let Some(times) = plan.times.as_mut().filter(|_| !shown.is_empty()) {
                *times = times.saturating_sub(1);
            }
            found.extend(shown);
        }
        self.0.retain(|plan| plan.times != Some(0));
        found.into_iter().collect()
    }

    /// Whether this shows then; nothing is counted down.
    pub(super) fn show(&self, fault: Fault, user: &str) -> bool {
        let for_them = |plan: &&Plan| plan.user.as_deref().is_none_or(|named| named == user);
        self.0.iter().filter(for_them).any(|plan| plan.faults.contains(&fault))
    }

    /// What is in the metadata.
    pub(super) fn always(&self) -> Faults {
        let faults = self.0.iter().rev().flat_map(|plan| plan.faults.iter().copied());
        faults.filter(|fault| fault.shows_at(Occasion::Always)).collect()
    }
}

/// The faults of one occasion.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    pub(super) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// How long an answer is kept back.
    pub(super) fn delay(&self) -> Duration {
        let delay = self.0.iter().find_map(|fault| match fault {
            Fault::Slow(delay) => Some(*delay),
            _ => None,
        });
        delay.unwrap_or_default()
    }

    /// What is answered instead of Success. The session lives on if the request is refused.
    pub(super) fn status(&self) -> Option<Status> {
        let partial = || self.has(Fault::Partial).then(Status::partial_logout);
        self.refused().map(Refused::status).or_else(partial)
    }

    pub(super) fn refused(&self) -> Option<Refused> {
        self.0.iter().find_map(|fault| match fault {
            Fault::Refused(status) => Some(*status),
            _ => None,
        })
    }

    pub(super) fn rolled_key(&self) -> Option<RolledKey> {
        self.0.iter().find_map(|fault| match fault {
            Fault::RolledKey(rolled) => Some(*rolled),
            _ => None,
        })
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self(faults.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::StatusCode;
    use crate::saml::status::REQUEST_DENIED;
    use Occasion::{Answer, OwnRequest, SignIn};

    fn taken(plans: &mut Plans, occasion: Occasion, user: &str) -> Vec<Fault> {
        plans.take(occasion, Some(user)).list().to_vec()
    }

    #[test]
    fn what_is_counted_shows_so_often_and_only_where_it_shows() {
        let mut plans = Plans::default();
        plans.follow(Plan::of([Fault::Partial, Fault::Unsigned]).times(2));
        assert_eq!(taken(&mut plans, SignIn, "ada"), []);
        assert_eq!(taken(&mut plans, OwnRequest, "ada"), [Fault::Unsigned]);
        assert_eq!(taken(&mut plans, Answer, "ben"), [Fault::Partial, Fault::Unsigned]);
        assert_eq!(taken(&mut plans, Answer, "ben"), []);
        assert!(plans.list().is_empty());
        plans.follow(Plan::of([Fault::Partial]).times(0));
        assert!(plans.list().is_empty());
    }

    #[test]
    fn what_is_for_one_person_is_for_nobody_else() {
        let mut plans = Plans::default();
        plans.follow(Plan::of([Fault::Unsigned]));
        plans.follow(Plan::of([Fault::Partial]).for_user("ada"));
        assert_eq!(taken(&mut plans, Answer, "ada"), [Fault::Partial, Fault::Unsigned]);
        assert_eq!(taken(&mut plans, Answer, "ben"), [Fault::Unsigned]);
        assert_eq!(plans.take(Answer, None).list(), [Fault::Unsigned]);
        assert!(plans.show(Fault::Partial, "ada") && !plans.show(Fault::Partial, "ben"));
    }

    #[test]
    fn a_plan_replaces_its_like_and_an_empty_one_all_of_that_person() {
        let mut plans = Plans::default();
        for plan in [
            Plan::of([Fault::PostOnly]),
            Plan::of([Fault::Partial]).times(1),
            Plan::of([Fault::Unsigned]).for_user("ada"),
        ] {
            plans.follow(plan);
        }
        plans.follow(Plan::of([Fault::NoAnswer]).times(1));
        assert_eq!(taken(&mut plans, Answer, "ben"), [Fault::NoAnswer]);
        assert_eq!(plans.always().list(), [Fault::PostOnly]);
        plans.follow(Plan::of([]));
        assert_eq!(plans.always().list(), []);
        assert_eq!(taken(&mut plans, Answer, "ada"), [Fault::Unsigned]);
        plans.clear();
        assert!(plans.list().is_empty());
    }

    #[test]
    fn what_is_in_the_metadata_is_for_everybody() {
        let fault = Fault::PostOnly;
        assert_eq!(Plan::of([fault]).check(), Ok(()));
        assert_eq!(Plan::of([Fault::Partial]).for_user("ada").times(1).check(), Ok(()));
        for plan in [Plan::of([fault]).for_user("ada"), Plan::of([Fault::Partial, fault]).times(1)]
        {
            assert_eq!(plan.check(), Err(PlanError::Always { fault }));
        }
    }

    #[test]
    fn a_refusal_outweighs_a_partial_logout() {
        let faults: Faults = [Fault::Partial].into_iter().collect();
        assert_eq!(faults.status().map(|status| status.is_partial_logout()), Some(true));
        let refused = Fault::Refused(Refused::RequestDenied);
        let faults: Faults = [Fault::Partial, refused].into_iter().collect();
        let status = faults.status().unwrap();
        assert_eq!(
            (status.code, status.nested),
            (StatusCode::Responder, vec![REQUEST_DENIED.into()])
        );
        assert_eq!(Faults::default().status(), None);
    }
}
