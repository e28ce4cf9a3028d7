//! The re-login lock at a sign-in: whether it may go on, and what the person says where the IdP signed
//! them in again by itself.

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, PendingAuthnRequest, Relogin, VerifiedSignIn, Wanted};
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::id::IdpId;
use crate::keys::keyed_hash;
use crate::logout::relogin_lock::{ReloginLock, Verdict, Who, judge};
use crate::oidc::{ErrorCode, OAuthError, SubjectSource};
use crate::paths;
use crate::saml::{NameId, Status};
use crate::secret::{Token, TokenHash};
use crate::store::{FoundLogout, LogoutKey};
use crate::use_cases::acs::used;
use crate::use_cases::own_form::check_csrf;
use crate::use_cases::sign_in::{HeldSignIn, Waiting};
use crate::use_cases::{
    Browser, CookieChange, Failure, Page, REQUEST_LIFETIME, Reply, UseCases, transaction_name,
};

/// What the person has said about a sign-in that a lock refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReloginAnswer {
    SignInAnyway,
    StaySignedOut,
}

/// What the person was asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReloginQuestion {
    /// A sign-in that is held under this handle: the IdP did not ask the person.
    Held(Token),
    /// The AuthnRequest of this ID: the IdP will not ask the person.
    Refused { request_id: String },
}

/// What the locks say of a sign-in, and what is left of them in its browser.
pub(super) struct Judged {
    pub verdict: Verdict,
    /// The browser's cookie finds no other lock.
    pub last: bool,
    /// The cookie that finds the others, where only the session's cookie led to them until now.
    pub given: Option<Token>,
}

impl UseCases {
    /// `POST /saml/acs/continue`: the person has seen that the IdP signed them in again by itself, or
    /// that it will not ask them again. `csrf` proves that the page was shown to this browser.
    ///
    /// # Errors
    /// [`Failure::Browser`] if the page is too old, or was shown to another browser.
    pub async fn answer_relogin(
        &self,
        question: &ReloginQuestion,
        answer: ReloginAnswer,
        csrf: &str,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        match question {
            ReloginQuestion::Held(handle) => {
                let (held, now) = self.held_sign_in(handle, browser).await?;
                check_csrf(&self.relogin_csrf(question, &held.waiting.pending), csrf)?;
                let HeldSignIn { waiting, verified, session } = held;
                match answer {
                    ReloginAnswer::SignInAnyway => {
                        self.complete(waiting, verified, session, browser, true, now).await
                    }
                    ReloginAnswer::StaySignedOut => self.stay_signed_out(waiting, now).await,
                }
            }
            ReloginQuestion::Refused { request_id } => {
                let (waiting, now) = self.refused_request(request_id, browser).await?;
                check_csrf(&self.relogin_csrf(question, &waiting.pending), csrf)?;
                match answer {
                    ReloginAnswer::SignInAnyway => self.ask_without_demand(waiting, now).await,
                    ReloginAnswer::StaySignedOut => self.stay_signed_out(waiting, now).await,
                }
            }
        }
    }

    /// The AuthnRequest of this browser that an IdP has answered with an error, because it was told to
    /// authenticate the person anew.
    async fn refused_request(
        &self,
        request_id: &str,
        browser: &Browser,
    ) -> Result<(Waiting, Timestamp), Failure> {
        let read = self.store().authn_request(request_id, browser.session_hash()).await?;
        let (pending, _) = read.found;
        let pending = pending
            .filter(|pending| pending.wanted.relogin == Relogin::Locked)
            .filter(|pending| browser.holds(&pending.id, &pending.browser))
            .ok_or_else(|| {
                Failure::browser("unknown_request", "no such sign-in of this browser")
            })?;
        let connection = self.asked_idp(&pending, read.now).await?;
        Ok((Waiting { pending, connection, held: None }, read.now))
    }

    /// The same request once more, as if there were no lock: the person has said so.
    async fn ask_without_demand(&self, waiting: Waiting, now: Timestamp) -> Result<Reply, Failure> {
        let Waiting { pending, connection, .. } = waiting;
        let take = Change::TakeAuthnRequest { id: pending.id.clone() };
        self.store().commit(now, vec![take]).await.map_err(used)?;
        let wanted = Wanted { force_authn: false, relogin: Relogin::Anyway, ..pending.wanted };
        self.ask_instead(&pending.id, wanted, &connection, now).await
    }

    /// The IdP answers the demand for a fresh authentication with an error. The person must not be shut
    /// out for as long as the lock holds, so they are asked themselves. The request stays open for it.
    pub(super) async fn cannot_be_asked(
        &self,
        pending: PendingAuthnRequest,
        connection: &Connection,
        status: &Status,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let record = AuditEvent::new(AuditKind::ReloginRefused)
            .client(&pending.wanted.request.client_id)
            .idp(&pending.idp)
            .detail(format!("the IdP did not authenticate the person anew: {status}"));
        self.store().commit(now, vec![Change::Record(record)]).await.map_err(Failure::commit)?;
        let question = ReloginQuestion::Refused { request_id: pending.id.clone() };
        let csrf = self.relogin_csrf(&question, &pending);
        Ok(Reply::page(Page::Relogin { question, idp: connection.name(), csrf }))
    }

    /// The IdPs that must authenticate the next person of this browser anew.
    pub(super) async fn locked_idps(&self, browser: &Browser) -> Result<Vec<IdpId>, Failure> {
        let Some(cookie) = browser.relogin_hash() else { return Ok(Vec::new()) };
        Ok(self.store().locked_idps(cookie).await?)
    }

    /// As above, for a browser whose session is over.
    pub(super) async fn locked_since_its_end(
        &self,
        browser: &Browser,
    ) -> Result<(Vec<IdpId>, Option<CookieChange>), Failure> {
        let mut locked = self.locked_idps(browser).await?;
        let of_its_end = self.locks_of_its_end(browser).await?;
        let cookie = of_its_end.map(|(idps, cookie)| {
            locked.extend(idps);
            CookieChange::SetRelogin(cookie)
        });
        Ok((locked, cookie))
    }

    /// What a browser is given that loses its session cookie: from then on nothing else would find them.
    pub(super) async fn relogin_of_its_end(
        &self,
        browser: &Browser,
    ) -> Result<Option<CookieChange>, Failure> {
        let of_its_end = self.locks_of_its_end(browser).await?;
        Ok(of_its_end.map(|(_, cookie)| CookieChange::SetRelogin(cookie)))
    }

    /// If the session of this browser was ended while the browser was not there, as by an administrator,
    /// the locks of that logout count, too: a browser that has no cookie yet gets theirs, and to one that
    /// has a cookie they are handed over. Its session cookie has proven that they are its own. The IdPs
    /// that they are for, and the cookie that they go by from now on.
    async fn locks_of_its_end(
        &self,
        browser: &Browser,
    ) -> Result<Option<(Vec<IdpId>, Token)>, Failure> {
        let Some(ended) = browser.session_hash() else { return Ok(None) };
        let read = self.store().logout(LogoutKey::LockedCookie(ended)).await?;
        let Some(found) = read.found else { return Ok(None) };
        let theirs = self.relogin_cookie(&found.handle);
        let idps = self.store().locked_idps(theirs.hash()).await?;
        if idps.is_empty() {
            return Ok(None);
        }
        let cookie = match &browser.relogin {
            Some(own) if own.hash() != theirs.hash() => {
                let hand_over =
                    Change::HandOverReloginLocks { from: theirs.hash(), to: own.hash() };
                self.store().commit(read.now, vec![hand_over]).await.map_err(Failure::commit)?;
                // It lasts as long as they do.
                own.clone()
            }
            _ => theirs,
        };
        Ok(Some((idps, cookie)))
    }

    /// `is_over`: the browser has no live session, so what its session left behind when it ended counts.
    pub(super) async fn judge_relogin(
        &self,
        verified: &VerifiedSignIn,
        connection: &Connection,
        browser: &Browser,
        is_over: bool,
    ) -> Result<Judged, Failure> {
        let of_its_end = if is_over { self.locks_of_its_end(browser).await? } else { None };
        let given = of_its_end.map(|(_, cookie)| cookie);
        let cookie = given.as_ref().map(Token::hash).or_else(|| browser.relogin_hash());
        let (idp, facts) = (&verified.idp, &verified.facts);
        let indexes = &facts.session_indexes;
        let locks =
            self.store().relogin_locks(idp, cookie, &verified.subject, indexes).await?.found;
        let transient = facts.name_id.as_ref().is_some_and(NameId::is_transient);
        let who = match &connection.settings.subject {
            SubjectSource::NameId if transient => Who::Somebody,
            _ => Who::Person(&verified.subject),
        };
        let verdict = judge(&locks, cookie, idp, who, facts);
        let (Verdict::Fresh(concerned) | Verdict::Ended(concerned)) = &verdict;
        let mut last =
            !locks.iter().any(|lock| cookie == Some(lock.browser) && !concerned.contains(lock));
        if let Some(cookie) = cookie.filter(|_| last) {
            last = self.store().locked_idps(cookie).await?.iter().all(|locked| locked == idp);
        }
        Ok(Judged { verdict, last, given: given.filter(|_| !last) })
    }

    /// The IdP relied on what was logged out. Where it was not told to ask the person, it is told now;
    /// where it was, the person is asked here.
    pub(super) async fn refuse_relogin(
        &self,
        waiting: Waiting,
        verified: VerifiedSignIn,
        by: &[ReloginLock],
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let Waiting { pending, connection, held } = waiting;
        let mut record = AuditEvent::new(AuditKind::ReloginRefused)
            .client(&pending.wanted.request.client_id)
            .idp(&pending.idp);
        if let Some(lock) = by.last() {
            record = record.logout(lock.logout);
        }
        let take = held.as_ref().map(|handle| Change::TakeHeldSignIn { handle: handle.hash() });
        let mut changes: Vec<Change> = take.into_iter().collect();
        if !pending.wanted.force_authn {
            let record = record.detail("the IdP is asked again, for a fresh authentication");
            changes.extend([
                Change::TakeAuthnRequest { id: pending.id.clone() },
                Change::Record(record),
            ]);
            self.store().commit(now, changes).await.map_err(used)?;
            let wanted = Wanted { force_authn: true, relogin: Relogin::Locked, ..pending.wanted };
            return self.ask_instead(&pending.id, wanted, &connection, now).await;
        }
        if let Some(handle) = held.filter(|_| verified.refused) {
            let question = ReloginQuestion::Held(handle);
            let (csrf, idp) = (self.relogin_csrf(&question, &pending), connection.name());
            return Ok(Reply::page(Page::Relogin { question, idp, csrf }));
        }
        let record = record.detail("the IdP did not authenticate the person anew");
        changes.push(Change::Record(record));
        self.hold(VerifiedSignIn { refused: true, ..verified }, changes, now).await
    }

    /// Keeps a verified sign-in under a handle, and has the browser come for it by a GET of ours.
    pub(super) async fn hold(
        &self,
        verified: VerifiedSignIn,
        mut changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let handle = self.rng().handle();
        changes.push(Change::HoldSignIn {
            handle: handle.hash(),
            sign_in: Box::new(verified),
            expires_at: now.plus(REQUEST_LIFETIME),
        });
        self.store().commit(now, changes).await.map_err(used)?;
        let path = format!("{}?handle={}", paths::SAML_ACS_CONTINUE, handle.expose());
        Ok(Reply::redirect(self.settings().issuer.url(&path)))
    }

    async fn stay_signed_out(&self, waiting: Waiting, now: Timestamp) -> Result<Reply, Failure> {
        let Waiting { pending, held, .. } = waiting;
        let request = &pending.wanted.request;
        let record = AuditEvent::new(AuditKind::SignInRefused)
            .client(&request.client_id)
            .idp(&pending.idp)
            .detail("the person stays signed out");
        let take = held.map(|handle| Change::TakeHeldSignIn { handle: handle.hash() });
        let mut changes: Vec<Change> = take.into_iter().collect();
        changes
            .extend([Change::TakeAuthnRequest { id: pending.id.clone() }, Change::Record(record)]);
        self.store().commit(now, changes).await.map_err(used)?;
        let error = OAuthError::new(ErrorCode::AccessDenied, "the person stays signed out");
        let url = request.reply.error(&self.settings().issuer, &error);
        let name = transaction_name(&pending.id);
        Ok(Reply::redirect(url).with(CookieChange::ClearTransaction { name }))
    }

    /// The cookie that a logout gives to a browser that has none. The same logout always gives the
    /// same one: a browser that dropped the first answer gets it with the second.
    pub(super) fn relogin_cookie(&self, handle: &TokenHash) -> Token {
        let mac = keyed_hash(&self.keys().csrf, &[b"relogin_cookie", handle.as_bytes()]);
        Token::from_bytes(&mac)
    }

    /// The cookie that a lock of this logout goes by: the one that the browser has, or a new one.
    pub(super) fn relogin_cookie_for(&self, browser: &Browser, handle: &Token) -> Token {
        browser.relogin.clone().unwrap_or_else(|| self.relogin_cookie(&handle.hash()))
    }

    /// Whoever dropped the first answer to a logout has not got its cookie either. For the browser of the
    /// session that it ended only, with the cookies that show that: where a form of another site has left
    /// them behind, this one would take the place of its own.
    pub(super) async fn dropped_relogin(
        &self,
        found: &FoundLogout,
        browser: &Browser,
    ) -> Result<Option<CookieChange>, Failure> {
        let lacks =
            browser.relogin.is_none() && self.store().has_relogin_lock(found.logout.id).await?;
        Ok(lacks.then(|| CookieChange::SetRelogin(self.relogin_cookie(&found.handle))))
    }

    /// Binds the form to what it asks about and to the browser that began the sign-in.
    fn relogin_csrf(&self, question: &ReloginQuestion, pending: &PendingAuthnRequest) -> String {
        let (purpose, about) = match question {
            ReloginQuestion::Held(handle) => (&b"relogin"[..], handle.expose()),
            ReloginQuestion::Refused { request_id } => (&b"relogin_refused"[..], &**request_id),
        };
        let parts = [purpose, about.as_bytes(), pending.browser.as_bytes()];
        Token::from_bytes(&keyed_hash(&self.keys().csrf, &parts)).expose().to_owned()
    }
}

/// What lifts these locks, with the reason.
pub(super) fn lift(locks: &[ReloginLock], verified: &VerifiedSignIn, why: &str) -> Vec<Change> {
    let lift = |lock: &ReloginLock| {
        let event = AuditEvent::new(AuditKind::ReloginLockLifted).idp(&verified.idp).detail(why);
        Change::LiftReloginLock { leg: lock.leg, event }
    };
    locks.iter().map(lift).collect()
}
