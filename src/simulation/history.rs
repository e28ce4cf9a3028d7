//! What happened in a run: always as a fingerprint, and as text where somebody reads it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::clock::Timestamp;

#[derive(Default)]
pub(super) struct History {
    steps: u64,
    fingerprint: DefaultHasher,
    lines: Option<Vec<String>>,
}

impl History {
    /// `told` keeps every line, for a person to read.
    pub(super) fn new(told: bool) -> Self {
        Self { lines: told.then(Vec::new), ..Self::default() }
    }

    pub(super) fn step(&mut self) {
        self.steps += 1;
    }

    /// How many steps were taken.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// `what` is made only where it is kept; `key` tells two runs apart in any case.
    pub(super) fn note(&mut self, now: Timestamp, key: &str, what: impl FnOnce() -> String) {
        (self.steps, now, key).hash(&mut self.fingerprint);
        if let Some(lines) = &mut self.lines {
            let millis = now.as_micros() / 1_000 % 1_000;
            lines.push(format!("{:>4}  {now} .{millis:03}  {key:<9} {}", self.steps, what()));
        }
    }

    /// The same for two runs in which the same happened.
    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint.finish()
    }

    pub(super) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
