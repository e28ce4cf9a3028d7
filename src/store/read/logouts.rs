use super::{At, parse_json, query, table};
use crate::change::LogoutQuestion;
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, LegId, LogoutId};
use crate::logout::{Asked, Leg, Logout, LogoutDocument, Outcome, Principal};
use crate::secret::TokenHash;
use crate::store::sealed::{SealedStore, place};
use crate::store::{Query, Row, Snapshot, StoreError, Value};

/// By what a logout is found.
#[derive(Clone, Debug)]
pub enum LogoutKey {
    Id(LogoutId),
    /// The secret of its page.
    Handle(TokenHash),
    /// The RelayState that one of its LogoutRequests carried.
    RelayState(TokenHash),
    /// The ID of one of its LogoutRequests.
    RequestId(String),
    /// The browser session that it ended.
    EndedSession(BrowserSessionId),
    /// The cookie of that session, or the one before it.
    EndedCookie(TokenHash),
    /// As above, as long as a re-login lock of it is kept: the session itself may be gone by then.
    LockedCookie(TokenHash),
    /// The `sid` of the browser session that it ended.
    EndedSid(String),
}

/// A logout, and the leg that the key belongs to where it names one.
#[derive(Clone, Debug)]
pub struct FoundLogout {
    pub logout: Logout,
    pub handle: TokenHash,
    pub leg: Option<LegId>,
}

/// A line of the list of logouts.
#[derive(Clone, Debug, serde::Serialize)]
pub struct LogoutSummary {
    pub id: LogoutId,
    pub begun_at: String,
    pub outcome: Outcome,
    pub answered: bool,
    pub settled: bool,
}

/// A row of the audit.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RecordedEvent {
    pub at: String,
    pub kind: String,
    pub client: Option<String>,
    pub idp: Option<String>,
    pub detail: String,
}

/// What must be done without a browser.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    /// Logouts that have not been answered by their deadline.
    pub late: Vec<LogoutId>,
    pub legs: Vec<DueLeg>,
}

/// A party that is to be told now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueLeg {
    pub logout: LogoutId,
    pub leg: LegId,
    pub receiver: String,
}

/// How many legs of one receiver are taken at a time; [`DUE_LEGS`] has as many parts.
pub const DUE_PER_RECEIVER: usize = 4;

/// The leg of each receiver that is the `$place`th of those that are due.
macro_rules! nth_due_leg {
    ($place:literal) => {
        concat!(
            "SELECT (SELECT l.id FROM leg l WHERE l.receiver = w.receiver AND l.due_at <= $1 \
             ORDER BY l.due_at LIMIT 1 OFFSET ",
            $place,
            ") AS id FROM waiting w"
        )
    };
}

/// It goes from receiver to receiver by the index, and reads no leg that it does not return.
const DUE_LEGS: &str = concat!(
    "WITH RECURSIVE waiting (receiver) AS (\
     SELECT (SELECT receiver FROM leg WHERE due_at IS NOT NULL ORDER BY receiver LIMIT 1) \
     UNION ALL \
     SELECT (SELECT l.receiver FROM leg l WHERE l.due_at IS NOT NULL \
     AND l.receiver > w.receiver ORDER BY l.receiver LIMIT 1) \
     FROM waiting w WHERE w.receiver IS NOT NULL), \
     due (id) AS (",
    nth_due_leg!("0"),
    " UNION ALL ",
    nth_due_leg!("1"),
    " UNION ALL ",
    nth_due_leg!("2"),
    " UNION ALL ",
    nth_due_leg!("3"),
    ") SELECT l.id, l.logout_id, l.receiver FROM due JOIN leg l ON l.id = due.id \
     ORDER BY l.due_at, l.id"
);

macro_rules! logout_sql {
    ($condition:literal) => {
        [
            concat!(
                "SELECT o.id, o.version, o.handle_hash, o.document, o.created_at, o.deadline, \
                 o.answered_at, o.settled_at FROM logout o WHERE ",
                $condition
            ),
            concat!(
                "SELECT l.id, l.document, l.sealed, l.request_id, l.relay_state_hash FROM leg l \
                 JOIN logout o ON o.id = l.logout_id WHERE ",
                $condition,
                " ORDER BY l.position"
            ),
        ]
    };
}

impl LogoutKey {
    fn queries(self) -> [Query; 2] {
        let (sql, value): (_, Value) = match self {
            Self::Id(id) => (logout_sql!("o.id = $1"), id.to_string().into()),
            Self::Handle(handle) => (logout_sql!("o.handle_hash = $1"), handle.into()),
            Self::RelayState(hash) => (
                logout_sql!("o.id = (SELECT logout_id FROM leg WHERE relay_state_hash = $1)"),
                hash.into(),
            ),
            Self::RequestId(id) => {
                (logout_sql!("o.id = (SELECT logout_id FROM leg WHERE request_id = $1)"), id.into())
            }
            Self::EndedSession(id) => {
                (logout_sql!("o.browser_session_id = $1"), id.to_string().into())
            }
            Self::EndedCookie(hash) => (
                logout_sql!(
                    "o.browser_session_id IN (SELECT id FROM browser_session \
                     WHERE cookie_hash = $1 OR former_cookie_hash = $1)"
                ),
                hash.into(),
            ),
            Self::LockedCookie(hash) => (
                logout_sql!(
                    "o.id IN (SELECT logout_id FROM relogin_lock \
                     WHERE session_cookie_hash = $1 OR former_session_cookie_hash = $1)"
                ),
                hash.into(),
            ),
            Self::EndedSid(sid) => (
                logout_sql!(
                    "o.browser_session_id = (SELECT id FROM browser_session WHERE sid = $1)"
                ),
                sid.into(),
            ),
        };
        sql.map(|sql| query(sql, vec![value.clone()]))
    }

    fn names(&self, leg: &Leg) -> bool {
        match (self, &leg.asked) {
            (Self::RelayState(hash), Some(asked)) => asked.relay_state == *hash,
            (Self::RequestId(id), Some(asked)) => asked.request_id == *id,
            _ => false,
        }
    }
}

impl SealedStore {
    pub async fn logout(&self, key: LogoutKey) -> Result<At<Option<FoundLogout>>, StoreError> {
        let snapshot = self.engine.select(key.clone().queries().into()).await?;
        let found = self.logout_in(&snapshot, &key)?;
        Ok(At { now: snapshot.now, found })
    }

    /// A question that waits for an answer.
    pub async fn logout_question(
        &self,
        handle: TokenHash,
    ) -> Result<Option<LogoutQuestion>, StoreError> {
        let sql = "SELECT document, expires_at FROM logout_question WHERE handle_hash = $1";
        let snapshot = self.engine.select(vec![query(sql, vec![handle.into()])]).await?;
        match table(&snapshot, 0).first() {
            Some(row) if snapshot.now < row.timestamp("expires_at")? => {
                parse_json("logout_question.document", row.text("document")?).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The legs of all logouts that ended apps of this session and not the session, the oldest first,
    /// as far as they can be read; and whether that is all of them.
    pub async fn legs_of_apps_alone(
        &self,
        session: BrowserSessionId,
    ) -> Result<(Vec<Leg>, bool), StoreError> {
        let sql = "SELECT l.document FROM leg l JOIN logout o ON o.id = l.logout_id \
                   WHERE o.apps_of_session_id = $1 ORDER BY o.created_at, o.id, l.position";
        let snapshot =
            self.engine.select(vec![query(sql, vec![session.to_string().into()])]).await?;
        let rows = table(&snapshot, 0);
        let mut legs = Vec::with_capacity(rows.len());
        for row in rows {
            match parse_json("leg.document", row.text("document")?) {
                Ok(leg) => legs.push(leg),
                Err(error) => tracing::error!(session = %session, "{error}"),
            }
        }
        let all = legs.len() == rows.len();
        Ok((legs, all))
    }

    /// What a worker must look at: logouts whose deadline has passed, the oldest first and at most
    /// `limit`; and of each receiver the legs that have been due longest, at most
    /// [`DUE_PER_RECEIVER`]. However much is due for one of them, it is never looked through.
    pub async fn due(&self, limit: i64) -> Result<At<Due>, StoreError> {
        let now = self.engine.select(vec![]).await?.now;
        let late = "SELECT id FROM logout WHERE answered_at IS NULL AND deadline <= $1 \
                    ORDER BY deadline LIMIT $2";
        let queries =
            vec![query(late, vec![now.into(), limit.into()]), query(DUE_LEGS, vec![now.into()])];
        let snapshot = self.engine.select(queries).await?;
        let late = table(&snapshot, 0).iter().map(|row| row.parse("id"));
        let leg = |row: &Row| {
            Ok(DueLeg {
                logout: row.parse("logout_id")?,
                leg: row.parse("id")?,
                receiver: row.text("receiver")?.to_owned(),
            })
        };
        let found = Due {
            late: late.collect::<Result<_, StoreError>>()?,
            legs: table(&snapshot, 1).iter().map(leg).collect::<Result<_, StoreError>>()?,
        };
        Ok(At { now: snapshot.now, found })
    }

    /// The newest logouts first.
    pub async fn logouts(&self, limit: i64) -> Result<Vec<LogoutSummary>, StoreError> {
        let [first, legs] = [
            "SELECT id, document, created_at, answered_at, settled_at FROM logout \
             ORDER BY created_at DESC, id DESC LIMIT $1",
            "SELECT logout_id, document FROM leg WHERE logout_id IN \
             (SELECT id FROM logout ORDER BY created_at DESC, id DESC LIMIT $1)",
        ]
        .map(|sql| query(sql, vec![limit.into()]));
        let snapshot = self.engine.select(vec![first, legs]).await?;
        let mut of: std::collections::HashMap<&str, Vec<Leg>> = std::collections::HashMap::new();
        for row in table(&snapshot, 1) {
            let leg = parse_json("leg.document", row.text("document")?)?;
            of.entry(row.text("logout_id")?).or_default().push(leg);
        }
        let summary = |row: &Row| {
            let id = row.text("id")?;
            let legs = of.get(id).map(Vec::as_slice).unwrap_or_default();
            let document = parse_json("logout.document", row.text("document")?);
            let lost = document.map_or(true, |document: LogoutDocument| document.somebody_lost);
            Ok(LogoutSummary {
                id: row.parse("id")?,
                begun_at: row.timestamp("created_at")?.to_string(),
                outcome: Outcome::of(legs).unless_lost(lost),
                answered: row.optional_int("answered_at")?.is_some(),
                settled: row.optional_int("settled_at")?.is_some(),
            })
        };
        table(&snapshot, 0).iter().map(summary).collect()
    }

    /// What was recorded of one logout, in the order in which it was decided.
    pub async fn events_of(&self, logout: LogoutId) -> Result<Vec<RecordedEvent>, StoreError> {
        let sql = "SELECT at, kind, client_id, idp_id, detail FROM audit \
                   WHERE logout_id = $1 ORDER BY place, at, id";
        let params = vec![logout.to_string().into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        let event = |row: &Row| {
            Ok(RecordedEvent {
                at: row.timestamp("at")?.to_string(),
                kind: row.text("kind")?.to_owned(),
                client: row.optional_text("client_id")?.map(str::to_owned),
                idp: row.optional_text("idp_id")?.map(str::to_owned),
                detail: row.text("detail")?.to_owned(),
            })
        };
        table(&snapshot, 0).iter().map(event).collect()
    }

    fn logout_in(
        &self,
        snapshot: &Snapshot,
        key: &LogoutKey,
    ) -> Result<Option<FoundLogout>, StoreError> {
        let Some(row) = table(snapshot, 0).first() else { return Ok(None) };
        let legs = table(snapshot, 1).iter().map(|row| self.leg(row));
        let legs = legs.collect::<Result<Vec<_>, _>>()?;
        let leg = legs.iter().find(|leg| key.names(leg)).map(|leg| leg.id);
        let optional = |column| -> Result<_, StoreError> {
            Ok(row.optional_int(column)?.map(Timestamp::from_micros))
        };
        let logout = Logout {
            id: row.parse("id")?,
            version: row.int("version")?,
            document: parse_json::<LogoutDocument>("logout.document", row.text("document")?)?,
            created_at: row.timestamp("created_at")?,
            deadline: row.timestamp("deadline")?,
            answered_at: optional("answered_at")?,
            settled_at: optional("settled_at")?,
            legs,
        };
        Ok(Some(FoundLogout { logout, handle: row.hash("handle_hash")?, leg }))
    }

    fn leg(&self, row: &Row) -> Result<Leg, StoreError> {
        let mut leg: Leg = parse_json("leg.document", row.text("document")?)?;
        if let Some(sealed) = row.optional_bytes("sealed")? {
            leg.principal = Some(self.unseal::<Principal>(&place::leg(leg.id), sealed)?);
        }
        if let Some(request_id) = row.optional_text("request_id")? {
            let relay_state = row.hash("relay_state_hash")?;
            leg.asked = Some(Asked { request_id: request_id.to_owned(), relay_state });
        }
        Ok(leg)
    }
}
