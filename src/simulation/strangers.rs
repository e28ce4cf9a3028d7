//! Strangers, who would like to be an IdP.

use super::idps::{Carried, Manner};
use super::installation::{IDPS, ISSUER, entity};
use super::parties::name_of;
use super::world::World;
use crate::clock::Timestamp;
use crate::logout::LegOutcome;
use crate::saml::{EntityId, LogoutRequest};

impl World<'_> {
    /// A LogoutRequest or an answer that nobody who is entitled to has made.
    pub(super) fn stranger_tries(&mut self) {
        let idp = self.dice.below(IDPS);
        let other = (idp + 1 + self.dice.below(IDPS - 1)) % IDPS;
        let request = |issuer: EntityId, world: &mut Self| LogoutRequest {
            id: format!("_request-{}", world.truth.requests.len()),
            issue_instant: Timestamp::from_seconds(world.now.as_seconds()),
            not_on_or_after: None,
            destination: Some(format!("{ISSUER}{}", crate::paths::SAML_LOGOUT)),
            issuer,
            name_id: name_of(idp, world.dice.below(2), world.dice.below(8)),
            session_indexes: Vec::new(),
            reason: None,
            asynchronous: false,
        };
        match self.dice.below(5) {
            // Nobody signed it.
            0 => {
                let request = request(entity(idp), self);
                self.issue(idp, request, None, false);
            }
            // Another IdP signed it in its name.
            1 => {
                let request = request(entity(idp), self);
                self.issue(idp, request, Some(other), false);
            }
            // Another IdP ends whom it has never signed in, and is entitled to nothing of it.
            2 => {
                let request = request(entity(other), self);
                self.issue(other, request, Some(other), true);
            }
            // An answer with a RelayState out of the air.
            _ => {
                let browser = self.some_browser();
                let id = self.some_other_request("");
                let forged = LogoutRequest { id, ..request(entity(idp), self) };
                let manner = self.dice.one_of(&[Manner::Unsigned, Manner::SignedByAnother]);
                let carried = self.dice.one_of(&[Carried::Without, Carried::WithAWrongOne]);
                let how = (manner, LegOutcome::Confirmed, carried);
                self.answer(browser, idp, &forged, "", how);
            }
        }
    }
}
