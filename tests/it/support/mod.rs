//! What stories are told with: a world with the service and its peers, and a browser.

pub mod browser;
pub mod cookies;
pub mod forger;
pub mod html;
pub mod idp_key;
pub mod jwt;
pub mod odd_algorithms;
pub mod odd_signer;
pub mod postgres;
pub mod pysaml2;
pub mod query;
pub mod raw_query;
pub mod rp;
pub mod sink;
pub mod wire;
pub mod world;
pub mod xmlsec1;
