//! RP-Initiated Logout 1.0: an app asks to sign its person out.

use crate::change::{Change, Hint, LogoutQuestion};
use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::logout::plan::IdpLegs;
use crate::logout::{Logout, Reason};
use crate::oidc::{
    Client, Confirm, EndSessionRequest, IdTokenHint, LogoutScope, Params, without_query,
};
use crate::policy::{WhoseSession, whose_session};
use crate::secret::Token;
use crate::session::{BrowserSession, NamedPerson, Sid};
use crate::store::LogoutKey;
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
        if arrival == Arrival::Post && browser.session.is_none() {
            // The cookie may only be missing because another site posted: come again by GET.
            return self.ask(question).await;
        }
        self.decide(question, browser).await
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
            asked_of: None,
            language: request.language,
            page_seed: self.page_seed(),
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

    /// Whose session it is, and whether the person must be asked. Nobody else may know the `page_seed` of
    /// the question, or the handle that it makes: it is to be the address of this browser's logout.
    pub(super) async fn decide(
        &self,
        question: LogoutQuestion,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        let sid = question.hint.as_ref().and_then(|hint| hint.sid.as_deref());
        for _ in 0..TRIES {
            let read = self.store().sessions_to_end(browser.session_hash(), sid).await?;
            let [cookie, hinted] = read.found;
            let hint = question.hint.as_ref();
            let confirm = match question.target_refused {
                // The person is about to be left on a page of ours, so let it be their decision.
                true => Confirm::Always,
                false => question.confirm,
            };
            let named = question.named.as_ref();
            let asked_of = cookie.as_ref().map(|session| session.id);
            let without_cookie = cookie.is_none();
            return match whose_session(cookie, hint, hinted, named, confirm) {
                WhoseSession::Nobody => self.resume_or_nobody(&question, browser, read.now).await,
                WhoseSession::Ask(_) => {
                    self.ask(LogoutQuestion { asked: true, asked_of, ..question }).await
                }
                WhoseSession::End(session) => {
                    let ended =
                        self.end(&session, &question, None, without_cookie, browser, read.now);
                    match ended.await? {
                        Some(reply) => Ok(reply),
                        None => continue,
                    }
                }
            };
        }
        Err(Failure::Contended)
    }

    /// Ends the session; `None` if somebody changed it in the meantime. `answered` is the handle under
    /// which the question was asked.
    pub(super) async fn end(
        &self,
        session: &BrowserSession,
        question: &LogoutQuestion,
        answered: Option<&Token>,
        without_cookie: bool,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Option<Reply>, Failure> {
        let page_seed = match question.page_seed.as_str() {
            // It was asked by an older version.
            "" => self.page_seed(),
            seed => seed.to_owned(),
        };
        // Without the cookie of the session nothing tells that this is its browser. That one gets the locks
        // when it comes, as after a logout that happened without it.
        let handle = self.page_handle(&page_seed);
        let cookie = match without_cookie {
            true => self.relogin_cookie(&handle.hash()),
            false => self.relogin_cookie_for(browser, &handle),
        };
        let wanted = SignOut {
            reason: Reason::RpInitiated,
            scope: question.scope,
            left: Vec::new(),
            idps: IdpLegs::Ask,
            initiator: question.initiator.clone(),
            target: question.target.clone(),
            result_wanted: question.result_wanted,
            language: question.language,
            lock: Some(cookie.hash()),
            page_seed,
            without_cookie,
            owed_answer: None,
        };
        let mut begun = self.plan_sign_out(session, wanted, now).await?;
        begun.locked &= !without_cookie;
        if let Some(handle) = answered {
            begun.changes.push(Change::TakeLogoutQuestion { handle: handle.hash() });
        }
        let reply = self.begin(begun, &cookie, now).await?;
        Ok(reply.map(|reply| reply.with(CookieChange::ClearSession)))
    }

    /// Nobody is signed in: on with the logout that ended the session, else what was asked for is so
    /// already.
    pub(super) async fn resume_or_nobody(
        &self,
        question: &LogoutQuestion,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let sid = question.hint.as_ref().and_then(|hint| hint.sid.clone());
        let asked = (question.initiator.as_ref(), question.target.as_deref());
        self.resume_or(nobody(question), asked, sid, browser, now).await
    }

    /// If nobody is signed in because the same was `asked` for before – by this client, with this
    /// target –, and the browser has not been everywhere – a double click drops the first answer –, it
    /// goes on with that logout. One that somebody else began is never shown here: its end is another's.
    /// Nor is one that a browser began with its session's cookie shown to whoever has an ID token of it,
    /// as the app has: that browser still has the cookie, or what it was given when the cookie was taken.
    pub(super) async fn resume_or(
        &self,
        otherwise: Reply,
        asked: (Option<&ClientId>, Option<&str>),
        sid: Option<Sid>,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let mut dropped = self.relogin_of_its_end(browser).await?;
        // Apps have a new `state` for each click: the browser of that session ends with that of the
        // first. Who only has an ID token must have asked for the very same.
        let keys = [
            (
                browser.session_hash().map(LogoutKey::EndedCookie),
                without_query as fn(&str) -> &str,
                true,
            ),
            (sid.map(LogoutKey::EndedSid), |url| url, false),
        ];
        for (key, compared, has_cookie) in keys {
            let Some(key) = key else { continue };
            let Some(found) = self.store().logout(key).await?.found else { continue };
            if has_cookie {
                dropped = self.dropped_relogin(&found, browser).await?.or(dropped);
            }
            let is_its_own = has_cookie
                || found.logout.document.without_cookie
                || browser.was_sent_by(&found.handle);
            if is_its_own
                && is_the_same(&found.logout, asked, compared)
                && is_under_way(&found.logout, now)
            {
                let handle = self.page_handle(&found.logout.document.page_seed);
                // A logout of an older version has a handle that nobody can make again.
                let handle = Some(&handle).filter(|handle| handle.hash() == found.handle);
                let reply = self.send_on(found.logout, handle, true, now).await?;
                return Ok(reply.with(CookieChange::ClearSession).with_any(dropped));
            }
        }
        Ok(otherwise.with_any(dropped))
    }

    /// Keeps the question and sends the browser to its page.
    async fn ask(&self, question: LogoutQuestion) -> Result<Reply, Failure> {
        let (handle, now) = (self.page_handle(&question.page_seed), self.now().await?);
        let ask = Change::AskLogout {
            handle: handle.hash(),
            question: Box::new(question),
            expires_at: now.plus(REQUEST_LIFETIME),
        };
        self.store().commit(now, vec![ask]).await.map_err(Failure::commit)?;
        Ok(Reply::redirect(self.settings().logout_page_url(handle.expose())))
    }
}

fn is_the_same(
    logout: &Logout,
    asked: (Option<&ClientId>, Option<&str>),
    compared: fn(&str) -> &str,
) -> bool {
    let document = &logout.document;
    matches!(document.reason, Reason::RpInitiated | Reason::Person)
        && document.owed_answer.is_none()
        && document.initiator.as_ref() == asked.0
        && document.target.as_deref().map(compared) == asked.1.map(compared)
}

/// Whether the browser is still needed, or may not have got where it was sent.
fn is_under_way(logout: &Logout, now: Timestamp) -> bool {
    logout.needs_browser() || logout.sent_away_lately(now).is_some()
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
