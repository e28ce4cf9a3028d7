use super::message::MessageError;
use super::name_id::NameIdError;
use super::{EntityId, InvalidSessionIndex, Status};
use crate::xml::ShapeError;
use crate::xml::decrypt::DecryptError;
use crate::xml::verify::SignatureError;

/// Why a Response does not sign anybody in. Nothing in it may be used then.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    // What is not a Response that we understand.
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("there is an Assertion elsewhere than directly in the Response")]
    MisplacedAssertion,
    #[error("there is a Response within the Response")]
    NestedResponse,
    #[error("there is more than one Assertion")]
    SeveralAssertions,
    #[error("there is no Assertion")]
    NoAssertion,
    #[error("the IdP encrypted the {0}; have it encrypt the whole Assertion instead")]
    Encrypted(&'static str),
    #[error(
        "the Assertion is not encrypted, and `require_encryption` is set; give the IdP our metadata"
    )]
    NotEncrypted,

    // Who wrote it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("neither the Response nor the Assertion is signed")]
    Unsigned,

    // What it is an answer to.
    #[error("the Response was made for another address: {found:?}")]
    Destination { found: String },
    #[error("the Response is signed but does not say for which address")]
    NoDestination,
    #[error("the Response is not the answer to the request that is waiting")]
    InResponseTo,
    #[error("the Response comes from {found}, another IdP was asked")]
    Issuer { found: EntityId },
    #[error("the IdP did not sign the person in: {0}")]
    Status(Status),

    // What the Assertion says of itself (SAML Profiles 4.1.4.2 and 4.1.4.3).
    #[error("the Assertion comes from {found}, another IdP was asked")]
    AssertionIssuer { found: EntityId },
    #[error("the Subject has no bearer confirmation")]
    NoBearer,
    #[error("the bearer confirmation was made for another address")]
    Recipient,
    #[error("the bearer confirmation is not for the request that is waiting")]
    ConfirmationInResponseTo,
    #[error("the bearer confirmation has no NotOnOrAfter")]
    ConfirmationUnlimited,
    #[error("the bearer confirmation has a NotBefore, which the profile forbids")]
    ConfirmationNotBefore,
    #[error("the bearer confirmation has expired; compare the clocks")]
    ConfirmationExpired,
    #[error("the Assertion does not say whom it is for")]
    NoAudience,
    #[error("the Assertion is for another service provider; compare the entity IDs")]
    Audience,
    #[error("the Assertion is not valid yet; compare the clocks")]
    NotYetValid,
    #[error("the Assertion has expired; compare the clocks")]
    Expired,
    #[error("the Assertion has a condition that we do not know")]
    UnknownCondition,
    #[error("the Assertion does not say that anybody was authenticated")]
    NoAuthnStatement,
    #[error("the person was authenticated in the future; compare the clocks")]
    AuthnInstant,
    #[error("the person was to be authenticated anew, and was not")]
    StaleAuthentication,
    #[error("the session at the IdP has ended already")]
    SessionExpired,
}

impl Rejection {
    /// Stable: it stands in audit events and in the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Message(error) => error.code(),
            Self::MisplacedAssertion => "response.misplaced_assertion",
            Self::NestedResponse => "response.nested",
            Self::SeveralAssertions => "response.several_assertions",
            Self::NoAssertion => "response.no_assertion",
            Self::Encrypted(_) => "response.encrypted",
            Self::NotEncrypted => "response.not_encrypted",
            Self::Signature(error) => error.code(),
            Self::Unsigned => "response.unsigned",
            Self::Destination { .. } => "response.destination",
            Self::NoDestination => "response.no_destination",
            Self::InResponseTo => "response.in_response_to",
            Self::Issuer { .. } => "response.issuer",
            Self::Status(_) => "response.status",
            Self::AssertionIssuer { .. } => "assertion.issuer",
            Self::NoBearer => "assertion.no_bearer",
            Self::Recipient => "assertion.recipient",
            Self::ConfirmationInResponseTo => "assertion.in_response_to",
            Self::ConfirmationUnlimited => "assertion.confirmation_unlimited",
            Self::ConfirmationNotBefore => "assertion.confirmation_not_before",
            Self::ConfirmationExpired => "assertion.confirmation_expired",
            Self::NoAudience => "assertion.no_audience",
            Self::Audience => "assertion.audience",
            Self::NotYetValid => "assertion.not_yet_valid",
            Self::Expired => "assertion.expired",
            Self::UnknownCondition => "assertion.unknown_condition",
            Self::NoAuthnStatement => "assertion.no_authn_statement",
            Self::AuthnInstant => "assertion.authn_instant",
            Self::StaleAuthentication => "assertion.stale_authentication",
            Self::SessionExpired => "assertion.session_expired",
        }
    }
}

impl From<ShapeError> for Rejection {
    fn from(error: ShapeError) -> Self {
        Self::Message(error.into())
    }
}

impl From<DecryptError> for Rejection {
    fn from(error: DecryptError) -> Self {
        Self::Message(error.into())
    }
}

impl From<NameIdError> for Rejection {
    fn from(error: NameIdError) -> Self {
        Self::Message(error.into())
    }
}

impl From<InvalidSessionIndex> for Rejection {
    fn from(error: InvalidSessionIndex) -> Self {
        Self::Message(error.into())
    }
}
