//! What commands print: tables for people, JSON for programs, errors on stderr.

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
