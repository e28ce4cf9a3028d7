//! The commented example: every key with its meaning, its default and its environment name.

/// What `sloop.toml` may hold. As it stands it changes nothing: it states the defaults.
pub const EXAMPLE: &str = include_str!("example.toml");
