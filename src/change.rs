//! What the domain wants written. A list of changes is one transaction: all of it happens, or none.
//!
//! Each change says what it expects; where the store finds something else, the commit fails with a
//! conflict that names the change, and the use case reads and decides again.

mod sign_in;

pub use sign_in::{AccessToken, Code, Grant, PendingAuthnRequest, Relogin, VerifiedSignIn, Wanted};

use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, ClientId, IdpId, LegId, LogoutId};
use crate::language::Language;
use crate::logout::relogin_lock::ReloginLock;
use crate::logout::{Leg, Logout, OwedAnswer};
use crate::oidc::{Confirm, LogoutScope, Subject};
use crate::saml::{NameId, SessionIndex};
use crate::secret::TokenHash;
use crate::session::{AppSession, BrowserSession, IdpSession, NamedPerson};

#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    // Sign-in
    AddAuthnRequest(Box<PendingAuthnRequest>),
    /// Exactly one row: an AuthnRequest is answered once.
    TakeAuthnRequest {
        id: String,
    },
    /// Exactly one row: an assertion is used once (SAML Profiles 4.1.4.5).
    RememberAssertion {
        idp: IdpId,
        assertion_id: String,
        until: Timestamp,
    },
    HoldSignIn {
        handle: TokenHash,
        sign_in: Box<VerifiedSignIn>,
        expires_at: Timestamp,
    },
    TakeHeldSignIn {
        handle: TokenHash,
    },
    BeginBrowserSession {
        session: Box<BrowserSession>,
        cookie: TokenHash,
    },
    /// Exactly one row: the session is live and nobody else has changed it since it was read.
    AdvanceBrowserSession {
        id: BrowserSessionId,
        version: i64,
        idle_until: Timestamp,
        expires_at: Timestamp,
        /// A new cookie value, at every authentication.
        cookie: Option<TokenHash>,
    },
    /// Exactly one row, as above. From then on nothing of the session is accepted.
    EndBrowserSession {
        id: BrowserSessionId,
        version: i64,
    },
    SaveIdpSession {
        browser_session: BrowserSessionId,
        session: Box<IdpSession>,
    },
    /// The session is found by these of its SessionIndexes, too.
    SaveSessionIndexes {
        browser_session: BrowserSessionId,
        idp: IdpId,
        indexes: Vec<SessionIndex>,
    },
    AddAppSession {
        browser_session: BrowserSessionId,
        app: AppSession,
    },
    /// Exactly one row. The app's codes and access tokens of this session end with it. Part of a
    /// commit that advances the session, so that `codes` are all that there are.
    EndAppSession {
        browser_session: BrowserSessionId,
        app: AppSession,
        codes: Vec<TokenHash>,
    },
    AddCode(Box<Code>),
    /// Exactly one row: a code is redeemed once.
    RedeemCode {
        hash: TokenHash,
    },
    AddAccessToken(Box<AccessToken>),
    RevokeAccessTokensOf {
        code: TokenHash,
    },

    // Logout
    AskLogout {
        handle: TokenHash,
        question: Box<LogoutQuestion>,
        expires_at: Timestamp,
    },
    /// Exactly one row: a question is answered once.
    TakeLogoutQuestion {
        handle: TokenHash,
    },
    BeginLogout {
        logout: Box<Logout>,
        handle: TokenHash,
    },
    /// Exactly one row: nobody else has advanced the logout since it was read.
    AdvanceLogout {
        id: LogoutId,
        version: i64,
        answered_at: Option<Timestamp>,
        settled_at: Option<Timestamp>,
    },
    SaveLeg {
        leg: Box<Leg>,
    },
    /// Any number of rows: a logout that cannot be read is not looked at before this time, so that it
    /// keeps no other waiting.
    PutOffDeadline {
        logout: LogoutId,
        until: Timestamp,
    },
    /// The same of a party that was to be told.
    PutOffLeg {
        leg: LegId,
        until: Timestamp,
    },
    /// Exactly one row: a LogoutRequest is carried out once.
    AddEndedPrincipal(Box<EndedPrincipal>),
    /// Exactly one row: more sessions of it were found, and nobody else has found some since it was
    /// read.
    SaveEndedPrincipal(Box<EndedPrincipal>),
    AddReloginLock(Box<ReloginLock>),
    /// Any: what was found by one cookie is found by another one.
    HandOverReloginLocks {
        from: TokenHash,
        to: TokenHash,
    },
    /// Any: the event is recorded only if there is a lock.
    LiftReloginLock {
        leg: LegId,
        event: AuditEvent,
    },
    /// The person has been signed out of everything. The latest time counts.
    SaveEndedSubject(EndedSubject),

    // Settings
    /// Exactly one row: there was no client of that id.
    AddClient {
        id: ClientId,
        settings: String,
        secret: Option<TokenHash>,
        source: Source,
    },
    SaveClient {
        id: ClientId,
        settings: String,
        secret: Option<TokenHash>,
        source: Source,
    },
    /// Exactly one row: it is new, or nobody has written it since it was read.
    SaveIdp {
        id: IdpId,
        entity_id: String,
        settings: String,
        metadata: String,
        domains: Vec<String>,
        source: Source,
        /// When what was read had been written; `None`: there was no such connection.
        replaces: Option<Timestamp>,
    },
    DisableIdp {
        id: IdpId,
    },
    /// Where the metadata of an IdP is looked for again, and what came of it.
    SaveMetadataSource {
        idp: IdpId,
        source: Box<MetadataSource>,
    },
    /// Its metadata comes from an upload or a file now.
    ForgetMetadataSource {
        idp: IdpId,
    },
    /// Exactly one row: its metadata still comes from that URL, and nobody has loaded it since
    /// `last_checked_at` was read.
    NoteRefresh {
        idp: IdpId,
        last_checked_at: Timestamp,
        source: Box<MetadataSource>,
    },
    /// Exactly one row: nobody else looks for new metadata at this turn.
    ClaimRefresh {
        idp: IdpId,
        due: Timestamp,
        until: Timestamp,
    },
    AddAdminToken {
        hash: TokenHash,
        name: String,
    },
    AddSecretKey {
        name: &'static str,
        key: [u8; 32],
    },
    AddSigningKey(Box<StoredSigningKey>),
    /// Exactly one row: a key that is not in use yet begins now.
    ActivateSigningKey {
        id: String,
    },
    /// Exactly one row: a key that was not revoked before, and that nobody has put into use since it
    /// was read.
    RevokeSigningKey {
        id: String,
        active_from: Timestamp,
    },

    Record(AuditEvent),
}

impl Change {
    /// Writes down how long the session lasts by now; whoever read it before must read it again.
    pub fn advance(session: &BrowserSession, cookie: Option<TokenHash>) -> Self {
        Self::AdvanceBrowserSession {
            id: session.id,
            version: session.version,
            idle_until: session.idle_until,
            expires_at: session.expires_at,
            cookie,
        }
    }
}

/// Who wrote a setting. What a file declares, the file changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Command line or API.
    Admin,
    /// `sloop.toml` or the metadata folder.
    File,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::File => "file",
        }
    }
}

/// The URL that an IdP's metadata came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataSource {
    pub url: String,
    /// What the server said of the version that we have, to ask for a newer one only (RFC 9110 13).
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// When it was last asked, whatever came of it.
    pub checked_at: Timestamp,
    pub next_at: Timestamp,
    /// Why the last try did not work, if it did not.
    pub failure: Option<String>,
}

/// A logout that was asked for, before it is known whose session it ends: it waits for the browser's
/// `Lax` cookie, or for the person's yes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LogoutQuestion {
    pub scope: LogoutScope,
    pub confirm: Confirm,
    pub initiator: Option<ClientId>,
    pub target: Option<String>,
    /// The client wants `logout_result` at the target.
    #[serde(default)]
    pub result_wanted: bool,
    /// A `post_logout_redirect_uri` was sent and is not on the client's list.
    pub target_refused: bool,
    pub hint: Option<Hint>,
    /// Whom `logout_hint` names.
    #[serde(default)]
    pub named: Option<NamedPerson>,
    /// The browser has been shown the question.
    pub asked: bool,
    /// The session that the browser had then. One that comes with another session is shown a question of
    /// its own: somebody else knows the address of this one.
    #[serde(default)]
    pub asked_of: Option<BrowserSessionId>,
    /// The language that the app asked for, of its pages and of the logout's.
    #[serde(default)]
    pub language: Option<Language>,
    /// Of the logout that comes of it; its page is that of the question.
    #[serde(default)]
    pub page_seed: String,
}

/// A LogoutRequest of an IdP that was carried out. It also ends what arrives later: a sign-in that it
/// was meant for (SAML Core 3.7.3.1).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EndedPrincipal {
    /// How often it has been written again.
    #[serde(skip)]
    pub version: i64,
    pub idp: IdpId,
    pub request_id: String,
    pub name_id: NameId,
    pub session_indexes: Vec<SessionIndex>,
    /// By the IdP's clock, as the AuthnInstants are.
    pub issued_at: Timestamp,
    /// Its SessionIndexes are of several people, so that they do not count without the name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_name: bool,
    /// What it ended here; if it found nobody, what an earlier one for the same sessions has ended.
    pub logouts: Vec<LogoutId>,
    /// What the browser takes back for it, if an earlier one has begun its logouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<OwedAnswer>,
    /// When a browser that had shown the frames of apps was first given its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    pub expires_at: Timestamp,
}

/// A person whom an administrator signed out of everything. It also ends a sign-in that was begun
/// before and comes to its end later.
#[derive(Clone, PartialEq, Debug)]
pub struct EndedSubject {
    pub subject: Subject,
    pub ended_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Whom an `id_token_hint` names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Hint {
    pub subject: Subject,
    pub sid: Option<String>,
}

/// A private key with its public face.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredSigningKey {
    pub id: String,
    pub purpose: KeyPurpose,
    pub algorithm: String,
    pub certificate: Option<Vec<u8>>,
    pub active_from: Timestamp,
    /// PKCS#8 DER. The store seals it.
    pub private: zeroize::Zeroizing<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPurpose {
    /// ID tokens and logout tokens.
    Oidc,
    /// SAML messages and our SP metadata.
    SamlSigning,
    /// What IdPs encrypt for us.
    SamlDecryption,
}

impl KeyPurpose {
    pub const ALL: [Self; 3] = [Self::Oidc, Self::SamlSigning, Self::SamlDecryption];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::SamlSigning => "saml_signing",
            Self::SamlDecryption => "saml_decryption",
        }
    }
}
