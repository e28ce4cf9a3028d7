use super::{At, SessionKey, query, table};
use crate::change::EndedPrincipal;
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, IdpId};
use crate::session::BrowserSession;
use crate::store::sealed::{SealedStore, place};
use crate::store::{Row, StoreError};

/// How many sessions of a person are read at once.
const PAGE: i64 = 64;

/// Some of the sessions of a person.
#[derive(Clone, Debug)]
pub struct SessionPage {
    pub sessions: Vec<BrowserSession>,
    /// There may be more after this one.
    pub more_after: Option<BrowserSessionId>,
}

impl SealedStore {
    /// Live browser sessions that hold a sign-in of this name by this IdP, whatever its qualifiers, in
    /// the order of their ids; at most 64 of them, those after `after`.
    pub async fn sessions_of(
        &self,
        idp: &IdpId,
        name: &str,
        after: Option<BrowserSessionId>,
        now: Timestamp,
    ) -> Result<At<SessionPage>, StoreError> {
        let sql = "SELECT DISTINCT b.id FROM browser_session b \
                   JOIN idp_session i ON i.browser_session_id = b.id \
                   WHERE i.principal_hash = $1 AND b.ended_at IS NULL AND b.idle_until > $2 \
                   AND b.expires_at > $2 AND b.id > $3 ORDER BY b.id LIMIT $4";
        let hash = self.principal_hash(idp.as_str(), name);
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let params = vec![hash.into(), now.into(), after.into(), PAGE.into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        let rows = table(&snapshot, 0);
        let ids: Vec<BrowserSessionId> =
            rows.iter().map(|row| row.parse("id")).collect::<Result<_, _>>()?;
        let is_full = i64::try_from(ids.len()).is_ok_and(|found| found >= PAGE);
        let more_after = ids.last().copied().filter(|_| is_full);
        let queries: Vec<_> = ids.iter().flat_map(|id| SessionKey::Id(*id).queries()).collect();
        let per_session = queries.len().checked_div(ids.len()).unwrap_or(0);
        let snapshot = self.engine.select(queries).await?;
        let session = |place: usize| self.session_in(&snapshot, place * per_session);
        let found: Vec<_> = (0..ids.len()).map(session).collect::<Result<_, _>>()?;
        let is_live = |session: &BrowserSession| session.is_live(snapshot.now);
        let sessions = found.into_iter().flatten().filter(is_live).collect();
        Ok(At { now: snapshot.now, found: SessionPage { sessions, more_after } })
    }

    /// The LogoutRequests of this IdP for this name that were carried out not long ago.
    pub async fn ended_principals(
        &self,
        idp: &IdpId,
        name: &str,
    ) -> Result<Vec<EndedPrincipal>, StoreError> {
        let sql = "SELECT idp_id, request_id, sealed FROM ended_principal \
                   WHERE principal_hash = $1";
        let hash = self.principal_hash(idp.as_str(), name);
        let snapshot = self.engine.select(vec![query(sql, vec![hash.into()])]).await?;
        table(&snapshot, 0).iter().map(|row| self.ended_principal(row)).collect()
    }

    /// The LogoutRequest of this ID, if it was carried out.
    pub async fn carried_out(
        &self,
        idp: &IdpId,
        request_id: &str,
    ) -> Result<Option<EndedPrincipal>, StoreError> {
        let sql = "SELECT idp_id, request_id, sealed FROM ended_principal \
                   WHERE idp_id = $1 AND request_id = $2";
        let params = vec![idp.as_str().into(), request_id.into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        table(&snapshot, 0).first().map(|row| self.ended_principal(row)).transpose()
    }

    fn ended_principal(&self, row: &Row) -> Result<EndedPrincipal, StoreError> {
        let place = place::ended_principal(row.text("idp_id")?, row.text("request_id")?);
        self.unseal(&place, row.bytes("sealed")?)
    }
}
