//! Stories over real HTTP, each on SQLite and on PostgreSQL. One binary, because it links once.

// Not every story uses every part of the support, and in a binary nothing is reachable from outside.
#![allow(dead_code, unreachable_pub, clippy::panic, clippy::unwrap_used)]

mod conformance;
mod support;

mod api;
mod architecture;
mod browser;
mod cli;
mod faults;
mod interop;
mod logout;
mod oidc;
mod saml;
