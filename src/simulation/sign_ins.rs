//! What must be true whenever somebody is signed in, or uses that they are.

use super::installation::idp;
use super::mail::names;
use super::wish::Running;
use super::world::World;
use crate::id::BrowserSessionId;
use crate::secret::TokenHash;

impl World<'_> {
    /// I2: nothing succeeds of a session that was over before it was asked for.
    pub(super) fn must_have_lived(&self, running: &Running, session: BrowserSessionId) {
        let known = &self.model.sessions[&session];
        assert!(
            known.ended.is_none_or(|ended| ended >= running.begun),
            "I2: {running:?} succeeds, and session {session} ended at step {:?}",
            known.ended
        );
        let at = running.begun_at;
        assert!(at < known.session.expires_at, "I2: {running:?} succeeds after the session's end");
    }

    pub(super) fn must_be_signed_in(&self, running: &Running, code: TokenHash) {
        let known = self.model.codes.get(&code);
        let session = known.expect("I2: a code that is not written down").session;
        self.must_have_lived(running, session);
    }

    /// I12: an IdP that has ended a sign-in, and was told so, does not see it succeed afterwards.
    pub(super) fn must_not_be_overtaken(&self, running: &Running, sign_in: usize) {
        let sign_in = &self.truth.sign_ins[sign_in];
        for issued in &self.truth.requests {
            let before = issued.answered.is_some_and(|step| step < running.begun);
            let meant = issued.is_genuine
                && issued.idp == sign_in.idp
                && sign_in.instant <= issued.request.issue_instant
                && names(&issued.request, sign_in);
            assert!(
                !(before && meant),
                "I12: {running:?} succeeds, and {} had ended {}",
                issued.request.id,
                sign_in.assertion_id
            );
        }
    }

    /// I12: who was signed out of everything does not come back by a sign-in that was begun before.
    pub(super) fn must_not_be_off_boarded(
        &self,
        running: &Running,
        sign_in: usize,
        code: TokenHash,
    ) {
        let session = &self.model.sessions[&self.model.codes[&code].session].session;
        let Some(asked) = self.truth.sign_ins[sign_in].asked else { return };
        let over = self.truth.off_boarded.iter().any(|(subject, begun, answered)| {
            *subject == session.subject && asked < *begun && *answered < running.begun
        });
        assert!(!over, "I12: {running:?} succeeds for somebody who was signed out of everything");
    }

    /// I12: what rests on a session at an IdP that was to end with a logout, and of which the IdP has not
    /// said that it did, signs nobody in by itself.
    pub(super) fn must_not_be_locked(&self, running: &Running, sign_in: usize) {
        let sign_in = &self.truth.sign_ins[sign_in];
        let index = sign_in.index.as_ref();
        let subject = sign_in.subject.clone();
        let lock = self.model.locks.values().find(|(lock, step)| {
            *step < running.begun
                && lock.idp == idp(sign_in.idp)
                && (index.is_some_and(|index| lock.session_indexes.contains(index))
                    || running.relogin == Some(lock.browser) && lock.subject == subject)
                && sign_in.instant <= lock.fresh_after
                && running.begun_at < lock.expires_at
        });
        assert!(lock.is_none(), "I12: {running:?} succeeds under {lock:?}");
    }
}
