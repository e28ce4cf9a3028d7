//! Sloop signs people of OpenID Connect apps in through SAML identity providers, and signs them
//! out of everything again.
//!
//! `docs/architecture.md` is the map. Imports go down only, and `tests/it/architecture.rs` checks
//! it: the list below is in that order, the lowest first.

// base
pub mod clock;
pub mod id;
pub mod paths;
pub mod rng;
pub mod secret;

// protocol
pub mod keys;
pub mod oidc;
pub mod saml;
pub mod xml;

// domain
pub mod audit;
pub mod change;
pub mod connection;
pub mod logout;
pub mod policy;
pub mod session;

// edges out
pub mod outbound;
pub mod store;

// use cases
pub mod use_cases;

// edges in
pub mod http;
pub mod worker;

// outermost
pub mod config;
pub mod declared;
pub mod lifecycle;
pub mod mock_idp;
pub mod server;
pub mod telemetry;

pub mod demo;

pub mod cli;
