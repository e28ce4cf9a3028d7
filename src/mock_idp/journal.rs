use crate::clock::Timestamp;
use crate::saml::{Binding, NameId, SessionIndex};

/// One thing that the IdP received or issued. What a LogoutRequest says can be compared with what
/// was issued: all parts of the NameID count.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// An AuthnRequest whose signature, addresses and issuer are as they should be.
    AuthnRequest { id: String, force_authn: bool, is_passive: bool, binding: Binding },
    /// An assertion was sent. `asked` says that the person had to name themselves for it; otherwise
    /// the session that the browser had was enough.
    Issued {
        user: String,
        name_id: NameId,
        session_index: Option<SessionIndex>,
        in_response_to: String,
        asked: bool,
    },
    /// A LogoutRequest arrived, believed or not.
    LogoutRequest {
        id: String,
        name_id: NameId,
        session_indexes: Vec<SessionIndex>,
        signature_valid: bool,
        binding: Binding,
        /// It came to the URL for sign-in, where nothing is ended by it.
        at_login_url: bool,
        /// How many sessions it ended.
        ended: usize,
    },
    /// The person ended the session here, without the service provider.
    SignedOutHere { user: String },
    /// Something was not accepted; the code of the [`Refusal`](super::Refusal).
    Refused { code: &'static str },
}

/// One browser that is signed in at the IdP.
#[derive(Clone, PartialEq, Debug)]
pub struct Session {
    pub user: String,
    pub name_id: NameId,
    /// As it is asserted; `None` if this IdP does not name its sessions.
    pub session_index: Option<SessionIndex>,
    pub authn_instant: Timestamp,
}
