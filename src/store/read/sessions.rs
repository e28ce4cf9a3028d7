use super::{At, query, table};
use crate::clock::Timestamp;
use crate::id::{AppSessionId, BrowserSessionId, ClientId, IdpId, IdpSessionId};
use crate::oidc::{Scopes, Subject};
use crate::secret::TokenHash;
use crate::session::{AppSession, BrowserSession, IdpSession, SignedIn, Unreadable};
use crate::store::sealed::{SealedStore, place};
use crate::store::{Query, Row, Snapshot, StoreError, Value};

/// By what a browser session is found.
#[derive(Clone, Debug)]
pub enum SessionKey {
    Cookie(TokenHash),
    /// As above, or the value that the newest sign-in has replaced: a request may have been under way
    /// with it. Good enough to end a session or to renew it, and not to be let in by it.
    CookieOrFormer(TokenHash),
    Id(BrowserSessionId),
    Sid(String),
}

/// A live access token, and whom it stands for.
#[derive(Clone, Debug)]
pub struct UsableToken {
    pub client: ClientId,
    pub scopes: Scopes,
    pub subject: Subject,
    pub signed_in: SignedIn,
}

const QUERIES_PER_SESSION: usize = 3;

macro_rules! session_sql {
    ($condition:literal) => {
        [
            concat!(
                "SELECT b.id, b.version, b.sid, b.subject, b.created_at, b.idle_until, b.expires_at, \
                 b.ended_at FROM browser_session b WHERE ",
                $condition
            ),
            concat!(
                "SELECT i.id, i.idp_id, i.sealed FROM idp_session i \
                 JOIN browser_session b ON b.id = i.browser_session_id WHERE ",
                $condition,
                " ORDER BY i.id"
            ),
            concat!(
                "SELECT a.id, a.client_id, a.created_at FROM app_session a \
                 JOIN browser_session b ON b.id = a.browser_session_id WHERE ",
                $condition,
                " ORDER BY a.id"
            ),
        ]
    };
}

impl SessionKey {
    pub(super) fn queries(self) -> [Query; QUERIES_PER_SESSION] {
        let (sql, value): (_, Value) = match self {
            Self::Cookie(hash) => (session_sql!("b.cookie_hash = $1"), hash.into()),
            Self::CookieOrFormer(hash) => {
                (session_sql!("(b.cookie_hash = $1 OR b.former_cookie_hash = $1)"), hash.into())
            }
            Self::Id(id) => (session_sql!("b.id = $1"), id.to_string().into()),
            Self::Sid(sid) => (session_sql!("b.sid = $1"), sid.into()),
        };
        sql.map(|sql| query(sql, vec![value.clone()]))
    }
}

impl SealedStore {
    /// A live browser session, as far as it can be read.
    pub async fn browser_session(
        &self,
        key: SessionKey,
    ) -> Result<At<Option<BrowserSession>>, StoreError> {
        let At { now, found } = self.session_to_end(key).await?;
        Ok(At { now, found: found.filter(|session| session.is_live(now)) })
    }

    /// A browser session that a logout can end, live or lapsed, as far as it can be read.
    pub async fn session_to_end(
        &self,
        key: SessionKey,
    ) -> Result<At<Option<BrowserSession>>, StoreError> {
        let snapshot = self.engine.select(key.queries().into()).await?;
        let found = self.readable_session_in(&snapshot, 0)?;
        let found = found.filter(BrowserSession::can_be_ended);
        Ok(At { now: snapshot.now, found })
    }

    /// The browser session of a cookie, live or lapsed, to sign somebody in by it as long as it is live.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a part of it does not read, too.
    pub async fn whole_browser_session(
        &self,
        cookie: TokenHash,
    ) -> Result<At<Option<BrowserSession>>, StoreError> {
        let queries = SessionKey::Cookie(cookie).queries();
        let snapshot = self.engine.select(queries.into()).await?;
        let found = self.readable_session_in(&snapshot, 0)?;
        let found = whole(found.filter(BrowserSession::can_be_ended))?;
        Ok(At { now: snapshot.now, found })
    }

    /// The clients that took part in a session, live or ended, as long as it is kept.
    pub async fn apps_of_session(
        &self,
        session: BrowserSessionId,
    ) -> Result<Vec<ClientId>, StoreError> {
        let sql = "SELECT client_id FROM app_session WHERE browser_session_id = $1 ORDER BY id";
        let snapshot =
            self.engine.select(vec![query(sql, vec![session.to_string().into()])]).await?;
        table(&snapshot, 0).iter().map(|row| row.parse("client_id")).collect()
    }

    /// The sessions of a cookie and of a hint's `sid` that a logout can end, live or lapsed, from one
    /// snapshot, as far as they can be read.
    pub async fn sessions_to_end(
        &self,
        cookie: Option<TokenHash>,
        sid: Option<&str>,
    ) -> Result<At<[Option<BrowserSession>; 2]>, StoreError> {
        let keys =
            [cookie.map(SessionKey::CookieOrFormer), sid.map(|sid| SessionKey::Sid(sid.into()))];
        let asked = keys.clone().map(|key| key.is_some());
        let queries = keys.into_iter().flatten().flat_map(SessionKey::queries).collect();
        let snapshot = self.engine.select(queries).await?;
        let mut found = [None, None];
        let mut first = 0;
        for (slot, asked) in found.iter_mut().zip(asked) {
            if asked {
                let session = self.readable_session_in(&snapshot, first)?;
                *slot = session.filter(BrowserSession::can_be_ended);
                first += QUERIES_PER_SESSION;
            }
        }
        Ok(At { now: snapshot.now, found })
    }

    /// An access token that still opens userinfo: it and its browser session are live.
    pub async fn access_token(
        &self,
        hash: TokenHash,
    ) -> Result<At<Option<UsableToken>>, StoreError> {
        let sql = "SELECT t.client_id, t.scope, t.expires_at, b.subject, b.idle_until, \
                   b.expires_at AS session_expires_at, b.ended_at, i.id AS idp_session_id, i.sealed \
                   FROM access_token t JOIN browser_session b ON b.id = t.browser_session_id \
                   JOIN idp_session i ON i.id = t.idp_session_id WHERE t.hash = $1";
        let snapshot = self.engine.select(vec![query(sql, vec![hash.into()])]).await?;
        let now = snapshot.now;
        let Some(row) = table(&snapshot, 0).first() else { return Ok(At { now, found: None }) };
        let live = row.optional_int("ended_at")?.is_none()
            && now < row.timestamp("expires_at")?
            && now < row.timestamp("idle_until")?
            && now < row.timestamp("session_expires_at")?;
        if !live {
            return Ok(At { now, found: None });
        }
        let place = place::idp_session(row.text("idp_session_id")?);
        let token = UsableToken {
            client: row.parse("client_id")?,
            scopes: Scopes::parse(row.text("scope")?),
            subject: Subject::stored(row.text("subject")?.to_owned()),
            signed_in: self.unseal(&place, row.bytes("sealed")?)?,
        };
        Ok(At { now, found: Some(token) })
    }

    /// The session whose three queries begin at `first`, live or not, as far as it can be read: it must
    /// come to its end in any case.
    pub(super) fn readable_session_in(
        &self,
        snapshot: &Snapshot,
        first: usize,
    ) -> Result<Option<BrowserSession>, StoreError> {
        let Some(mut session) = session_alone(snapshot, first)? else { return Ok(None) };
        for row in table(snapshot, first + 1) {
            match self.idp_session(row) {
                Ok(held) => session.idp_sessions.push(held),
                Err(error) => {
                    tracing::error!(session.id = %session.id, "an IdP's part: {error}");
                    let idp = row.parse("idp_id").map(Unreadable::Idp);
                    session.unreadable.push(idp.unwrap_or(Unreadable::UnknownIdp));
                }
            }
        }
        for row in table(snapshot, first + 2) {
            match app_session(row) {
                Ok(app) => session.app_sessions.push(app),
                Err(error) => {
                    tracing::error!(session.id = %session.id, "an app's part: {error}");
                    session.unreadable.push(Unreadable::UnknownApp);
                }
            }
        }
        Ok(Some(session))
    }

    fn idp_session(&self, row: &Row) -> Result<IdpSession, StoreError> {
        let id: IdpSessionId = row.parse("id")?;
        Ok(IdpSession {
            id,
            idp: row.parse::<IdpId>("idp_id")?,
            signed_in: self.unseal(&place::idp_session(id), row.bytes("sealed")?)?,
        })
    }
}

/// A session, if nothing of it is unreadable.
pub(super) fn whole(found: Option<BrowserSession>) -> Result<Option<BrowserSession>, StoreError> {
    match found {
        Some(session) if !session.unreadable.is_empty() => {
            let what = format!("a part of session {} cannot be opened", session.id);
            Err(StoreError::Corrupt(what))
        }
        found => Ok(found),
    }
}

/// The session itself, without the IdPs and apps that take part in it.
fn session_alone(snapshot: &Snapshot, first: usize) -> Result<Option<BrowserSession>, StoreError> {
    let Some(row) = table(snapshot, first).first() else { return Ok(None) };
    Ok(Some(BrowserSession {
        id: row.parse::<BrowserSessionId>("id")?,
        version: row.int("version")?,
        sid: row.text("sid")?.to_owned(),
        subject: Subject::stored(row.text("subject")?.to_owned()),
        created_at: row.timestamp("created_at")?,
        idle_until: row.timestamp("idle_until")?,
        expires_at: row.timestamp("expires_at")?,
        ended_at: row.optional_int("ended_at")?.map(Timestamp::from_micros),
        idp_sessions: Vec::new(),
        app_sessions: Vec::new(),
        unreadable: Vec::new(),
    }))
}

fn app_session(row: &Row) -> Result<AppSession, StoreError> {
    Ok(AppSession {
        id: row.parse::<AppSessionId>("id")?,
        client: row.parse("client_id")?,
        created_at: row.timestamp("created_at")?,
    })
}
