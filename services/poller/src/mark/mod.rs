//! What the poller writes on an object: the keys of its custom metadata, and how they are read back.
//!
//! Metadata survives a move, so a person who moves a failed object back into the inbox moves its mark too. A mark
//! therefore names the one generation it was written on, and counts for that one alone.

mod failure;
mod text;

use brigade_storage::{Metadata, Object, provenance};
use jiff::{SignedDuration, Timestamp};

pub use self::failure::Failure;
pub(crate) use self::failure::{LOST_CALLS, STORAGE_UNAVAILABLE, grpc_code};
pub(crate) use self::text::outputs_from;
use self::text::{MAX_REASON, outputs_in, printable};
use crate::losses::Losses;

/// `processed` or `failed`: the verdict.
pub const STATUS: &str = "brigade-status";
/// Why it failed: the first 1,024 bytes, printable.
pub const REASON: &str = "brigade-reason";
/// The status that the worker returned: `INVALID_ARGUMENT`, or `HTTP 422` of an HTTP worker.
pub const CODE: &str = "brigade-code";
/// How the worker's program ended, such as `exit status 3`.
pub const EXIT: &str = "brigade-exit";
/// What kind of failure it is: equal for files that failed for one cause.
pub const KIND: &str = "brigade-kind";
/// The attempts of this generation.
pub const ATTEMPTS: &str = "brigade-attempts";
/// The object that was marked, as `gs://bucket/name#generation`.
pub use brigade_storage::provenance::SOURCE;
/// When it failed, RFC 3339 in UTC.
pub const FAILED_AT: &str = "brigade-failed-at";
/// When it was accepted, RFC 3339 in UTC. Written only when objects go to other buckets, get a shorter name, have an older
/// mark on them, or cannot be moved; or on each by `BRIGADE_MARK_PROCESSED`.
pub const PROCESSED_AT: &str = "brigade-processed-at";
/// The outputs that the worker named, beside it: URIs, separated by blanks.
pub const OUTPUTS: &str = "brigade-outputs";
/// Calls about this generation that were lost, and what is known of each.
pub const LOSSES: &str = "brigade-losses";
/// Since when storage has not let the worker read this generation, or write its outputs, RFC 3339 in UTC.
pub const UNREAD_SINCE: &str = "brigade-unread-since";
/// The earliest time to ask the worker again, or to move an object that has a verdict, RFC 3339 in UTC.
pub const RETRY_AT: &str = "brigade-retry-at";

pub(crate) const PROCESSED: &str = "processed";
pub(crate) const FAILED: &str = "failed";
/// The limit of Cloud Storage for keys and values together, in bytes.
const MAX_METADATA: usize = 8 * 1024;

/// No mark of the poller is about a later time than this after its writing; an hour and its jitter is the longest pause.
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// All of them. A mark removes the keys that it does not write, so that nothing on an object contradicts its last mark. What
/// a worker writes on its outputs beside the source is not the poller's, and stays.
const KEYS: [&str; 13] = [
    STATUS,
    REASON,
    CODE,
    EXIT,
    KIND,
    ATTEMPTS,
    SOURCE,
    FAILED_AT,
    PROCESSED_AT,
    OUTPUTS,
    RETRY_AT,
    LOSSES,
    UNREAD_SINCE,
];

/// A verdict that is written on its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedVerdict {
    /// The worker accepted it.
    Processed,
    /// It failed, for this reason.
    Failed(String),
}

/// The mark of an accepted object; without its outputs when they find no room.
pub fn processed(object: &Object, outputs: &[String], now: Timestamp) -> Metadata {
    let mark = only([
        (STATUS, PROCESSED.into()),
        (SOURCE, source(object)),
        (PROCESSED_AT, seconds(now)),
        (OUTPUTS, outputs_in(outputs)),
    ]);
    fitting(object, mark, &[OUTPUTS])
}

/// The mark of a refused object; without the details of its failure when they find no room.
pub fn failed(object: &Object, failure: &Failure, attempts: u32, now: Timestamp) -> Metadata {
    let mark = only([
        (STATUS, FAILED.into()),
        (REASON, printable(&failure.reason, MAX_REASON)),
        (CODE, failure.code.clone()),
        (EXIT, failure.exit.clone()),
        (KIND, failure.kind.clone()),
        (ATTEMPTS, attempts.to_string()),
        (SOURCE, source(object)),
        (FAILED_AT, seconds(now)),
    ]);
    fitting(object, mark, &[CODE, EXIT, KIND])
}

/// The mark of an object whose worker asked for time. It removes what was written on an earlier generation: from here on
/// the mark names this one as its source, and an old verdict would pass for its own.
pub fn retry(object: &Object, reason: &str, attempts: u32, due: Timestamp) -> Metadata {
    let attempts = if attempts == 0 { String::new() } else { attempts.to_string() };
    only([
        (REASON, printable(reason, MAX_REASON)),
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

/// Removes the time of the next try.
pub(crate) fn not_deferred() -> Metadata {
    Metadata::from([(RETRY_AT.to_owned(), String::new())])
}

/// Whether anything is written on an object, of any generation, but the source that the output of a worker has too.
pub(crate) fn is_marked(object: &Object) -> bool {
    KEYS.iter().any(|&key| key != SOURCE && object.metadata.contains_key(key))
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
    bounded_time(object, RETRY_AT)
}

/// A time that this poller could have written on exactly this generation: no earlier than its upload, and no later than
/// [`MOST_AHEAD`] after its last change. Any account that may update the object can write another one.
fn bounded_time(object: &Object, key: &str) -> Option<Timestamp> {
    let written: Timestamp = read(object, key)?.parse().ok()?;
    let latest = object.updated.checked_add(MOST_AHEAD).unwrap_or(Timestamp::MAX);
    Some(written.max(object.created).min(latest))
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

/// Why exactly this generation is tried again, or has failed.
pub(crate) fn reason(object: &Object) -> &str {
    read(object, REASON).unwrap_or_default()
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
    bounded_time(object, UNREAD_SINCE)
}

/// Whether `mark` fits on the object, beside what is on it.
pub(crate) fn has_room(object: &Object, mark: &Metadata) -> bool {
    let marked = with(object, mark);
    let sizes = marked.iter().map(|(key, value)| key.len() + value.len());
    sizes.sum::<usize>() <= MAX_METADATA
}

/// `mark`, without `extras` where it does not fit on the object with them.
fn fitting(object: &Object, mut mark: Metadata, extras: &[&str]) -> Metadata {
    if !has_room(object, &mark) {
        mark.extend(extras.iter().map(|&key| (key.to_owned(), String::new())));
    }
    mark
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

#[cfg(test)]
mod tests;
