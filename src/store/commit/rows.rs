//! The rows of larger values, and what every statement is made with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::audit::AuditEvent;
use crate::change::{EndedPrincipal, EndedSubject, PendingAuthnRequest, StoredSigningKey};
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, EventId};
use crate::logout::{Ends, Leg, Logout};
use crate::secret::TokenHash;
use crate::session::{AppSession, BrowserSession, IdpSession};
use crate::store::sealed::{SealedStore, place};
use crate::store::{Expect, Statement, Value};

impl SealedStore {
    pub(super) fn save_idp_session(
        &self,
        browser: BrowserSessionId,
        session: &IdpSession,
    ) -> Statement {
        let (idp, name_id) = (session.idp.as_str(), session.signed_in.name_id.as_ref());
        let sealed = self.seal(&place::idp_session(session.id), &session.signed_in);
        one(
            "SaveIdpSession",
            "INSERT INTO idp_session \
             (id, browser_session_id, idp_id, name_id_hash, principal_hash, sealed) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
            vec![
                session.id.to_string().into(),
                browser.to_string().into(),
                idp.into(),
                self.name_id_hash(idp, name_id).into(),
                self.principal_hash(idp, name_id.map_or("", |name| &name.value)).into(),
                sealed.into(),
            ],
        )
    }

    pub(super) fn seal_ended_principal(&self, ended: &EndedPrincipal) -> Vec<u8> {
        self.seal(&place::ended_principal(ended.idp.as_str(), &ended.request_id), ended)
    }

    /// One row per person, under the empty IdP.
    pub(super) fn save_ended_subject(&self, ended: &EndedSubject) -> Statement {
        let hash = self.subject_hash(&ended.subject);
        let request_id = URL_SAFE_NO_PAD.encode(hash);
        let sealed = self.seal(&place::ended_principal("", &request_id), &ended.ended_at);
        one(
            "SaveEndedSubject",
            "INSERT INTO ended_principal (idp_id, request_id, principal_hash, sealed, expires_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (idp_id, request_id) DO UPDATE SET \
             sealed = excluded.sealed, expires_at = excluded.expires_at",
            vec!["".into(), request_id.into(), hash.into(), sealed.into(), ended.expires_at.into()],
        )
    }

    pub(super) fn begin_logout(&self, logout: &Logout, handle: Value, out: &mut Vec<Statement>) {
        // A session has one logout that ends it, and any number of those that end apps of it.
        let session = logout.document.browser_session.to_string();
        let (ended, apps_of) = match logout.document.ends {
            Ends::Session => (Some(session), None),
            Ends::Apps => (None, Some(session)),
        };
        out.push(one(
            "BeginLogout",
            "INSERT INTO logout (id, version, handle_hash, browser_session_id, document, created_at, \
             deadline, answered_at, settled_at, apps_of_session_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            vec![
                logout.id.to_string().into(),
                logout.version.into(),
                handle,
                ended.into(),
                json(&logout.document),
                logout.created_at.into(),
                logout.deadline.into(),
                logout.answered_at.into(),
                logout.settled_at.into(),
                apps_of.into(),
            ],
        ));
        out.extend(logout.legs.iter().map(|leg| {
            let principal = leg.principal.as_ref();
            one(
                "AddLeg",
                "INSERT INTO leg (id, logout_id, position, document, sealed, due_at, receiver) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                vec![
                    leg.id.to_string().into(),
                    logout.id.to_string().into(),
                    i64::from(leg.position).into(),
                    json(leg),
                    principal.map(|found| self.seal(&place::leg(leg.id), found)).into(),
                    leg.due_at().into(),
                    leg.receiver().into(),
                ],
            )
        }));
    }

    pub(super) fn add_signing_key(&self, key: &StoredSigningKey, now: Timestamp) -> Statement {
        let sealed = self.kek.seal(&self.rng, &place::signing_key(&key.id), &key.private);
        one(
            "AddSigningKey",
            "INSERT INTO signing_key \
             (id, purpose, algorithm, certificate, sealed, created_at, active_from) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            vec![
                key.id.clone().into(),
                key.purpose.as_str().into(),
                key.algorithm.clone().into(),
                key.certificate.clone().into(),
                sealed.into(),
                now.into(),
                key.active_from.into(),
            ],
        )
    }

    pub(super) fn record(&self, event: AuditEvent, now: Timestamp) -> Statement {
        one(
            "Record",
            "INSERT INTO audit \
             (id, at, kind, browser_session_id, logout_id, client_id, idp_id, detail, place) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
             (SELECT COALESCE(MAX(place), 0) + 1 FROM audit WHERE logout_id = $5))",
            vec![
                EventId::new(now, &self.rng).to_string().into(),
                now.into(),
                event.kind.as_str().into(),
                event.browser_session.map(|id| id.to_string()).into(),
                event.logout.map(|id| id.to_string()).into(),
                event.client.map(String::from).into(),
                event.idp.map(String::from).into(),
                event.detail.into(),
            ],
        )
    }
}

pub(super) fn add_authn_request(request: PendingAuthnRequest) -> Statement {
    one(
        "AddAuthnRequest",
        "INSERT INTO authn_request \
         (id, relay_state_hash, browser_hash, idp_id, document, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        vec![
            request.id.into(),
            request.relay_state.into(),
            request.browser.into(),
            request.idp.as_str().into(),
            json(&request.wanted),
            request.expires_at.into(),
        ],
    )
}

pub(super) fn begin_browser_session(session: &BrowserSession, cookie: Value) -> Statement {
    one(
        "BeginBrowserSession",
        "INSERT INTO browser_session \
         (id, version, cookie_hash, sid, subject, created_at, idle_until, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        vec![
            session.id.to_string().into(),
            session.version.into(),
            cookie,
            session.sid.as_str().into(),
            session.subject.as_str().into(),
            session.created_at.into(),
            session.idle_until.into(),
            session.expires_at.into(),
        ],
    )
}

pub(super) fn save_leg(leg: &Leg) -> Statement {
    let asked = leg.asked.as_ref();
    one(
        "SaveLeg",
        "UPDATE leg SET document = $2, request_id = $3, relay_state_hash = $4, due_at = $5, \
         receiver = $6 WHERE id = $1",
        vec![
            leg.id.to_string().into(),
            json(leg),
            asked.map(|asked| asked.request_id.clone()).into(),
            asked.map(|asked| asked.relay_state).into(),
            leg.due_at().into(),
            leg.receiver().into(),
        ],
    )
}

pub(super) fn end_app_session(
    session: BrowserSessionId,
    app: &AppSession,
    codes: Vec<TokenHash>,
    out: &mut Vec<Statement>,
) {
    out.push(one(
        "EndAppSession",
        "DELETE FROM app_session WHERE id = $1 AND browser_session_id = $2",
        vec![app.id.to_string().into(), session.to_string().into()],
    ));
    out.push(any(
        "EndAppSession",
        "DELETE FROM access_token WHERE browser_session_id = $1 AND client_id = $2",
        vec![session.to_string().into(), app.client.as_str().into()],
    ));
    // The clean-up may have been faster.
    out.extend(
        codes.into_iter().map(|hash| {
            any("EndAppSession", "DELETE FROM code WHERE hash = $1", vec![hash.into()])
        }),
    );
}

/// Every settings write is seen by the caches of every node.
pub(super) fn bump_settings() -> Statement {
    one(
        "BumpSettings",
        "UPDATE setting SET value = value + 1 WHERE name = 'settings_version'",
        vec![],
    )
}

pub(super) fn one(what: &'static str, sql: &'static str, params: Vec<Value>) -> Statement {
    Statement { what, sql, params, expect: Expect::ExactlyOne }
}

pub(super) fn any(what: &'static str, sql: &'static str, params: Vec<Value>) -> Statement {
    Statement { what, sql, params, expect: Expect::Any }
}

pub(super) fn json(value: &impl serde::Serialize) -> Value {
    let text = serde_json::to_string(value).expect("our own types always have a JSON form");
    Value::Text(text)
}
