//! `/connect/logout/{handle}`: the question, the waiting page and the end of one logout.

use crate::change::{Change, LogoutQuestion};
use crate::clock::Timestamp;
use crate::id::LegId;
use crate::logout::{Event, Logout};
use crate::oidc::LogoutScope;
use crate::policy::{WhoseSession, whose_session};
use crate::secret::Token;
use crate::store::{CommitError, LogoutKey};
use crate::use_cases::own_form::{OwnForm, check_csrf};
use crate::use_cases::{Browser, Failure, Page, Reply, TRIES, UseCases};

/// What the person pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageAnswer {
    SignOut,
    StaySignedIn,
    /// To have the IdP asked once more.
    AskAgain,
    /// Not to wait for the IdP of this leg any longer.
    GoOn(Option<LegId>),
    /// At the end: to have the IdP of this leg asked once more.
    TryAgain(LegId),
}

impl UseCases {
    /// `GET`: wherever the logout stands, this shows it or goes on with it. `mark` stands in the address
    /// where the browser brought an IdP's request.
    pub async fn logout_page(
        &self,
        handle: &Token,
        mark: Option<&str>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        let read = self.store().logout(LogoutKey::Handle(handle.hash())).await?;
        if let Some(found) = read.found {
            let (logout, now) = (found.logout, read.now);
            if self.has_come_back(&logout, mark, now).await? {
                let continue_to = logout.onward();
                let own = (!self.is_somebody_elses(browser, &logout).await?).then_some(handle);
                return self.end_page(logout, own, continue_to, now).await;
            }
            if let Some(owed) = logout.document.owed_answer.clone() {
                return self.go_on_to_answer(logout, &owed, mark, Vec::new(), now).await;
            }
            // Who loads the page again in place of the IdP from which nobody comes back may have
            // lost our answer. Where somebody else is waited for, the person presses "Ask again".
            let again = !logout.needs_browser() && logout.sent_away_lately(now).is_some();
            return self.go_on(logout, Some(handle), Vec::new(), again, now).await;
        }
        let question = self.store().logout_question(handle.hash()).await?;
        let question = question.ok_or_else(unknown_page)?;
        let read = self.store().sessions_to_end(browser.session_hash(), None).await?;
        let [session, _] = &read.found;
        // Another site posted it, and perhaps not from this browser; or somebody else was asked. Whoever did
        // that knows this address, so it must not become that of this browser's logout.
        let is_another =
            session.as_ref().is_some_and(|session| question.asked_of != Some(session.id));
        if !question.asked || is_another {
            let question = LogoutQuestion { page_seed: self.page_seed(), ..question };
            return self.decide(question, browser).await;
        }
        let app = match &question.initiator {
            Some(client) => Some(self.view().await?.client_name(client).await?),
            None => None,
        };
        // Whom it reaches is told to the browser of that session only.
        let parties = match session {
            Some(session) => self.listed(session, question.scope, read.now).await?,
            None => Vec::new(),
        };
        let page = Reply::page(Page::ConfirmLogout {
            handle: handle.clone(),
            app,
            everywhere: question.scope != LogoutScope::OpOnly,
            parties,
            csrf: self.form_proof(OwnForm::ConfirmLogout, handle, browser),
            target_refused: question.target_refused,
        });
        Ok(page.in_language(question.language))
    }

    /// `POST`: the person answered. `csrf` proves that the page was shown to this browser.
    ///
    /// # Errors
    /// [`Failure::Browser`] if the page is too old, or was shown to another browser.
    pub async fn answer_logout_page(
        &self,
        handle: &Token,
        answer: PageAnswer,
        csrf: &str,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        let events = match answer {
            PageAnswer::AskAgain => Some(Vec::new()),
            PageAnswer::TryAgain(leg) => {
                let (logout, now) = self.begun(handle).await?;
                return self.try_again(logout, leg, handle, browser, now).await;
            }
            PageAnswer::GoOn(leg) => {
                Some(leg.map(|leg| Event::GaveUp { leg }).into_iter().collect())
            }
            // Pressed twice: the logout has begun, and the browser may have dropped the first answer.
            PageAnswer::SignOut if self.has_begun(handle).await? => Some(Vec::new()),
            PageAnswer::SignOut | PageAnswer::StaySignedIn => None,
        };
        if let Some(events) = events {
            let again = !matches!(answer, PageAnswer::GoOn(_));
            return self.resume(handle, events, again).await;
        }
        check_csrf(&self.form_proof(OwnForm::ConfirmLogout, handle, browser), csrf)?;
        for _ in 0..TRIES {
            let question = self.store().logout_question(handle.hash()).await?;
            let reply = match (question, answer) {
                (Some(question), PageAnswer::StaySignedIn) => {
                    let kept = self.keep(handle).await?;
                    kept.map(|reply| reply.in_language(question.language))
                }
                (Some(question), _) => self.confirmed(question, handle, browser).await?,
                // Pressed twice: it was kept the first time.
                (None, PageAnswer::StaySignedIn) if !self.has_begun(handle).await? => {
                    Some(Reply::page(Page::KeptSignedIn))
                }
                (None, _) => Some(self.resume(handle, Vec::new(), true).await?),
            };
            if let Some(reply) = reply {
                return Ok(reply);
            }
        }
        Err(Failure::Contended)
    }

    /// Goes on with a logout that has begun.
    pub(super) async fn resume(
        &self,
        handle: &Token,
        events: Vec<Event>,
        again: bool,
    ) -> Result<Reply, Failure> {
        let (logout, now) = self.begun(handle).await?;
        self.go_on(logout, Some(handle), events, again, now).await
    }

    /// A logout that has begun.
    pub(super) async fn begun(&self, handle: &Token) -> Result<(Logout, Timestamp), Failure> {
        let read = self.store().logout(LogoutKey::Handle(handle.hash())).await?;
        let found = read.found.ok_or_else(unknown_page)?;
        Ok((found.logout, read.now))
    }

    async fn keep(&self, handle: &Token) -> Result<Option<Reply>, Failure> {
        let now = self.now().await?;
        let take = Change::TakeLogoutQuestion { handle: handle.hash() };
        match self.store().commit(now, vec![take]).await {
            Ok(()) => Ok(Some(Reply::page(Page::KeptSignedIn))),
            Err(CommitError::Conflict { .. } | CommitError::Unknown) => Ok(None),
            Err(other) => Err(Failure::commit(other)),
        }
    }

    /// The person said yes: the session of this browser ends, or, where it has none, the hint's.
    async fn confirmed(
        &self,
        question: LogoutQuestion,
        handle: &Token,
        browser: &Browser,
    ) -> Result<Option<Reply>, Failure> {
        let sid = question.hint.as_ref().and_then(|hint| hint.sid.as_deref());
        let read = self.store().sessions_to_end(browser.session_hash(), sid).await?;
        let [cookie, hinted] = read.found;
        let (hint, without_cookie) = (question.hint.as_ref(), cookie.is_none());
        let whose = whose_session(cookie, hint, hinted, question.named.as_ref(), question.confirm);
        match whose {
            WhoseSession::Nobody => {
                Ok(Some(self.resume_or_nobody(&question, browser, read.now).await?))
            }
            WhoseSession::Ask(session) | WhoseSession::End(session) => {
                let answered = Some(handle);
                self.end(&session, &question, answered, without_cookie, browser, read.now).await
            }
        }
    }
}

fn unknown_page() -> Failure {
    Failure::browser("logout_page", "no logout has this handle, or it is too old")
}
