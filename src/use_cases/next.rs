use crate::id::LegId;
use crate::language::Language;
use crate::logout::{Ends, Logout, PartyId};
use crate::oidc::Params;
use crate::saml::PostForm;
use crate::secret::{Token, TokenHash};
use crate::use_cases::{Frame, ListedParty, NothingEnded, ReloginQuestion};

/// What the browser gets, in words that HTTP, the CLI and the API can each render.
#[derive(Debug)]
pub struct Reply {
    pub next: Next,
    pub cookies: Vec<CookieChange>,
    /// The language that was asked for earlier; else the request says which it wants.
    pub language: Option<Language>,
    /// URLs of the IdP whose pages may have this one in a frame; without any, nobody may.
    pub framed_by: Vec<String>,
    /// Where the redirects may end that begin with a form for an IdP, if that is not a page of ours.
    pub ends_at: Option<String>,
}

#[derive(Debug)]
pub enum Next {
    /// A URL that was checked before: the client's, the IdP's, or our own.
    Redirect(String),
    /// A form for an IdP.
    Post(PostForm),
    /// Apps are told by frames on one page, and the browser comes back from it to the page of the
    /// logout.
    Frames {
        handle: Token,
        /// Which request of an IdP the browser brought, if one began the logout.
        mark: Option<String>,
        frames: Vec<Frame>,
        /// What of ours is over.
        ends: Ends,
    },
    Page(Box<Page>),
}

#[derive(Debug)]
pub enum Page {
    /// Several IdPs could sign this person in: the same request again, with an IdP chosen.
    ChooseIdp {
        params: Params,
        choices: Vec<Choice>,
    },
    ConfirmLogout {
        handle: Token,
        app: Option<String>,
        everywhere: bool,
        /// Whom it signs out, as far as this browser may know.
        parties: Vec<ListedParty>,
        csrf: String,
        target_refused: bool,
    },
    /// Everybody who takes part in this browser's session, to tick which to end.
    PersonPage {
        page_seed: String,
        handle: Token,
        csrf: String,
        parties: Vec<ListedParty>,
        nothing_ended: Option<NothingEnded>,
    },
    /// The person said no.
    KeptSignedIn,
    /// An IdP has been asked and has not answered. `idp` is its name.
    LogoutWaiting {
        handle: Option<Token>,
        leg: LegId,
        idp: String,
    },
    /// The IdP signed somebody in again by what was logged out, or will not ask them: do they want that?
    Relogin {
        question: ReloginQuestion,
        idp: String,
        csrf: String,
    },
    LogoutEnd(Box<LogoutEnd>),
    /// An IdP's answer that belongs to no logout we know.
    UnknownAnswer,
    /// Nobody was signed in, and no registered URL was given to go to.
    NobodySignedIn,
}

/// The truth about one logout.
#[derive(Debug)]
pub struct LogoutEnd {
    pub logout: Logout,
    /// One for each leg, in their order.
    pub parties: Vec<EndParty>,
    /// Who was left alone on purpose.
    pub left: Vec<LeftParty>,
    /// Where this browser brought the handle of the logout: it may do something about it.
    pub handle: Option<Token>,
    /// Offered as a link.
    pub continue_to: Option<String>,
    /// Only apps ended, and the session they were part of is still live.
    pub lives_on: bool,
    /// This browser's next sign-in demands a fresh authentication.
    pub locked: bool,
}

#[derive(Debug)]
pub struct EndParty {
    pub leg: LegId,
    /// `None`: who it is, is not for everybody who can open the page.
    pub name: Option<String>,
    /// Whether it may help to ask it once more.
    pub can_try_again: bool,
}

#[derive(Debug)]
pub struct LeftParty {
    pub id: PartyId,
    pub name: String,
}

#[derive(Clone, Debug)]
pub struct Choice {
    pub idp: crate::id::IdpId,
    pub name: String,
}

/// A cookie to set or to delete. HTTP knows names and attributes.
#[derive(Clone, Debug)]
pub enum CookieChange {
    SetSession(Token),
    ClearSession,
    /// Binds a message to an IdP to this browser. `name` comes from the message's ID.
    SetTransaction {
        name: String,
        value: Token,
    },
    ClearTransaction {
        name: String,
    },
    /// Finds the browser's re-login locks.
    SetRelogin(Token),
    ClearRelogin,
}

/// The cookies that a request carried, as far as they are ours.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    pub session: Option<Token>,
    /// Transaction cookies by the name that [`transaction_name`] gives them.
    pub transactions: Vec<(String, Token)>,
    /// Finds its re-login locks.
    pub relogin: Option<Token>,
}

impl Browser {
    pub(super) fn session_hash(&self) -> Option<TokenHash> {
        self.session.as_ref().map(Token::hash)
    }

    pub(super) fn relogin_hash(&self) -> Option<TokenHash> {
        self.relogin.as_ref().map(Token::hash)
    }

    /// The transaction cookie of this message, if its value has this hash.
    pub(super) fn transaction(&self, request_id: &str, hash: &TokenHash) -> Option<&Token> {
        let name = transaction_name(request_id);
        let mut held = self.transactions.iter().filter(|(held, _)| *held == name);
        held.find(|(_, value)| value.hash() == *hash).map(|(_, value)| value)
    }

    /// Whether the browser was sent on its way by the logout whose page has this handle.
    pub(super) fn was_sent_by(&self, handle: &TokenHash) -> bool {
        self.transactions.iter().any(|(_, value)| value.hash() == *handle)
    }

    /// Whether the browser holds the transaction cookie of this message.
    pub(super) fn holds(&self, request_id: &str, hash: &TokenHash) -> bool {
        self.transaction(request_id, hash).is_some()
    }
}

/// The part of a message ID that tells the cookies of several tabs apart.
pub fn transaction_name(request_id: &str) -> String {
    request_id.chars().filter(char::is_ascii_alphanumeric).take(16).collect()
}

impl Reply {
    pub(super) fn of(next: Next) -> Self {
        Self { next, cookies: Vec::new(), language: None, framed_by: Vec::new(), ends_at: None }
    }

    pub(super) fn page(page: Page) -> Self {
        Self::of(Next::Page(Box::new(page)))
    }

    pub(super) fn redirect(url: impl Into<String>) -> Self {
        Self::of(Next::Redirect(url.into()))
    }

    pub(super) fn in_language(mut self, language: Option<Language>) -> Self {
        self.language = language.or(self.language);
        self
    }

    pub(super) fn with(mut self, cookie: CookieChange) -> Self {
        self.cookies.push(cookie);
        self
    }

    pub(super) fn framed_by(mut self, urls: Vec<String>) -> Self {
        self.framed_by = urls;
        self
    }

    pub(super) fn ending_at(mut self, url: Option<String>) -> Self {
        self.ends_at = url;
        self
    }

    pub(super) fn with_any(mut self, cookie: Option<CookieChange>) -> Self {
        self.cookies.extend(cookie);
        self
    }
}
