//! What is written of a sign-in, from the AuthnRequest to the access token.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, ClientId, IdpId, IdpSessionId};
use crate::oidc::{AuthorizeRequest, CodeBinding, Scopes, Subject};
use crate::secret::TokenHash;
use crate::session::SignedIn;

/// An AuthnRequest that waits for its Response.
#[derive(Clone, PartialEq, Debug)]
pub struct PendingAuthnRequest {
    /// The SAML ID, which comes back as `InResponseTo`.
    pub id: String,
    pub relay_state: TokenHash,
    /// Of the transaction cookie: only the browser that asked may use the answer.
    pub browser: TokenHash,
    pub idp: IdpId,
    pub wanted: Wanted,
    pub expires_at: Timestamp,
}

/// What the client asked for, kept until the IdP has answered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Wanted {
    pub request: AuthorizeRequest,
    /// The IdP was told to authenticate the person anew.
    pub force_authn: bool,
    /// The person must have authenticated at this time or later (`prompt=login`, `max_age`).
    pub authn_not_before: Option<Timestamp>,
    #[serde(default)]
    pub relogin: Relogin,
    /// The session that the browser had when it was sent to the IdP, live or lapsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<BrowserSessionId>,
}

/// What a re-login lock has to do with a sign-in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relogin {
    /// Nothing, or the client asks for as much itself.
    #[default]
    Free,
    /// The IdP was told to authenticate the person anew because of a lock, and for nothing else.
    Locked,
    /// The person has said that it may rest on what was logged out.
    Anyway,
}

/// A Response that was verified and accepted, before anything was written of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct VerifiedSignIn {
    pub request_id: String,
    pub idp: IdpId,
    pub assertion_id: String,
    pub remember_until: Timestamp,
    pub subject: Subject,
    pub facts: SignedIn,
    /// A re-login lock refused it, and its person is asked.
    #[serde(default)]
    pub refused: bool,
}

/// An authorization code, by its hash.
#[derive(Clone, PartialEq, Debug)]
pub struct Code {
    pub hash: TokenHash,
    pub browser_session: BrowserSessionId,
    pub grant: Grant,
}

/// What a code stands for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Grant {
    pub binding: CodeBinding,
    pub scopes: Scopes,
    pub nonce: Option<String>,
    pub idp_session: IdpSessionId,
}

#[derive(Clone, PartialEq, Debug)]
pub struct AccessToken {
    pub hash: TokenHash,
    pub code: TokenHash,
    pub browser_session: BrowserSessionId,
    pub client: ClientId,
    pub idp_session: IdpSessionId,
    pub scopes: Scopes,
    pub expires_at: Timestamp,
}
