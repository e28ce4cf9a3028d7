use super::rows::{any, one};
use crate::audit::AuditEvent;
use crate::clock::Timestamp;
use crate::id::{EventId, LegId};
use crate::logout::relogin_lock::ReloginLock;
use crate::store::Statement;
use crate::store::sealed::{SealedStore, place};

impl SealedStore {
    pub(super) fn add_relogin_lock(&self, lock: &ReloginLock, out: &mut Vec<Statement>) {
        out.push(one(
            "AddReloginLock",
            "INSERT INTO relogin_lock (leg_id, logout_id, browser_hash, idp_id, subject, sealed, \
             fresh_after, expires_at, session_cookie_hash, former_session_cookie_hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
             (SELECT b.cookie_hash FROM browser_session b \
             JOIN logout o ON o.browser_session_id = b.id WHERE o.id = $2), \
             (SELECT b.former_cookie_hash FROM browser_session b \
             JOIN logout o ON o.browser_session_id = b.id WHERE o.id = $2))",
            vec![
                lock.leg.to_string().into(),
                lock.logout.to_string().into(),
                lock.browser.into(),
                lock.idp.as_str().into(),
                lock.subject.as_str().into(),
                self.seal(&place::relogin_lock(lock.leg), &lock.session_indexes).into(),
                lock.fresh_after.into(),
                lock.expires_at.into(),
            ],
        ));
        out.extend(lock.session_indexes.iter().map(|index| {
            any(
                "AddReloginLock",
                "INSERT INTO relogin_lock_index (index_hash, leg_id) VALUES ($1, $2) \
                 ON CONFLICT (index_hash, leg_id) DO NOTHING",
                vec![self.session_index_hash(&lock.idp, index).into(), lock.leg.to_string().into()],
            )
        }));
    }

    /// Records that the lock is lifted, if there is one, and deletes it.
    pub(super) fn lift_relogin_lock(
        &self,
        leg: LegId,
        event: AuditEvent,
        now: Timestamp,
    ) -> [Statement; 2] {
        let leg = leg.to_string();
        let record = any(
            "RecordLiftedReloginLock",
            "INSERT INTO audit \
             (id, at, kind, browser_session_id, logout_id, client_id, idp_id, detail, place) \
             SELECT $1, $2, $3, $4, l.logout_id, $5, l.idp_id, $6, \
             (SELECT COALESCE(MAX(a.place), 0) + 1 FROM audit a WHERE a.logout_id = l.logout_id) \
             FROM relogin_lock l WHERE l.leg_id = $7",
            vec![
                EventId::new(now, &self.rng).to_string().into(),
                now.into(),
                event.kind.as_str().into(),
                event.browser_session.map(|id| id.to_string()).into(),
                event.client.map(String::from).into(),
                event.detail.into(),
                leg.clone().into(),
            ],
        );
        let delete = "DELETE FROM relogin_lock WHERE leg_id = $1";
        [record, any("LiftReloginLock", delete, vec![leg.into()])]
    }
}
