//! `/logout`, opened by a person: every app and IdP of this browser's session, to tick which to end.

use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::language::Language;
use crate::logout::plan::IdpLegs;
use crate::logout::{Ends, PartyId, Reason, Selection, Ticks};
use crate::oidc::LogoutScope;
use crate::secret::Token;
use crate::session::{AppSession, BrowserSession};
use crate::store::{FoundLogout, LogoutKey};
use crate::use_cases::own_form::{OwnForm, check_csrf, not_shown};
use crate::use_cases::sign_out::{Begun, SignOut};
use crate::use_cases::{Browser, CookieChange, Failure, Page, Reply, TRIES, UseCases};

/// The form of the page as it came back.
#[derive(Debug)]
pub struct PersonForm {
    pub csrf: String,
    /// Of the logout that the form begins; see [`UseCases::page_handle`].
    pub page_seed: String,
    pub handle: Token,
    pub ticks: Ticks,
    /// In which the page was shown.
    pub language: Option<Language>,
}

/// Why the page is shown once more instead of ending something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NothingEnded {
    NothingTicked,
    /// What was ticked had ended before, and not by this form.
    EndedBefore,
}

impl UseCases {
    /// `GET /logout` without a SAML message. It changes nothing.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn person_page(&self, browser: &Browser) -> Result<Reply, Failure> {
        let read = self.store().sessions_to_end(browser.session_hash(), None).await?;
        match read.found {
            [Some(session), _] => self.show_person_page(&session, None, browser, read.now).await,
            [None, _] => self.nobody_is_here(browser, read.now).await,
        }
    }

    /// `POST /logout` with our own form.
    ///
    /// Sent twice it begins one logout, and the second answer goes on with it. What is ticked and still
    /// live always ends, even where a page from the history is sent once more.
    ///
    /// # Errors
    /// [`Failure::Browser`] if the form was not shown to this browser; nothing is ended then.
    pub async fn answer_person_page(
        &self,
        form: &PersonForm,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        let PersonForm { csrf, page_seed, handle, ticks, language } = form;
        let proof = self.form_proof(OwnForm::PersonPage, handle, browser);
        let shown =
            check_csrf(&proof, csrf).is_ok() && self.page_handle(page_seed).hash() == handle.hash();
        for _ in 0..TRIES {
            let read = self.store().sessions_to_end(browser.session_hash(), None).await?;
            // After the session: whoever has ended parts of it meanwhile has written this, too.
            let begun = self.store().logout(LogoutKey::Handle(handle.hash())).await?.found;
            let session = match (read.found, begun.as_ref()) {
                ([Some(session), _], _) if shown => session,
                // The first answer was dropped, and took the cookie with it.
                (_, Some(begun)) => {
                    return self.go_on_with(begun, handle, shown, browser, read.now).await;
                }
                (_, None) if shown => return self.nobody_is_here(browser, read.now).await,
                (_, None) => return Err(not_shown()),
            };
            // A form that has begun a logout begins another one only with something else to end.
            let page_seed = match &begun {
                Some(_) => self.page_seed(),
                None => page_seed.clone(),
            };
            let relogin = self.relogin_cookie_for(browser, &self.page_handle(&page_seed));
            let wanted = |scope, left| SignOut::by_person(scope, left, *language, page_seed);
            let reply = match (ticks.of(&session), begun) {
                (Selection::Nothing, Some(begun)) if !ticks.ticked.is_empty() => {
                    self.go_on_with(&begun, handle, shown, browser, read.now).await?.into()
                }
                (Selection::Nothing, _) => {
                    let why = match ticks.ticked.is_empty() {
                        true => NothingEnded::NothingTicked,
                        false => NothingEnded::EndedBefore,
                    };
                    self.show_person_page(&session, Some(why), browser, read.now).await?.into()
                }
                (Selection::Session { scope, left }, _) => {
                    let wanted = SignOut { lock: Some(relogin.hash()), ..wanted(scope, left) };
                    let begun = self.plan_sign_out(&session, wanted, read.now).await?;
                    let reply = self.begin(begun, &relogin, read.now).await?;
                    reply.map(|reply| reply.with(CookieChange::ClearSession))
                }
                (Selection::Apps { ended, left }, _) => {
                    let wanted = wanted(LogoutScope::AllApps, left);
                    let begun = self.plan_app_sign_out(&session, ended, wanted, read.now);
                    self.begin(begun.await?, &relogin, read.now).await?
                }
            };
            if let Some(reply) = reply {
                return Ok(reply);
            }
        }
        Err(Failure::Contended)
    }

    /// The form was sent before: on with what it has begun. It may be sent from elsewhere, by whoever has
    /// begun it; only to the browser that it was shown to belong its locks.
    async fn go_on_with(
        &self,
        begun: &FoundLogout,
        handle: &Token,
        shown: bool,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let dropped = match shown {
            true => self.dropped_relogin(begun, browser).await?,
            false => None,
        };
        let reply = self.send_on(begun.logout.clone(), Some(handle), true, now).await?;
        Ok(reply.with_any(dropped))
    }

    /// Ends apps of a session that lives on: their codes and tokens are worth nothing from the commit
    /// on, and they are told.
    async fn plan_app_sign_out(
        &self,
        session: &BrowserSession,
        ended: Vec<AppSession>,
        wanted: SignOut,
        now: Timestamp,
    ) -> Result<Begun, Failure> {
        let handle = self.page_handle(&wanted.page_seed);
        let mut logout = self.new_logout(session, wanted, Ends::Apps, now).await?;
        let over = logout.mark_what_is_over(now);
        // Whoever adds a code advances the session, and then this commit is a conflict.
        let codes = self.store().codes_of(session.id).await?;
        let mut changes = vec![
            Change::advance(session, None),
            Change::BeginLogout { logout: Box::new(logout.clone()), handle: handle.hash() },
        ];
        let mut records = Vec::new();
        for app in ended {
            let event = AuditEvent::new(AuditKind::AppSessionEnded).session(session.id);
            records.push(event.client(&app.client).logout(logout.id));
            let of_app = codes.iter().filter(|code| code.grant.binding.client_id == app.client);
            let codes = of_app.map(|code| code.hash).collect();
            changes.push(Change::EndAppSession { browser_session: session.id, app, codes });
        }
        records.push(logout.begun());
        records.extend(over);
        changes.extend(records.into_iter().map(Change::Record));
        Ok(Begun { changes, logout, handle, locked: false })
    }

    async fn show_person_page(
        &self,
        session: &BrowserSession,
        nothing_ended: Option<NothingEnded>,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let parties = self.listed(session, LogoutScope::AllAppsAndIdp, now).await?;
        let page_seed = self.page_seed();
        let handle = self.page_handle(&page_seed);
        let csrf = self.form_proof(OwnForm::PersonPage, &handle, browser);
        Ok(Reply::page(Page::PersonPage { page_seed, handle, csrf, parties, nothing_ended }))
    }

    async fn nobody_is_here(&self, browser: &Browser, now: Timestamp) -> Result<Reply, Failure> {
        let nobody = Reply::page(Page::NobodySignedIn).with(CookieChange::ClearSession);
        self.resume_or(nobody, (None, None), None, browser, now).await
    }
}

impl SignOut {
    fn by_person(
        scope: LogoutScope,
        left: Vec<PartyId>,
        language: Option<Language>,
        page_seed: String,
    ) -> Self {
        Self {
            reason: Reason::Person,
            scope,
            left,
            idps: IdpLegs::Ask,
            initiator: None,
            target: None,
            result_wanted: false,
            language,
            lock: None,
            page_seed,
            without_cookie: false,
            owed_answer: None,
        }
    }
}
