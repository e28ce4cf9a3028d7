//! A verified sign-in becomes a session and a code, in one transaction.

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, PendingAuthnRequest, Relogin, VerifiedSignIn, Wanted};
use crate::clock::Timestamp;
use crate::connection::{Connection, LogoutRequestMatch};
use crate::id::{BrowserSessionId, IdpSessionId};
use crate::logout::plan::IdpLegs;
use crate::logout::relogin_lock::Verdict;
use crate::logout::{Logout, Reason};
use crate::oidc::{ErrorCode, LogoutScope, OAuthError};
use crate::secret::{Token, TokenHash};
use crate::session::BrowserSession;
use crate::store::{CommitError, LogoutKey, SessionKey};
use crate::use_cases::acs::used;
use crate::use_cases::end_principal::Overtaken;
use crate::use_cases::relogin_lock::lift;
use crate::use_cases::sign_out::SignOut;
use crate::use_cases::{
    Browser, CookieChange, Failure, REQUEST_LIFETIME, Reply, TRIES, UseCases, transaction_name,
};

/// The request that a sign-in answers.
pub(super) struct Waiting {
    pub pending: PendingAuthnRequest,
    pub connection: Arc<Connection>,
    /// Where the sign-in was held meanwhile.
    pub held: Option<Token>,
}

/// A sign-in that was held, when its browser has come for it.
pub(super) struct HeldSignIn {
    pub waiting: Waiting,
    pub verified: VerifiedSignIn,
    /// The live session of the browser.
    pub session: Option<BrowserSession>,
}

impl UseCases {
    /// One transaction: the request and the assertion are used up, the session holds the sign-in,
    /// the app has joined, and its code exists. `anyway`: the person has said that a sign-in that a
    /// re-login lock refuses is theirs.
    pub(super) async fn complete(
        &self,
        waiting: Waiting,
        verified: VerifiedSignIn,
        mut session: Option<BrowserSession>,
        browser: &Browser,
        anyway: bool,
        mut now: Timestamp,
    ) -> Result<Reply, Failure> {
        let Waiting { pending, connection, held } = waiting;
        let request = &pending.wanted.request;
        let anyway = anyway || pending.wanted.relogin == Relogin::Anyway;
        if !self.hint_allows(request, &verified.subject) {
            let error = OAuthError::new(
                ErrorCode::LoginRequired,
                "another person signed in than the id_token_hint names",
            );
            let take = Change::TakeAuthnRequest { id: pending.id.clone() };
            self.store().commit(now, vec![take]).await.map_err(used)?;
            let name = transaction_name(&pending.id);
            let url = request.reply.error(&self.settings().issuer, &error);
            return Ok(Reply::redirect(url).with(CookieChange::ClearTransaction { name }));
        }
        let begun = pending.expires_at.minus(REQUEST_LIFETIME);
        if let Some(by) = self.overtaken(&connection, &verified, begun).await? {
            let record = AuditEvent::new(AuditKind::SignInRefused)
                .client(&request.client_id)
                .idp(&pending.idp)
                .detail(by.as_str());
            let take = Change::TakeAuthnRequest { id: pending.id.clone() };
            self.store().commit(now, vec![take, Change::Record(record)]).await.map_err(used)?;
            return Ok(self.ended_meanwhile(&pending, &by));
        }
        let cookie = self.rng().token();
        for _ in 0..TRIES {
            let is_over = session.is_none();
            let judged = self.judge_relogin(&verified, &connection, browser, is_over).await?;
            let lifted = match &judged.verdict {
                Verdict::Fresh(by) => lift(by, &verified, "the IdP has authenticated the person"),
                Verdict::Ended(by) if anyway => lift(by, &verified, "the person signed in anyway"),
                Verdict::Ended(by) => {
                    let waiting = Waiting { pending, connection, held };
                    return self.refuse_relogin(waiting, verified, by, now).await;
                }
            };
            if session.is_none() && self.signed_out_since(&pending, &verified, browser).await? {
                let waiting = Waiting { pending, connection, held };
                return self.ask_anew(waiting, now).await;
            }
            let signed_in = self.plan_sign_in(&pending, &verified, session, &cookie, now).await?;
            let mut changes = signed_in.changes;
            // Where a NameID in a LogoutRequest tells nothing, the SessionIndexes must find the session.
            if connection.settings.logout_request_match == LogoutRequestMatch::SessionIndex {
                changes.push(Change::SaveSessionIndexes {
                    browser_session: signed_in.browser_session,
                    idp: verified.idp.clone(),
                    indexes: verified.facts.session_indexes.clone(),
                });
            }
            let take = |handle: &Token| Change::TakeHeldSignIn { handle: handle.hash() };
            changes.extend(held.as_ref().map(take));
            changes.extend(lifted);
            let committed = match self.store().commit(now, changes).await {
                // The connection was lost during COMMIT: our cookie tells what happened.
                Err(CommitError::Unknown) if self.has_session(cookie.hash()).await? => Ok(()),
                other => other,
            };
            match committed {
                Ok(()) => {
                    if let Some(logout) = &signed_in.replaced {
                        self.tell_at_once(logout);
                    }
                    // A logout of this person may have been written down at the same time: one of the
                    // two finds the other.
                    if let Some(by) = self.overtaken(&connection, &verified, begun).await? {
                        let refusal = self.ended_meanwhile(&pending, &by);
                        self.end_overtaken(by, &connection, &verified.subject).await?;
                        return Ok(refusal);
                    }
                    let url = request.reply.success(&self.settings().issuer, &signed_in.code);
                    let name = transaction_name(&pending.id);
                    let reply = Reply::redirect(url)
                        .with(CookieChange::SetSession(cookie))
                        .with(CookieChange::ClearTransaction { name });
                    return Ok(match judged.given {
                        Some(cookie) => reply.with(CookieChange::SetRelogin(cookie)),
                        None if browser.relogin.is_some() && judged.last => {
                            reply.with(CookieChange::ClearRelogin)
                        }
                        None => reply,
                    });
                }
                Err(CommitError::Conflict {
                    what: "AdvanceBrowserSession" | "EndBrowserSession",
                }) => {
                    let read =
                        self.store().authn_request(&pending.id, browser.session_hash()).await?;
                    (now, session) = (read.now, read.found.1);
                }
                Err(other) => return Err(used(other)),
            }
        }
        Err(Failure::Contended)
    }

    /// Whether the session of this browser was ended since the person was sent to the IdP, and the
    /// IdP has not authenticated them since. The session is known by the cookie of a request that
    /// left before the answer to the logout came, and by what the browser had when it was sent to
    /// the IdP. Whoever signs in anew after a logout is welcome.
    async fn signed_out_since(
        &self,
        pending: &PendingAuthnRequest,
        verified: &VerifiedSignIn,
        browser: &Browser,
    ) -> Result<bool, Failure> {
        let begun = pending.expires_at.minus(REQUEST_LIFETIME);
        let skew = self.settings().clock_skew;
        let overtakes = |logout: &Logout| {
            // Time that is over is no wish to be signed out.
            logout.document.reason != Reason::Expired
                && logout.document.subject == verified.subject
                && begun <= logout.created_at
                // The IdP's clock may go ahead of ours. Nobody is asked for ever: what they are asked
                // then is begun after the logout.
                && verified.facts.authn_instant <= logout.created_at.plus(skew)
        };
        let keys = [
            browser.session_hash().map(LogoutKey::EndedCookie),
            pending.wanted.session.map(LogoutKey::EndedSession),
        ];
        for key in keys.into_iter().flatten() {
            let ended = self.store().logout(key).await?.found;
            if ended.is_some_and(|found| overtakes(&found.logout)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The IdP is to authenticate the person once more: what it said before rests on a session that was
    /// signed out since.
    async fn ask_anew(&self, waiting: Waiting, now: Timestamp) -> Result<Reply, Failure> {
        let Waiting { pending, connection, held } = waiting;
        let record = AuditEvent::new(AuditKind::SignInRefused)
            .client(&pending.wanted.request.client_id)
            .idp(&pending.idp)
            .detail("this browser has signed out meanwhile: the IdP is asked again");
        let take = held.map(|handle| Change::TakeHeldSignIn { handle: handle.hash() });
        let mut changes: Vec<Change> = take.into_iter().collect();
        changes
            .extend([Change::TakeAuthnRequest { id: pending.id.clone() }, Change::Record(record)]);
        self.store().commit(now, changes).await.map_err(used)?;
        let wanted = by_a_fresh_authentication(pending.wanted, now);
        self.ask_instead(&pending.id, wanted, &connection, now).await
    }

    /// The browser is sent to the IdP with another request, in place of the one of this ID, which is
    /// used up.
    pub(super) async fn ask_instead(
        &self,
        id: &str,
        wanted: Wanted,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let reply = self.send_authn_request(wanted, connection, now).await?;
        Ok(reply.with(CookieChange::ClearTransaction { name: transaction_name(id) }))
    }

    async fn has_session(&self, cookie: TokenHash) -> Result<bool, Failure> {
        Ok(self.store().browser_session(SessionKey::Cookie(cookie)).await?.found.is_some())
    }

    async fn plan_sign_in(
        &self,
        pending: &PendingAuthnRequest,
        verified: &VerifiedSignIn,
        session: Option<BrowserSession>,
        cookie: &Token,
        now: Timestamp,
    ) -> Result<PlannedSignIn, Failure> {
        let lifetime = self.settings().session;
        let mut changes = Vec::new();
        let mut replaced = None;
        let continued = match session {
            Some(session) if session.subject == verified.subject => Some(session),
            Some(other) => {
                let wanted = SignOut {
                    reason: Reason::SwitchedUser,
                    scope: LogoutScope::AllAppsAndIdp,
                    left: Vec::new(),
                    idps: IdpLegs::Skip,
                    initiator: None,
                    target: None,
                    result_wanted: false,
                    language: None,
                    lock: None,
                    page_seed: self.page_seed(),
                    without_cookie: false,
                    owed_answer: None,
                };
                let begun = self.plan_sign_out(&other, wanted, now).await?;
                changes.extend(begun.changes);
                replaced = Some(begun.logout);
                None
            }
            None => None,
        };
        let began = continued.is_none();
        let mut session = continued.unwrap_or_else(|| {
            BrowserSession::begin(
                BrowserSessionId::new(now, self.rng()),
                self.rng().handle().expose().to_owned(),
                verified.subject.clone(),
                lifetime,
                now,
            )
        });
        session.renew(lifetime, now);
        let id = IdpSessionId::new(now, self.rng());
        let sign_in = session.add_sign_in(id, verified.idp.clone(), verified.facts.clone());
        changes.push(match began {
            true => Change::BeginBrowserSession {
                session: Box::new(session.clone()),
                cookie: cookie.hash(),
            },
            false => Change::advance(&session, Some(cookie.hash())),
        });
        changes.push(Change::TakeAuthnRequest { id: pending.id.clone() });
        changes.push(Change::RememberAssertion {
            idp: verified.idp.clone(),
            assertion_id: verified.assertion_id.clone(),
            until: verified.remember_until,
        });
        // Those that are not usable any more are written, too.
        let saved = session
            .idp_sessions
            .iter()
            .filter(|held| held.id == sign_in.id || !held.signed_in.is_usable(now));
        changes.extend(saved.map(|held| Change::SaveIdpSession {
            browser_session: session.id,
            session: Box::new(held.clone()),
        }));
        let request = &pending.wanted.request;
        let (code, grant) = self.grant(&mut session, request, sign_in.id, now);
        changes.extend(grant);
        let mut record = AuditEvent::new(AuditKind::SignInCompleted)
            .session(session.id)
            .client(&request.client_id)
            .idp(&verified.idp);
        if verified.facts.session_indexes.is_empty() {
            record = record.detail("the IdP gave no SessionIndex: logout goes by NameID alone");
        }
        changes.push(Change::Record(record));
        Ok(PlannedSignIn { browser_session: session.id, changes, code, replaced })
    }

    /// The person was signed out while the sign-in was on its way: the app hears that nobody is there.
    fn ended_meanwhile(&self, pending: &PendingAuthnRequest, by: &Overtaken) -> Reply {
        let error = OAuthError::new(ErrorCode::AccessDenied, by.as_str());
        let url = pending.wanted.request.reply.error(&self.settings().issuer, &error);
        let name = transaction_name(&pending.id);
        Reply::redirect(url).with(CookieChange::ClearTransaction { name })
    }
}

struct PlannedSignIn {
    browser_session: BrowserSessionId,
    changes: Vec<Change>,
    code: Token,
    /// The session of another person in the same browser, which ends.
    replaced: Option<Logout>,
}

/// The same, to be met by an authentication from now on. That is as much as a re-login lock asks for.
pub(super) fn by_a_fresh_authentication(wanted: Wanted, now: Timestamp) -> Wanted {
    let authn_not_before = Some(now);
    Wanted { force_authn: true, authn_not_before, relogin: Relogin::Free, ..wanted }
}
