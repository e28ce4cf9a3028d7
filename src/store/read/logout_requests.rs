use super::{At, SessionPage, query, table};
use crate::change::EndedPrincipal;
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, IdpId, LogoutId};
use crate::oidc::Subject;
use crate::saml::SessionIndex;
use crate::session::SignedIn;
use crate::store::sealed::{SealedStore, place};
use crate::store::{Row, Snapshot, StoreError};

/// How many sessions of a person are read at once.
const PAGE: i64 = 64;
/// How many logouts of one name or SessionIndex are read. Where there are as many, there may be more.
pub const EARLIER_LOGOUTS: usize = 256;

impl SealedStore {
    /// Browser sessions that a logout can end, live or lapsed, and that hold a sign-in of this name by
    /// this IdP, whatever its qualifiers, in the order of their ids; at most 64, those after `after`.
    pub async fn sessions_of(
        &self,
        idp: &IdpId,
        name: &str,
        after: Option<BrowserSessionId>,
    ) -> Result<At<SessionPage>, StoreError> {
        let sql = "SELECT DISTINCT b.id FROM browser_session b \
                   JOIN idp_session i ON i.browser_session_id = b.id \
                   WHERE i.principal_hash = $1 AND b.ended_at IS NULL AND b.id > $2 \
                   ORDER BY b.id LIMIT $3";
        let hash = self.principal_hash(idp.as_str(), name);
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let params = vec![hash.into(), after.into(), PAGE.into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        self.sessions_to_end_of(&snapshot, PAGE).await
    }

    /// Browser sessions that a logout can end and that were saved with one of these SessionIndexes
    /// of this IdP, in the order of their ids; at most 64 of them. A SessionIndex is of few
    /// sessions, most often of one.
    pub async fn sessions_of_indexes(
        &self,
        idp: &IdpId,
        indexes: &[SessionIndex],
        after: Option<BrowserSessionId>,
    ) -> Result<At<SessionPage>, StoreError> {
        let sql = "SELECT b.id FROM browser_session b \
                   JOIN session_index s ON s.browser_session_id = b.id \
                   WHERE s.index_hash = $1 AND b.ended_at IS NULL AND b.id > $2 \
                   ORDER BY b.id LIMIT $3";
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let of_index = |index: &SessionIndex| {
            let hash = self.session_index_hash(idp, index);
            let params = vec![hash.into(), after.clone().into(), PAGE.into()];
            query(sql, params)
        };
        let queries: Vec<_> = indexes.iter().map(of_index).collect();
        let found = self.engine.select(queries).await?;
        let mut rows: Vec<Row> = found.tables.into_iter().flatten().collect();
        rows.sort_by_key(|row| row.text("id").map(str::to_owned).unwrap_or_default());
        rows.dedup_by_key(|row| row.text("id").map(str::to_owned).unwrap_or_default());
        rows.truncate(usize::try_from(PAGE).unwrap_or_default());
        let merged = Snapshot { now: found.now, tables: vec![rows] };
        self.sessions_to_end_of(&merged, PAGE).await
    }

    /// The logouts of sessions that held a sign-in of this name by this IdP, whatever its
    /// qualifiers, each with that sign-in if it can be read; the newest [`EARLIER_LOGOUTS`].
    pub async fn logouts_of_name(
        &self,
        idp: &IdpId,
        name: &str,
    ) -> Result<Vec<(LogoutId, Option<SignedIn>)>, StoreError> {
        let sql = "SELECT o.id AS logout_id, i.id, i.sealed FROM idp_session i \
                   JOIN logout o ON o.browser_session_id = i.browser_session_id \
                   WHERE i.principal_hash = $1 ORDER BY o.id DESC LIMIT $2";
        let hash = self.principal_hash(idp.as_str(), name);
        let params = vec![hash.into(), limit().into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        self.logouts_and_sign_ins(&snapshot)
    }

    /// The same of sessions that were saved with one of these SessionIndexes of this IdP.
    pub async fn logouts_of_indexes(
        &self,
        idp: &IdpId,
        indexes: &[SessionIndex],
    ) -> Result<Vec<(LogoutId, Option<SignedIn>)>, StoreError> {
        let sql = "SELECT o.id AS logout_id, i.id, i.sealed FROM session_index s \
                   JOIN idp_session i ON i.browser_session_id = s.browser_session_id \
                   JOIN logout o ON o.browser_session_id = s.browser_session_id \
                   WHERE s.index_hash = $1 AND i.idp_id = $2 ORDER BY o.id DESC LIMIT $3";
        let of_index = |index: &SessionIndex| {
            let hash = self.session_index_hash(idp, index);
            query(sql, vec![hash.into(), idp.as_str().into(), limit().into()])
        };
        let found = self.engine.select(indexes.iter().map(of_index).collect()).await?;
        let rows = found.tables.into_iter().flatten().collect();
        self.logouts_and_sign_ins(&Snapshot { now: found.now, tables: vec![rows] })
    }

    fn logouts_and_sign_ins(
        &self,
        snapshot: &Snapshot,
    ) -> Result<Vec<(LogoutId, Option<SignedIn>)>, StoreError> {
        let logout = |row: &Row| {
            let place = place::idp_session(row.text("id")?);
            Ok((row.parse("logout_id")?, self.unseal(&place, row.bytes("sealed")?).ok()))
        };
        table(snapshot, 0).iter().map(logout).collect()
    }

    /// What was carried out not long ago and may have overtaken a sign-in: LogoutRequests of this IdP
    /// for this name, and when this person was last signed out of everything.
    pub async fn ended_lately(
        &self,
        idp: &IdpId,
        name: Option<&str>,
        subject: &Subject,
    ) -> Result<(Vec<EndedPrincipal>, Option<Timestamp>), StoreError> {
        let sql = "SELECT idp_id, request_id, version, sealed FROM ended_principal \
                   WHERE principal_hash = $1";
        let hashes = [
            name.map(|name| self.principal_hash(idp.as_str(), name)),
            Some(self.subject_hash(subject)),
        ];
        let queries = hashes.map(|hash| query(sql, vec![hash.into()]));
        let snapshot = self.engine.select(queries.into()).await?;
        let principals = table(&snapshot, 0).iter().map(|row| self.ended_principal(row));
        let subject = table(&snapshot, 1).first().map(|row| self.ended_subject(row)).transpose()?;
        Ok((principals.collect::<Result<_, _>>()?, subject))
    }

    /// The LogoutRequest of this ID, if it was carried out.
    pub async fn carried_out(
        &self,
        idp: &IdpId,
        request_id: &str,
    ) -> Result<Option<EndedPrincipal>, StoreError> {
        let sql = "SELECT idp_id, request_id, version, sealed FROM ended_principal \
                   WHERE idp_id = $1 AND request_id = $2";
        let params = vec![idp.as_str().into(), request_id.into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        table(&snapshot, 0).first().map(|row| self.ended_principal(row)).transpose()
    }

    /// The LogoutRequests for this name that were carried out not long ago.
    pub async fn carried_out_for(
        &self,
        idp: &IdpId,
        name: &str,
    ) -> Result<Vec<EndedPrincipal>, StoreError> {
        let sql = "SELECT idp_id, request_id, version, sealed FROM ended_principal \
                   WHERE principal_hash = $1 ORDER BY expires_at, request_id";
        let params = vec![self.principal_hash(idp.as_str(), name).into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        table(&snapshot, 0).iter().map(|row| self.ended_principal(row)).collect()
    }

    fn ended_subject(&self, row: &Row) -> Result<Timestamp, StoreError> {
        let place = place::ended_principal(row.text("idp_id")?, row.text("request_id")?);
        self.unseal(&place, row.bytes("sealed")?)
    }

    fn ended_principal(&self, row: &Row) -> Result<EndedPrincipal, StoreError> {
        let place = place::ended_principal(row.text("idp_id")?, row.text("request_id")?);
        let sealed: EndedPrincipal = self.unseal(&place, row.bytes("sealed")?)?;
        Ok(EndedPrincipal { version: row.int("version")?, ..sealed })
    }
}

fn limit() -> i64 {
    i64::try_from(EARLIER_LOGOUTS).unwrap_or(i64::MAX)
}
