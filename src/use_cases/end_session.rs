//! RP-Initiated Logout 1.0: an app asks to sign its person out.

use crate::change::{Change, Hint, LogoutQuestion};
use crate::clock::Timestamp;
use crate::logout::Reason;
use crate::logout::plan::IdpLegs;
use crate::oidc::{Client, Confirm, EndSessionRequest, IdTokenHint, LogoutScope, Params};
use crate::policy::{WhoseSession, whose_session};
use crate::secret::Token;
use crate::session::{BrowserSession, NamedPerson};
use crate::store::{CommitError, LogoutKey};
use crate::use_cases::sign_out::SignOut;
use crate::use_cases::{
    Browser, CookieChange, Failure, Page, REQUEST_LIFETIME, Reply, TRIES, UseCases,
};

/// How the browser came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// A navigation that carries our `Lax` cookie if there is one.
    Get,
    /// A form post. From another site it carries no `Lax` cookie, so that it says nothing about
    /// whether somebody is signed in.
    Post,
}

impl UseCases {
    /// # Errors
    /// [`Failure::Client`] for a request that contradicts itself; nothing is ended then.
    pub async fn end_session(
        &self,
        params: &Params,
        browser: &Browser,
        arrival: Arrival,
    ) -> Result<Reply, Failure> {
        let request = EndSessionRequest::parse(params).map_err(|error| Failure::Client {
            code: "invalid_request",
            client: String::new(),
            detail: error.to_string(),
        })?;
        let question = self.question(&request).await?;
        let handle = self.rng().handle();
        if arrival == Arrival::Post && browser.session.is_none() {
            // The cookie may only be missing because another site posted: come again by GET.
            return self.ask(question, &handle).await;
        }
        self.decide(question, &handle, browser, false).await
    }

    /// What the request asks for, checked as far as it can be without knowing the session.
    async fn question(&self, request: &EndSessionRequest) -> Result<LogoutQuestion, Failure> {
        // A hint that is not ours is no hint (section 4); an expired one is still one (section 2).
        let hint = request.id_token_hint.as_deref().and_then(|token| self.hint(token));
        let named = match (&request.client_id, &hint) {
            (Some(client), Some(hint)) if *client != hint.client => {
                return Err(Failure::Client {
                    code: "client_mismatch",
                    client: client.to_string(),
                    detail: "client_id is not the audience of the id_token_hint".into(),
                });
            }
            (Some(client), _) => Some(client.clone()),
            (None, Some(hint)) => Some(hint.client.clone()),
            (None, None) => None,
        };
        let client = match &named {
            Some(id) => self.view().await?.client(id).await?,
            None => None,
        };
        let client = client.as_ref().map(|registered| registered.client.as_ref());
        let target = target(client, request)?;
        Ok(LogoutQuestion {
            scope: client.map_or(LogoutScope::AllAppsAndIdp, |client| client.scope),
            confirm: client.map_or(Confirm::Auto, |client| client.confirm),
            initiator: client.map(|client| client.id.clone()),
            result_wanted: client.is_some_and(|client| client.logout_result),
            target_refused: target.is_none() && request.post_logout_redirect_uri.is_some(),
            target,
            named: request.logout_hint.as_deref().and_then(NamedPerson::of),
            hint: hint.map(|hint| Hint { subject: hint.sub, sid: hint.sid }),
            asked: false,
            language: request.language,
        })
    }

    fn hint(&self, token: &str) -> Option<IdTokenHint> {
        let keys = self.keys();
        let find = |kid: &str| keys.oidc.verifying(kid);
        match IdTokenHint::parse(token, find, &self.settings().issuer) {
            Ok(hint) => Some(hint),
            Err(error) => {
                tracing::info!(code = error.code(), "an id_token_hint is not usable: {error}");
                None
            }
        }
    }

    /// Whose session it is, and whether the person must be asked. `stored` says that the question is
    /// kept under its handle already.
    pub(super) async fn decide(
        &self,
        question: LogoutQuestion,
        handle: &Token,
        browser: &Browser,
        stored: bool,
    ) -> Result<Reply, Failure> {
        let sid = question.hint.as_ref().and_then(|hint| hint.sid.as_deref());
        for _ in 0..TRIES {
            let read = self.store().browser_sessions(browser.session_hash(), sid).await?;
            let [cookie, hinted] = read.found;
            let hint = question.hint.as_ref();
            let confirm = match question.target_refused {
                // The person is about to be left on a page of ours, so let it be their decision.
                true => Confirm::Always,
                false => question.confirm,
            };
            let named = question.named.as_ref();
            return match whose_session(cookie, hint, hinted, named, confirm) {
                WhoseSession::Nobody => self.resume_or_nobody(&question, browser, read.now).await,
                WhoseSession::Ask(_) => {
                    self.ask(LogoutQuestion { asked: true, ..question }, handle).await
                }
                WhoseSession::End(session) => {
                    match self.end(&session, &question, handle, stored, browser, read.now).await? {
                        Some(reply) => Ok(reply),
                        None => continue,
                    }
                }
            };
        }
        Err(Failure::Contended)
    }

    /// Ends the session; `None` if somebody changed it in the meantime.
    pub(super) async fn end(
        &self,
        session: &BrowserSession,
        question: &LogoutQuestion,
        handle: &Token,
        stored: bool,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Option<Reply>, Failure> {
        let cookie = browser.relogin.clone();
        let cookie = cookie.unwrap_or_else(|| self.relogin_cookie(&handle.hash()));
        let wanted = SignOut {
            reason: Reason::RpInitiated,
            scope: question.scope,
            idps: IdpLegs::Ask,
            initiator: question.initiator.clone(),
            target: question.target.clone(),
            result_wanted: question.result_wanted,
            language: question.language,
            lock: Some(cookie.hash()),
        };
        let begun = self.plan_sign_out(session, wanted, handle.clone(), now).await?;
        let mut changes = begun.changes;
        if stored {
            changes.push(Change::TakeLogoutQuestion { handle: handle.hash() });
        }
        match self.store().commit(now, changes).await {
            Ok(()) => {}
            // The connection was lost during COMMIT: only what is stored tells what happened.
            Err(CommitError::Unknown) if self.has_begun(handle).await? => {}
            Err(CommitError::Conflict { .. } | CommitError::Unknown) => return Ok(None),
            Err(other) => return Err(Failure::commit(other)),
        }
        self.tell_at_once(&begun.logout);
        let reply = self.go_on(begun.logout, Some(&begun.handle), Vec::new(), false, now).await?;
        let reply = self.at_its_page(reply, &begun.handle);
        let reply = reply.with(CookieChange::ClearSession);
        Ok(Some(match begun.locked {
            true => reply.with(CookieChange::SetRelogin(cookie)),
            false => reply,
        }))
    }

    /// Nobody is signed in. If that is so because of a logout whose browser has not been sent on – a
    /// double click drops the first answer – it goes on with that one; else what was asked for is
    /// so already.
    pub(super) async fn resume_or_nobody(
        &self,
        question: &LogoutQuestion,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let sid = question.hint.as_ref().and_then(|hint| hint.sid.clone());
        let mut dropped = None;
        let keys =
            [browser.session_hash().map(LogoutKey::EndedCookie), sid.map(LogoutKey::EndedSid)];
        for key in keys.into_iter().flatten() {
            let Some(found) = self.store().logout(key).await?.found else { continue };
            // Whoever dropped the first answer has not got its cookie either.
            if browser.relogin.is_none() && self.store().has_relogin_lock(found.logout.id).await? {
                dropped = Some(CookieChange::SetRelogin(self.relogin_cookie(&found.handle)));
            }
            if found.logout.answered_at.is_none() {
                let reply = self.go_on(found.logout, None, Vec::new(), true, now).await?;
                return Ok(reply.with(CookieChange::ClearSession).with_any(dropped));
            }
        }
        Ok(nobody(question).with_any(dropped))
    }

    /// Whether the logout of this handle is written.
    pub(super) async fn has_begun(&self, handle: &Token) -> Result<bool, Failure> {
        Ok(self.store().logout(LogoutKey::Handle(handle.hash())).await?.found.is_some())
    }

    /// Keeps the question and sends the browser to its page.
    async fn ask(&self, question: LogoutQuestion, handle: &Token) -> Result<Reply, Failure> {
        let now = self.now().await?;
        let ask = Change::AskLogout {
            handle: handle.hash(),
            question: Box::new(question),
            expires_at: now.plus(REQUEST_LIFETIME),
        };
        self.store().commit(now, vec![ask]).await.map_err(Failure::commit)?;
        Ok(Reply::redirect(self.settings().logout_page_url(handle.expose())))
    }
}

/// The checked URL that the person goes to at the end (section 3), with `state`.
fn target(client: Option<&Client>, request: &EndSessionRequest) -> Result<Option<String>, Failure> {
    let (Some(client), Some(raw)) = (client, request.post_logout_redirect_uri.as_deref()) else {
        return Ok(None);
    };
    let Ok(uri) = client.post_logout_uri(raw) else { return Ok(None) };
    let state = request.state.as_deref();
    if !client.accepts_state(state) {
        return Err(Failure::Client {
            code: "state_too_short",
            client: client.id.to_string(),
            detail: format!(
                "this client asks for a state of {} characters",
                client.min_state_length
            ),
        });
    }
    let params: Vec<(&str, &str)> = state.map(|state| ("state", state)).into_iter().collect();
    Ok(Some(uri.with(&params)))
}

/// Idempotent (section 4): nobody is signed in, so what was asked for is already so.
pub(super) fn nobody(question: &LogoutQuestion) -> Reply {
    let reply = match &question.target {
        Some(target) => Reply::redirect(target.clone()),
        None => Reply::page(Page::NobodySignedIn),
    };
    reply.in_language(question.language).with(CookieChange::ClearSession)
}
