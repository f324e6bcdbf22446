//! What the poller writes on an object: the keys of its custom metadata, and how they are read back.
//!
//! Metadata survives a move, so a person who moves a failed object back into the inbox moves its mark too. A mark
//! therefore names the one generation it was written on, and counts for that one alone.

use std::fmt::Write as _;

use brigade_storage::{Metadata, Object};
use jiff::Timestamp;

/// `processed` or `failed`, on an object whose verdict is fixed.
pub const STATUS: &str = "brigade-status";
/// Why it failed: the first 1,024 bytes, printable.
pub const REASON: &str = "brigade-reason";
/// How often the worker was asked about this generation.
pub const ATTEMPTS: &str = "brigade-attempts";
/// Which object this was: `gs://bucket/name#generation`, with controls and `%` percent-encoded.
pub const SOURCE: &str = "brigade-source";
/// When it failed, RFC 3339 in UTC.
pub const FAILED_AT: &str = "brigade-failed-at";
/// When it was accepted, RFC 3339 in UTC; written only when objects go to other buckets, get a shorter name, bear an older
/// verdict, or cannot be moved.
pub const PROCESSED_AT: &str = "brigade-processed-at";
/// When the worker is to be asked again at the earliest, or an object with a verdict to be moved, RFC 3339 in UTC.
pub const RETRY_AT: &str = "brigade-retry-at";

const PROCESSED: &str = "processed";
const FAILED: &str = "failed";
const MAX_REASON: usize = 1024;
/// What Cloud Storage takes of keys and values together, in bytes.
const MAX_METADATA: usize = 8 * 1024;

/// All of them. A mark removes those that it does not write, so that nothing on an object contradicts its last mark.
const KEYS: [&str; 7] = [
    STATUS,
    REASON,
    ATTEMPTS,
    SOURCE,
    FAILED_AT,
    PROCESSED_AT,
    RETRY_AT,
];

/// A verdict that was written on its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fixed {
    /// The worker accepted it.
    Processed,
    /// It failed, for this reason.
    Failed(String),
}

/// The mark of an accepted object that goes to another bucket.
pub fn processed(object: &Object, now: Timestamp) -> Metadata {
    only([
        (STATUS, PROCESSED.into()),
        (SOURCE, source(object)),
        (PROCESSED_AT, seconds(now)),
    ])
}

/// The mark of a refused object.
pub fn failed(object: &Object, reason: &str, attempts: u32, now: Timestamp) -> Metadata {
    only([
        (STATUS, FAILED.into()),
        (REASON, printable(reason)),
        (ATTEMPTS, attempts.to_string()),
        (SOURCE, source(object)),
        (FAILED_AT, seconds(now)),
    ])
}

/// The mark of an object whose worker asked for time. What was written on an earlier generation goes: from here on this
/// one is told to be its source, and an old verdict would pass for its own.
pub fn retry(object: &Object, reason: &str, attempts: u32, due: Timestamp) -> Metadata {
    only([
        (REASON, printable(reason)),
        (ATTEMPTS, attempts.to_string()),
        (SOURCE, source(object)),
        (RETRY_AT, seconds(due)),
    ])
}

/// The mark of an object that storage refuses to move, beside `verdict`; without one the worker is asked again then.
pub fn put_off(object: &Object, verdict: Metadata, due: Timestamp) -> Metadata {
    let mut mark = verdict;
    mark.insert(SOURCE.into(), source(object));
    mark.insert(RETRY_AT.into(), seconds(due));
    mark
}

/// Whether two objects bear the same marks.
pub(crate) fn same(one: &Object, other: &Object) -> bool {
    KEYS.iter()
        .all(|&key| one.metadata.get(key) == other.metadata.get(key))
}

/// Removes every mark.
pub fn none() -> Metadata {
    only([])
}

/// These keys, and the removal of all others of ours: an empty value removes its key.
fn only<const N: usize>(written: [(&str, String); N]) -> Metadata {
    let removed = KEYS.map(|key| (key.to_owned(), String::new()));
    let mut mark = Metadata::from(removed);
    mark.extend(written.map(|(key, value)| (key.to_owned(), value)));
    mark
}

/// When exactly this generation is to be tried again, if its worker asked for time or storage refused to move it.
pub fn due(object: &Object) -> Option<Timestamp> {
    let due = object.metadata.get(RETRY_AT).filter(|_| is_own(object))?;
    due.parse().ok()
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What a copy in another bucket says of where it came from.
pub fn copied(object: &Object) -> Metadata {
    Metadata::from([(SOURCE.into(), source(object))])
}

/// The verdict that was already fixed on exactly this generation: only its move is missing.
pub fn verdict_fixed(object: &Object) -> Option<Fixed> {
    let status = object.metadata.get(STATUS).filter(|_| is_own(object))?;
    match status.as_str() {
        PROCESSED => Some(Fixed::Processed),
        FAILED => Some(Fixed::Failed(
            object.metadata.get(REASON).cloned().unwrap_or_default(),
        )),
        _ => None,
    }
}

/// When the verdict on exactly this generation was fixed: the date of its destination, whenever it gets there.
pub fn fixed_at(object: &Object) -> Option<Timestamp> {
    let key = match verdict_fixed(object)? {
        Fixed::Processed => PROCESSED_AT,
        Fixed::Failed(_) => FAILED_AT,
    };
    object.metadata.get(key)?.parse().ok()
}

/// How often the worker was asked about exactly this generation before.
pub fn attempts(object: &Object) -> u32 {
    if !is_own(object) {
        return 0;
    }
    object
        .metadata
        .get(ATTEMPTS)
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}

/// Whether `mark` fits on the object, beside what is on it.
pub(crate) fn has_room(object: &Object, mark: &Metadata) -> bool {
    let marked = with(object, mark);
    let sizes = marked.iter().map(|(key, value)| key.len() + value.len());
    sizes.sum::<usize>() <= MAX_METADATA
}

/// What is on an object once `mark` is written on it: an empty value removes its key.
fn with(object: &Object, mark: &Metadata) -> Metadata {
    let mut metadata = object.metadata.clone();
    metadata.extend(mark.clone());
    metadata.retain(|_, value| !value.is_empty());
    metadata
}

/// Whether `copy` was made of exactly this generation.
pub fn is_copy_of(copy: &Object, object: &Object) -> bool {
    copy.metadata
        .get(SOURCE)
        .is_some_and(|s| *s == source(object))
        && copy.same_content(object)
}

fn is_own(object: &Object) -> bool {
    object
        .metadata
        .get(SOURCE)
        .is_some_and(|s| *s == source(object))
}

fn source(object: &Object) -> String {
    let mut encoded = format!("gs://{}/", object.bucket);
    for c in object.name.chars() {
        if c.is_control() || c == '%' {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        } else {
            encoded.push(c);
        }
    }
    format!("{encoded}#{}", object.generation)
}

/// One printable line of at most 1,024 bytes; what a reader could mistake for formatting becomes a space.
fn printable(reason: &str) -> String {
    let mut line = String::new();
    for c in reason.trim().chars() {
        let c = if c.is_control() || is_format(c) {
            ' '
        } else {
            c
        };
        if line.len() + c.len_utf8() > MAX_REASON {
            break;
        }
        line.push(c);
    }
    line
}

fn is_format(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::object;

    /// `object` with `mark` written on it.
    fn marked(object: Object, mark: &Metadata) -> Object {
        let metadata = with(&object, mark);
        Object { metadata, ..object }
    }

    #[test]
    fn no_mark_leaves_anything_of_another_on_an_object() {
        let now = Timestamp::UNIX_EPOCH;
        let marks = |object: &Object| {
            [
                (processed(object, now), vec![PROCESSED_AT, SOURCE, STATUS]),
                (
                    failed(object, "no", 1, now),
                    vec![ATTEMPTS, FAILED_AT, REASON, SOURCE, STATUS],
                ),
                (
                    retry(object, "loading", 1, now),
                    vec![ATTEMPTS, REASON, RETRY_AT, SOURCE],
                ),
                (none(), vec![]),
            ]
        };
        let clean = object("inbox/a.csv", 7);
        for (before, _) in marks(&clean) {
            let moved_back = Object {
                generation: 8,
                ..marked(clean.clone(), &before)
            };
            for (mark, left) in marks(&moved_back) {
                let object = marked(moved_back.clone(), &mark);
                assert_eq!(object.metadata.keys().collect::<Vec<_>>(), left);
            }
        }
    }

    #[test]
    fn keys_that_a_mark_removes_take_no_room() {
        let now = Timestamp::UNIX_EPOCH;
        let mut full = marked(object("a", 7), &failed(&object("a", 7), "x", 1, now));
        let size = |object: &Object| -> usize {
            let sizes = object.metadata.iter().map(|(k, v)| k.len() + v.len());
            sizes.sum()
        };
        let rest = MAX_METADATA - size(&full) - "notes".len();
        full.metadata.insert("notes".into(), "y".repeat(rest));
        assert_eq!(size(&full), MAX_METADATA);
        assert!(has_room(&full, &failed(&full, "x", 1, now)));
        assert!(has_room(&full, &processed(&full, now)));
        assert!(!has_room(&full, &failed(&full, "xx", 1, now)));
    }

    #[test]
    fn a_mark_counts_for_its_own_generation_alone() {
        let mut first = object("inbox/a.csv", 7);
        first = marked(
            first.clone(),
            &failed(&first, "line 2", 3, Timestamp::UNIX_EPOCH),
        );
        assert_eq!(verdict_fixed(&first), Some(Fixed::Failed("line 2".into())));
        assert_eq!(fixed_at(&first), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(attempts(&first), 3);

        let moved_back = Object {
            generation: 8,
            ..first
        };
        assert_eq!(verdict_fixed(&moved_back), None);
        assert_eq!(attempts(&moved_back), 0);
    }

    #[test]
    fn a_retry_is_due_for_its_own_generation_alone_and_fixes_no_verdict() {
        let mut asked = object("inbox/a.csv", 7);
        let due_at = Timestamp::from_second(90).unwrap();
        asked.metadata = retry(&asked, "loading", 2, due_at);
        assert_eq!(due(&asked), Some(due_at));
        assert_eq!((attempts(&asked), verdict_fixed(&asked)), (2, None));
        let again = Object {
            generation: 8,
            ..asked
        };
        assert_eq!((due(&again), attempts(&again)), (None, 0));
    }

    #[test]
    fn the_source_keeps_a_whole_name_readable_and_reversible() {
        assert_eq!(
            source(&object("in/a\tb%20#é", 7)),
            "gs://bucket/in/a%09b%2520#é#7"
        );
    }

    #[test]
    fn a_reason_is_one_printable_line_of_limited_length() {
        let reason = printable(&format!(
            " Traceback\n\u{1b}[31m\u{202e}{}",
            "é".repeat(2000)
        ));
        assert!(reason.starts_with("Traceback  [31m é"), "{reason}");
        assert!(reason.len() <= MAX_REASON && reason.len() > MAX_REASON - 2);
    }
}
