//! Which listed objects are work, and why the others are not.

mod unfinished;

use std::time::Duration;

use brigade_proto::v1::Filter;
use brigade_storage::{Object, provenance};
use jiff::Timestamp;

use crate::{config::Config, mark};

/// Everything under this prefix of the inbox's bucket is the poller's own.
pub const CONTROL_PREFIX: &str = ".brigade/";

/// Why an object is not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Which filter.
    pub filter: Filter,
    /// The value that decided.
    pub detail: String,
}

/// Why a listed object is not work, or nothing if it is.
pub(crate) fn skip_listed(config: &Config, object: &Object, now: Timestamp) -> Option<Skip> {
    let min_age = config.min_age.max(config.poll_min_age);
    skip_younger(config, object, now, min_age)
}

/// The same for an object that a caller names.
pub(crate) fn skip_named(config: &Config, object: &Object, now: Timestamp) -> Option<Skip> {
    skip_younger(config, object, now, config.min_age)
}

fn skip_younger(
    config: &Config,
    object: &Object,
    now: Timestamp,
    min_age: Duration,
) -> Option<Skip> {
    never(config, object).or_else(|| young(object, now, min_age)).or_else(|| not_now(object, now))
}

/// How old an object is. A creation time ahead of our clock is an age of nothing.
pub(crate) fn age(object: &Object, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(object.created)).unwrap_or_default()
}

/// Why nothing of this name in the inbox's bucket is work.
pub(crate) fn skip_name(config: &Config, name: &str) -> Option<Skip> {
    let inbox = &config.inbox;
    let below = inbox.below(name);
    if below.starts_with(CONTROL_PREFIX) || name.starts_with(CONTROL_PREFIX) {
        return skip(Filter::Control, CONTROL_PREFIX);
    }
    let destination = [&config.processed, &config.failed]
        .into_iter()
        .find(|destination| destination.holds_on_any_day(&inbox.bucket, name));
    if let Some(destination) = destination {
        return skip(Filter::Destination, destination.to_string());
    }
    if let Some(whose) = unfinished::find(name, inbox.prefix.len()) {
        return skip(Filter::Unfinished, whose);
    }
    if let Some(glob) = config.matching.as_ref().filter(|glob| !glob.is_match(below)) {
        return skip(Filter::Match, glob.pattern());
    }
    let exclude = config.exclude.as_ref().filter(|glob| glob.is_match(below))?;
    skip(Filter::Exclude, exclude.pattern())
}

/// Why an object is no work at any time.
fn never(config: &Config, object: &Object) -> Option<Skip> {
    folder(object)
        .or_else(|| skip_name(config, &object.name))
        .or_else(|| output(config, object))
        .or_else(|| empty(config, object))
}

/// Why an object is no work at this time.
fn not_now(object: &Object, now: Timestamp) -> Option<Skip> {
    held(object, now).or_else(|| not_due(object, now))
}

/// Outputs of another inbox are work: stages in a row. Those of this one would feed the inbox from itself, and so would a
/// ring of stages.
fn output(config: &Config, object: &Object) -> Option<Skip> {
    let hops = provenance::hops(&object.metadata);
    if hops == 0 {
        return None;
    }
    let made_of = object.metadata.get(provenance::KEY)?;
    if hops >= provenance::MAX_HOPS {
        return skip(
            Filter::Output,
            format!("made of {made_of}, by {hops} workers one after the other: a ring"),
        );
    }
    let inbox = object.metadata.get(provenance::INBOX)?;
    if *inbox != config.inbox.uri() {
        return None;
    }
    skip(Filter::Output, format!("made of {made_of}, a file of this inbox"))
}

fn empty(config: &Config, object: &Object) -> Option<Skip> {
    if config.skip_empty && object.size == 0 {
        return skip(Filter::Empty, "0 bytes");
    }
    None
}

fn young(object: &Object, now: Timestamp, min_age: Duration) -> Option<Skip> {
    let age = age(object, now);
    if age < min_age {
        return skip(Filter::MinAge, format!("{age:?} old; minimum {min_age:?}"));
    }
    None
}

fn folder(object: &Object) -> Option<Skip> {
    /// Ends the names of Hadoop's folders.
    const HADOOP: &str = "_$folder$";
    if object.size != 0 {
        return None;
    }
    if object.name.ends_with(HADOOP) {
        return skip(Filter::Folder, format!("an empty object whose name ends in {HADOOP}"));
    }
    if object.name.ends_with('/') {
        return skip(Filter::Folder, "an empty object whose name ends in a slash");
    }
    None
}

fn held(object: &Object, now: Timestamp) -> Option<Skip> {
    skip(Filter::Held, object.held(now)?)
}

/// The worker asked for time, or storage refuses to move it.
fn not_due(object: &Object, now: Timestamp) -> Option<Skip> {
    let due = mark::due(object).filter(|due| *due > now)?;
    skip(Filter::NotDue, format!("due at {due}"))
}

#[allow(clippy::unnecessary_wraps, reason = "spares every caller a Some")]
fn skip(filter: Filter, detail: impl Into<String>) -> Option<Skip> {
    Some(Skip { filter, detail: detail.into() })
}

#[cfg(test)]
mod tests;
