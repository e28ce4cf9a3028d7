//! The shape of the code, checked on its sources: each finding names file, line and rule.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const LONGEST_FILE: usize = 450;
/// What bytes-and-values code has no business with. Addresses as values are fine.
const IO: [&str; 11] = [
    "async fn",
    "async move",
    ".await",
    "tokio",
    "axum",
    "rusqlite",
    "reqwest",
    "std::fs",
    "std::net",
    "SystemTime",
    "Instant::now",
];
const SANS_IO: [&str; 3] = ["// formats and keys", "// protocol", "// domain"];
/// `saml:Assertion`, in the words of our XML writer and of XML itself.
const ASSERTION: [&str; 3] = ["\"saml:Assertion", "<saml:Assertion", "<Assertion"];

/// Every module with its layer and the heading of it, as `src/lib.rs` lists them.
fn layers() -> BTreeMap<String, (usize, String)> {
    let text = std::fs::read_to_string(root().join("lib.rs")).unwrap();
    let mut layers = BTreeMap::new();
    for (rank, group) in text.split("\n\n").filter(|group| group.contains("pub mod ")).enumerate() {
        let heading = group.lines().next().unwrap_or_default();
        for line in group.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
            let name = line.trim_end_matches(';').to_owned();
            layers.insert(name, (rank, heading.to_owned()));
        }
    }
    layers.insert("main".to_owned(), (usize::MAX, String::new()));
    layers
}

/// What is wrong with a file, as `FILE:LINE: RULE: what`.
fn findings(path: &str, text: &str) -> Vec<String> {
    let layers = layers();
    let module = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    if module == "lib" {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut report = |line: usize, rule: &str, what: &str| {
        found.push(format!("src/{path}:{line}: {rule}: {what}"));
    };
    let Some((rank, heading)) = layers.get(module) else {
        report(1, "unplaced", "src/lib.rs does not place this module");
        return found;
    };
    for (line, name) in crate_paths(text) {
        let pair = [module, name.as_str()];
        match layers.get(&name) {
            Some((other, _)) if other > rank => report(line, "upward", &format!("uses {name}")),
            None => report(line, "unplaced", &format!("uses {name}, which src/lib.rs has not")),
            Some(_) if pair == ["saml", "oidc"] || pair == ["oidc", "saml"] => {
                report(line, "siblings", &format!("uses {name}"));
            }
            Some(_) => {}
        }
    }
    let is_test = path.ends_with("tests.rs") || TEST_FILES.contains(&path);
    let production = if is_test { "" } else { before_tests(text) };
    for (number, line) in (1..).zip(production.lines()) {
        let code = line.split("//").next().unwrap_or_default().replace("std::net::Ip", "");
        if SANS_IO.contains(&heading.as_str())
            && let Some(word) = IO.into_iter().find(|word| code.contains(word))
        {
            report(number, "sans-io", &format!("{word} in {module}"));
        }
        if module != "mock_idp" && ASSERTION.into_iter().any(|word| code.contains(word)) {
            report(number, "assertion", "only mock_idp writes assertions");
        }
    }
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        report(lines, "length", &format!("{lines} lines, at most {LONGEST_FILE}"));
    }
    found
}

/// Compiled for tests only, under another name than `tests.rs`.
const TEST_FILES: [&str; 3] = ["saml/fixture.rs", "saml/mutation.rs", "xml/test_keys.rs"];

fn before_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// The first segment of every `crate::…` path, those of `use crate::{a, b::{c}}` too, with its line.
fn crate_paths(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let line = text[..at].matches('\n').count() + 1;
        let start = text[..at].rsplit('\n').next().unwrap_or_default();
        if start.contains("//") || start.ends_with(['$', '_']) {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut push = |name: &str| found.push((line, name.to_owned()));
        match rest.strip_prefix('{') {
            None => push(rest.split(|c| !is_name(c)).next().unwrap_or_default()),
            Some(list) => {
                let mut depth = 0;
                let mut begins = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        c if is_name(c) && begins && depth == 0 => {
                            begins = false;
                            push(list[at..].split(|c| !is_name(c)).next().unwrap_or_default());
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => sources(&path, files),
            path if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            _ => {}
        }
    }
}

#[test]
fn the_sources_keep_to_the_rules() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    files.sort();
    assert!(files.len() > 100, "{files:?}");
    let mut found = Vec::new();
    for file in files {
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        found.extend(findings(&path, &std::fs::read_to_string(file).unwrap()));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn each_rule_can_fail() {
    let long = "\n".repeat(LONGEST_FILE + 1);
    for (path, text, expected) in [
        ("oidc/x.rs", "\nuse crate::store::Store;", "src/oidc/x.rs:2: upward: uses store"),
        ("store/x.rs", "fn x(_: crate::use_cases::X) {}", "src/store/x.rs:1: upward"),
        ("http/x.rs", "use crate::{clock, mock_idp::{X, cli}};", "x.rs:1: upward: uses mock_idp"),
        ("server.rs", "use crate::{mock_idp, id};", "src/server.rs:1: upward: uses mock_idp"),
        ("saml/x.rs", "use crate::oidc::X;", "src/saml/x.rs:1: siblings: uses oidc"),
        ("oidc/x.rs", "use crate::saml::X;", "src/oidc/x.rs:1: siblings: uses saml"),
        ("session/x.rs", "async fn x() {}", "src/session/x.rs:1: sans-io: async fn"),
        ("policy.rs", "\n\nuse std::net::TcpStream;", "src/policy.rs:3: sans-io: std::net"),
        ("keys/x.rs", "std::time::SystemTime::now()", "src/keys/x.rs:1: sans-io: SystemTime"),
        ("saml/x.rs", "w.open(\"saml:Assertion\", &[])", "src/saml/x.rs:1: assertion"),
        ("use_cases/x.rs", "\"<saml:Assertion ID=\"", "src/use_cases/x.rs:1: assertion"),
        ("xml/x.rs", &long, "src/xml/x.rs:451: length: 451 lines"),
        ("new/x.rs", "", "src/new/x.rs:1: unplaced"),
    ] {
        let found = findings(path, text);
        assert!(matches!(found.as_slice(), [one] if one.contains(expected)), "{path}: {found:?}");
    }
    for (path, text) in [
        ("store/x.rs", "use crate::{change::Change, clock};\nasync fn x() { tokio }"),
        ("saml/x.rs", "// crate::oidc\nuse crate::xml::X;\nfn x(_: std::net::IpAddr) {}"),
        ("mock_idp/x.rs", "use crate::http;\nw.open(\"saml:Assertion\", &[])"),
        ("saml/x.rs", "\n#[cfg(test)]\nmod tests {\n const X: &str = \"<saml:Assertion\";"),
        ("cli/x.rs", "use crate::{demo, server};"),
        ("xml/x.rs", &long[1..]),
    ] {
        assert_eq!(findings(path, text), [""; 0], "{path}");
    }
}
