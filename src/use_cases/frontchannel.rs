//! Telling apps through the browser (Front-Channel Logout 1.0): one page with a frame for each.

use std::time::Duration;

use crate::id::{ClientId, LegId};
use crate::logout::{AppChannel, Event, Logout, Party};
use crate::secret::Token;
use crate::use_cases::{Failure, Next, Reply, UseCases};

/// How long the frames of one page are given. With script the browser goes on as soon as all have
/// loaded; nobody waits longer than this for an app that hangs.
pub const FRAMES_WAIT: Duration = Duration::from_secs(5);

/// One app's frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub app: ClientId,
    /// With the issuer and the session that has ended (section 2).
    pub location: String,
}

impl UseCases {
    /// `GET` of a logout's page, by the browser that comes back from its frames.
    ///
    /// # Errors
    /// [`Failure::Browser`] if no logout has this handle.
    pub async fn frames_done(&self, handle: &Token) -> Result<Reply, Failure> {
        self.resume(handle, vec![Event::FramesDone], true).await
    }

    pub(super) fn frames_of(&self, logout: &Logout, legs: &[LegId]) -> Vec<Frame> {
        let legs = legs.iter().filter_map(|id| logout.leg(*id));
        let frame = |party: &Party| match party {
            Party::App { client, channel: AppChannel::FrontChannel { location } } => Some(Frame {
                app: client.clone(),
                location: location.for_session(&self.settings().issuer, &logout.document.sid),
            }),
            Party::App { .. } | Party::Idp { .. } => None,
        };
        legs.filter_map(|leg| frame(&leg.party)).collect()
    }

    /// The page with these frames, from which the browser comes back to that of `logout`.
    pub(super) fn frames_page(&self, frames: Vec<Frame>, logout: &Logout) -> Reply {
        let handle = self.page_handle(&logout.document.page_seed);
        Reply::of(Next::Frames { handle, frames })
    }
}
