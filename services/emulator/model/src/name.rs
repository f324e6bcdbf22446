//! Which names Cloud Storage takes. Anything else is legal: control characters, `a/../b`, `//`, a trailing slash.
//!
//! Source: <https://cloud.google.com/storage/docs/objects#naming> and `…/buckets#naming`.

use crate::refusal::{Refusal, Result};

const LONGEST_OBJECT: usize = 1_024;
const ACME: &str = ".well-known/acme-challenge/";

/// Refuses what cannot be an object's name.
pub fn check_object(name: &str) -> Result<()> {
    let why = if name.is_empty() {
        return Err(Refusal::required("name"));
    } else if name.len() > LONGEST_OBJECT {
        "is longer than 1024 bytes in UTF-8"
    } else if name.contains(['\r', '\n']) {
        "has a carriage return or a line feed"
    } else if matches!(name, "." | "..") {
        "is `.` or `..`"
    } else if name.starts_with(ACME) {
        "begins with `.well-known/acme-challenge/`"
    } else {
        return Ok(());
    };
    Err(Refusal::invalid(format!("Invalid object name: it {why}.")))
}

/// Refuses what cannot be a bucket's name.
pub fn check_bucket(name: &str) -> Result<()> {
    let longest = if name.contains('.') { 222 } else { 63 };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let legal =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let why = if !(3..=longest).contains(&name.len()) {
        "must have 3 to 63 characters (222 with dots)"
    } else if !name.chars().all(legal) {
        "may only have lower-case letters, digits, `-`, `_` and `.`"
    } else if !edge(name.chars().next()) || !edge(name.chars().next_back()) {
        "must begin and end with a letter or a digit"
    } else if name.starts_with("goog") || name.contains("google") {
        "may neither begin with `goog` nor contain `google`"
    } else {
        return Ok(());
    };
    Err(Refusal::invalid(format!("Invalid bucket name: '{}' {why}.", name.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_object_names_are_legal() {
        let longest = "é".repeat(512);
        for name in [
            "a",
            "a/../b",
            "./a",
            "//",
            "/a",
            "a//",
            "%2F",
            "a?b#c*[x]",
            "\\",
            "\t\u{1b}\u{7f}\u{85}\u{2028}\u{202e}\0",
            "...",
            ".well-known/x",
            &longest,
        ] {
            assert!(check_object(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn illegal_object_names_are_refused() {
        let long = "a".repeat(1_025);
        for name in ["", ".", "..", "a\nb", "a\rb", ".well-known/acme-challenge/x", &long] {
            assert!(check_object(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn bucket_names_follow_the_real_rules() {
        for name in ["abc", "my-bucket_1", "a.example.com"] {
            assert!(check_bucket(name).is_ok(), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["ab", "Abc", "-ab", "ab-", "a b c", "goog-x", "my-google", "a/b", &long] {
            assert!(check_bucket(name).is_err(), "{name}");
        }
    }
}
