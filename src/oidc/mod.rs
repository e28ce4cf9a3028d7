//! The OpenID Provider's side of the wire: requests and tokens of OpenID Connect and OAuth 2.0.
//!
//! Bytes and values in, values out. Nothing here reads a store, a clock or a socket.

pub mod allowed_logout_url;
pub mod authorization_response;
pub mod authorize;
pub mod claims;
pub mod client;
pub mod client_auth;
pub mod code;
pub mod discovery;
pub mod end_session;
pub mod error;
pub mod frontchannel;
pub mod id_token;
pub mod issuer;
pub mod logout_receipt;
pub mod logout_result;
pub mod logout_token;
pub mod params;
pub mod pkce;
pub mod redirect_uri;
pub mod scope;
pub mod subject;
pub mod token;
pub mod uri_query;
pub mod userinfo;
pub mod v2_logout;

pub use allowed_logout_url::{AllowedLogoutUrl, AllowedLogoutUrlError, HttpWildcards, ReturnTo};
pub use authorization_response::Reply;
pub use authorize::{AuthorizeError, AuthorizeRequest, Prompt};
pub use claims::{ClaimMap, ClaimMapError};
pub use client::{Client, ClientError, ClientSettings, Confirm, LogoutScope};
pub use client_auth::{ClientAuthError, ClientCredentials};
pub use code::{CodeBinding, CodeError};
pub use end_session::EndSessionRequest;
pub use error::{ErrorCode, OAuthError, RequestError};
pub use frontchannel::{FrontchannelLogoutUri, FrontchannelLogoutUriError};
pub use id_token::{HintError, IdTokenClaims, IdTokenHint};
pub(crate) use issuer::is_loopback;
pub use issuer::{Issuer, IssuerError};
pub use logout_receipt::{
    LogoutReceiptClaims, LogoutReceiptRequest, ReceiptIdp, ReceiptLeft, ReceiptLeg,
};
pub use logout_result::with_logout_result;
pub use logout_token::{Ended, LogoutTokenClaims};
pub use params::{Duplicate, Params, ParamsError};
pub use pkce::{CodeChallenge, PkceError};
pub use redirect_uri::{PostLogoutUri, RedirectUri, RedirectUriError, RegisteredRedirectUri};
pub use scope::{Scope, Scopes};
pub use subject::{InvalidSubject, Subject, SubjectSource, SubjectSourceError};
pub use token::{TokenRequest, TokenResponse};
pub use uri_query::without_query;
pub use userinfo::BearerError;
pub use v2_logout::V2LogoutRequest;
