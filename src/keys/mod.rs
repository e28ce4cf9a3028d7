//! Keys and what is made with them: signatures over JSON, certificates, and sealing at rest.
//!
//! All cryptography is OpenSSL's. Keys are parsed once and kept parsed, because parsing an RSA key
//! costs more than signing with it.

pub mod certificate;
pub mod jwk;
pub mod jws;
pub mod key;
pub mod schedule;
pub mod seal;
pub mod set;

pub use certificate::{Certificate, CertificateError};
pub use jwk::{Jwk, JwkError, JwkSet};
pub use jws::{JwsError, VerifiedJws};
pub use key::{KeyAlgorithm, KeyError, SigningKey, VerifyingKey};
pub use seal::{Kek, SealError, keyed_hash};
pub use set::{KeySet, KeySetError, Stage};
