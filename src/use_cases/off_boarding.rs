//! A person is signed out of everything, as when they leave the organisation.

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, EndedSubject};
use crate::logout::{Logout, Reason};
use crate::oidc::Subject;
use crate::use_cases::{Failure, REQUEST_LIFETIME, UseCases};

/// How many sessions are read at once.
const PAGE: i64 = 64;

impl UseCases {
    /// Ends every session of the person, in the order of their ids, each in a transaction of its own.
    /// A sign-in that was begun before and is still on its way signs nobody in when it arrives; one
    /// that begins afterwards is for the IdP to refuse. The parties are not told here, because a token
    /// for the whole person must not leave before all of it is true: that is for
    /// [`UseCases::tell_now`] or [`UseCases::tell_soon`].
    ///
    /// # Errors
    /// [`Failure::Contended`] if sessions change faster than they can be ended; what was ended stays so,
    /// and its parties are told.
    pub async fn sign_out_person(&self, subject: &Subject) -> Result<Vec<Logout>, Failure> {
        let now = self.now().await?;
        let ended = EndedSubject {
            subject: subject.clone(),
            ended_at: now,
            // An AuthnRequest waits that long for its answer, and the answer for its browser.
            expires_at: now.plus(REQUEST_LIFETIME.saturating_mul(3)),
        };
        let record = AuditEvent::new(AuditKind::PersonSignedOut);
        let changes = vec![Change::SaveEndedSubject(ended), Change::Record(record)];
        self.store().commit(now, changes).await.map_err(Failure::commit)?;
        self.end_sessions_of_person(subject).await
    }

    /// Looks again until a look finds none: a sign-in that is being written at the same time either is
    /// found here, or finds what was written before.
    pub(super) async fn end_sessions_of_person(
        &self,
        subject: &Subject,
    ) -> Result<Vec<Logout>, Failure> {
        let mut ended = Vec::new();
        loop {
            let read = self.store().sessions_of_person(subject, PAGE).await?;
            if read.found.sessions.is_empty() {
                return Ok(ended);
            }
            for session in read.found.sessions {
                ended.extend(self.end_without_browser(session.id, Reason::Offboarded).await?);
            }
        }
    }
}
