//! The service provider's side of SAML 2.0: its messages, its metadata, and what an IdP's answer
//! means. Bytes and values in, values out; the time and all randomness are arguments.
//!
//! Nobody can read what nobody signed: a sign-in goes from [`Received`] over [`Signed`] to
//! [`Login`], and each step takes the one before it.

pub mod assertion;
pub mod attribute;
pub mod authn_request;
mod authn_statement;
pub mod binding;
mod decryption;
pub mod entity_id;
pub mod logout_request;
pub mod logout_response;
pub mod message;
pub mod metadata;
pub mod name_id;
pub mod product;
pub mod recipient;
mod rejection;
pub mod relay_state;
pub mod response;
pub mod session_index;
pub mod sp_metadata;
pub mod status;

pub use assertion::Login;
pub use attribute::Attribute;
pub use authn_request::{AuthnRequest, NameIdPolicy};
pub use binding::{
    Binding, BindingError, Endpoint, MessageKind, PostForm, RawQuery, RedirectMessage,
};
pub use decryption::Decryption;
pub use entity_id::{EntityId, InvalidEntityId};
pub use logout_request::{LogoutReason, LogoutRequest, RequestMismatch};
pub use logout_response::{AnswerMismatch, ExpectedAnswer, LogoutResponse};
pub use message::{MessageError, Proof};
pub use metadata::{
    CertificateInfo, IdpMetadata, InvalidMetadataKey, KeyInfo, KeyUse, MetadataError, MetadataKey,
    MetadataSignature, MetadataWarning,
};
pub use name_id::NameId;
pub use product::Product;
pub use recipient::{NoRecipient, Recipient};
pub use relay_state::RelayState;
pub use response::{Expected, Received, Rejection, Signed};
pub use session_index::{InvalidSessionIndex, SessionIndex};
pub use sp_metadata::SpMetadata;
pub use status::{Status, StatusCode};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod mutation;
