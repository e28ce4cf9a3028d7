use super::{At, SessionKey, query, table};
use crate::id::{BrowserSessionId, ClientId, IdpId};
use crate::oidc::Subject;
use crate::session::BrowserSession;
use crate::store::sealed::SealedStore;
use crate::store::{Query, Snapshot, StoreError, Value};

/// Some sessions, in the order of their ids.
#[derive(Clone, Debug)]
pub struct SessionPage {
    pub sessions: Vec<BrowserSession>,
    /// There may be more after this one.
    pub more_after: Option<BrowserSessionId>,
}

/// Which live sessions are meant: those that fit every part which is given.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    pub subject: Option<Subject>,
    /// With a sign-in by this IdP.
    pub idp: Option<IdpId>,
    /// In which this app takes part.
    pub client: Option<ClientId>,
}

macro_rules! live_sql {
    ($subject:literal) => {
        concat!(
            "SELECT b.id FROM browser_session b WHERE ",
            $subject,
            " AND ($2 = '' OR EXISTS (SELECT 1 FROM idp_session i \
             WHERE i.browser_session_id = b.id AND i.idp_id = $2)) \
             AND ($3 = '' OR EXISTS (SELECT 1 FROM app_session a \
             WHERE a.browser_session_id = b.id AND a.client_id = $3)) \
             AND b.ended_at IS NULL AND b.idle_until > $4 AND b.expires_at > $4 AND b.id > $5 \
             ORDER BY b.id LIMIT $6"
        )
    };
}

impl SealedStore {
    /// Live sessions in the order of their ids, those after `after`; at most `limit` of them.
    pub async fn live_sessions(
        &self,
        filter: &SessionFilter,
        after: Option<BrowserSessionId>,
        limit: i64,
    ) -> Result<At<SessionPage>, StoreError> {
        let now = self.engine.select(Vec::new()).await?.now;
        let text = |part: Option<&str>| Value::from(part.unwrap_or_default().to_owned());
        let sql = match filter.subject {
            Some(_) => live_sql!("b.subject = $1"),
            None => live_sql!("$1 = ''"),
        };
        let params = vec![
            text(filter.subject.as_ref().map(Subject::as_str)),
            text(filter.idp.as_ref().map(IdpId::as_str)),
            text(filter.client.as_ref().map(ClientId::as_str)),
            now.into(),
            after.map(|id| id.to_string()).unwrap_or_default().into(),
            limit.into(),
        ];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        self.session_page(&snapshot, limit).await
    }

    /// Sessions whose time is over and that nobody has ended, at most `limit`.
    pub async fn lapsed_sessions(&self, limit: i64) -> Result<At<Vec<BrowserSession>>, StoreError> {
        let now = self.engine.select(Vec::new()).await?.now;
        let queries = [
            "SELECT id FROM browser_session WHERE idle_until <= $1 AND ended_at IS NULL \
             ORDER BY idle_until LIMIT $2",
            "SELECT id FROM browser_session WHERE expires_at <= $1 AND ended_at IS NULL \
             ORDER BY expires_at LIMIT $2",
        ];
        let queries = queries.map(|sql| query(sql, vec![now.into(), limit.into()]));
        let snapshot = self.engine.select(queries.into()).await?;
        let rows = table(&snapshot, 0).iter().chain(table(&snapshot, 1));
        let mut ids: Vec<BrowserSessionId> =
            rows.map(|row| row.parse("id")).collect::<Result<_, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(usize::try_from(limit).unwrap_or_default());
        let read = self.sessions_by_id(&ids).await?;
        let lapsed =
            |session: &BrowserSession| session.ended_at.is_none() && !session.is_live(read.now);
        Ok(At { now: read.now, found: read.found.into_iter().filter(lapsed).collect() })
    }

    /// The live ones of the sessions whose ids are the rows of `snapshot`, of which there were at most
    /// `limit`.
    pub(super) async fn session_page(
        &self,
        snapshot: &Snapshot,
        limit: i64,
    ) -> Result<At<SessionPage>, StoreError> {
        let rows = table(snapshot, 0);
        let ids: Vec<BrowserSessionId> =
            rows.iter().map(|row| row.parse("id")).collect::<Result<_, _>>()?;
        let is_full = i64::try_from(ids.len()).is_ok_and(|found| found >= limit);
        let more_after = ids.last().copied().filter(|_| is_full);
        let read = self.sessions_by_id(&ids).await?;
        let is_live = |session: &BrowserSession| session.is_live(read.now);
        let sessions = read.found.into_iter().filter(is_live).collect();
        Ok(At { now: read.now, found: SessionPage { sessions, more_after } })
    }

    async fn sessions_by_id(
        &self,
        ids: &[BrowserSessionId],
    ) -> Result<At<Vec<BrowserSession>>, StoreError> {
        let queries: Vec<Query> = ids.iter().flat_map(|id| SessionKey::Id(*id).queries()).collect();
        let per_session = queries.len().checked_div(ids.len()).unwrap_or(0);
        let snapshot = self.engine.select(queries).await?;
        let session = |place: usize| self.session_in(&snapshot, place * per_session);
        let found: Vec<_> = (0..ids.len()).map(session).collect::<Result<_, _>>()?;
        Ok(At { now: snapshot.now, found: found.into_iter().flatten().collect() })
    }
}
