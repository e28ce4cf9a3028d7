//! An IdP that began a logout waits for its answer until the browser has shown the frames of apps
//! (SAML Profiles 4.4.3.4). Which browser takes back which answer, and when it has done so.

use std::sync::Arc;

use crate::change::{Change, EndedPrincipal};
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::keys::keyed_hash;
use crate::logout::{Event, Logout, Next as Step, OwedAnswer};
use crate::secret::Token;
use crate::store::CommitError;
use crate::use_cases::logout_request::{least_known, pages_of};
use crate::use_cases::{Failure, Reply, TRIES, UseCases};

/// How many frames one page holds at least before further sessions of the same request wait for the
/// next page.
const MOST_FRAMES: usize = 32;

/// A LogoutRequest that a logout answers, and what its IdP waits for.
struct Owed {
    request: EndedPrincipal,
    answer: OwedAnswer,
}

impl UseCases {
    /// The browser is at the page of a logout that an IdP's request began. One page shows the frames of
    /// every session that the request ended: the `sid` of each tells the app whether it is meant. Then
    /// the browser takes back the answer to the request that it brought; `mark` says which that was.
    pub(super) async fn go_on_to_answer(
        &self,
        logout: Logout,
        first: &OwedAnswer,
        mark: Option<&str>,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let mut owed = self.owed(&logout, first).await?;
        let brought = owed.iter().position(|owed| mark == Some(&*self.mark(&owed.answer)));
        // An address without a mark: whatever the IdP waits for by now.
        let brought = brought.or(owed.len().checked_sub(1)).map(|at| owed.swap_remove(at));
        let answer = brought.as_ref().map_or(first, |owed| &owed.answer);
        let connection = self.who_waits(answer, now).await?;
        let mut logouts = match &brought {
            Some(brought) => self.logouts_of(&brought.request).await?,
            // It is forgotten when nobody can be on the way any more.
            None => vec![logout.clone()],
        };
        let mut frames = Vec::new();
        for each in &mut logouts {
            if frames.len() < MOST_FRAMES {
                let events = events.iter().cloned().chain([self.browser_here(false)]).collect();
                let (advanced, step, _) = self.advance(each.clone(), events, now).await?;
                *each = advanced;
                if let Step::Frames(legs) = step {
                    frames.extend(self.frames_of(each, &legs).await?);
                }
            }
        }
        if !frames.is_empty() {
            let framed_by = connection.as_deref().map(pages_of).unwrap_or_default();
            let mark = Some(self.mark(answer));
            return Ok(self.frames_page(frames, mark, &logout).framed_by(framed_by));
        }
        let reply = match connection {
            Some(connection) => self.answer(&connection, answer, logouts).await?,
            None => {
                let shown = least_known(&logouts).cloned().unwrap_or(logout);
                self.end_page(shown, None, None, now).await?
            }
        };
        if let Some(brought) = brought {
            self.note_answered(brought.request, now).await;
        }
        Ok(reply)
    }

    /// When the browser that brought this request was first given the answer to take back. Without a
    /// `mark` it is not known which browser this is: then, when any was.
    pub(super) async fn answered_at(
        &self,
        logout: &Logout,
        first: &OwedAnswer,
        mark: Option<&str>,
    ) -> Result<Option<Timestamp>, Failure> {
        let owed = self.owed(logout, first).await?;
        if owed.is_empty() {
            return Ok(logout.answered_at);
        }
        let brought = owed.iter().find(|owed| mark == Some(&*self.mark(&owed.answer)));
        Ok(match brought {
            Some(brought) => brought.request.answered_at,
            None => owed.iter().filter_map(|owed| owed.request.answered_at).min(),
        })
    }

    /// The page of this logout, for the browser that brought this request.
    pub(super) fn to_its_page_for(&self, logout: &Logout, owed: &OwedAnswer) -> Reply {
        let handle = self.page_handle(&logout.document.page_seed);
        let page = self.settings().logout_page_url(handle.expose());
        Reply::redirect(format!("{page}?request={}", self.mark(owed)))
    }

    /// Tells the requests of one logout apart in the address of its page. It is no secret: whoever
    /// knows the page may have any of the answers.
    fn mark(&self, owed: &OwedAnswer) -> String {
        let parts = [b"owed_answer", owed.idp.as_str().as_bytes(), owed.request_id.as_bytes()];
        let mac = keyed_hash(&self.keys().csrf, &parts);
        Token::from_bytes(mac.split_at(16).0).expose().to_owned()
    }

    /// Every request that this logout answers, the newest last: the one that began it, and those by
    /// which the IdP asked again.
    async fn owed(&self, logout: &Logout, first: &OwedAnswer) -> Result<Vec<Owed>, Failure> {
        let began = self.store().carried_out(&first.idp, &first.request_id).await?;
        let Some(began) = began else { return Ok(Vec::new()) };
        let all = self.store().carried_out_for(&first.idp, &began.name_id.value).await?;
        let of_this = all.into_iter().filter(|request| request.logouts.contains(&logout.id));
        let owed = of_this.filter_map(|request| {
            let answer = match request.request_id == first.request_id {
                true => first.clone(),
                false => request.answer.clone()?,
            };
            Some(Owed { request, answer })
        });
        Ok(owed.collect())
    }

    /// `None`: it was removed, or its metadata has expired, so nobody is there to answer or to frame
    /// our page.
    async fn who_waits(
        &self,
        owed: &OwedAnswer,
        now: Timestamp,
    ) -> Result<Option<Arc<Connection>>, Failure> {
        match self.view().await?.known_connection(&owed.idp, now).await {
            Ok(connection) => Ok(Some(connection)),
            Err(Failure::Connection { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The browser goes on whether it can be written or not: at worst the IdP hears the same twice.
    async fn note_answered(&self, mut request: EndedPrincipal, now: Timestamp) {
        for _ in 0..TRIES {
            if request.answered_at.is_some() {
                return;
            }
            request.answered_at = Some(now);
            let save = Change::SaveEndedPrincipal(Box::new(request.clone()));
            match self.store().commit(now, vec![save]).await {
                Ok(()) => return,
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {
                    let (idp, id) = (&request.idp, &request.request_id);
                    match self.store().carried_out(idp, id).await {
                        Ok(Some(written)) => request = written,
                        Ok(None) => return,
                        Err(error) => return not_noted(&error),
                    }
                }
                Err(error) => return not_noted(&error),
            }
        }
    }
}

fn not_noted(error: &dyn std::error::Error) {
    tracing::error!("that an IdP has its answer is not written down: {error}");
}
