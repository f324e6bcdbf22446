//! The documents name tests; each of them is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const DOCUMENTS: [&str; 2] = ["docs/SECURITY-MODEL.md", "docs/PROMISES.md"];
const ROOMS: [&str; 4] = ["clients/rust", "services", "tests", "proto"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every word of every source that could be a test's name or its module's: functions, modules, and the rows of macros.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rooms: Vec<PathBuf> = ROOMS.iter().map(|room| root().join(room)).collect();
    while let Some(path) = rooms.pop() {
        if path.is_dir() {
            rooms.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            named_in(&path, &mut names);
        }
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

/// What stands in backticks in the last column of the tables, but for paths.
fn tests_of(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let columns = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit(" | ").next());
    columns
        .flat_map(|column| column.split('`').skip(1).step_by(2))
        // A column's head.
        .filter(|name| !name.ends_with("::…"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let known = names();
    for document in DOCUMENTS {
        let named = tests_of(document);
        assert!(named.len() > 10, "{document} has lost its tables");
        for test in named {
            if test.contains('/') {
                // `tests/e2e/{a,b}.rs` is short for several.
                let folder = test.split(['{', '*']).next().unwrap_or_default();
                assert!(root().join(folder).exists(), "{document} names {test}");
                continue;
            }
            let name = test.rsplit("::").next().unwrap_or_default();
            assert!(
                known.contains(name),
                "{document} names {test}, which is no test"
            );
        }
    }
}

#[test]
fn a_name_that_is_no_test_is_noticed() {
    assert!(!names().contains("a_test_that_nobody_wrote_yet"));
}
