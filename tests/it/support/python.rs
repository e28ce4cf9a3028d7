//! Judges written in Python: one process for any number of questions, a line of JSON each.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Runs `tests/interop/{script}` and gives its answers, one per question.
pub fn lines<Q: Serialize, A: DeserializeOwned>(script: &str, questions: &[Q]) -> Vec<A> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run tests/setup", python.display());
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-B"]).arg(root.join("tests/interop").join(script));
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
    let mut input = process.stdin.take().expect("its input is piped");
    let text: String =
        questions.iter().map(|q| serde_json::to_string(q).expect("JSON") + "\n").collect();
    // Beside reading, so that neither pipe fills up.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = process.wait_with_output().expect("it ends");
    let written = writer.join().expect("writing does not panic");
    assert!(output.status.success() && written.is_ok(), "{script}: {:?}", output.status);
    let answers = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<A> =
        answers.lines().map(|line| serde_json::from_str(line).expect("an answer")).collect();
    assert_eq!(answers.len(), questions.len(), "{script}");
    answers
}
