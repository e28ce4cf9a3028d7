//! What a node answers, and what those who asked do with it. Here every answer is held against what
//! may be answered.

use super::installation::{APPS, app};
use super::mail::Mail;
use super::parties::Tokens;
use super::queries::our_path;
use super::wish::{Answer, Form, Running, Wish};
use super::world::World;
use crate::id::LegId;
use crate::logout::{Ends, Logout, PartyId, Ticks};
use crate::secret::Token;
use crate::store::StoreError;
use crate::use_cases::{CookieChange, Failure, Next, Page, ReloginQuestion, Reply, TokenAnswer};

impl World<'_> {
    pub(super) fn answered(&mut self, running: Running, answer: Answer) {
        match answer {
            Answer::Reply(Ok(reply)) => self.replied(&running, reply),
            Answer::Tokens(Ok(TokenAnswer::Tokens(tokens))) => {
                let tokens = serde_json::to_value(tokens).expect("tokens have a JSON form");
                self.got_tokens(&running, &tokens);
            }
            Answer::Claims(Ok(Ok(_))) => {
                let Wish::Claims { tokens } = running.wish else { unreachable!() };
                let hash = self.tokens[tokens].access.hash();
                let session = self.model.tokens.get(&hash).map(|access| access.session);
                let session = session.expect("I2: a token that was revoked gives claims");
                self.must_have_lived(&running, session);
                self.note_answer(&running, || "claims".into());
            }
            Answer::Tokens(Ok(TokenAnswer::Refused { error, .. })) => {
                self.note_answer(&running, || format!("{error:?}"));
            }
            Answer::Claims(Ok(Err(_))) => self.note_answer(&running, || "no claims".into()),
            Answer::Work(Ok(advanced)) => {
                self.note_answer(&running, || format!("{advanced} logouts advanced"));
            }
            Answer::Ended(Ok(logouts)) => self.administrator_hears(&running, &logouts),
            Answer::Reply(Err(failure))
            | Answer::Ended(Err(failure))
            | Answer::Tokens(Err(failure))
            | Answer::Claims(Err(failure))
            | Answer::Work(Err(failure)) => self.failed(&running, &failure),
        }
    }

    /// I1: what an administrator was told is over is over.
    fn administrator_hears(&mut self, running: &Running, logouts: &[Logout]) {
        self.note_answer(running, || format!("{} logouts", logouts.len()));
        let lives = |known: &&super::model::Session| known.ended.is_none();
        match &running.wish {
            Wish::EndLive { session } => {
                let live = self.model.sessions.get(session).filter(lives);
                assert!(live.is_none(), "I1: {running:?} is answered, and it lives");
            }
            Wish::OffBoard { subject } => {
                // One that is being written down meanwhile finds out by itself (I12).
                let begun_before = self.model.sessions.values().find(|known| {
                    known.session.subject == *subject && known.begun < running.begun && lives(known)
                });
                assert!(begun_before.is_none(), "I1: {running:?} is answered, and a session lives");
                let step = self.history.steps();
                self.truth.off_boarded.push((subject.clone(), running.begun, step));
            }
            _ => {}
        }
        for logout in logouts {
            self.check_end_page(logout);
        }
    }

    fn note_answer(&mut self, running: &Running, what: impl FnOnce() -> String) {
        self.history.note(self.now, "answer", || {
            format!("node {} to {:?}: {}", running.node, running.wish, what())
        });
    }

    /// I8: an error leaves nobody more signed in than before. And no fault of ours is ever met.
    fn failed(&mut self, running: &Running, failure: &Failure) {
        self.note_answer(running, || format!("failure: {failure}"));
        let ours = matches!(
            failure,
            Failure::Internal(_)
                | Failure::Store(StoreError::Refused { .. } | StoreError::Corrupt(_))
        );
        assert!(!ours, "a fault of ours: {failure} at {running:?}");
        let unheard = self.truth.unknown.iter().any(|step| *step >= running.begun);
        if let Wish::Continue { sign_in, .. } = &running.wish
            && !unheard
            // A store that fails after the commit is as good as a crash.
            && !matches!(failure, Failure::Browser { .. } | Failure::Store(_))
        {
            let assertion = &self.truth.sign_ins[*sign_in].assertion_id;
            let mut sessions = self.model.sessions.values();
            let live = sessions
                .find(|known| known.ended.is_none() && known.assertions.contains(assertion));
            // The same assertion may have been continued twice at once.
            let also = self.running.iter().any(|other| {
                matches!(&other.wish, Wish::Continue { sign_in: other, .. } if other == sign_in)
            });
            let told = self.truth.sign_ins[*sign_in].completed || also;
            assert!(live.is_none() || told, "I8: {failure} left a live session: {running:?}");
        }
    }

    fn replied(&mut self, running: &Running, reply: Reply) {
        self.note_answer(running, || describe(&reply));
        self.check_reply(running, &reply);
        self.idp_hears(running, &reply);
        let Some(browser) = running.wish.browser() else { return };
        if running.abandoned {
            return;
        }
        for change in reply.cookies {
            let browser = &mut self.browsers[browser];
            match change {
                CookieChange::SetSession(token) => browser.session = Some(token),
                CookieChange::ClearSession => browser.session = None,
                CookieChange::SetTransaction { name, value } => {
                    browser.transactions.retain(|(held, _)| *held != name);
                    browser.transactions.push((name, value));
                }
                CookieChange::SetRelogin(token) => browser.relogin = Some(token),
                CookieChange::ClearRelogin => browser.relogin = None,
                CookieChange::ClearTransaction { name } => {
                    browser.transactions.retain(|(held, _)| *held != name);
                }
            }
        }
        if let Wish::PersonForm { form, .. } = &running.wish {
            self.wants_some_again(browser, &form.ticks);
        }
        let sign_in = match running.wish {
            Wish::Continue { sign_in, .. } | Wish::Relogin { sign_in, .. } => Some(sign_in),
            _ => None,
        };
        match reply.next {
            Next::Redirect(url) => match (sign_in, parameter(&url, "handle")) {
                (Some(sign_in), Some(handle)) => {
                    let handle = Token::received(&handle);
                    self.mail.push(Mail::SignedIn { browser, handle, sign_in });
                }
                _ => self.follow(browser, &url),
            },
            Next::Post(_) => panic!("no IdP here takes forms"),
            Next::Frames { handle, mark, frames, .. } => {
                self.frames_are_shown(running.begun, &frames);
                self.mail.push(Mail::Frames { browser, handle, mark });
            }
            Next::Page(page) => match *page {
                Page::ConfirmLogout { handle, csrf, .. } => {
                    self.mail.push(Mail::Question { browser, handle, csrf });
                }
                Page::Relogin { question: ReloginQuestion::Held(handle), csrf, .. } => {
                    let sign_in = sign_in.expect("only a sign-in leads there");
                    self.mail.push(Mail::Relogin { browser, handle, sign_in, csrf });
                }
                Page::LogoutWaiting { handle, leg, .. } => {
                    self.mail.push(Mail::Waiting { browser, handle, leg });
                }
                Page::LogoutEnd(end) => {
                    let again = end.parties.iter().filter(|party| party.can_try_again);
                    let legs: Vec<LegId> = again.map(|party| party.leg).collect();
                    if let Some(handle) = end.handle.filter(|_| !legs.is_empty()) {
                        self.mail.push(Mail::End { browser, handle, legs });
                    }
                }
                Page::PersonPage { page_seed, handle, csrf, parties, .. } => {
                    let shown = parties.into_iter().map(|party| party.id).collect();
                    let ticks = Ticks { shown, ticked: Vec::new() };
                    let form = Form { csrf, page_seed, handle, cookie: running.cookie, ticks };
                    self.mail.push(Mail::PersonPage { browser, form: Box::new(form) });
                }
                _ => {}
            },
        }
    }

    fn wants_some_again(&mut self, browser: usize, ticks: &Ticks) {
        for number in 0..APPS {
            let left = ticks.ticked.contains(&PartyId::of_app(&app(number)));
            if left && self.dice.percent(40) {
                self.mail.push(Mail::Again { browser, app: number });
            }
        }
    }

    fn check_reply(&mut self, running: &Running, reply: &Reply) {
        match &reply.next {
            Next::Redirect(url) if our_path(url).is_none() => self.check_redirect(running, url),
            Next::Page(page) => {
                if let Page::LogoutEnd(end) = &**page {
                    self.check_end_page(&end.logout);
                    self.check_lives_on(running, end);
                    let (led_to, own) = (&end.continue_to, &end.logout.document.target);
                    assert!(led_to.is_none() || led_to == own, "I6: {led_to:?}");
                }
                if let Page::PersonPage { parties, .. } = &**page {
                    self.check_listed(running, parties);
                }
            }
            _ => {}
        }
        let asked = self.is_question(reply);
        match &running.wish {
            Wish::EndSession { hint, .. } if !asked => {
                let hinted = hint.map(|tokens| self.tokens[tokens].sid.clone());
                self.must_be_over(running, hinted.as_deref());
            }
            Wish::V2Logout { .. } => self.must_be_over(running, None),
            Wish::Press { handle, .. } if !matches!(&reply.next, Next::Page(page) if matches!(**page, Page::KeptSignedIn)) => {
                if let Some(known) = self.model.by_handle(handle.hash())
                    && known.logout.document.ends == Ends::Session
                {
                    let session = known.logout.document.browser_session;
                    let over = self.model.sessions.get(&session).is_none_or(|s| s.ended.is_some());
                    assert!(over, "I1: {running:?} is answered, and its session lives");
                }
            }
            Wish::PersonForm { form, .. } => self.ticked_must_be_over(running, form),
            Wish::Continue { sign_in, .. } | Wish::Relogin { sign_in, .. } => {
                if let Next::Redirect(url) = &reply.next
                    && let Some(code) = parameter(url, "code")
                {
                    let code = Token::received(&code).hash();
                    self.must_be_signed_in(running, code);
                    self.must_not_be_overtaken(running, *sign_in);
                    self.must_not_be_off_boarded(running, *sign_in, code);
                    if matches!(running.wish, Wish::Continue { .. }) {
                        self.must_not_be_locked(running, *sign_in);
                    }
                    self.truth.sign_ins[*sign_in].completed = true;
                }
            }
            Wish::Authorize { .. } => {
                if let Next::Redirect(url) = &reply.next
                    && let Some(code) = parameter(url, "code")
                {
                    self.must_be_signed_in(running, Token::received(&code).hash());
                }
            }
            _ => {}
        }
    }

    /// Whether the person is asked something instead of being signed out.
    fn is_question(&self, reply: &Reply) -> bool {
        match &reply.next {
            Next::Redirect(url) => our_path(url)
                .and_then(|path| path.strip_prefix(crate::paths::LOGOUT_PAGE))
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|handle| {
                    let handle = Token::received(handle).hash();
                    self.model.by_handle(handle).is_none()
                }),
            Next::Page(page) => matches!(**page, Page::ConfirmLogout { .. }),
            Next::Post(_) | Next::Frames { .. } => false,
        }
    }

    /// I1: who gets our answer to a logout can rely on it.
    fn must_be_over(&self, running: &Running, hinted: Option<&str>) {
        let session = match running.cookie {
            Some(cookie) => self.model.by_cookie(cookie),
            None => hinted.and_then(|sid| self.model.by_sid(sid)),
        };
        let Some(known) = session else { return };
        assert!(
            known.ended.is_some(),
            "I1: {running:?} is answered, and session {} lives",
            known.session.id
        );
        let logout = self.model.of_session(known.session.id);
        assert!(logout.is_some(), "I1: session {} has no logout", known.session.id);
    }

    /// I6: to an app the browser is sent only to the URL that was checked when the logout began.
    fn check_redirect(&self, running: &Running, url: &str) {
        // What stands in the query may be anything.
        let address = url.split('?').next().unwrap_or_default();
        let is_bye = address.contains("/bye") || address.contains("evil");
        if !is_bye {
            return;
        }
        let own = match &running.wish {
            Wish::EndSession { query, .. } | Wish::V2Logout { query, .. } => {
                target_of(query).into_iter().collect()
            }
            _ => Vec::new(),
        };
        let mut allowed: Vec<String> = own;
        let mut allow = |logout: Option<&Logout>| {
            allowed.extend(logout.and_then(|logout| logout.document.target.clone()));
        };
        match &running.wish {
            Wish::EndSession { hint, .. } => {
                let cookie = running.cookie.and_then(|cookie| self.model.by_cookie(cookie));
                let hinted = hint.and_then(|at| self.model.by_sid(&self.tokens[at].sid));
                for known in [cookie, hinted].into_iter().flatten() {
                    allow(self.model.of_session(known.session.id).map(|found| &found.logout));
                }
            }
            Wish::V2Logout { .. } => {
                let cookie = running.cookie.and_then(|cookie| self.model.by_cookie(cookie));
                let logout = cookie.and_then(|known| self.model.of_session(known.session.id));
                allow(logout.map(|known| &known.logout));
            }
            Wish::LogoutPage { handle, .. }
            | Wish::FramesDone { handle, .. }
            | Wish::Press { handle, .. } => {
                allow(self.model.by_handle(handle.hash()).map(|known| &known.logout));
                // Or whoever the question is about is signed out already.
                if let Some(question) = self.truth.questions.get(&handle.hash()) {
                    allowed.extend(question.target.clone());
                    let sid = question.hint.as_ref().and_then(|hint| hint.sid.as_deref());
                    let hinted = sid.and_then(|sid| self.model.by_sid(sid));
                    let logout = hinted.and_then(|known| self.model.of_session(known.session.id));
                    allowed.extend(logout.and_then(|known| known.logout.document.target.clone()));
                }
                let cookie = running.cookie.and_then(|cookie| self.model.by_cookie(cookie));
                let logout = cookie.and_then(|known| self.model.of_session(known.session.id));
                allowed.extend(logout.and_then(|known| known.logout.document.target.clone()));
            }
            Wish::IdpAnswer { query, .. } => {
                let relay_state = parameter(&format!("x:?{query}"), "RelayState");
                let hash = relay_state.map(|text| Token::received(&text).hash());
                for (asked, logout) in &self.truth.asked {
                    let is_answered = match hash {
                        Some(hash) => asked.relay_state == hash,
                        None => self.is_answer_to(running, &asked.request_id),
                    };
                    if is_answered {
                        let logout = &self.model.logouts[logout].logout;
                        allowed.extend(logout.document.target.clone());
                    }
                }
            }
            other => panic!("I6: {other:?} leads to {url}"),
        }
        assert!(
            allowed.iter().any(|own| own == url),
            "I6: {running:?} leads to {url}: {allowed:?}"
        );
    }

    fn is_answer_to(&self, running: &Running, request_id: &str) -> bool {
        let Wish::IdpAnswer { answer: Some(answer), .. } = &running.wish else { return false };
        self.truth.answers[*answer].request_id == request_id
    }

    fn got_tokens(&mut self, running: &Running, tokens: &serde_json::Value) {
        let Wish::Redeem { app, code } = &running.wish else { unreachable!() };
        let known = &self.model.codes[&code.hash()];
        let session = known.session;
        let ended_before = known.ended.is_some_and(|ended| ended < running.begun);
        assert!(!ended_before, "I2: {running:?} succeeds, and its app had ended alone");
        self.must_have_lived(running, session);
        let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
        let id_token = text("id_token");
        let sid = claims_of(&id_token)["sid"].as_str().expect("a sid").to_owned();
        let known = &self.model.sessions[&session];
        assert_eq!(sid, known.session.sid, "I2: a token of another session");
        let access = Token::received(&text("access_token"));
        self.tokens.push(Tokens { app: *app, access, id_token, sid });
        self.note_answer(running, || "tokens".into());
    }
}

/// The claims of a token that we made.
pub(super) fn claims_of(token: &str) -> serde_json::Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = token.split('.').nth(1).expect("a JWT has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

pub(super) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Where a request to sign out may lead in the end.
pub(super) fn target_of(query: &str) -> Option<String> {
    let query = format!("x:?{query}");
    if let Some(to) = parameter(&query, "returnTo") {
        return Some(to);
    }
    let uri = parameter(&query, "post_logout_redirect_uri")?;
    let state = parameter(&query, "state")?;
    (!uri.contains("evil")).then(|| format!("{uri}?state={state}"))
}

fn describe(reply: &Reply) -> String {
    let next = match &reply.next {
        Next::Redirect(url) => format!("to {}", url.chars().take(100).collect::<String>()),
        Next::Post(form) => format!("a form for {}", form.action),
        Next::Frames { frames, .. } => format!("{} frames", frames.len()),
        Next::Page(page) => {
            let page = format!("{page:?}");
            page.split([' ', '{']).next().unwrap_or_default().to_owned()
        }
    };
    let cookies: Vec<String> = reply.cookies.iter().map(|change| format!("{change:?}")).collect();
    match cookies.is_empty() {
        true => next,
        false => format!("{next}, {}", cookies.join(", ")),
    }
}
