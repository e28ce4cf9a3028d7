//! Who takes part in a session, for the person to read before it ends.

use crate::clock::Timestamp;
use crate::logout::PartyId;
use crate::logout::plan::{self, IdpLegs};
use crate::oidc::LogoutScope;
use crate::session::BrowserSession;
use crate::use_cases::{Failure, UseCases};

/// A party, by the name that people know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedParty {
    pub id: PartyId,
    pub name: String,
    /// Whether there is a way to tell it.
    pub can_be_told: bool,
}

impl UseCases {
    /// Whom a logout of this scope would sign the person out of: the apps as they joined, then each IdP
    /// once.
    pub(super) async fn listed(
        &self,
        session: &BrowserSession,
        scope: LogoutScope,
        now: Timestamp,
    ) -> Result<Vec<ListedParty>, Failure> {
        let known = self.view().await?.parties(session, Vec::new(), now).await?;
        let mut listed: Vec<ListedParty> = Vec::new();
        for leg in plan::legs(session, scope, &[], &IdpLegs::Ask, &known, now, self.rng()) {
            let id = PartyId::from(&leg.party);
            match listed.iter_mut().find(|party| party.id == id) {
                Some(same) => same.can_be_told |= leg.is_open(),
                None => listed.push(ListedParty {
                    name: known.name(&id),
                    can_be_told: leg.is_open(),
                    id,
                }),
            }
        }
        Ok(listed)
    }
}
