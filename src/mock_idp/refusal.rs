use super::{EncryptionError, FaultError, FetchError, PeerError, PlanError};
use crate::http::extract::RawParamsError;
use crate::oidc::Duplicate;
use crate::saml::binding::soap::SoapError;
use crate::saml::{BindingError, EntityId, MessageError};
use crate::xml::ParseError;
use crate::xml::sign::SignError;
use crate::xml::verify::SignatureError;
use crate::xml::write::WriteError;

/// Why the IdP shows an error page instead of an answer. It says everything: whoever looks at it is
/// building or testing the other side.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("this IdP has no service provider's metadata yet")]
    NobodyTrusted,
    #[error("this IdP has no service provider's metadata: {0}")]
    Fetch(FetchError),
    #[error(transparent)]
    Request(#[from] RawParamsError),
    #[error(transparent)]
    Duplicate(#[from] Duplicate),
    #[error(transparent)]
    Binding(#[from] BindingError),
    #[error("the message is not XML that is accepted: {0}")]
    Xml(#[from] ParseError),
    #[error(transparent)]
    Soap(#[from] SoapError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("this address takes requests, not responses")]
    NotARequest,
    #[error("the request is not signed")]
    Unsigned,
    #[error("the signature does not hold: {0}")]
    Signature(#[from] SignatureError),
    #[error("{found} is not the service provider whose metadata this IdP has")]
    Issuer { found: EntityId },
    #[error("the request was made for the address {found:?}")]
    Destination { found: Option<String> },
    #[error("{found:?} is not an assertion consumer service in the metadata")]
    AssertionConsumer { found: String },
    #[error("the request has expired")]
    Expired,
    #[error("this IdP offers no single logout by this binding")]
    LogoutNotOffered,
    #[error("the service provider's metadata has no address for answers to a LogoutRequest")]
    NoAddressForAnswers,
    #[error("the service provider's metadata has no address for a LogoutRequest by this binding")]
    NoAddressForRequests,
    #[error("the service provider's address is none that a browser can be sent to")]
    Address,
    #[error("the answer is for no LogoutRequest that waits for one")]
    NothingWasAsked,
    #[error("nobody of that name, or with this browser, is signed in here")]
    NobodySignedIn,
    #[error("the binding is redirect, post or soap")]
    UnknownBinding,
    #[error(transparent)]
    Fault(#[from] FaultError),
    #[error("times is a number")]
    Times,
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("type a user name of letters, digits, dots, hyphens and underscores")]
    UserName,
    #[error("another website may not use this address")]
    OtherWebsite,
    #[error("{found:?} is neither the host of this IdP's base URL nor this machine itself")]
    Host { found: String },
    #[error("the sign-in page is too old; begin again at the app")]
    UnknownSignIn,
    /// A fault of this IdP.
    #[error("the answer could not be signed: {0}")]
    Sign(#[from] SignError),
    /// The service provider has no key, or a fault of this IdP.
    #[error("the answer could not be encrypted: {0}")]
    Encryption(#[from] EncryptionError),
    /// A value of the request cannot stand in the answer.
    #[error("the answer could not be written: {0}")]
    Write(#[from] WriteError),
}

impl Refusal {
    /// A stable name, for the journal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NobodyTrusted => "nobody_trusted",
            Self::Fetch(error) => error.code(),
            Self::Request(error) => error.code(),
            Self::Duplicate(_) => "duplicate_parameter",
            Self::Binding(error) => error.code(),
            Self::Xml(error) => error.code(),
            Self::Soap(error) => error.code(),
            Self::Message(error) => error.code(),
            Self::NotARequest => "not_a_request",
            Self::Unsigned => "unsigned",
            Self::Signature(error) => error.code(),
            Self::Issuer { .. } => "issuer",
            Self::Destination { .. } => "destination",
            Self::AssertionConsumer { .. } => "assertion_consumer",
            Self::Expired => "expired",
            Self::LogoutNotOffered => "logout_not_offered",
            Self::NoAddressForAnswers => "no_address_for_answers",
            Self::NoAddressForRequests => "no_address_for_requests",
            Self::Address => "address",
            Self::NothingWasAsked => "nothing_was_asked",
            Self::NobodySignedIn => "nobody_signed_in",
            Self::UnknownBinding => "unknown_binding",
            Self::Fault(_) => "fault",
            Self::Times => "times",
            Self::Plan(error) => error.code(),
            Self::Peer(error) => error.code(),
            Self::UserName => "user_name",
            Self::OtherWebsite => "other_website",
            Self::Host { .. } => "host",
            Self::UnknownSignIn => "unknown_sign_in",
            Self::Sign(error) => error.code(),
            Self::Encryption(error) => error.code(),
            Self::Write(error) => error.code(),
        }
    }
}
