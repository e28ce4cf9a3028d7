//! The end of a logout, as the person sees it, and what can still be done there.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::LegId;
use crate::logout::{Event, Logout, Next as Step, Party};
use crate::secret::Token;
use crate::store::CommitError;
use crate::use_cases::{EndParty, Failure, LogoutEnd, Next, Page, Reply, TRIES, UseCases};

/// A browser that comes to the page of a logout within this time of its end is still on its way: it
/// goes to the target. The waiting page looks again every 15 seconds. Who comes later has come back,
/// and reads how it ended.
const STILL_ON_ITS_WAY: Duration = Duration::from_secs(30);

impl UseCases {
    /// Whether the person has been sent on, and is here again.
    pub(super) fn has_come_back(logout: &Logout, now: Timestamp) -> bool {
        logout.answered_at.is_some_and(|answered| now > answered.plus(STILL_ON_ITS_WAY))
    }

    /// Each party by its name, and what is known of it. Only a browser with the handle can ask an
    /// IdP once more.
    pub(super) async fn end_page(
        &self,
        logout: Logout,
        handle: Option<&Token>,
        continue_to: Option<String>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let view = self.view().await?;
        let mut parties = Vec::with_capacity(logout.legs.len());
        for leg in &logout.legs {
            let name = match &leg.party {
                Party::App { client } => view.client_name(client).await?,
                Party::Idp { idp, .. } => view.idp_name(idp, now).await?,
            };
            let can_try_again = handle.is_some() && logout.can_try_again(leg, now);
            parties.push(EndParty { leg: leg.id, name, can_try_again });
        }
        let language = logout.document.language;
        let locked = handle.is_some() && self.store().has_relogin_lock(logout.id).await?;
        let end = LogoutEnd { logout, parties, handle: handle.cloned(), continue_to, locked };
        Ok(Reply::page(Page::LogoutEnd(end)).in_language(language))
    }

    /// The person wants an IdP asked once more. What is known stays so until it answers.
    pub(super) async fn try_again(
        &self,
        mut logout: Logout,
        leg: LegId,
        handle: &Token,
        mut now: Timestamp,
    ) -> Result<Reply, Failure> {
        let asked = self.fresh_request();
        for _ in 0..TRIES {
            let event = Event::TriedAgain { leg, asked: asked.clone() };
            let decision = logout.clone().on([event], now);
            match self.store().commit(now, decision.changes).await {
                Ok(()) => {
                    let (logout, language) = (decision.logout, logout.document.language);
                    let reply = match decision.next {
                        Step::AskIdp(leg) => self.ask_idp(&logout, leg, Some(handle), now).await?,
                        // It has answered in the meantime, or it is too late.
                        _ => self.at_its_end(handle),
                    };
                    return Ok(reply.in_language(language));
                }
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {
                    (logout, now) = self.read_again(logout.id).await?;
                }
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    /// The page of the logout, where the person asked from.
    pub(super) fn at_its_end(&self, handle: &Token) -> Reply {
        Reply::of(Next::Redirect(self.settings().logout_page_url(handle.expose())))
    }
}
