//! The summary and labels of an accepted object for a log line: escaped, because the worker chooses them, and short.

use std::{collections::HashMap, fmt::Write as _};

use brigade_storage::object::escape;

/// Labels in one line, as `brigade.v1.ProcessResponse` documents.
const MAX_LABELS: usize = 16;
/// Bytes of a label's name, escaped.
const MAX_NAME: usize = 64;
/// Bytes of its value.
const MAX_VALUE: usize = 256;
/// Bytes of a summary.
const MAX_SUMMARY: usize = 1_024;

/// A summary; nothing when there is none.
pub(super) fn summary(summary: &str) -> Option<String> {
    (!summary.is_empty()).then(|| shorten(summary, MAX_SUMMARY))
}

/// The first labels by name, as `days=10 model="a b"`, and how many more there are; nothing when there is none.
pub(super) fn labels(labels: &HashMap<String, String>) -> Option<String> {
    if labels.is_empty() {
        return None;
    }
    let mut sorted: Vec<_> = labels.iter().collect();
    sorted.sort_unstable();
    let mut shown = String::new();
    for (name, value) in sorted.iter().take(MAX_LABELS) {
        let (name, value) = (quoted(name, MAX_NAME), quoted(value, MAX_VALUE));
        // Writing to a string does not fail.
        let _ = write!(shown, "{name}={value} ");
    }
    match labels.len().saturating_sub(MAX_LABELS) {
        0 => drop(shown.pop()),
        more => {
            let _ = write!(shown, "and {more} more");
        }
    }
    Some(shown)
}

/// In quotes where it could be taken for something else.
fn quoted(text: &str, max: usize) -> String {
    let short = shorten(text, max);
    if short.is_empty() || short.contains([' ', '=', '"']) {
        format!("\"{}\"", short.replace('"', "\\\""))
    } else {
        short
    }
}

/// Escaped, and cut where it would be longer than `max` bytes: at a character, never within an escape.
fn shorten(text: &str, max: usize) -> String {
    const MORE: char = '…';
    let mut shown = String::new();
    let mut buffer = [0; 4];
    for c in text.chars() {
        let next = escape(c.encode_utf8(&mut buffer)).to_string();
        if shown.len() + next.len() > max {
            shown.push(MORE);
            break;
        }
        shown.push_str(&next);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<const N: usize>(pairs: [(&str, &str); N]) -> Option<String> {
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        labels(&HashMap::from(pairs))
    }

    #[test]
    fn labels_are_in_the_order_of_their_names_and_can_be_told_apart() {
        let line =
            shown([("slope", "+21.76"), ("days", "10"), ("model", "a \"b\" c=d"), ("none", "")]);
        let words = r#"days=10 model="a \"b\" c=d" none="" slope=+21.76"#;
        assert_eq!(line.unwrap(), words);
        assert_eq!(shown([]), None);
        assert_eq!(summary(""), None);
    }

    #[test]
    fn nothing_that_a_worker_answers_acts_on_a_terminal_or_begins_a_line() {
        let odd = "a\u{1b}[31m\r\nlevel=ERROR\u{202e}\u{85}\0";
        let line = shown([(odd, odd)]).unwrap() + &summary(odd).unwrap();
        let acts = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!line.contains(acts), "{line:?}");
        assert!(line.contains("\\u{1b}[31m\\r\\n"), "{line}");
    }

    #[test]
    fn what_is_too_long_or_too_much_is_cut_and_counted() {
        let long = "\u{202e}é".repeat(10_000);
        let many: HashMap<_, _> =
            (0..1_000).map(|n| (format!("{n:04}{long}"), long.clone())).collect();
        let shown = labels(&many).unwrap();
        assert!(shown.ends_with(" and 984 more"), "{shown}");
        let most = MAX_LABELS * (MAX_NAME + MAX_VALUE + 16) + 16;
        assert!(shown.len() <= most, "{}", shown.len());
        let summary = summary(&long).unwrap();
        assert!(summary.len() <= MAX_SUMMARY + 3, "{}", summary.len());
        assert!(summary.ends_with('…'), "{summary}");
    }
}
