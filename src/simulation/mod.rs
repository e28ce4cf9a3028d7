//! The whole service in a world of our making: real use cases on real SQL, and a scheduler that
//! decides who comes next.
//!
//! A run is a few browsers, tabs, IdPs, apps, strangers, nodes and their workers, and one database.
//! Whenever a node reads, commits or calls an app, it stops, and somebody else may go on: what is read,
//! decided and committed never happens in one piece. Nodes crash, commits succeed unseen, answers come
//! late, twice and forged, the database's clock jumps. After every transaction and every answer the
//! invariants are checked (`invariants.rs`, `legs.rs`, `answers.rs`, `idp_hears.rs`, `pages.rs`), and at
//! the end that everything ends (`ending.rs`). A run is made of its seed and of nothing else, so that it
//! can be looked at again:
//!
//! ```text
//! SLOOP_SIMULATION_SEED=17 cargo test --lib simulation -- --nocapture
//! ```
//!
//! What is not simulated: HTTP itself, the signatures of assertions, and what databases do with
//! several connections; decision 0018 says why.

mod answers;
mod database;
mod dice;
mod ending;
mod history;
mod idp_hears;
mod idps;
mod installation;
mod invariants;
mod legs;
mod mail;
mod model;
mod node;
mod pages;
mod parties;
mod people;
mod queries;
mod sign_ins;
mod strangers;
mod tally;
mod trace;
mod wish;
mod world;

#[cfg(test)]
mod races;
#[cfg(test)]
mod tests;
