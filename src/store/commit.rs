//! Every change as SQL. One text serves both databases.

mod metadata_source;

use super::sealed::{SealedStore, place};
use super::{CommitError, Expect, Statement, Value};
use crate::audit::AuditEvent;
use crate::change::{Change, PendingAuthnRequest, StoredSigningKey};
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, EventId};
use crate::logout::{Leg, Logout};
use crate::session::{BrowserSession, IdpSession};

impl SealedStore {
    /// Writes all changes in one transaction, or none of them. `now` is the time that was read with
    /// what the changes rest on.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] names the change that did not find what it expects.
    pub async fn commit(&self, now: Timestamp, changes: Vec<Change>) -> Result<(), CommitError> {
        let mut statements = Vec::with_capacity(changes.len() + 1);
        for (position, change) in (0..).zip(changes) {
            match change {
                // Events of one transaction keep their order.
                Change::Record(event) => statements.push(self.record(event, now.shifted(position))),
                change => self.write(change, now, &mut statements),
            }
        }
        self.engine.apply(statements).await
    }

    fn write(&self, change: Change, now: Timestamp, out: &mut Vec<Statement>) {
        match change {
            Change::AddAuthnRequest(request) => out.push(add_authn_request(*request)),
            Change::TakeAuthnRequest { id } => out.push(one(
                "TakeAuthnRequest",
                "DELETE FROM authn_request WHERE id = $1",
                vec![id.into()],
            )),
            Change::RememberAssertion { idp, assertion_id, until } => out.push(one(
                "RememberAssertion",
                "INSERT INTO seen_assertion (idp_id, assertion_id, expires_at) VALUES ($1, $2, $3)",
                vec![idp.as_str().into(), assertion_id.into(), until.into()],
            )),
            Change::HoldSignIn { handle, sign_in, expires_at } => out.push(one(
                "HoldSignIn",
                "INSERT INTO held_sign_in (handle_hash, sealed, expires_at) VALUES ($1, $2, $3)",
                vec![
                    handle.into(),
                    self.seal(&place::held_sign_in(handle), &sign_in).into(),
                    expires_at.into(),
                ],
            )),
            Change::TakeHeldSignIn { handle } => out.push(one(
                "TakeHeldSignIn",
                "DELETE FROM held_sign_in WHERE handle_hash = $1",
                vec![handle.into()],
            )),
            Change::BeginBrowserSession { session, cookie } => {
                out.push(begin_browser_session(&session, cookie.into()));
            }
            Change::AdvanceBrowserSession { id, version, idle_until, expires_at, cookie } => out
                .push(one(
                    "AdvanceBrowserSession",
                    "UPDATE browser_session SET version = version + 1, idle_until = $3, \
                     expires_at = $4, cookie_hash = COALESCE($5, cookie_hash) \
                     WHERE id = $1 AND version = $2 AND ended_at IS NULL",
                    vec![
                        id.to_string().into(),
                        version.into(),
                        idle_until.into(),
                        expires_at.into(),
                        cookie.into(),
                    ],
                )),
            Change::EndBrowserSession { id, version } => out.push(one(
                "EndBrowserSession",
                "UPDATE browser_session SET version = version + 1, ended_at = $3 \
                 WHERE id = $1 AND version = $2 AND ended_at IS NULL",
                vec![id.to_string().into(), version.into(), now.into()],
            )),
            Change::SaveIdpSession { browser_session, session } => {
                out.push(self.save_idp_session(browser_session, &session));
            }
            Change::AddAppSession { browser_session, app } => out.push(any(
                "AddAppSession",
                "INSERT INTO app_session (id, browser_session_id, client_id, created_at) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT (browser_session_id, client_id) DO NOTHING",
                vec![
                    app.id.to_string().into(),
                    browser_session.to_string().into(),
                    app.client.as_str().into(),
                    app.created_at.into(),
                ],
            )),
            Change::AddCode(code) => out.push(one(
                "AddCode",
                "INSERT INTO code (hash, browser_session_id, document, expires_at) \
                 VALUES ($1, $2, $3, $4)",
                vec![
                    code.hash.into(),
                    code.browser_session.to_string().into(),
                    json(&code.grant),
                    code.grant.binding.expires_at.into(),
                ],
            )),
            Change::RedeemCode { hash } => out.push(one(
                "RedeemCode",
                "UPDATE code SET redeemed_at = $2 WHERE hash = $1 AND redeemed_at IS NULL",
                vec![hash.into(), now.into()],
            )),
            Change::AddAccessToken(token) => out.push(one(
                "AddAccessToken",
                "INSERT INTO access_token \
                 (hash, browser_session_id, code_hash, client_id, idp_session_id, scope, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                vec![
                    token.hash.into(),
                    token.browser_session.to_string().into(),
                    token.code.into(),
                    token.client.as_str().into(),
                    token.idp_session.to_string().into(),
                    token.scopes.to_string().into(),
                    token.expires_at.into(),
                ],
            )),
            Change::RevokeAccessTokensOf { code } => out.push(any(
                "RevokeAccessTokensOf",
                "DELETE FROM access_token WHERE code_hash = $1",
                vec![code.into()],
            )),
            Change::AskLogout { handle, question, expires_at } => out.push(one(
                "AskLogout",
                "INSERT INTO logout_question (handle_hash, document, expires_at) \
                 VALUES ($1, $2, $3) \
                 ON CONFLICT (handle_hash) DO UPDATE SET document = excluded.document",
                vec![handle.into(), json(&question), expires_at.into()],
            )),
            Change::TakeLogoutQuestion { handle } => out.push(one(
                "TakeLogoutQuestion",
                "DELETE FROM logout_question WHERE handle_hash = $1",
                vec![handle.into()],
            )),
            Change::BeginLogout { logout, handle } => {
                self.begin_logout(&logout, handle.into(), out);
            }
            Change::AdvanceLogout { id, version, answered_at, settled_at } => out.push(one(
                "AdvanceLogout",
                "UPDATE logout SET version = version + 1, answered_at = $3, settled_at = $4 \
                 WHERE id = $1 AND version = $2",
                vec![
                    id.to_string().into(),
                    version.into(),
                    answered_at.into(),
                    settled_at.into(),
                ],
            )),
            Change::SaveLeg { leg } => out.push(save_leg(&leg)),
            Change::AddClient { id, settings, secret, source } => {
                out.push(bump_settings());
                out.push(one(
                    "AddClient",
                    "INSERT INTO client (id, settings, secret_hash, source, updated_at) \
                     VALUES ($1, $2, $3, $4, $5)",
                    vec![
                        id.as_str().into(),
                        settings.into(),
                        secret.into(),
                        source.as_str().into(),
                        now.into(),
                    ],
                ));
            }
            Change::SaveClient { id, settings, secret, source } => {
                out.push(bump_settings());
                out.push(one(
                    "SaveClient",
                    "INSERT INTO client (id, settings, secret_hash, source, updated_at) \
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET \
                     settings = excluded.settings, source = excluded.source, \
                     secret_hash = COALESCE(excluded.secret_hash, client.secret_hash), \
                     disabled_at = NULL, updated_at = excluded.updated_at",
                    vec![
                        id.as_str().into(),
                        settings.into(),
                        secret.into(),
                        source.as_str().into(),
                        now.into(),
                    ],
                ));
            }
            Change::SaveIdp { id, entity_id, settings, metadata, domains, source } => {
                out.push(bump_settings());
                out.push(one(
                    "SaveIdp",
                    "INSERT INTO identity_provider \
                     (id, entity_id, settings, metadata, source, updated_at) \
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET \
                     entity_id = excluded.entity_id, settings = excluded.settings, \
                     metadata = excluded.metadata, source = excluded.source, \
                     disabled_at = NULL, updated_at = excluded.updated_at",
                    vec![
                        id.as_str().into(),
                        entity_id.into(),
                        settings.into(),
                        metadata.into(),
                        source.as_str().into(),
                        now.into(),
                    ],
                ));
                out.push(any(
                    "SaveIdp",
                    "DELETE FROM identity_provider_domain WHERE idp_id = $1",
                    vec![id.as_str().into()],
                ));
                out.extend(domains.into_iter().map(|domain| {
                    one(
                        "SaveIdpDomain",
                        "INSERT INTO identity_provider_domain (domain, idp_id) VALUES ($1, $2)",
                        vec![domain.into(), id.as_str().into()],
                    )
                }));
            }
            Change::DisableIdp { id } => {
                out.push(bump_settings());
                out.push(any(
                    "DisableIdp",
                    "UPDATE identity_provider SET disabled_at = $2 \
                     WHERE id = $1 AND disabled_at IS NULL",
                    vec![id.as_str().into(), now.into()],
                ));
                out.push(any(
                    "DisableIdp",
                    "DELETE FROM identity_provider_domain WHERE idp_id = $1",
                    vec![id.as_str().into()],
                ));
            }
            Change::SaveMetadataSource { idp, source } => {
                out.push(metadata_source::save(&idp, *source));
            }
            Change::NoteRefresh { idp, source } => {
                out.push(metadata_source::note(&idp, *source));
            }
            Change::ForgetMetadataSource { idp } => out.push(metadata_source::forget(&idp)),
            Change::ClaimRefresh { idp, due, until } => {
                out.push(metadata_source::claim(&idp, due, until));
            }
            Change::AddAdminToken { hash, name } => out.push(one(
                "AddAdminToken",
                "INSERT INTO admin_token (hash, name, created_at) VALUES ($1, $2, $3)",
                vec![hash.into(), name.into(), now.into()],
            )),
            Change::AddSecretKey { name, key } => out.push(one(
                "AddSecretKey",
                "INSERT INTO secret_key (name, sealed, created_at) VALUES ($1, $2, $3)",
                vec![
                    name.into(),
                    self.seal(&place::secret_key(name), &key).into(),
                    now.into(),
                ],
            )),
            Change::AddSigningKey(key) => out.push(self.add_signing_key(&key, now)),
            Change::Record(event) => out.push(self.record(event, now)),
        }
    }

    fn save_idp_session(&self, browser: BrowserSessionId, session: &IdpSession) -> Statement {
        let idp = session.idp.as_str();
        let sealed = self.seal(&place::idp_session(session.id), &session.signed_in);
        one(
            "SaveIdpSession",
            "INSERT INTO idp_session (id, browser_session_id, idp_id, name_id_hash, sealed) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
            vec![
                session.id.to_string().into(),
                browser.to_string().into(),
                idp.into(),
                self.name_id_hash(idp, session.signed_in.name_id.as_ref()).into(),
                sealed.into(),
            ],
        )
    }

    fn begin_logout(&self, logout: &Logout, handle: Value, out: &mut Vec<Statement>) {
        out.push(one(
            "BeginLogout",
            "INSERT INTO logout (id, version, handle_hash, browser_session_id, document, created_at, \
             deadline, answered_at, settled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            vec![
                logout.id.to_string().into(),
                logout.version.into(),
                handle,
                logout.document.browser_session.to_string().into(),
                json(&logout.document),
                logout.created_at.into(),
                logout.deadline.into(),
                logout.answered_at.into(),
                logout.settled_at.into(),
            ],
        ));
        out.extend(logout.legs.iter().map(|leg| {
            let principal = leg.principal.as_ref();
            one(
                "AddLeg",
                "INSERT INTO leg (id, logout_id, position, document, sealed, due_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                vec![
                    leg.id.to_string().into(),
                    logout.id.to_string().into(),
                    i64::from(leg.position).into(),
                    json(leg),
                    principal.map(|found| self.seal(&place::leg(leg.id), found)).into(),
                    leg.due_at().into(),
                ],
            )
        }));
    }

    fn add_signing_key(&self, key: &StoredSigningKey, now: Timestamp) -> Statement {
        let sealed = self.kek.seal(&self.rng, &place::signing_key(&key.id), &key.private);
        one(
            "AddSigningKey",
            "INSERT INTO signing_key (id, purpose, algorithm, certificate, sealed, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            vec![
                key.id.clone().into(),
                key.purpose.as_str().into(),
                key.algorithm.clone().into(),
                key.certificate.clone().into(),
                sealed.into(),
                now.into(),
            ],
        )
    }

    fn record(&self, event: AuditEvent, now: Timestamp) -> Statement {
        one(
            "Record",
            "INSERT INTO audit \
             (id, at, kind, browser_session_id, logout_id, client_id, idp_id, detail) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
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

fn add_authn_request(request: PendingAuthnRequest) -> Statement {
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

fn begin_browser_session(session: &BrowserSession, cookie: Value) -> Statement {
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

fn save_leg(leg: &Leg) -> Statement {
    let asked = leg.asked.as_ref();
    one(
        "SaveLeg",
        "UPDATE leg SET document = $2, request_id = $3, relay_state_hash = $4, due_at = $5 \
         WHERE id = $1",
        vec![
            leg.id.to_string().into(),
            json(leg),
            asked.map(|asked| asked.request_id.clone()).into(),
            asked.map(|asked| asked.relay_state).into(),
            leg.due_at().into(),
        ],
    )
}

/// Every settings write is seen by the caches of every node.
fn bump_settings() -> Statement {
    one(
        "BumpSettings",
        "UPDATE setting SET value = value + 1 WHERE name = 'settings_version'",
        vec![],
    )
}

fn one(what: &'static str, sql: &'static str, params: Vec<Value>) -> Statement {
    Statement { what, sql, params, expect: Expect::ExactlyOne }
}

fn any(what: &'static str, sql: &'static str, params: Vec<Value>) -> Statement {
    Statement { what, sql, params, expect: Expect::Any }
}

fn json(value: &impl serde::Serialize) -> Value {
    let text = serde_json::to_string(value).expect("our own types always have a JSON form");
    Value::Text(text)
}
