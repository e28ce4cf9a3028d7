//! The OASIS schemas as an outside judge of the documents that we write.

use std::path::Path;
use std::process::Command;

/// Validates documents with `tests/interop/schema.py`. The error names the first that is not valid.
pub fn validate(documents: &[&str]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(root.join(".venv/bin/python"));
    command.arg(root.join("tests/interop/schema.py"));
    for (number, document) in documents.iter().enumerate() {
        let path = folder.path().join(format!("{number}.xml"));
        std::fs::write(&path, document).expect("a written file");
        command.arg(path);
    }
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("no .venv ({error}): tests/setup"));
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
