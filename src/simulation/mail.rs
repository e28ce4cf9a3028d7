//! What is on its way, or in front of somebody: it may be acted upon now, later, twice, or never.

use std::time::Duration;

use super::installation::{IDPS, SP, entity, idp};
use super::parties::{IdpLogin, SignIn, name_of, subject_of};
use super::wish::{Button, Form, Prompt, Wish};
use super::world::World;
use crate::change::{Change, VerifiedSignIn};
use crate::clock::Timestamp;
use crate::id::LegId;
use crate::logout::Ticks;
use crate::saml::{LogoutRequest, SessionIndex};
use crate::secret::Token;
use crate::session::SignedIn;
use crate::use_cases::REQUEST_LIFETIME;

#[derive(Clone, Debug)]
pub(super) enum Mail {
    /// A browser is at an IdP's login page.
    AtLogin { browser: usize, idp: usize, authn_request: String, force: bool },
    /// It has the IdP's assertion.
    SignedIn { browser: usize, handle: Token, sign_in: usize },
    /// The IdP signed the person in again by itself: do they want that?
    Relogin { browser: usize, handle: Token, sign_in: usize, csrf: String },
    /// It brings a code to its app.
    Code { app: usize, code: Token },
    /// It brings our LogoutRequest to an IdP.
    Asked { browser: usize, idp: usize, request: Box<LogoutRequest>, relay_state: String },
    /// It has an IdP's answer.
    Answer { browser: usize, answer: Option<usize>, query: String },
    /// An IdP's own LogoutRequest.
    Request { request: usize },
    /// The address of a logout's page.
    Page { browser: usize, handle: Token, mark: Option<String> },
    /// The page with frames.
    Frames { browser: usize, handle: Token, mark: Option<String> },
    /// The person is asked whether to sign out.
    Question { browser: usize, handle: Token, csrf: String },
    /// An IdP has not answered yet.
    Waiting { browser: usize, handle: Option<Token>, leg: LegId },
    /// The end of a logout, and the IdPs that can be asked once more.
    End { browser: usize, handle: Token, legs: Vec<LegId> },
    /// The person wants to use an app again that they have just left.
    Again { browser: usize, app: usize },
    /// The person's own page, with nothing ticked yet.
    PersonPage { browser: usize, form: Box<Form> },
}

impl World<'_> {
    pub(super) fn deliver(&mut self, at: usize) {
        // Most things happen once; a double click, a reload or a replay makes it twice.
        let mail = match self.dice.percent(82) {
            true => self.mail.swap_remove(at),
            false => self.mail[at].clone(),
        };
        match mail {
            Mail::AtLogin { browser, idp, authn_request, force } => {
                self.person_signs_in(browser, idp, authn_request, force);
            }
            Mail::SignedIn { browser, handle, sign_in } => {
                self.ask(Wish::Continue { browser, handle, sign_in });
            }
            Mail::Relogin { browser, handle, sign_in, csrf } => {
                let anyway = self.dice.percent(60);
                if anyway {
                    let sign_in = &self.truth.sign_ins[sign_in];
                    self.truth.anyway.insert(sign_in.assertion_id.clone());
                }
                self.ask(Wish::Relogin { browser, handle, sign_in, csrf, anyway });
            }
            Mail::Code { app, code } => self.ask(Wish::Redeem { app, code }),
            Mail::Asked { browser, idp, request, relay_state } => {
                self.idp_is_asked(browser, idp, &request, &relay_state);
            }
            Mail::Answer { browser, answer, query } => {
                // Now and then another browser brings it.
                let browser = if self.dice.percent(6) { self.some_browser() } else { browser };
                if let Some(answer) = answer {
                    self.truth.answers[answer].delivered = true;
                }
                self.ask(Wish::IdpAnswer { browser, answer, query });
            }
            Mail::Request { request } => {
                let browser = match self.dice.percent(60) {
                    true => Some(self.some_browser()),
                    false => None,
                };
                let url = &self.truth.requests[request].url;
                let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
                let query = query.to_owned();
                self.ask(Wish::IdpRequest { browser, request, query });
            }
            Mail::Page { browser, handle, mark } => {
                self.ask(Wish::LogoutPage { browser, handle, mark });
            }
            Mail::Frames { browser, handle, mark } => {
                self.ask(Wish::FramesDone { browser, handle, mark });
            }
            Mail::Question { browser, handle, csrf } => {
                let button = match self.dice.percent(80) {
                    true => Button::SignOut,
                    false => Button::StaySignedIn,
                };
                self.ask(Wish::Press { browser, handle, button, csrf });
            }
            Mail::End { browser, handle, legs } => {
                let leg = self.dice.one_of(&legs);
                let wish = press(browser, &handle, Button::TryAgain(leg));
                self.ask(wish);
            }
            Mail::Again { browser, app } => {
                let (idp, prompt) = (self.some_idp(), Prompt::None);
                self.ask(Wish::Authorize { browser, app, idp, prompt });
            }
            Mail::PersonPage { browser, form } => {
                let shown = form.ticks.shown.clone();
                let everything = self.dice.percent(15);
                let is_ticked = |_: &_| everything || self.dice.percent(45);
                let ticked = shown.iter().filter(is_ticked).cloned().collect();
                let form = Box::new(Form { ticks: Ticks { shown, ticked }, ..*form });
                self.ask(Wish::PersonForm { browser, form: form.clone() });
                // A double click.
                if self.dice.percent(15) {
                    self.ask(Wish::PersonForm { browser, form });
                }
            }
            Mail::Waiting { handle: None, .. } => {}
            Mail::Waiting { browser, handle: Some(handle), leg } => {
                let choices = [
                    (3, Wish::LogoutPage { browser, handle: handle.clone(), mark: None }),
                    (3, press(browser, &handle, Button::AskAgain)),
                    (2, press(browser, &handle, Button::GoOn(Some(leg)))),
                    (1, press(browser, &handle, Button::GoOn(None))),
                ];
                let weights: Vec<(usize, usize)> =
                    choices.iter().enumerate().map(|(at, (weight, _))| (*weight, at)).collect();
                let wish = choices[self.dice.weighted(&weights)].1.clone();
                if matches!(wish, Wish::Press { button: Button::GoOn(Some(_)), .. }) {
                    self.truth.gave_up.push(leg);
                }
                self.ask(wish);
            }
        }
    }

    /// The IdP signs the person in, by the session that it has or by a new one, and the assertion is
    /// verified and held (`use_cases/acs.rs`, 3 and 4) until its browser comes with its cookies.
    pub(super) fn person_signs_in(
        &mut self,
        browser: usize,
        number: usize,
        authn_request: String,
        force: bool,
    ) {
        let now = self.now;
        let held = self
            .truth
            .logins
            .iter()
            .rposition(|login| login.alive && (login.idp, login.browser) == (number, browser));
        let login = match held {
            // Mostly its own person; now and then somebody else sits down at it.
            Some(held) if self.dice.percent(85) => self.sign_in_at_held(held, force),
            _ => {
                let person = if browser == 2 { 1 } else { 0 };
                let person = if self.dice.percent(10) { 1 - person } else { person };
                self.log_in(number, browser, person)
            }
        };
        let login = &self.truth.logins[login];
        let asked = self.model.authn_requests.get(&authn_request);
        // `/saml/acs` accepts no sign-in that is older than the app demanded, and the app hears so.
        let skew = Duration::from_secs(60);
        let earliest = asked.and_then(|asked| asked.authn_not_before);
        if earliest.is_some_and(|earliest| login.since < earliest.minus(skew)) {
            self.tally.note("sign-in: older than prompt=login demands");
            return self.history.note(now, "sign in", || format!("idp-{number}: too old"));
        }
        let name = login.name.clone();
        let sign_in = SignIn {
            idp: number,
            assertion_id: format!("_assertion-{}", self.truth.sign_ins.len()),
            name: name.clone(),
            subject: subject_of(number, login.person),
            index: login.index.clone(),
            instant: login.since,
            asked: asked.map(|asked| asked.step),
            completed: false,
        };
        let subject = sign_in.subject.clone();
        let verified = VerifiedSignIn {
            request_id: authn_request,
            idp: idp(number),
            assertion_id: sign_in.assertion_id.clone(),
            remember_until: now.plus(Duration::from_secs(300)),
            subject,
            facts: SignedIn {
                name_id: Some(name),
                session_indexes: sign_in.index.iter().cloned().collect(),
                authn_instant: sign_in.instant,
                authn_context: None,
                session_not_on_or_after: None,
                claims: serde_json::Map::new(),
            },
            refused: false,
        };
        let handle = Token::from_bytes(&self.dice.number().to_le_bytes());
        let hold = Change::HoldSignIn {
            handle: handle.hash(),
            sign_in: Box::new(verified),
            expires_at: now.plus(REQUEST_LIFETIME),
        };
        self.commit_at_once(vec![hold]);
        self.history.note(now, "sign in", || {
            format!(
                "browser {browser} at idp-{number}: {} {:?}",
                sign_in.assertion_id, sign_in.index
            )
        });
        self.truth.sign_ins.push(sign_in);
        let sign_in = self.truth.sign_ins.len() - 1;
        self.mail.push(Mail::SignedIn { browser, handle, sign_in });
    }

    /// The IdP knows the browser. Not every IdP does as it is told.
    fn sign_in_at_held(&mut self, held: usize, force: bool) -> usize {
        let IdpLogin { idp, browser, person, .. } = self.truth.logins[held];
        let choice = self.dice.below(100);
        match (force, choice) {
            (true, 0..35) => {
                self.truth.logins[held].since = Timestamp::from_seconds(self.now.as_seconds());
                held
            }
            // It begins another session for the same browser, and the old one goes on.
            (true, 35..70) | (false, 0..10) => {
                self.tally.note("sign-in: a further session of the same IdP");
                self.log_in(idp, browser, person)
            }
            (true, _) => {
                self.tally.note("sign-in: by an old session, in spite of ForceAuthn");
                held
            }
            (false, _) => held,
        }
    }

    /// A person authenticates at an IdP.
    fn log_in(&mut self, idp: usize, browser: usize, person: usize) -> usize {
        let number = self.truth.logins.len();
        let index = format!("_index-{number}");
        let index = (idp != 1).then(|| SessionIndex::parse(&index).unwrap());
        let name = name_of(idp, person, number);
        // SAML's times are whole seconds here, as they are in the messages.
        let since = Timestamp::from_seconds(self.now.as_seconds());
        let login = IdpLogin { idp, browser, person, name, index, since, alive: true };
        self.truth.logins.push(login);
        number
    }

    pub(super) fn some_browser(&mut self) -> usize {
        self.dice.below(self.browsers.len())
    }

    /// What a browser does with a URL that it is sent to.
    pub(super) fn follow(&mut self, browser: usize, url: &str) {
        let Ok(url) = url::Url::parse(url) else { panic!("{url:?} is no URL") };
        let host = url.host_str().unwrap_or_default().to_owned();
        let of = |name: &str| {
            url.query_pairs().find(|(key, _)| key == name).map(|(_, v)| v.into_owned())
        };
        let number = |prefix: &str| -> Option<usize> {
            host.strip_prefix(prefix)?.strip_suffix(".test")?.parse().ok()
        };
        if let Some(app) = number("app-") {
            if let Some(code) = of("code") {
                self.mail.push(Mail::Code { app, code: Token::received(&code) });
            }
            return;
        }
        if let Some(idp) = number("idp-").filter(|number| *number < IDPS) {
            let query = url.query().unwrap_or_default();
            return self.follow_to_idp(browser, idp, query);
        }
        let page = url.path().strip_prefix(crate::paths::LOGOUT_PAGE);
        let handle = page.and_then(|rest| rest.strip_prefix('/'));
        let handle = handle.unwrap_or_else(|| panic!("nobody knows {url}"));
        let handle = Token::received(handle);
        self.mail.push(Mail::Page { browser, handle, mark: of("request") });
    }
}

fn press(browser: usize, handle: &Token, button: Button) -> Wish {
    Wish::Press { browser, handle: handle.clone(), button, csrf: String::new() }
}

/// The names of an entity and of us, as an IdP compares them.
pub(super) fn names(request: &LogoutRequest, sign_in: &SignIn) -> bool {
    let facts = SignedIn {
        name_id: Some(sign_in.name.clone()),
        session_indexes: sign_in.index.iter().cloned().collect(),
        authn_instant: sign_in.instant,
        authn_context: None,
        session_not_on_or_after: None,
        claims: serde_json::Map::new(),
    };
    let sp = crate::saml::EntityId::parse(SP).unwrap();
    facts.is_named_by(&request.name_id, &request.session_indexes, &entity(sign_in.idp), &sp)
}
