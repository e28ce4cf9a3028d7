//! What people and apps begin.

use super::answers::{claims_of, target_of};
use super::installation::{APPS, ISSUER, TRANSIENT, app};
use super::model::Session;
use super::parties::{Told, subject_of};
use super::wish::{Prompt, Wish};
use super::world::World;
use crate::id::LogoutId;
use crate::logout::LegOutcome::{DeadLetter, Refused};
use crate::logout::Logout;
use crate::outbound::SendError;
use crate::use_cases::Arrival;

impl World<'_> {
    pub(super) fn begin_something(&mut self) {
        let browser = self.some_browser();
        // Who is not signed in mostly wants to be.
        let is_out = self.browsers[browser].session.is_none();
        if is_out && self.dice.percent(65) {
            return self.sign_in(browser, Prompt::Absent);
        }
        match self.dice.below(100) {
            0..46 => {
                let prompts = [(50, Prompt::Absent), (15, Prompt::None), (35, Prompt::Login)];
                let prompt = self.dice.weighted(&prompts);
                self.sign_in(browser, prompt);
            }
            46..62 => self.sign_out_at_app(browser),
            62..77 => self.ask(Wish::PersonPage { browser }),
            77..82 => {
                let app = self.dice.below(APPS);
                let federated = if self.dice.percent(50) { "&federated" } else { "" };
                let to = format!("https://app-{app}.test/bye");
                let query = format!("client_id=app-{app}&returnTo={to}{federated}");
                self.truth.targets.push(to);
                self.ask(Wish::V2Logout { browser, query });
            }
            82..88 => self.administrator_acts(),
            _ if self.tokens.is_empty() => {}
            _ => {
                let tokens = self.dice.below(self.tokens.len());
                self.ask(Wish::Claims { tokens });
            }
        }
    }

    /// Mostly at the IdP where the browser was last, so that sign-ins meet in one session.
    fn sign_in(&mut self, browser: usize, prompt: Prompt) {
        let app = self.dice.below(APPS);
        let last = self.truth.logins.iter().rfind(|login| login.browser == browser);
        let idp = match last.map(|login| login.idp) {
            Some(last) if self.dice.percent(90) => last,
            _ => self.some_idp(),
        };
        self.ask(Wish::Authorize { browser, app, idp, prompt });
    }

    fn administrator_acts(&mut self) {
        let choice = self.dice.below(3);
        match choice {
            0 if !self.model.sessions.is_empty() => {
                let at = self.dice.below(self.model.sessions.len());
                let session = *self.model.sessions.keys().nth(at).expect("one of them");
                self.ask(Wish::EndLive { session });
            }
            1 if !self.model.logouts.is_empty() => {
                // Mostly one that it can help.
                let failed = |logout: &&Logout| {
                    let mut apps = logout.legs.iter().filter(|leg| !leg.is_idp());
                    apps.any(|leg| matches!(leg.outcome(), Some(Refused | DeadLetter)))
                };
                let all = self.model.logouts.values().map(|known| &known.logout);
                let helped: Vec<LogoutId> = all.filter(failed).map(|logout| logout.id).collect();
                let logout = match helped.is_empty() || self.dice.percent(20) {
                    true => {
                        let at = self.dice.below(self.model.logouts.len());
                        *self.model.logouts.keys().nth(at).expect("one of them")
                    }
                    false => self.dice.one_of(&helped),
                };
                self.ask(Wish::Retry { logout });
            }
            _ => {
                let (idp, person) = (self.some_idp(), self.dice.below(2));
                self.ask(Wish::OffBoard { subject: subject_of(idp, person) });
            }
        }
    }

    /// Mostly the first, which does what the standard wants.
    pub(super) fn some_idp(&mut self) -> usize {
        self.dice.weighted(&[(36, 0), (16, 1), (8, 2), (8, 3), (8, 4), (24, TRANSIENT)])
    }

    /// With the newest tokens that the app holds, with older ones, with another app's, or without.
    fn sign_out_at_app(&mut self, browser: usize) {
        let hint = match self.tokens.len() {
            0 => None,
            _ if self.dice.percent(15) => None,
            some if self.dice.percent(70) => Some(some - 1),
            some => Some(self.dice.below(some)),
        };
        let app = hint.map_or_else(|| self.dice.below(APPS), |at| self.tokens[at].app);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("client_id", &format!("app-{app}"));
        if let Some(hint) = hint {
            query.append_pair("id_token_hint", &self.tokens[hint].id_token);
        }
        match self.dice.below(10) {
            0 => query.append_pair("post_logout_redirect_uri", "https://evil.test/bye"),
            1 => &mut query,
            _ => {
                let uri = format!("https://app-{app}.test/bye");
                query.append_pair("post_logout_redirect_uri", &uri)
            }
        };
        query.append_pair("state", &format!("state-{}", self.history.steps()));
        let query = query.finish();
        self.truth.targets.extend(target_of(&query));
        let arrival = if self.dice.percent(25) { Arrival::Post } else { Arrival::Get };
        self.ask(Wish::EndSession { browser, hint, query: query.clone(), arrival });
        // A double click.
        if self.dice.percent(15) {
            self.ask(Wish::EndSession { browser, hint, query, arrival });
        }
    }

    /// I4: what reaches an app is made for it, now, once, and of a session that is over, or that the app
    /// has no part in any more. `since` is the step at which it was sent: who comes in again while it is
    /// on its way cannot be known.
    pub(super) fn app_is_told(
        &mut self,
        number: usize,
        fields: &[(String, String)],
        since: u64,
        answer: Result<u16, SendError>,
    ) {
        let [(name, token)] = fields else { panic!("I4: {fields:?}") };
        assert_eq!(name, "logout_token");
        let claims = claims_of(token);
        let seconds = |name: &str| claims[name].as_i64().expect("a time");
        assert_eq!(claims["aud"], app(number).as_str(), "I4: for another app");
        assert_eq!(claims["iss"], ISSUER);
        assert!(seconds("exp") - seconds("iat") <= 120, "I4: it can be used for too long");
        assert!(seconds("iat") <= self.now.as_seconds(), "I4: from the future");
        let jti = claims["jti"].as_str().expect("a jti").to_owned();
        assert!(self.truth.jtis.insert(jti), "I4: the same token twice");
        // Without a sid it is about every session that the person had with this app.
        let sid = claims["sid"].as_str();
        let meant: Vec<_> = self
            .model
            .sessions
            .values()
            .filter(|known| claims["sub"] == known.session.subject.as_str())
            .filter(|known| sid.is_none_or(|sid| sid == known.session.sid))
            .filter(|known| known.was_joined_by(&app(number)))
            .filter(|known| sid.is_some() || known.ended.is_some())
            .collect();
        assert!(!meant.is_empty(), "I4: app-{number} is told of a session that it never was in");
        let mut of_person = self.model.sessions.values();
        let lives_on = of_person.find(|known| {
            let same = claims["sub"] == known.session.subject.as_str();
            same && known.session.is_live(self.now) && known.is_alive_for(&app(number), since)
        });
        assert!(sid.is_some() || lives_on.is_none(), "I4: app-{number} hears that all are over");
        let lives = meant.iter().find(|known| known.is_alive_for(&app(number), since));
        assert!(lives.is_none(), "I4: app-{number} is told of a session that lives");
        let at = self.history.steps();
        let told = |known: &&Session| Told { app: number, sid: known.session.sid.clone(), at };
        let told: Vec<Told> = meant.iter().map(told).collect();
        match answer {
            Ok(200 | 204) => self.truth.told.extend(told),
            Ok(400) => self.truth.declined.extend(told),
            _ => {}
        }
    }
}
