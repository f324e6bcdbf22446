//! What the poller writes on an object: the keys of its custom metadata, and how they are read back.
//!
//! Metadata survives a move, so a person who moves a failed object back into the inbox moves its mark too. A mark
//! therefore names the one generation it was written on, and counts for that one alone.

use brigade_storage::{Metadata, Object, provenance};
use jiff::Timestamp;

use crate::losses::Losses;

/// `processed` or `failed`: the verdict.
pub const STATUS: &str = "brigade-status";
/// Why it failed: the first 1,024 bytes, printable.
pub const REASON: &str = "brigade-reason";
/// The attempts of this generation.
pub const ATTEMPTS: &str = "brigade-attempts";
/// The object that was marked, as `gs://bucket/name#generation`.
pub use brigade_storage::provenance::SOURCE;
/// When it failed, RFC 3339 in UTC.
pub const FAILED_AT: &str = "brigade-failed-at";
/// When it was accepted, RFC 3339 in UTC. Written only when objects go to other buckets, get a shorter name, have an older
/// verdict on them, or cannot be moved.
pub const PROCESSED_AT: &str = "brigade-processed-at";
/// Calls about this generation that were lost, and what is known of each.
pub const LOSSES: &str = "brigade-losses";
/// Since when storage has not let the worker read this generation, or write its outputs, RFC 3339 in UTC.
pub const UNREAD_SINCE: &str = "brigade-unread-since";
/// The earliest time to ask the worker again, or to move an object that has a verdict, RFC 3339 in UTC.
pub const RETRY_AT: &str = "brigade-retry-at";

const PROCESSED: &str = "processed";
const FAILED: &str = "failed";
const MAX_REASON: usize = 1024;
/// The limit of Cloud Storage for keys and values together, in bytes.
const MAX_METADATA: usize = 8 * 1024;

/// All of them. A mark removes the keys that it does not write, so that nothing on an object contradicts its last mark.
const KEYS: [&str; 9] =
    [STATUS, REASON, ATTEMPTS, SOURCE, FAILED_AT, PROCESSED_AT, RETRY_AT, LOSSES, UNREAD_SINCE];

/// A verdict that is written on its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedVerdict {
    /// The worker accepted it.
    Processed,
    /// It failed, for this reason.
    Failed(String),
}

/// The mark of an accepted object that goes to another bucket.
pub fn processed(object: &Object, now: Timestamp) -> Metadata {
    only([(STATUS, PROCESSED.into()), (SOURCE, source(object)), (PROCESSED_AT, seconds(now))])
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

/// The mark of an object whose worker asked for time. It removes what was written on an earlier generation: from here on
/// the mark names this one as its source, and an old verdict would pass for its own.
pub fn retry(object: &Object, reason: &str, attempts: u32, due: Timestamp) -> Metadata {
    let attempts = if attempts == 0 { String::new() } else { attempts.to_string() };
    only([
        (REASON, printable(reason)),
        (ATTEMPTS, attempts),
        (SOURCE, source(object)),
        (RETRY_AT, seconds(due)),
    ])
}

/// The mark of an object whose call was lost. It is asked again at once, or at `due`.
pub(crate) fn lost(
    object: &Object,
    reason: &str,
    attempts: u32,
    losses: &Losses,
    due: Option<Timestamp>,
) -> Metadata {
    let mut mark = retry(object, reason, attempts, due.unwrap_or_default());
    if due.is_none() {
        mark.insert(RETRY_AT.into(), String::new());
    }
    mark.insert(LOSSES.into(), losses.to_string());
    mark
}

/// The mark of an object that storage does not let the worker read.
pub(crate) fn unread(
    object: &Object,
    reason: &str,
    attempts: u32,
    since: Timestamp,
    due: Timestamp,
) -> Metadata {
    let mut mark = retry(object, reason, attempts, due);
    mark.insert(UNREAD_SINCE.into(), seconds(since));
    mark
}

/// The mark of an object that storage refuses to move, beside `verdict`. Without a verdict the worker is asked again then.
pub(crate) fn deferred(object: &Object, verdict: Metadata, due: Timestamp) -> Metadata {
    let mut mark = verdict;
    mark.insert(SOURCE.into(), source(object));
    mark.insert(RETRY_AT.into(), seconds(due));
    mark
}

/// Whether two objects have the same marks.
pub(crate) fn is_same(one: &Object, other: &Object) -> bool {
    KEYS.iter().all(|&key| one.metadata.get(key) == other.metadata.get(key))
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

/// The earliest time of the next try of exactly this generation.
pub fn due(object: &Object) -> Option<Timestamp> {
    read(object, RETRY_AT)?.parse().ok()
}

/// What is written under `key` on exactly this generation.
fn read<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    let value = object.metadata.get(key)?;
    names(object, object).then_some(value)
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The mark of a copy in another bucket.
pub fn copied(object: &Object) -> Metadata {
    Metadata::from([(SOURCE.into(), source(object))])
}

/// The verdict that is written on exactly this generation: only its move is missing.
pub fn recorded_verdict(object: &Object) -> Option<RecordedVerdict> {
    match read(object, STATUS)? {
        PROCESSED => Some(RecordedVerdict::Processed),
        FAILED => {
            let reason = read(object, REASON).unwrap_or_default();
            Some(RecordedVerdict::Failed(reason.to_owned()))
        }
        _ => None,
    }
}

/// When the verdict on exactly this generation was written: the date of its destination, whenever it gets there.
pub fn recorded_at(object: &Object) -> Option<Timestamp> {
    let key = match recorded_verdict(object)? {
        RecordedVerdict::Processed => PROCESSED_AT,
        RecordedVerdict::Failed(_) => FAILED_AT,
    };
    read(object, key)?.parse().ok()
}

/// The attempts that are written on exactly this generation.
pub fn attempts(object: &Object) -> u32 {
    let count = read(object, ATTEMPTS).and_then(|count| count.parse().ok());
    count.unwrap_or(0)
}

/// The lost calls that are written on exactly this generation.
pub(crate) fn losses(object: &Object) -> Losses {
    read(object, LOSSES).map(Losses::parse).unwrap_or_default()
}

/// Since when storage has not let the worker read exactly this generation.
pub(crate) fn unread_since(object: &Object) -> Option<Timestamp> {
    read(object, UNREAD_SINCE)?.parse().ok()
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
    names(copy, object) && copy.same_content(object)
}

/// Whether the mark on `marked` names `object` as its source.
fn names(marked: &Object, object: &Object) -> bool {
    let named = marked.metadata.get(SOURCE);
    named.is_some_and(|named| *named == source(object))
}

fn source(object: &Object) -> String {
    provenance::source(&object.bucket, object.pinned())
}

/// One printable line of at most 1,024 bytes; what a reader could mistake for formatting becomes a space.
fn printable(reason: &str) -> String {
    let line = reason.trim().replace(|c: char| c.is_control() || is_format(c), " ");
    line[..line.floor_char_boundary(MAX_REASON)].to_owned()
}

fn is_format(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::object;

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
                (failed(object, "no", 1, now), vec![ATTEMPTS, FAILED_AT, REASON, SOURCE, STATUS]),
                (retry(object, "loading", 1, now), vec![ATTEMPTS, REASON, RETRY_AT, SOURCE]),
                (none(), vec![]),
            ]
        };
        let clean = object("inbox/a.csv", 7);
        for (before, _) in marks(&clean) {
            let moved_back = Object { generation: 8, ..marked(clean.clone(), &before) };
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
        first = marked(first.clone(), &failed(&first, "line 2", 3, Timestamp::UNIX_EPOCH));
        assert_eq!(recorded_verdict(&first), Some(RecordedVerdict::Failed("line 2".into())));
        assert_eq!(recorded_at(&first), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(attempts(&first), 3);

        let moved_back = Object { generation: 8, ..first };
        assert_eq!(recorded_verdict(&moved_back), None);
        assert_eq!(attempts(&moved_back), 0);
    }

    #[test]
    fn a_retry_is_due_for_its_own_generation_alone_and_is_no_verdict() {
        let mut asked = object("inbox/a.csv", 7);
        let due_at = Timestamp::from_second(90).unwrap();
        asked.metadata = retry(&asked, "loading", 2, due_at);
        assert_eq!(due(&asked), Some(due_at));
        assert_eq!((attempts(&asked), recorded_verdict(&asked)), (2, None));
        let again = Object { generation: 8, ..asked };
        assert_eq!((due(&again), attempts(&again)), (None, 0));
    }

    #[test]
    fn a_reason_is_one_printable_line_of_limited_length() {
        let reason = printable(&format!(" Traceback\n\u{1b}[31m\u{202e}{}", "é".repeat(2000)));
        assert!(reason.starts_with("Traceback  [31m é"), "{reason}");
        assert!(reason.len() <= MAX_REASON && reason.len() > MAX_REASON - 2);
    }
}
