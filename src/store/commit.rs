//! Every change as SQL. One text serves both databases.

mod identity_provider;
mod metadata_source;
mod relogin_lock;
mod rows;

use rows::{
    add_authn_request, any, begin_browser_session, bump_settings, end_app_session, json, one,
    save_leg,
};

use super::sealed::{SealedStore, place};
use super::{CommitError, Statement};
use crate::change::Change;
use crate::clock::Timestamp;

impl SealedStore {
    /// Writes all changes in one transaction, or none of them. `now` is the time that was read with
    /// what the changes rest on.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] names the change that did not find what it expects.
    pub async fn commit(&self, now: Timestamp, changes: Vec<Change>) -> Result<(), CommitError> {
        #[cfg(test)]
        self.engine.show(&changes);
        let mut statements = Vec::with_capacity(changes.len() + 1);
        for (position, change) in (0..).zip(changes) {
            match change {
                // Events of one transaction keep their order.
                Change::Record(event) => statements.push(self.record(event, now.shifted(position))),
                Change::LiftReloginLock { leg, event } => {
                    statements.extend(self.lift_relogin_lock(leg, event, now.shifted(position)));
                }
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
                     expires_at = $4, cookie_hash = COALESCE($5, cookie_hash), former_cookie_hash = \
                     CASE WHEN $5 IS NULL THEN former_cookie_hash ELSE cookie_hash END \
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
            Change::SaveSessionIndexes { browser_session, idp, indexes } => {
                out.extend(indexes.iter().map(|index| {
                    any(
                        "SaveSessionIndexes",
                        "INSERT INTO session_index (index_hash, browser_session_id) \
                         VALUES ($1, $2) ON CONFLICT (index_hash, browser_session_id) DO NOTHING",
                        vec![
                            self.session_index_hash(&idp, index).into(),
                            browser_session.to_string().into(),
                        ],
                    )
                }));
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
            Change::EndAppSession { browser_session, app, codes } => {
                end_app_session(browser_session, &app, codes, out);
            }
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
            Change::PutOffDeadline { logout, until } => out.push(any(
                "PutOffDeadline",
                "UPDATE logout SET deadline = $2 WHERE id = $1 AND answered_at IS NULL \
                 AND deadline < $2",
                vec![logout.to_string().into(), until.into()],
            )),
            Change::PutOffLeg { leg, until } => out.push(any(
                "PutOffLeg",
                "UPDATE leg SET due_at = $2 WHERE id = $1 AND due_at < $2",
                vec![leg.to_string().into(), until.into()],
            )),
            Change::AddEndedPrincipal(ended) => {
                let hash = self.principal_hash(ended.idp.as_str(), &ended.name_id.value);
                out.push(one(
                    "AddEndedPrincipal",
                    "INSERT INTO ended_principal \
                     (idp_id, request_id, principal_hash, sealed, expires_at) \
                     VALUES ($1, $2, $3, $4, $5)",
                    vec![
                        ended.idp.as_str().into(),
                        ended.request_id.clone().into(),
                        hash.into(),
                        self.seal_ended_principal(&ended).into(),
                        ended.expires_at.into(),
                    ],
                ));
            }
            Change::SaveEndedPrincipal(ended) => out.push(one(
                "SaveEndedPrincipal",
                "UPDATE ended_principal SET version = version + 1, sealed = $3 \
                 WHERE idp_id = $1 AND request_id = $2 AND version = $4",
                vec![
                    ended.idp.as_str().into(),
                    ended.request_id.clone().into(),
                    self.seal_ended_principal(&ended).into(),
                    ended.version.into(),
                ],
            )),
            Change::AddReloginLock(lock) => self.add_relogin_lock(&lock, out),
            Change::HandOverReloginLocks { from, to } => out.push(any(
                "HandOverReloginLocks",
                "UPDATE relogin_lock SET browser_hash = $2 WHERE browser_hash = $1",
                vec![from.into(), to.into()],
            )),
            Change::LiftReloginLock { leg, event } => {
                out.extend(self.lift_relogin_lock(leg, event, now));
            }
            Change::SaveEndedSubject(ended) => out.push(self.save_ended_subject(&ended)),
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
            Change::SaveIdp { id, entity_id, settings, metadata, domains, source, replaces } => {
                let row = identity_provider::Row {
                    id,
                    entity_id,
                    settings,
                    metadata,
                    domains,
                    source,
                };
                out.extend(identity_provider::save(row, replaces, now));
            }
            Change::DisableIdp { id } => out.extend(identity_provider::disable(&id, now)),
            Change::SaveMetadataSource { idp, source } => {
                out.push(metadata_source::save(&idp, *source));
            }
            Change::NoteRefresh { idp, last_checked_at, source } => {
                out.push(metadata_source::note(&idp, last_checked_at, *source));
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
            Change::AddSigningKey(key) => {
                out.push(bump_settings());
                out.push(self.add_signing_key(&key, now));
            }
            Change::ActivateSigningKey { id } => {
                out.push(bump_settings());
                out.push(one(
                    "ActivateSigningKey",
                    "UPDATE signing_key SET active_from = $2 \
                     WHERE id = $1 AND active_from > $2 AND revoked_at IS NULL",
                    vec![id.into(), now.into()],
                ));
            }
            Change::RevokeSigningKey { id, active_from } => {
                out.push(bump_settings());
                out.push(one(
                    "RevokeSigningKey",
                    "UPDATE signing_key SET revoked_at = $2 \
                     WHERE id = $1 AND active_from = $3 AND revoked_at IS NULL",
                    vec![id.into(), now.into(), active_from.into()],
                ));
            }
            Change::Record(event) => out.push(self.record(event, now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::change::EndedPrincipal;
    use crate::id::LogoutId;
    use crate::keys::Kek;
    use crate::rng::Rng;
    use crate::saml::NameId;
    use crate::store::Kind;
    use crate::store::tests::{Scratch, conflict};

    async fn whoever_writes_a_request_again_has_read_what_is_there(kind: Kind) {
        let scratch = Scratch::open(kind).await;
        let (kek, rng) = (Kek::from_bytes([7; 32]), Rng::system());
        let store = SealedStore::new(scratch.store.clone(), kek, rng.clone());
        let now = scratch.clock.now();
        let expires_at = now.plus(Duration::from_secs(60));
        let carried_out = EndedPrincipal {
            version: 0,
            idp: "corp".parse().unwrap(),
            request_id: "_1".to_owned(),
            name_id: NameId {
                value: "ada".to_owned(),
                format: None,
                name_qualifier: None,
                sp_name_qualifier: None,
                sp_provided_id: None,
            },
            session_indexes: Vec::new(),
            issued_at: now,
            by_name: false,
            logouts: Vec::new(),
            answer: None,
            answered_at: None,
            expires_at,
        };
        let idp = carried_out.idp.clone();
        let read = async || store.carried_out(&idp, "_1").await.unwrap().unwrap();
        let write = async |ended: &EndedPrincipal| {
            let mut written = ended.clone();
            written.logouts.push(LogoutId::new(now, &rng));
            let save = Change::SaveEndedPrincipal(Box::new(written));
            store.commit(now, vec![save]).await
        };
        let add = Change::AddEndedPrincipal(Box::new(carried_out.clone()));
        store.commit(now, vec![add]).await.unwrap();
        let (one, other) = (read().await, read().await);
        assert_eq!((&one, one.version), (&carried_out, 0));
        assert_eq!(write(&one).await, Ok(()));
        assert_eq!(write(&other).await, conflict("SaveEndedPrincipal"));
        let again = read().await;
        assert_eq!((again.version, again.logouts.len(), again.expires_at), (1, 1, expires_at));
        assert_eq!(write(&again).await, Ok(()));
        assert_eq!((read().await.version, read().await.logouts.len()), (2, 2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite_tells_who_was_first_to_write_a_request_again() {
        whoever_writes_a_request_again_has_read_what_is_there(Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres_tells_who_was_first_to_write_a_request_again() {
        whoever_writes_a_request_again_has_read_what_is_there(Kind::Postgres).await;
    }
}
