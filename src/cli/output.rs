//! What commands print: tables for people, JSON for programs, errors and progress on stderr.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

/// The error, what led to it, and nothing else.
pub(super) fn error(error: &anyhow::Error) {
    eprintln!("sloop: {error:#}");
    if let Some(failure) = error.downcast_ref::<crate::use_cases::Failure>() {
        eprintln!("       {}", failure.hint());
    }
}

pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Columns as wide as their widest cell.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(&mut heads.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}

/// How far a longer work is: one line on a terminal, and nothing elsewhere.
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    pub(super) fn on_terminal() -> Self {
        Self { shown: std::io::stderr().is_terminal() }
    }

    pub(super) fn show(&self, done: usize, all: usize) {
        if self.shown && all > 0 {
            self.write(&format!("\r{done} of {all} parties are told"));
        }
    }

    /// Makes room for what is printed next.
    pub(super) fn clear(&self) {
        if self.shown {
            self.write("\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // Nobody depends on it.
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}
