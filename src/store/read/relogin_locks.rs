use super::{At, query, table};
use crate::id::{IdpId, LogoutId};
use crate::logout::relogin_lock::ReloginLock;
use crate::oidc::Subject;
use crate::saml::SessionIndex;
use crate::secret::TokenHash;
use crate::store::sealed::{SealedStore, place};
use crate::store::{Row, StoreError};

impl SealedStore {
    /// The IdPs of the locks that hold now of this browser.
    pub async fn locked_idps(&self, browser: TokenHash) -> Result<Vec<IdpId>, StoreError> {
        let sql = "SELECT idp_id, MAX(expires_at) AS expires_at FROM relogin_lock \
                   WHERE browser_hash = $1 GROUP BY idp_id ORDER BY idp_id";
        let snapshot = self.engine.select(vec![query(sql, vec![browser.into()])]).await?;
        let mut locked = Vec::new();
        for row in table(&snapshot, 0) {
            if snapshot.now < row.timestamp("expires_at")? {
                locked.push(row.parse("idp_id")?);
            }
        }
        Ok(locked)
    }

    /// The locks of this IdP that hold now: of this browser, of this person, and of these of its
    /// sessions, whoever's they were.
    pub async fn relogin_locks(
        &self,
        idp: &IdpId,
        browser: Option<TokenHash>,
        subject: &Subject,
        indexes: &[SessionIndex],
    ) -> Result<At<Vec<ReloginLock>>, StoreError> {
        // By a UNION each part goes by its own index.
        let sql = "SELECT leg_id, logout_id, browser_hash, idp_id, subject, sealed, fresh_after, \
                   expires_at FROM relogin_lock WHERE idp_id = $3 AND leg_id IN (\
                   SELECT leg_id FROM relogin_lock WHERE browser_hash = $1 \
                   UNION SELECT leg_id FROM relogin_lock WHERE subject = $2 \
                   UNION SELECT leg_id FROM relogin_lock_index WHERE index_hash = $4) \
                   ORDER BY leg_id";
        let of = |index: Option<&SessionIndex>| {
            let hash = index.map(|index| self.session_index_hash(idp, index));
            let (subject, idp) = (subject.as_str().to_owned(), idp.as_str());
            query(sql, vec![browser.into(), subject.into(), idp.into(), hash.into()])
        };
        // An assertion names one session, hardly ever several.
        let (first, others) = match indexes.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, indexes),
        };
        let mut queries = vec![of(first)];
        queries.extend(others.iter().map(|index| of(Some(index))));
        let snapshot = self.engine.select(queries).await?;
        let rows = snapshot.tables.iter().flatten();
        let mut found = rows.map(|row| self.relogin_lock(row)).collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|lock| lock.leg);
        found.dedup_by_key(|lock| lock.leg);
        found.retain(|lock| snapshot.now < lock.expires_at);
        Ok(At { now: snapshot.now, found })
    }

    /// Whether a lock of this logout holds.
    pub async fn has_relogin_lock(&self, logout: LogoutId) -> Result<bool, StoreError> {
        let sql = "SELECT r.expires_at FROM relogin_lock r JOIN leg l ON l.id = r.leg_id \
                   WHERE l.logout_id = $1";
        let snapshot =
            self.engine.select(vec![query(sql, vec![logout.to_string().into()])]).await?;
        let mut holds = false;
        for row in table(&snapshot, 0) {
            holds |= snapshot.now < row.timestamp("expires_at")?;
        }
        Ok(holds)
    }

    fn relogin_lock(&self, row: &Row) -> Result<ReloginLock, StoreError> {
        let leg = row.parse("leg_id")?;
        Ok(ReloginLock {
            leg,
            logout: row.parse("logout_id")?,
            browser: row.hash("browser_hash")?,
            idp: row.parse("idp_id")?,
            subject: Subject::stored(row.text("subject")?.to_owned()),
            session_indexes: self.unseal(&place::relogin_lock(leg), row.bytes("sealed")?)?,
            fresh_after: row.timestamp("fresh_after")?,
            expires_at: row.timestamp("expires_at")?,
        })
    }
}
