//! Sloop signs people of OpenID Connect apps in through SAML identity providers, and signs them
//! out of everything again.
//!
//! `docs/architecture.md` is the map. Imports go down only: the groups below are the layers, the
//! lowest first, and `tests/it/architecture.rs` reads them here and checks it.

// base
pub mod clock;
pub mod display_name;
pub mod duration;
pub mod id;
pub mod language;
pub mod paths;
pub mod rng;
pub mod secret;

// formats and keys
pub mod keys;
pub mod xml;

// protocol
pub mod oidc;
pub mod saml;

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
pub mod lifecycle;
pub mod telemetry;
pub mod worker;

// outermost
pub mod config;
pub mod declared;
pub mod metadata_file;
pub mod server;

// for tests and the demo; the service cannot reach it
pub mod mock_idp;

pub mod demo;

pub mod cli;

// for tests only: the whole service in a world of our making
#[cfg(test)]
pub mod simulation;
