//! A misspelt setting must not pass in silence.

use std::ffi::{OsStr, OsString};

use super::{
    names::KNOWN,
    problems::{Problem, Problems},
};

/// Notes each variable of the environment that begins with `BRIGADE_` and is none of ours.
pub fn check_unknown(names: impl IntoIterator<Item = OsString>, problems: &mut Problems) {
    let mut unknown: Vec<_> = names
        .into_iter()
        .filter(|name| is_ours(name) && !KNOWN.iter().any(|known| name == known))
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    unknown.sort();
    for given in unknown {
        let nearest = nearest(&given);
        problems.push(Problem::Unknown { given, nearest });
    }
}

fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"BRIGADE_")
}

/// The known name that shares the most with this one, if it shares enough to be a typo of it.
fn nearest(given: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .map(|known| (distance(given, known), *known))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, known)| known)
}

/// Levenshtein's distance, by one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
