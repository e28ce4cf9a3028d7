//! What happened, in one row per transition, written in the same transaction as the change.

use crate::id::{BrowserSessionId, ClientId, IdpId, LogoutId};

/// One event. Its id and time are given when it is committed. No tokens, no assertion, no NameID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEvent {
    pub kind: AuditKind,
    pub browser_session: Option<BrowserSessionId>,
    pub logout: Option<LogoutId>,
    pub client: Option<ClientId>,
    pub idp: Option<IdpId>,
    pub detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditKind {
    AdminTokenIssued,
    KeyAdded,
    KeyActivated,
    KeyRevoked,
    ClientSaved,
    IdpSaved,
    IdpDisabled,
    IdpRefreshed,
    IdpRefreshFailed,
    SignInCompleted,
    SignInRefused,
    SessionEnded,
    PersonSignedOut,
    AppSessionEnded,
    LogoutBegun,
    LegSent,
    LegClosed,
    LegTried,
    LegRetried,
    LogoutAnswered,
    LogoutSettled,
    LogoutAnswerRefused,
    LogoutRequestCarriedOut,
    LogoutRequestRefused,
    CodeReused,
    ReloginLockSet,
    ReloginLockLifted,
    ReloginRefused,
}

impl AuditKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdminTokenIssued => "admin_token.issued",
            Self::KeyAdded => "key.added",
            Self::KeyActivated => "key.activated",
            Self::KeyRevoked => "key.revoked",
            Self::ClientSaved => "client.saved",
            Self::IdpSaved => "idp.saved",
            Self::IdpDisabled => "idp.disabled",
            Self::IdpRefreshed => "idp.refreshed",
            Self::IdpRefreshFailed => "idp.refresh_failed",
            Self::SignInCompleted => "sign_in.completed",
            Self::SignInRefused => "sign_in.refused",
            Self::SessionEnded => "session.ended",
            Self::PersonSignedOut => "person.signed_out",
            Self::AppSessionEnded => "app_session.ended",
            Self::LogoutBegun => "logout.begun",
            Self::LegSent => "leg.sent",
            Self::LegClosed => "leg.closed",
            Self::LegTried => "leg.tried",
            Self::LegRetried => "leg.retried",
            Self::LogoutAnswered => "logout.answered",
            Self::LogoutSettled => "logout.settled",
            Self::LogoutAnswerRefused => "logout.answer_refused",
            Self::LogoutRequestCarriedOut => "logout_request.carried_out",
            Self::LogoutRequestRefused => "logout_request.refused",
            Self::CodeReused => "code.reused",
            Self::ReloginLockSet => "relogin_lock.set",
            Self::ReloginLockLifted => "relogin_lock.lifted",
            Self::ReloginRefused => "relogin_lock.refused",
        }
    }
}

impl AuditEvent {
    pub fn new(kind: AuditKind) -> Self {
        Self {
            kind,
            browser_session: None,
            logout: None,
            client: None,
            idp: None,
            detail: String::new(),
        }
    }

    pub fn session(mut self, id: BrowserSessionId) -> Self {
        self.browser_session = Some(id);
        self
    }

    pub fn logout(mut self, id: LogoutId) -> Self {
        self.logout = Some(id);
        self
    }

    pub fn client(mut self, id: &ClientId) -> Self {
        self.client = Some(id.clone());
        self
    }

    pub fn idp(mut self, id: &IdpId) -> Self {
        self.idp = Some(id.clone());
        self
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}
