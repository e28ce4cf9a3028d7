//! `docs/conformance.md` names a test for each requirement, and `docs/known-attacks.md` for each family
//! of attacks. A test that is named there exists.

use std::path::Path;

const PAGE: &str = "docs/conformance.md";
const ATTACKS: &str = "docs/known-attacks.md";
/// Where paths begin: the crate root and the folder of its modules. A path without a first word of
/// its own is one of our stories, or a test beside the code.
const STORIES: Root = Root { file: "tests/it/main.rs", folder: "tests/it" };
const BESIDE: Root = Root { file: "src/lib.rs", folder: "src" };
const ORACLE: Root = Root { file: "tests/oracle/oracle.rs", folder: "tests/oracle" };

struct Root {
    file: &'static str,
    folder: &'static str,
}

/// One line of the table.
struct Row<'p> {
    line: usize,
    id: &'p str,
    tests: Vec<&'p str>,
}

#[test]
fn every_test_that_the_page_names_exists() {
    let read =
        |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok();
    let page = read(PAGE).expect("the page is there");
    let rows = rows(&page);
    assert!(!rows.is_empty(), "{PAGE} has no row");
    let problems = problems(&rows, &read);
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_family_of_attacks_names_tests_that_exist() {
    let read =
        |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok();
    let page = read(ATTACKS).expect("the page is there");
    assert!(page.matches("\n### ").count() > 20, "{ATTACKS} has lost its families");
    let problems = family_problems(&page, &read);
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// What is wrong with the families of the page: `### Name`, and somewhere below it `**Tests:**` with
/// paths. `module::*` stands for all tests of a module, `module::{a,b}` for these.
fn family_problems(page: &str, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for family in page.split("\n### ").skip(1) {
        let name = family.lines().next().unwrap_or_default();
        let named = family.split("**Tests:**").nth(1).unwrap_or_default();
        let named = named.split("\n\n").next().unwrap_or_default();
        let paths = named.split('`').skip(1).step_by(2).filter(|text| text.contains("::"));
        let tests: Vec<String> = paths.flat_map(expand).collect();
        if tests.is_empty() {
            problems.push(format!("{ATTACKS}: {name} names no test"));
        }
        let missing = tests.iter().filter_map(|test| Some((test, find(test, read).err()?)));
        problems.extend(missing.map(|(test, why)| format!("{ATTACKS}: {name}: {test}: {why}")));
    }
    problems
}

fn expand(path: &str) -> Vec<String> {
    match path.strip_suffix('}').and_then(|path| path.split_once('{')) {
        Some((module, names)) => {
            names.split(',').map(|name| format!("{module}{}", name.trim())).collect()
        }
        None => vec![path.to_owned()],
    }
}

/// Every row of the page: what begins with `|` and is neither the head nor the rule below it.
fn rows(page: &str) -> Vec<Row<'_>> {
    let lines = page.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
    lines
        .filter_map(|(at, line)| {
            let cells: Vec<&str> =
                line.trim().trim_matches('|').split('|').map(str::trim).collect();
            let (id, tests) = (*cells.first()?, *cells.last()?);
            let is_rule = !id.is_empty() && id.chars().all(|c| matches!(c, '-' | ':'));
            if is_rule || id == "row" {
                return None;
            }
            // A cell that is missing is not made up for by the one before it.
            let tests = if cells.len() == 4 { tests } else { "" };
            let tests = tests.split(',').map(|test| test.trim().trim_matches('`'));
            Some(Row { line: at + 1, id, tests: tests.filter(|test| !test.is_empty()).collect() })
        })
        .collect()
}

/// What is wrong with the rows, each with its place.
fn problems(rows: &[Row<'_>], read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for Row { line, id, tests } in rows {
        if tests.is_empty() {
            problems.push(format!("{PAGE}:{line}: row {id} names no test in its fourth cell"));
        }
        for test in tests {
            if let Err(reason) = find(test, read) {
                problems.push(format!("{PAGE}:{line}: row {id}: {test}: {reason}"));
            }
        }
    }
    problems
}

fn find(path: &str, read: &impl Fn(&str) -> Option<String>) -> Result<(), String> {
    if let Some(path) = path.strip_prefix("oracle::") {
        return find_below(&ORACLE, path, read);
    }
    find_below(&STORIES, path, read).or_else(|here| {
        find_below(&BESIDE, path, read).map_err(|there| format!("{here}, and {there}"))
    })
}

/// Goes from module to module as the compiler does, so that a file which nobody includes does not
/// count.
fn find_below(
    root: &Root,
    path: &str,
    read: &impl Fn(&str) -> Option<String>,
) -> Result<(), String> {
    let mut modules: Vec<&str> = path.split("::").collect();
    let name = modules.pop().unwrap_or_default();
    let (mut file, mut folder) = (root.file.to_owned(), root.folder.to_owned());
    let mut text = code(&read(&file).ok_or_else(|| format!("{file} is not there"))?);
    for module in modules {
        folder = format!("{folder}/{module}");
        if text.contains(&format!(" mod {module};")) {
            let candidates = [format!("{folder}.rs"), format!("{folder}/mod.rs")];
            let found = candidates.iter().find_map(|file| Some((file.clone(), read(file)?)));
            let (found, content) = found.ok_or_else(|| format!("{folder}.rs is not there"))?;
            (file, text) = (found, code(&content));
        } else if let Some((_, inside)) = text.split_once(&format!(" mod {module} {{")) {
            text = inside.to_owned();
        } else {
            return Err(format!("{file} has no module {module}"));
        }
    }
    let is_there = match name {
        "*" => ["both!(", "test]", "::test("].iter().any(|mark| text.contains(mark)),
        name => is_story(&text, name) || is_test_function(&text, name),
    };
    is_there.then_some(()).ok_or_else(|| format!("{file} has no test {name}"))
}

/// The text without comments, each run of white space as one space.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    format!(" {} ", words.join(" "))
}

/// `both!(name, story)`, perhaps with attributes before the name.
fn is_story(code: &str, name: &str) -> bool {
    code.split("both!(").skip(1).any(|story| {
        let mut story = story.trim_start();
        while let Some((_, rest)) = story.strip_prefix("#[").and_then(|rest| rest.split_once(']')) {
            story = rest.trim_start();
        }
        story.split(',').next().is_some_and(|found| found.trim() == name)
    })
}

/// `fn name(` right after an attribute that makes it a test.
fn is_test_function(code: &str, name: &str) -> bool {
    let pattern = format!(" fn {name}(");
    code.match_indices(&pattern).any(|(at, _)| {
        let before = code.get(..at).unwrap_or_default();
        let attributes = before.rsplit([';', '{', '}']).next().unwrap_or_default();
        attributes.contains("test]") || attributes.contains("test(")
    })
}

/// A small tree of sources, in place of the real one.
fn tree(path: &str) -> Option<String> {
    let text = match path {
        "tests/it/main.rs" => "mod logout;\nmod lonely;\n// mod gone;",
        "tests/it/logout/mod.rs" => "mod main_job;\npub mod other { #[test] fn inside() {} }",
        "tests/it/logout/main_job.rs" => {
            "both!(short, s);\nboth!(\n    #[ignore = \"a, b\"]\n    long_one,\n    s\n);\n\
             // both!(dead, s);\nasync fn s(on: On) {}\nfn helper() {}"
        }
        "tests/it/logout/stray.rs" => "both!(stray, s);",
        "src/lib.rs" => "pub mod xml;",
        "src/xml.rs" => {
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn checked() {}\n    \
             #[tokio::test(flavor = \"x\")]\n    async fn awaited() {}\n    fn helper() {}\n}"
        }
        "tests/oracle/oracle.rs" => "#[test]\nfn agrees() {}",
        _ => return None,
    };
    Some(text.to_owned())
}

#[test]
fn a_test_that_is_there_is_found() {
    for there in [
        "logout::main_job::short",
        "logout::main_job::long_one",
        "logout::other::inside",
        "xml::tests::checked",
        "xml::tests::awaited",
        "oracle::agrees",
    ] {
        assert_eq!(find(there, &|path| tree(path)), Ok(()), "{there}");
    }
}

#[test]
fn a_test_that_is_not_there_is_missed() {
    for (missing, said) in [
        ("logout::main_job::renamed", "tests/it/logout/main_job.rs has no test renamed"),
        ("logout::main_job::dead", "has no test dead"),
        ("logout::main_job::helper", "has no test helper"),
        ("logout::main_job::s", "has no test s"),
        ("logout::main_job::short::sqlite", "has no module short"),
        ("logout::stray::stray", "tests/it/logout/mod.rs has no module stray"),
        ("gone::short", "tests/it/main.rs has no module gone"),
        ("lonely::short", "tests/it/lonely.rs is not there"),
        ("xml::tests::helper", "src/xml.rs has no test helper"),
        ("xml::checked::tests", "src/xml.rs has no module checked"),
        ("agrees", "has no test agrees"),
        ("oracle::short", "tests/oracle/oracle.rs has no test short"),
    ] {
        let reason = find(missing, &|path| tree(path)).expect_err(missing);
        assert!(reason.contains(said), "{missing}: {reason}");
    }
}

#[test]
fn a_family_without_a_test_is_a_problem_and_so_is_one_of_several() {
    let page = "# Page\n\n### Good\n\ntext\n\n**Tests:** `logout::main_job::{short,long_one}`, `xml::tests::*`\n\n\
                ### None\n\n`xml::tests` is no test\n\n### Empty\n\n**Tests:** `lonely::*`\n\n\
                ### One\n\n**Tests:** `xml::tests::checked`, `logout::main_job::{short,gone}`\n";
    let found = family_problems(page, &|path| tree(path));
    let begins = ["None names no test", "Empty: lonely::*:", "One: logout::main_job::gone:"];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(&format!("{ATTACKS}: {begin}")), "{found}");
    }
}

#[test]
fn a_row_without_a_test_is_a_problem_and_so_is_one_of_several() {
    let page = "| row | requirement | section | test |\n| --- | :-- | --- | --- |\n\
                | A-1 | good | 1 | `logout::main_job::short`, xml::tests::checked |\n\
                | A-2 | none | 2 | |\n| A-3 | one of two | 3 | xml::tests::checked, a::b |\n\
                | A-4 | a cell too few | xml::tests::checked |";
    let found = problems(&rows(page), &|path| tree(path));
    let begins = ["docs/conformance.md:4: row A-2", "docs/conformance.md:5: row A-3: a::b:"];
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with(begins[0]) && found[1].starts_with(begins[1]), "{found:#?}");
    assert!(found[2].starts_with("docs/conformance.md:6: row A-4"), "{found:#?}");
}
