//! The three places of objects: the inbox, and its processed and failed locations.

use std::sync::Arc;

use brigade_proto::v1::Place;
use brigade_storage::{Bucket, Location, Object, provenance};
use jiff::{SignedDuration, Timestamp};

use crate::{config::Config, destination::dated, filter::CONTROL_PREFIX, instance::Instance, mark};

/// So many days are looked at for an object whose place's prefix has a `{date}`, when its name does not say which.
const DAYS: i64 = 8;

/// The location of a place; nothing for `PLACE_UNSPECIFIED`.
pub(crate) fn location(config: &Config, place: Place) -> Option<&Location> {
    match place {
        Place::Unspecified => None,
        Place::Inbox => Some(&config.inbox),
        Place::Processed => Some(&config.processed),
        Place::Failed => Some(&config.failed),
    }
}

/// The bucket of a place.
pub(crate) fn bucket(instance: &Instance, place: Place) -> Arc<dyn Bucket> {
    match place {
        Place::Processed => instance.settler.processed.clone(),
        Place::Failed => instance.settler.failed.clone(),
        Place::Inbox | Place::Unspecified => instance.settler.source(),
    }
}

/// The place that has this name. Where one place lies in another, the inner one has it.
pub(crate) fn find(config: &Config, bucket: &str, name: &str) -> Option<Place> {
    let is_control = config.inbox.bucket == bucket
        && (name.starts_with(CONTROL_PREFIX)
            || config.inbox.below(name).starts_with(CONTROL_PREFIX));
    if is_control {
        return None;
    }
    let places = [Place::Inbox, Place::Processed, Place::Failed];
    let holds = |place: &Place| {
        location(config, *place).is_some_and(|place| place.holds_on_any_day(bucket, name))
    };
    // Of two equal ones the later: a destination is never work.
    places.into_iter().filter(holds).max_by_key(|place| prefix(config, *place).len())
}

/// The part of the place's prefix that is the same every day.
pub(crate) fn prefix(config: &Config, place: Place) -> String {
    location(config, place).map(|location| location.fixed().prefix).unwrap_or_default()
}

/// The name of an object below its place.
pub(crate) fn path<'a>(config: &Config, place: Place, name: &'a str) -> &'a str {
    name.strip_prefix(&*prefix(config, place)).unwrap_or(name)
}

/// The name that an object had, or has, below the inbox, as far as its marks tell.
pub(crate) fn inbox_path(config: &Config, place: Place, object: &Object) -> String {
    let source = provenance::source_in(&object.metadata)
        .filter(|_| place != Place::Inbox && object.metadata.contains_key(mark::STATUS))
        .filter(|source| config.inbox.holds(&source.bucket, &source.name));
    match source {
        Some(source) => config.inbox.below(&source.name).to_owned(),
        None => path(config, place, &object.name).to_owned(),
    }
}

/// The whole names that the name below a place may mean.
pub(crate) fn names(config: &Config, place: Place, below: &str, now: Timestamp) -> Vec<String> {
    let Some(location) = location(config, place) else { return Vec::new() };
    let fixed = location.fixed().prefix;
    let mut names = vec![format!("{fixed}{below}")];
    if fixed != location.prefix {
        let days = (0..DAYS).filter_map(|days| {
            let day = now.checked_sub(SignedDuration::from_hours(24 * days)).ok()?;
            Some(format!("{}{below}", dated(&location.prefix, day)))
        });
        names.extend(days);
    }
    names
}
