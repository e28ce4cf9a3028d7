//! What somebody asks of a node: the use case that serves it, as the HTTP edge would call it.

use serde_json::Value;
use tokio::sync::oneshot;

use super::parties::Ticked;
use super::queries::{authorize_query, token_query};
use super::world::World;
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, LegId, LogoutId};
use crate::logout::{Logout, Ticks};
use crate::oidc::{BearerError, Params, Subject};
use crate::saml::RawQuery;
use crate::secret::{Token, TokenHash};
use crate::use_cases::{
    Arrival, Failure, PageAnswer, PersonForm, ReloginAnswer, ReloginQuestion, Reply, TokenAnswer,
    UseCases,
};

#[derive(Clone)]
pub(super) enum Wish {
    /// An app sends a browser to sign in.
    Authorize {
        browser: usize,
        app: usize,
        idp: usize,
        prompt: Prompt,
    },
    /// The browser comes back from an IdP with a sign-in that was verified.
    Continue {
        browser: usize,
        handle: Token,
        sign_in: usize,
    },
    /// The person has read that the IdP signed them in again by itself.
    Relogin {
        browser: usize,
        handle: Token,
        sign_in: usize,
        csrf: String,
        anyway: bool,
    },
    /// An app redeems its code.
    Redeem {
        app: usize,
        code: Token,
    },
    /// An app uses its access token.
    Claims {
        tokens: usize,
    },
    /// An app sends a browser to sign out.
    EndSession {
        browser: usize,
        hint: Option<usize>,
        query: String,
        arrival: Arrival,
    },
    /// The same in the manner of Auth0.
    V2Logout {
        browser: usize,
        query: String,
    },
    /// The browser looks at the page of a logout.
    LogoutPage {
        browser: usize,
        handle: Token,
        mark: Option<String>,
    },
    /// It comes back from the page with frames.
    FramesDone {
        browser: usize,
        handle: Token,
        mark: Option<String>,
    },
    Press {
        browser: usize,
        handle: Token,
        button: Button,
        csrf: String,
    },
    /// The person opens our own page, or sends its form.
    PersonPage {
        browser: usize,
    },
    PersonForm {
        browser: usize,
        form: Box<Form>,
    },
    /// The browser brings an IdP's answer.
    IdpAnswer {
        browser: usize,
        answer: Option<usize>,
        query: String,
    },
    /// An IdP's own LogoutRequest; by SOAP where no browser carries it.
    IdpRequest {
        browser: Option<usize>,
        request: usize,
        query: String,
    },
    /// A worker looks what is due.
    Work,
    /// A worker looks whose time is over.
    Expire,
    /// An administrator ends a session, or signs a person out of everything, or has apps told again.
    EndLive {
        session: BrowserSessionId,
    },
    OffBoard {
        subject: Subject,
    },
    Retry {
        logout: LogoutId,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Button {
    SignOut,
    StaySignedIn,
    AskAgain,
    GoOn(Option<LegId>),
    TryAgain(LegId),
}

/// `prompt` of an app's request (OpenID Connect Core 3.1.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prompt {
    Absent,
    None,
    Login,
}

/// The form of the person's own page.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) csrf: String,
    pub(super) page_seed: String,
    pub(super) handle: Token,
    /// The session cookie that the page was shown to.
    pub(super) cookie: Option<TokenHash>,
    pub(super) ticks: Ticks,
}

/// What a node is busy with.
pub(super) struct Running {
    pub(super) wish: Wish,
    pub(super) node: usize,
    pub(super) answer: oneshot::Receiver<Answer>,
    /// The step and the time at which it began.
    pub(super) begun: u64,
    pub(super) begun_at: Timestamp,
    /// The session cookie that came with it.
    pub(super) cookie: Option<TokenHash>,
    /// Its re-login cookie.
    pub(super) relogin: Option<TokenHash>,
    /// The person has closed the tab by now.
    pub(super) abandoned: bool,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} since step {}", self.wish, self.begun)
    }
}

pub(super) enum Answer {
    Reply(Result<Reply, Failure>),
    Tokens(Result<TokenAnswer, Failure>),
    Claims(Result<Result<Value, BearerError>, Failure>),
    Work(Result<usize, Failure>),
    /// The logouts that an administrator has begun, as they were soon after.
    Ended(Result<Vec<Logout>, Failure>),
}

/// Without the tokens that make it long.
impl std::fmt::Debug for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Authorize { browser, app, prompt: Prompt::None, .. } => {
                write!(f, "browser {browser}: app-{app} asks who is signed in")
            }
            Self::Authorize { browser, app, idp, prompt } => {
                write!(f, "browser {browser}: app-{app} sends it to idp-{idp}, prompt {prompt:?}")
            }
            Self::Continue { browser, sign_in, .. } => {
                write!(f, "browser {browser}: continues with _assertion-{sign_in}")
            }
            Self::Relogin { browser, sign_in, anyway, .. } => {
                write!(f, "browser {browser}: _assertion-{sign_in} anyway: {anyway}")
            }
            Self::Redeem { app, .. } => write!(f, "app-{app} redeems a code"),
            Self::Claims { tokens } => write!(f, "claims with tokens {tokens}"),
            Self::EndSession { browser, hint, arrival, .. } => {
                write!(f, "browser {browser}: end_session by {arrival:?}, hint {hint:?}")
            }
            Self::V2Logout { browser, query } => write!(f, "browser {browser}: v2/logout?{query}"),
            Self::LogoutPage { browser, handle, .. } => {
                write!(f, "browser {browser}: looks at {:.8}", handle.expose())
            }
            Self::FramesDone { browser, handle, .. } => {
                write!(f, "browser {browser}: has shown the frames of {:.8}", handle.expose())
            }
            Self::Press { browser, handle, button, .. } => {
                write!(f, "browser {browser}: presses {button:?} at {:.8}", handle.expose())
            }
            Self::PersonPage { browser } => write!(f, "browser {browser}: opens /logout"),
            Self::PersonForm { browser, form } => {
                let ticked: Vec<String> =
                    form.ticks.ticked.iter().map(|id| id.to_string()).collect();
                write!(f, "browser {browser}: ticks {ticked:?} of {:.8}", form.handle.expose())
            }
            Self::IdpAnswer { browser, answer, .. } => {
                write!(f, "browser {browser}: brings answer {answer:?}")
            }
            Self::IdpRequest { browser, request, .. } => {
                write!(f, "browser {browser:?}: brings _request-{request}")
            }
            Self::Work => f.write_str("the worker looks"),
            Self::Expire => f.write_str("the worker looks whose time is over"),
            Self::EndLive { session } => write!(f, "an administrator ends {session}"),
            Self::OffBoard { subject } => write!(f, "an administrator off-boards {subject:?}"),
            Self::Retry { logout } => write!(f, "an administrator has {logout} told again"),
        }
    }
}

impl Wish {
    pub(super) fn browser(&self) -> Option<usize> {
        match self {
            Self::Authorize { browser, .. }
            | Self::Continue { browser, .. }
            | Self::Relogin { browser, .. }
            | Self::EndSession { browser, .. }
            | Self::V2Logout { browser, .. }
            | Self::LogoutPage { browser, .. }
            | Self::FramesDone { browser, .. }
            | Self::Press { browser, .. }
            | Self::PersonPage { browser }
            | Self::PersonForm { browser, .. }
            | Self::IdpAnswer { browser, .. } => Some(*browser),
            Self::IdpRequest { browser, .. } => *browser,
            Self::Redeem { .. }
            | Self::Claims { .. }
            | Self::Work
            | Self::Expire
            | Self::EndLive { .. }
            | Self::OffBoard { .. }
            | Self::Retry { .. } => None,
        }
    }

    /// As it is counted.
    fn name(&self) -> String {
        let name = match self {
            Self::Authorize { prompt, .. } => return format!("wish: sign in, prompt {prompt:?}"),
            Self::Continue { .. } => "continue a sign-in",
            Self::Relogin { anyway: true, .. } => "sign in anyway",
            Self::Relogin { anyway: false, .. } => "stay signed out",
            Self::Redeem { .. } => "redeem a code",
            Self::Claims { .. } => "claims",
            Self::EndSession { arrival, .. } => return format!("wish: end_session by {arrival:?}"),
            Self::V2Logout { .. } => "v2/logout",
            Self::LogoutPage { .. } => "a logout's page",
            Self::FramesDone { .. } => "frames done",
            Self::Press { button, .. } => match button {
                Button::SignOut => "press Sign out",
                Button::StaySignedIn => "press Stay signed in",
                Button::AskAgain => "press Ask again",
                Button::GoOn(Some(_)) => "press Go on",
                Button::GoOn(None) => "press Go on, of nothing",
                Button::TryAgain(_) => "press Try again",
            },
            Self::PersonPage { .. } => "the person's own page",
            Self::PersonForm { .. } => "ticks of the person's own page",
            Self::IdpAnswer { .. } => "an IdP's answer",
            Self::IdpRequest { browser: Some(_), .. } => "an IdP's request in a browser",
            Self::IdpRequest { browser: None, .. } => "an IdP's request without a cookie",
            Self::Work => "the worker looks",
            Self::Expire => "the worker looks whose time is over",
            Self::EndLive { .. } => "an administrator ends a session",
            Self::OffBoard { .. } => "an administrator off-boards",
            Self::Retry { .. } => "an administrator has apps told again",
        };
        format!("wish: {name}")
    }
}

impl World<'_> {
    /// Asks any node. A form that another site posts brings no session cookie along.
    pub(super) fn ask(&mut self, wish: Wish) {
        let node = self.some_node();
        self.ask_node(node, wish);
    }

    pub(super) fn ask_node(&mut self, node: usize, wish: Wish) {
        let mut cookies =
            wish.browser().map(|browser| self.browsers[browser].cookies()).unwrap_or_default();
        if matches!(&wish, Wish::EndSession { arrival: Arrival::Post, .. }) {
            cookies.session = None;
        }
        self.tally.note(wish.name());
        let cookie = cookies.session.as_ref().map(Token::hash);
        let relogin = cookies.relogin.as_ref().map(Token::hash);
        if let Wish::PersonForm { form, .. } = &wish {
            self.truth.ticked.push(Ticked { cookie, ticks: form.ticks.clone() });
        }
        let (abandoned, begun) = (self.dice.percent(4), self.history.steps());
        self.history.note(self.now, "ask", || {
            let gone = if abandoned { ", and does not wait" } else { "" };
            format!("node {node}: {wish:?}{gone}")
        });
        let use_cases = self.node(node).use_cases.clone();
        let (asked, now) = (wish.clone(), self.now);
        let token = match &wish {
            Wish::Claims { tokens } => Some(self.tokens[*tokens].access.clone()),
            _ => None,
        };
        let answer = self.node(node).begin(async move {
            let params = |query: &str| Params::parse(query).expect("what we wrote can be read");
            match asked {
                Wish::Authorize { app: number, idp, prompt, .. } => {
                    let query = authorize_query(number, idp, prompt);
                    Answer::Reply(use_cases.authorize(&params(&query), &cookies).await)
                }
                Wish::Continue { handle, .. } => {
                    Answer::Reply(use_cases.acs_continue(&handle, &cookies).await)
                }
                Wish::Relogin { handle, csrf, anyway, .. } => {
                    let answer = match anyway {
                        true => ReloginAnswer::SignInAnyway,
                        false => ReloginAnswer::StaySignedOut,
                    };
                    let held = ReloginQuestion::Held(handle);
                    let answered = use_cases.answer_relogin(&held, answer, &csrf, &cookies).await;
                    Answer::Reply(answered)
                }
                Wish::Redeem { app: number, code } => {
                    let query = token_query(number, &code);
                    Answer::Tokens(use_cases.token(&params(&query), None).await)
                }
                Wish::Claims { .. } => {
                    let token = token.expect("it was looked up");
                    Answer::Claims(use_cases.userinfo(&token).await)
                }
                Wish::EndSession { query, arrival, .. } => {
                    let params = params(&query);
                    Answer::Reply(use_cases.end_session(&params, &cookies, arrival).await)
                }
                Wish::V2Logout { query, .. } => {
                    Answer::Reply(use_cases.v2_logout(&params(&query), &cookies).await)
                }
                Wish::LogoutPage { handle, mark, .. } => {
                    let shown = use_cases.logout_page(&handle, mark.as_deref(), &cookies).await;
                    Answer::Reply(shown)
                }
                Wish::FramesDone { handle, mark, .. } => {
                    Answer::Reply(use_cases.frames_done(&handle, mark.as_deref()).await)
                }
                Wish::Press { handle, button, csrf, .. } => {
                    let button = button.into();
                    let pressed =
                        use_cases.answer_logout_page(&handle, button, &csrf, &cookies).await;
                    Answer::Reply(pressed)
                }
                Wish::PersonPage { .. } => Answer::Reply(use_cases.person_page(&cookies).await),
                Wish::PersonForm { form, .. } => {
                    let Form { csrf, page_seed, handle, ticks, .. } = *form;
                    let form = PersonForm { csrf, page_seed, handle, ticks, language: None };
                    Answer::Reply(use_cases.answer_person_page(&form, &cookies).await)
                }
                Wish::IdpAnswer { query, .. } => {
                    let message = RawQuery::new(&query).parse().expect("a message of this binding");
                    let heard = use_cases.logout_response_by_redirect(&message, &cookies).await;
                    Answer::Reply(heard)
                }
                Wish::IdpRequest { query, .. } => {
                    let message = RawQuery::new(&query).parse().expect("a message of this binding");
                    let heard = use_cases.logout_request_by_redirect(&message, &cookies).await;
                    Answer::Reply(heard)
                }
                Wish::Work => Answer::Work(use_cases.work_due().await),
                Wish::Expire => Answer::Work(use_cases.end_expired_sessions().await),
                Wish::EndLive { session } => {
                    let ended = use_cases.end_session_of_id(session).await;
                    Answer::Ended(tell(&use_cases, ended.map(|logout| vec![logout])).await)
                }
                Wish::OffBoard { subject } => {
                    let ended = use_cases.sign_out_person(&subject).await;
                    Answer::Ended(tell(&use_cases, ended).await)
                }
                Wish::Retry { logout } => {
                    let again = use_cases.retry_logout(logout).await;
                    Answer::Ended(tell(&use_cases, again.map(|logout| vec![logout])).await)
                }
            }
        });
        let begun_at = now;
        let running = Running { wish, node, answer, begun, begun_at, cookie, relogin, abandoned };
        self.running.push(running);
        self.settle(node);
    }
}

impl From<Button> for PageAnswer {
    fn from(button: Button) -> Self {
        match button {
            Button::SignOut => Self::SignOut,
            Button::StaySignedIn => Self::StaySignedIn,
            Button::AskAgain => Self::AskAgain,
            Button::GoOn(leg) => Self::GoOn(leg),
            Button::TryAgain(leg) => Self::TryAgain(leg),
        }
    }
}

/// As the API does it: whoever is due is told, and given a moment.
async fn tell(
    use_cases: &UseCases,
    begun: Result<Vec<Logout>, Failure>,
) -> Result<Vec<Logout>, Failure> {
    use_cases.tell_soon(begun?).await
}
