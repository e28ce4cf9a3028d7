//! Requests that leave this machine. Every address is judged by the [`guard`] before a connection.

pub mod cidr;
pub mod client;
mod error;
pub mod guard;
mod places;
mod retry_after;
#[cfg(test)]
pub(crate) mod simulated;
mod soap;

pub use cidr::{Cidr, CidrError};
pub use client::{Answer, Client, Fetched, Request, Roots, Timeouts, Validators};
pub use error::{ClientError, SendError};
pub use guard::{GuardConfig, Refusal};
pub use retry_after::RetryAfter;
pub use soap::SoapAnswer;
