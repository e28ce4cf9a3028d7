//! What stories are told with: a world with the service and its peers, and a browser.

pub mod attack;
pub mod audit;
pub mod bases;
pub mod browser;
pub mod careless;
pub mod cookies;
pub mod document;
pub mod encrypted;
pub mod forger;
pub mod html;
pub mod idp_key;
pub mod idp_request;
pub mod jwt;
pub mod mutation;
pub mod mutator;
pub mod postgres;
pub mod pysaml2;
pub mod python;
pub mod query;
pub mod random_xml;
pub mod rp;
pub mod schema;
pub mod sink;
pub mod wire;
pub mod world;
pub mod xmlsec1;
