use super::{At, query, table};
use crate::id::{IdpId, LogoutId};
use crate::logout::relogin_lock::ReloginLock;
use crate::oidc::Subject;
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

    /// The locks of this IdP that hold now, of this browser and of this person.
    pub async fn relogin_locks(
        &self,
        idp: &IdpId,
        browser: Option<TokenHash>,
        subject: &Subject,
    ) -> Result<At<Vec<ReloginLock>>, StoreError> {
        let sql = "SELECT leg_id, logout_id, browser_hash, idp_id, subject, sealed, fresh_after, \
                   expires_at FROM relogin_lock \
                   WHERE (browser_hash = $1 OR subject = $2) AND idp_id = $3 ORDER BY leg_id";
        let params = vec![browser.into(), subject.as_str().to_owned().into(), idp.as_str().into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        let found = table(&snapshot, 0).iter().map(|row| self.relogin_lock(row));
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
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
