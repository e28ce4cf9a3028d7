//! The end of a logout, as the person sees it, and what can still be done there.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::LegId;
use crate::logout::{Ends, Event, Logout, Next as Step, PartyId};
use crate::secret::Token;
use crate::store::SessionKey;
use crate::use_cases::registry::View;
use crate::use_cases::{Browser, EndParty, Failure, LeftParty, LogoutEnd, Page, Reply, UseCases};

/// A browser that comes to the page of a logout within this time of its end is still on its way: it
/// goes to the target. The waiting page looks again every 15 seconds. Who comes later has come back,
/// and reads how it ended.
const STILL_ON_ITS_WAY: Duration = Duration::from_secs(30);

impl UseCases {
    /// Whether the person has been sent on, and is here again. Where an IdP began the logout, that is
    /// when it has got its answer from this browser; `mark` is of the request that the browser brought.
    pub(super) async fn has_come_back(
        &self,
        logout: &Logout,
        mark: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let sent_on_at = match &logout.document.owed_answer {
            Some(owed) => self.answered_at(logout, owed, mark).await?,
            None => logout.answered_at,
        };
        Ok(sent_on_at.is_some_and(|sent_on| now > sent_on.plus(STILL_ON_ITS_WAY)))
    }

    /// Each party by its name, if this logout may name it, and what is known of it. Only a browser with the handle can ask an
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
            let name = match logout.may_name(&leg.party) {
                true => Some(name_of(&view, &PartyId::from(&leg.party), now).await?),
                false => None,
            };
            let can_try_again = handle.is_some() && logout.can_try_again(leg, now);
            parties.push(EndParty { leg: leg.id, name, can_try_again });
        }
        let mut left = Vec::with_capacity(logout.document.left.len());
        for id in logout.document.left.clone() {
            left.push(LeftParty { name: name_of(&view, &id, now).await?, id });
        }
        let language = logout.document.language;
        let locked = handle.is_some()
            && !logout.document.without_cookie
            && self.store().has_relogin_lock(logout.id).await?;
        let handle = handle.cloned();
        let lives_on = self.lives_on(&logout).await?;
        let end = LogoutEnd { logout, parties, left, handle, continue_to, lives_on, locked };
        Ok(Reply::page(Page::LogoutEnd(Box::new(end))).in_language(language))
    }

    async fn lives_on(&self, logout: &Logout) -> Result<bool, Failure> {
        let session = SessionKey::Id(logout.document.browser_session);
        Ok(logout.document.ends == Ends::Apps
            && self.store().browser_session(session).await?.found.is_some())
    }

    /// Whether somebody else has signed in with this browser since. A LogoutRequest for the person
    /// of the logout could end what they have at the IdP.
    pub(super) async fn is_somebody_elses(
        &self,
        browser: &Browser,
        logout: &Logout,
    ) -> Result<bool, Failure> {
        let Some(cookie) = browser.session_hash() else { return Ok(false) };
        let session = self.store().browser_session(SessionKey::Cookie(cookie)).await?.found;
        Ok(session.is_some_and(|session| session.subject != logout.document.subject))
    }

    /// The person wants an IdP asked once more. What is known stays so until it answers.
    pub(super) async fn try_again(
        &self,
        logout: Logout,
        leg: LegId,
        handle: &Token,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        if self.is_somebody_elses(browser, &logout).await? {
            return Ok(self.to_its_page(handle));
        }
        let event = Event::TriedAgain { leg, asked: self.fresh_request() };
        let (logout, step, now) = self.advance(logout, vec![event], now).await?;
        let language = logout.document.language;
        let reply = match step {
            Step::AskIdp(leg) => self.ask_idp(&logout, leg, Some(handle), now).await?,
            // It has answered in the meantime, or it is too late.
            _ => self.to_its_page(handle),
        };
        Ok(reply.in_language(language))
    }
}

/// What people call it.
async fn name_of(view: &View<'_>, party: &PartyId, now: Timestamp) -> Result<String, Failure> {
    match party {
        PartyId::App { client } => Ok(view.client_name(client).await?),
        PartyId::Idp { idp } => view.idp_name(idp, now).await,
    }
}
