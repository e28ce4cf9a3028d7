//! Telling apps through the browser (Front-Channel Logout 1.0): one page with a frame for each.

use std::time::Duration;

use crate::id::{ClientId, LegId};
use crate::logout::{AppChannel, Event, Leg, Logout, Party};
use crate::secret::Token;
use crate::use_cases::{CookieChange, Failure, Next, Reply, UseCases, transaction_name};

/// How long the frames of one page are given. With script the browser goes on as soon as all have
/// loaded, and at this time whatever hangs. Without script it goes on at this time after all have
/// loaded: browsers count the seconds of a `meta refresh` from then (HTML, "shared declarative
/// refresh steps"), so past an app that hangs there is the link.
pub const FRAMES_WAIT: Duration = Duration::from_secs(5);

/// One app's frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub app: ClientId,
    /// `None`: the page does not say who it is.
    pub name: Option<String>,
    /// With the issuer and the session that has ended (section 2).
    pub location: String,
}

impl UseCases {
    /// `GET` of a logout's page, by the browser that comes back from its frames. `mark` stands in the
    /// address where the browser brought an IdP's request.
    ///
    /// # Errors
    /// [`Failure::Browser`] if no logout has this handle.
    pub async fn frames_done(&self, handle: &Token, mark: Option<&str>) -> Result<Reply, Failure> {
        let (logout, now) = self.begun(handle).await?;
        let events = vec![Event::FramesDone];
        match logout.document.owed_answer.clone() {
            Some(owed) => self.go_on_to_answer(logout, &owed, mark, events, now).await,
            None => {
                // It has got there: see `send_on`.
                let name = transaction_name(&logout.id.to_string());
                let reply = self.go_on(logout, Some(handle), events, true, now).await?;
                Ok(reply.with(CookieChange::ClearTransaction { name }))
            }
        }
    }

    pub(super) async fn frames_of(
        &self,
        logout: &Logout,
        legs: &[LegId],
    ) -> Result<Vec<Frame>, Failure> {
        let view = self.view().await?;
        let mut frames = Vec::with_capacity(legs.len());
        for leg in legs.iter().filter_map(|id| logout.leg(*id)) {
            if let Party::App { client, channel: AppChannel::FrontChannel { location } } =
                &leg.party
            {
                let name = match logout.may_name(&leg.party) {
                    true => Some(view.client_name(client).await?),
                    false => None,
                };
                frames.push(Frame {
                    app: client.clone(),
                    name,
                    location: location.for_session(&self.settings().issuer, &logout.document.sid),
                });
            }
        }
        Ok(frames)
    }

    /// Frames that are not to be shown any more, because the person has opened the app again.
    pub(super) async fn joined_again(&self, logout: &Logout) -> Result<Vec<Event>, Failure> {
        let frames = || logout.legs.iter().filter(|leg| leg.is_frame() && leg.is_open());
        if frames().next().is_none() {
            return Ok(Vec::new());
        }
        let Some(session) = self.session_that_lives_on(logout).await? else {
            return Ok(Vec::new());
        };
        let is_of_it =
            |leg: &&Leg| matches!(&leg.party, Party::App { client, .. } if session.has_app(client));
        Ok(frames().filter(is_of_it).map(|leg| Event::JoinedAgain { leg: leg.id }).collect())
    }

    /// The page with these frames, from which the browser comes back to that of `logout`.
    pub(super) fn frames_page(
        &self,
        frames: Vec<Frame>,
        mark: Option<String>,
        logout: &Logout,
    ) -> Reply {
        let handle = self.page_handle(&logout.document.page_seed);
        Reply::of(Next::Frames { handle, mark, frames, ends: logout.document.ends })
    }
}
