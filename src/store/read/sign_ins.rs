use super::sessions::whole;
use super::{At, SessionKey, parse_json, query, table};
use crate::change::{Code, Grant, PendingAuthnRequest, VerifiedSignIn, Wanted};
use crate::id::BrowserSessionId;
use crate::secret::TokenHash;
use crate::session::BrowserSession;
use crate::store::sealed::{SealedStore, place};
use crate::store::{Query, Row, Snapshot, StoreError};

/// A code that was issued, and the live session it belongs to.
#[derive(Clone, Debug)]
pub struct RedeemableCode {
    pub code: Code,
    pub redeemed: bool,
    /// `None` once the session has ended: then the code is worth nothing.
    pub session: Option<BrowserSession>,
}

const AUTHN_REQUEST: &str = "SELECT id, relay_state_hash, browser_hash, idp_id, document, \
                             expires_at FROM authn_request WHERE id = $1";

impl SealedStore {
    /// The AuthnRequest that a Response answers, if it still waits, and the browser's session, live or
    /// lapsed: it is continued or ended, and never forgotten. Where the cookie finds none, because other
    /// tabs have renewed it more than once meanwhile, it is the one that the browser had when it was sent
    /// to the IdP.
    pub async fn authn_request(
        &self,
        id: &str,
        cookie: Option<TokenHash>,
    ) -> Result<At<(Option<PendingAuthnRequest>, Option<BrowserSession>)>, StoreError> {
        let mut queries = vec![query(AUTHN_REQUEST, vec![id.into()])];
        queries
            .extend(cookie.into_iter().flat_map(|hash| SessionKey::CookieOrFormer(hash).queries()));
        let snapshot = self.engine.select(queries).await?;
        let request = pending(&snapshot)?;
        let session = self.readable_session_in(&snapshot, 1)?;
        let mut session = session.filter(BrowserSession::can_be_ended);
        let before = request.as_ref().and_then(|request| request.wanted.session);
        if let (None, Some(before)) = (&session, before) {
            session = self.session_to_end(SessionKey::Id(before)).await?.found;
        }
        Ok(At { now: snapshot.now, found: (request, whole(session)?) })
    }

    /// A verified sign-in that waits for its browser's `Lax` cookie.
    pub async fn held_sign_in(
        &self,
        handle: TokenHash,
    ) -> Result<At<Option<VerifiedSignIn>>, StoreError> {
        let sql = "SELECT sealed, expires_at FROM held_sign_in WHERE handle_hash = $1";
        let snapshot = self.engine.select(vec![query(sql, vec![handle.into()])]).await?;
        let found = match table(&snapshot, 0).first() {
            Some(row) if snapshot.now < row.timestamp("expires_at")? => {
                Some(self.unseal(&place::held_sign_in(handle), row.bytes("sealed")?)?)
            }
            _ => None,
        };
        Ok(At { now: snapshot.now, found })
    }

    /// A code and its session, also when the code has expired or was redeemed.
    pub async fn code(&self, hash: TokenHash) -> Result<At<Option<RedeemableCode>>, StoreError> {
        let code = "SELECT browser_session_id, document, expires_at, redeemed_at \
                    FROM code WHERE hash = $1";
        let [session, idps, apps] = [
            "SELECT b.id, b.version, b.sid, b.subject, b.created_at, b.idle_until, b.expires_at, \
             b.ended_at FROM browser_session b JOIN code c ON c.browser_session_id = b.id \
             WHERE c.hash = $1",
            "SELECT i.id, i.idp_id, i.sealed FROM idp_session i \
             JOIN code c ON c.browser_session_id = i.browser_session_id \
             WHERE c.hash = $1 ORDER BY i.id",
            "SELECT a.id, a.client_id, a.created_at FROM app_session a \
             JOIN code c ON c.browser_session_id = a.browser_session_id \
             WHERE c.hash = $1 ORDER BY a.id",
        ];
        let by_hash = |sql| -> Query { query(sql, vec![hash.into()]) };
        let queries = [code, session, idps, apps].map(by_hash).into();
        let snapshot = self.engine.select(queries).await?;
        let now = snapshot.now;
        let found = match table(&snapshot, 0).first() {
            Some(row) => Some(RedeemableCode {
                code: issued_code(row, hash)?,
                redeemed: row.optional_int("redeemed_at")?.is_some(),
                session: whole(
                    self.readable_session_in(&snapshot, 1)?.filter(|session| session.is_live(now)),
                )?,
            }),
            None => None,
        };
        Ok(At { now, found })
    }

    /// Every code of a session that is still kept.
    pub async fn codes_of(&self, session: BrowserSessionId) -> Result<Vec<Code>, StoreError> {
        let sql = "SELECT hash, browser_session_id, document FROM code \
                   WHERE browser_session_id = $1";
        let params = vec![session.to_string().into()];
        let snapshot = self.engine.select(vec![query(sql, params)]).await?;
        table(&snapshot, 0).iter().map(|row| issued_code(row, row.hash("hash")?)).collect()
    }
}

fn issued_code(row: &Row, hash: TokenHash) -> Result<Code, StoreError> {
    let session: BrowserSessionId = row.parse("browser_session_id")?;
    Ok(Code {
        hash,
        browser_session: session,
        grant: parse_json::<Grant>("code.document", row.text("document")?)?,
    })
}

fn pending(snapshot: &Snapshot) -> Result<Option<PendingAuthnRequest>, StoreError> {
    let Some(row) = table(snapshot, 0).first() else { return Ok(None) };
    let expires_at = row.timestamp("expires_at")?;
    if snapshot.now >= expires_at {
        return Ok(None);
    }
    Ok(Some(PendingAuthnRequest {
        id: row.text("id")?.to_owned(),
        relay_state: row.hash("relay_state_hash")?,
        browser: row.hash("browser_hash")?,
        idp: row.parse("idp_id")?,
        wanted: parse_json::<Wanted>("authn_request.document", row.text("document")?)?,
        expires_at,
    }))
}
