//! What the targets share with `make mutants`.

// The mutants' own code is tests' code: it may unwrap, and each target uses a part of it.
#[allow(dead_code, unreachable_pub)]
#[path = "../../tests/it/support/bases.rs"]
pub mod bases;
#[allow(dead_code, unreachable_pub)]
#[path = "../../tests/it/support/mutator/mod.rs"]
pub mod mutator;
