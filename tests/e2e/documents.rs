//! The documents name tests, planted bugs, files and log messages; each of them exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const TABLES: &str = "docs/SECURITY-MODEL.md";
const PROMISES: &str = "docs/PROMISES.md";
const SOURCES: [&str; 4] = ["clients/rust", "services", "tests", "proto"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of these folders.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut paths: Vec<PathBuf> = SOURCES.iter().map(|source| root().join(source)).collect();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Every word of every source that could be a test's name or its module's: functions, modules, and the rows of macros.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources() {
        named_in(&path, &mut names);
    }
    names
}

fn named_in(path: &Path, names: &mut BTreeSet<String>) {
    names.insert(path.file_stem().unwrap().to_string_lossy().into_owned());
    for line in fs::read_to_string(path).unwrap().lines() {
        let line = line.trim();
        for before in ["fn ", "async fn ", "mod ", "pub fn ", "pub async fn "] {
            if let Some(rest) = line.strip_prefix(before) {
                names.insert(word(rest));
            }
        }
        // `name: what it is made of;` is a row of a macro that makes a test of it.
        if let Some((name, _)) = line.split_once(": ") {
            names.insert(word(name));
        }
    }
}

fn word(text: &str) -> String {
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split(end).next().unwrap_or_default().to_owned()
}

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap()
}

/// What stands between two of these marks.
fn between(text: &str, mark: char) -> impl Iterator<Item = String> {
    text.split(mark).skip(1).step_by(2).map(str::to_owned)
}

/// What stands in backticks in the last column of the tables.
fn tests_in_tables() -> Vec<String> {
    let text = read(TABLES);
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let columns = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit(" | ").next());
    columns
        .flat_map(|column| between(column, '`'))
        // A column's head.
        .filter(|name| !name.ends_with("::…"))
        .collect()
}

/// The heading of each promise with its list, and the text between them.
fn promises() -> Vec<(String, String)> {
    let text = read(PROMISES);
    let sections = text.split("\n### ").skip(1);
    sections
        .map(|section| section.split("\n## ").next().unwrap_or_default())
        .filter_map(|section| section.split_once('\n'))
        .map(|(heading, body)| (heading.to_owned(), body.to_owned()))
        .collect()
}

/// The lines of a promise's list, without the planted bugs.
fn tests_of_promise(body: &str) -> Vec<String> {
    body.lines()
        .filter(|line| line.starts_with("- "))
        .map(|line| line.split(", planted: ").next().unwrap_or_default())
        .flat_map(|line| between(line, '`').collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let known = names();
    let promised = promises().iter().flat_map(|(_, body)| tests_of_promise(body)).collect();
    for (document, named) in [(TABLES, tests_in_tables()), (PROMISES, promised)] {
        assert!(named.len() > 10, "{document} has lost its tests");
        for test in named {
            if test.contains('/') {
                // `tests/e2e/{a,b}.rs` is short for several.
                let folder = test.split(['{', '*']).next().unwrap_or_default();
                assert!(root().join(folder).exists(), "{document} names {test}");
                continue;
            }
            let name = test.rsplit("::").next().unwrap_or_default();
            assert!(known.contains(name), "{document} names {test}, which is no test");
        }
    }
}

#[test]
fn every_promise_has_a_test_or_says_that_it_has_none() {
    for (heading, body) in promises() {
        let tests = tests_of_promise(&body);
        assert!(
            !tests.is_empty() || body.contains("\nNot tested"),
            "{PROMISES}: no test for: {heading}"
        );
    }
}

#[test]
fn every_planted_bug_is_named_by_a_promise_and_exists() {
    let planted = read("tests/simulation/planted.rs");
    let text = read(PROMISES);
    let lists = text.lines().filter_map(|line| line.split_once(", planted: "));
    let bugs: Vec<_> = lists.flat_map(|(_, bugs)| between(bugs, '*')).collect();
    assert_eq!(bugs.len(), planted.matches("\n    (Bug::").count(), "the planted bugs: {bugs:?}");
    for bug in bugs {
        assert!(
            planted.contains(&format!("\"{bug}\"")),
            "{PROMISES} names the bug {bug:?}, which is not planted"
        );
    }
}

#[test]
fn every_file_that_a_document_links_to_exists() {
    let documents = fs::read_dir(root().join("docs")).unwrap();
    let documents = documents.map(|entry| entry.unwrap().path());
    let others = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name));
    for document in documents.chain(others) {
        if document.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap_or_default();
            let path = document.parent().unwrap().join(link);
            assert!(
                link.contains("://") || path.exists(),
                "{} links to {link}",
                document.display()
            );
        }
    }
}

#[test]
fn every_path_that_the_architecture_names_exists() {
    let text = read("docs/ARCHITECTURE.md");
    let tree = text.lines().filter_map(|line| line.strip_prefix("      "));
    let tree = tree.filter_map(|line| line.split([' ', ',']).next());
    let paths = between(&text, '`').chain(tree.map(str::to_owned));
    let is_file =
        |path: &str| Path::new(path).extension().is_some_and(|extension| extension == "rs");
    for path in paths.filter(|path| path.ends_with('/') || is_file(path)) {
        let folders = ["", "services/poller/src", "services/worker/src"];
        assert!(
            folders.iter().any(|folder| root().join(folder).join(&path).exists()),
            "docs/ARCHITECTURE.md names {path}"
        );
    }
}

#[test]
fn every_log_message_that_the_runbook_quotes_is_in_the_code() {
    let code: Vec<_> = sources().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for line in read("docs/RUNBOOK.md").split("{\"message\":\"").skip(1) {
        // What follows a colon is often a figure.
        let message = line.split(['"', ':']).next().unwrap_or_default();
        assert!(
            code.iter().any(|text| text.contains(message)),
            "docs/RUNBOOK.md quotes {message:?}, which nothing logs"
        );
    }
}

#[test]
fn every_refusal_that_the_runbook_quotes_is_one_of_the_guard() {
    let refusals = read(
        "services/runtime/src/guard/tests/snapshots/brigade_runtime__guard__tests__messages__refusals.snap",
    );
    let runbook = read("docs/RUNBOOK.md");
    let quoted: Vec<_> = runbook
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.trim()).ok())
        .filter(|line| line["message"] == "call refused")
        .collect();
    assert!(quoted.len() > 3, "docs/RUNBOOK.md has lost its refusals");
    for line in quoted {
        let [check, reason] = ["check", "reason"].map(|field| line[field].as_str().unwrap());
        assert!(
            refusals.lines().any(|known| {
                known.contains(&format!(" ({check}, ")) && known.ends_with(&format!(": {reason}"))
            }),
            "docs/RUNBOOK.md quotes {line}, which the guard never logs"
        );
    }
}

#[test]
fn a_name_that_is_no_test_is_noticed() {
    assert!(!names().contains("a_test_that_nobody_wrote_yet"));
}
