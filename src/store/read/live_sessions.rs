use super::{At, SessionKey, query, table};
use crate::clock::Timestamp;
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
        self.session_page(&snapshot, limit, BrowserSession::is_live).await
    }

    /// Sessions of a person that a logout can end, live or lapsed; at most `limit` of them.
    pub async fn sessions_of_person(
        &self,
        subject: &Subject,
        limit: i64,
    ) -> Result<At<SessionPage>, StoreError> {
        let sql = "SELECT id FROM browser_session WHERE subject = $1 AND ended_at IS NULL \
                   ORDER BY id LIMIT $2";
        let params = vec![subject.as_str().to_owned().into(), limit.into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        self.sessions_to_end_of(&snapshot, limit).await
    }

    /// Whether this app takes part in a session of this person that nobody has ended, live or lapsed.
    pub async fn takes_part(
        &self,
        client: &ClientId,
        subject: &Subject,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT b.id FROM browser_session b \
                   JOIN app_session a ON a.browser_session_id = b.id \
                   WHERE b.subject = $1 AND b.ended_at IS NULL AND a.client_id = $2 LIMIT 1";
        let params = vec![subject.as_str().to_owned().into(), client.as_str().to_owned().into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        Ok(!table(&snapshot, 0).is_empty())
    }

    /// Sessions whose time is over and that nobody has ended, at most `limit`.
    pub async fn lapsed_sessions(&self, limit: i64) -> Result<At<SessionPage>, StoreError> {
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
        self.sessions_by_id(&ids, |session, now| {
            session.ended_at.is_none() && !session.is_live(now)
        })
        .await
    }

    /// Those that a logout can end of the sessions whose ids are the rows of `snapshot`, of which there
    /// were at most `limit`.
    pub(super) async fn sessions_to_end_of(
        &self,
        snapshot: &Snapshot,
        limit: i64,
    ) -> Result<At<SessionPage>, StoreError> {
        self.session_page(snapshot, limit, |session, _| session.can_be_ended()).await
    }

    async fn session_page(
        &self,
        snapshot: &Snapshot,
        limit: i64,
        meant: impl Fn(&BrowserSession, Timestamp) -> bool,
    ) -> Result<At<SessionPage>, StoreError> {
        let rows = table(snapshot, 0);
        let ids: Vec<BrowserSessionId> =
            rows.iter().map(|row| row.parse("id")).collect::<Result<_, _>>()?;
        let is_full = i64::try_from(ids.len()).is_ok_and(|found| found >= limit);
        let more_after = ids.last().copied().filter(|_| is_full);
        let mut read = self.sessions_by_id(&ids, meant).await?;
        read.found.more_after = more_after;
        Ok(read)
    }

    /// Those of the sessions that are `meant`, as far as they can be read. One that cannot be read at all
    /// does not hide the others; where there is no other, it is not said that there is none.
    async fn sessions_by_id(
        &self,
        ids: &[BrowserSessionId],
        meant: impl Fn(&BrowserSession, Timestamp) -> bool,
    ) -> Result<At<SessionPage>, StoreError> {
        let queries: Vec<Query> = ids.iter().flat_map(|id| SessionKey::Id(*id).queries()).collect();
        let per_session = queries.len().checked_div(ids.len()).unwrap_or(0);
        let snapshot = self.engine.select(queries).await?;
        let now = snapshot.now;
        let mut found = SessionPage { sessions: Vec::new(), more_after: None };
        let mut unread = None;
        for (place, id) in ids.iter().enumerate() {
            match self.readable_session_in(&snapshot, place * per_session) {
                Ok(session) => found.sessions.extend(session.filter(|held| meant(held, now))),
                Err(error) => {
                    tracing::error!(session.id = %id, "{error}");
                    unread = Some(error);
                }
            }
        }
        match unread {
            Some(error) if found.sessions.is_empty() => Err(error),
            _ => Ok(At { now, found }),
        }
    }
}
