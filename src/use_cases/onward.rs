//! The browser's way through a logout, from party to party to its end.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::{LegId, LogoutId};
use crate::keys::keyed_hash;
use crate::logout::{Event, Logout, Next as Step, Party};
use crate::secret::Token;
use crate::store::{CommitError, LogoutKey};
use crate::use_cases::{Failure, Next, Page, Reply, TRIES, UseCases};

impl UseCases {
    /// Sends the browser to the next party, or to the end. `events` happened on the way here;
    /// `again` has an IdP that was asked already asked once more.
    pub(super) async fn go_on(
        &self,
        logout: Logout,
        handle: Option<&Token>,
        mut events: Vec<Event>,
        again: bool,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        if let Some(owed) = logout.document.owed_answer.clone() {
            return self.go_on_to_answer(logout, &owed, None, events, now).await;
        }
        events.extend(self.joined_again(&logout).await?);
        events.push(self.browser_here(again));
        let (logout, step, now) = self.advance(logout, events, now).await?;
        let language = logout.document.language;
        Ok(self.step(logout, step, handle, now).await?.in_language(language))
    }

    /// The browser is here, and a message to an IdP could be sent with it.
    pub(super) fn browser_here(&self, again: bool) -> Event {
        Event::BrowserHere { asked: self.fresh_request(), again }
    }

    /// Applies events, and writes down what follows from them.
    pub(super) async fn advance(
        &self,
        mut logout: Logout,
        events: Vec<Event>,
        mut now: Timestamp,
    ) -> Result<(Logout, Step, Timestamp), Failure> {
        for _ in 0..TRIES {
            let decision = logout.clone().on(events.iter().cloned(), now);
            match self.store().commit(now, decision.changes).await {
                Ok(()) => {
                    self.a_leg_closed(decision.logout.id);
                    return Ok((decision.logout, decision.next, now));
                }
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {
                    (logout, now) = self.read_again(logout.id).await?;
                }
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    async fn step(
        &self,
        logout: Logout,
        step: Step,
        handle: Option<&Token>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        match step {
            Step::Frames(legs) => {
                let frames = self.frames_of(&logout, &legs).await?;
                Ok(self.frames_page(frames, None, &logout))
            }
            Step::AskIdp(leg) => self.ask_idp(&logout, leg, handle, now).await,
            Step::Wait(leg) => self.waiting(&logout, leg, handle, now).await,
            Step::Finish => self.finish(logout, handle, now).await,
            Step::Continue | Step::Tell(_) => {
                Err(Failure::Internal(format!("logout {}: {step:?} with a browser", logout.id)))
            }
        }
    }

    /// The end of the browser's way: who is told beside it is given a moment, then the person goes
    /// to the URL that was checked at the start, or reads what is known.
    async fn finish(
        &self,
        logout: Logout,
        handle: Option<&Token>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let until = logout.created_at.plus(self.settings().logout_wait);
        let logout = self.wait_for_told(logout, until, now).await?;
        match logout.onward() {
            Some(target) => Ok(Reply::redirect(target)),
            None => self.end_page(logout, handle, None, now).await,
        }
    }

    async fn waiting(
        &self,
        logout: &Logout,
        leg: LegId,
        handle: Option<&Token>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let idp = match logout.leg(leg).map(|leg| &leg.party) {
            Some(Party::Idp { idp, .. }) => self.view().await?.idp_name(idp, now).await?,
            _ => String::new(),
        };
        Ok(Reply::page(Page::LogoutWaiting { handle: handle.cloned(), leg, idp }))
    }

    /// Waits for the parties that we tell ourselves, for each logout at most `logout.wait` after it
    /// began or was begun again.
    pub(super) async fn wait_for_all_told(
        &self,
        logouts: Vec<Logout>,
    ) -> Result<Vec<Logout>, Failure> {
        let mut told = Vec::with_capacity(logouts.len());
        for logout in logouts {
            // Whoever has its apps told again waits for them as for those of a new one.
            let retried = logout.legs.iter().filter_map(|leg| leg.retried_at).max();
            let begun = retried.map_or(logout.created_at, |at| at.max(logout.created_at));
            let until = begun.plus(self.settings().logout_wait);
            // While one was waited for, the others may have come to their end.
            let (logout, now) = match logout.is_telling() {
                true => self.read_again(logout.id).await?,
                false => (logout, until),
            };
            told.push(self.wait_for_told(logout, until, now).await?);
        }
        Ok(told)
    }

    /// Waits for the parties that we tell ourselves, at most until this time.
    pub(super) async fn wait_for_told(
        &self,
        mut logout: Logout,
        until: Timestamp,
        mut now: Timestamp,
    ) -> Result<Logout, Failure> {
        /// Another node may close a leg, and nothing wakes us then.
        const LOOK_AGAIN: Duration = Duration::from_millis(100);
        while logout.is_telling() && now < until {
            self.leg_closed_or(logout.id, until.since(now).min(LOOK_AGAIN)).await;
            (logout, now) = self.read_again(logout.id).await?;
        }
        Ok(logout)
    }

    /// A logout as it is now.
    pub(super) async fn read_again(&self, id: LogoutId) -> Result<(Logout, Timestamp), Failure> {
        let read = self.store().logout(LogoutKey::Id(id)).await?;
        let found = read.found.ok_or_else(|| Failure::NotFound { what: format!("logout {id}") })?;
        Ok((found.logout, read.now))
    }

    pub(super) fn page_seed(&self) -> String {
        self.rng().handle().expose().to_owned()
    }

    /// The handle of a logout's page: nobody can guess it, and whoever goes on with the logout can be
    /// sent there again.
    pub(super) fn page_handle(&self, seed: &str) -> Token {
        let mac = keyed_hash(&self.keys().csrf, &[b"logout_page", seed.as_bytes()]);
        Token::from_bytes(mac.split_at(16).0)
    }

    /// Where this would show a page of the logout, sends the browser to that page's own address: it
    /// can be loaded again, and no message of an IdP stays in the address bar.
    pub(super) fn at_its_page(&self, reply: Reply, handle: &Token) -> Reply {
        let is_of_the_logout = match &reply.next {
            Next::Frames { .. } => true,
            Next::Page(page) => {
                matches!(**page, Page::LogoutEnd(_) | Page::LogoutWaiting { .. })
            }
            Next::Redirect(_) | Next::Post(_) => false,
        };
        match is_of_the_logout {
            true => Reply { next: self.to_its_page(handle).next, ..reply },
            false => reply,
        }
    }

    pub(super) fn to_its_page(&self, handle: &Token) -> Reply {
        Reply::redirect(self.settings().logout_page_url(handle.expose()))
    }
}
