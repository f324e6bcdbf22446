//! Which listed objects are work, and why the others are not.

use std::time::Duration;

use brigade_proto::v1::Filter;
use brigade_storage::Object;
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
    folder(object)
        .or_else(|| skip_name(config, &object.name))
        .or_else(|| young(config, object, now))
        .or_else(|| held(object, now))
        .or_else(|| not_due(object, now))
}

/// The same for an object that a caller names, at any age: the minimum age keeps polls off what an event is about to name.
pub(crate) fn skip_named(config: &Config, object: &Object, now: Timestamp) -> Option<Skip> {
    folder(object)
        .or_else(|| skip_name(config, &object.name))
        .or_else(|| held(object, now))
        .or_else(|| not_due(object, now))
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
    match &config.matching {
        Some(glob) if !glob.is_match(below) => skip(Filter::Match, glob.glob().glob()),
        Some(_) | None => None,
    }
}

fn young(config: &Config, object: &Object, now: Timestamp) -> Option<Skip> {
    // A creation time ahead of our clock is an age of nothing, not an overflow.
    let age = Duration::try_from(now.duration_since(object.created)).unwrap_or_default();
    if age < config.min_age {
        return skip(Filter::MinAge, format!("{age:?} old; minimum {:?}", config.min_age));
    }
    None
}

fn folder(object: &Object) -> Option<Skip> {
    if object.size == 0 && object.name.ends_with('/') {
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
mod tests {
    use brigade_storage::Location;
    use globset::GlobBuilder;

    use super::*;
    use crate::tests::object;

    fn config(inbox: &str) -> Config {
        Config {
            processed: Location::new("bucket", "processed"),
            failed: Location::new("other", "in/"),
            ..Config::for_inbox(Location::new("bucket", inbox))
        }
    }

    fn filter_of(config: &Config, object: &Object) -> Option<Filter> {
        let now = Timestamp::from_second(100).unwrap();
        skip_listed(config, object, now).map(|skip| skip.filter)
    }

    #[test]
    fn an_ordinary_object_is_work_even_when_it_is_empty() {
        let mut empty = object("in/a.csv", 1);
        empty.size = 0;
        assert_eq!(filter_of(&config("in"), &empty), None);
    }

    #[test]
    fn an_empty_name_with_a_slash_is_a_folder_and_one_with_content_is_work() {
        let with_content = object("in/folder/", 1);
        let mut placeholder = object("in/folder/", 1);
        placeholder.size = 0;
        assert_eq!(filter_of(&config("in"), &with_content), None);
        assert_eq!(filter_of(&config("in"), &placeholder), Some(Filter::Folder));
    }

    #[test]
    fn destinations_and_the_control_prefix_are_never_work() {
        let config = config("");
        for (name, filter) in [
            ("processed/x", Some(Filter::Destination)),
            ("processed2/x", None),
            (".brigade/in/lease", Some(Filter::Control)),
            ("in/x", None),
        ] {
            assert_eq!(filter_of(&config, &object(name, 1)), filter, "{name}");
        }
    }

    #[test]
    fn a_name_that_begins_like_a_dated_destination_is_work() {
        let config = Config {
            processed: Location::new("bucket", "done-{date}/"),
            failed: Location::new("bucket", "failed/{date}/"),
            ..config("")
        };
        for (name, filter) in [
            ("done-report.csv", None),
            ("done-2026/report.csv", None),
            ("done-2026/03/04/report.csv", Some(Filter::Destination)),
            ("failed-report.csv", None),
            ("failed/2026/03/04/report.csv", Some(Filter::Destination)),
            ("failed/report.csv", Some(Filter::Destination)),
        ] {
            assert_eq!(filter_of(&config, &object(name, 1)), filter, "{name}");
        }
    }

    #[test]
    fn a_lease_uploaded_below_the_inbox_is_not_work_either() {
        assert_eq!(
            filter_of(&config("in"), &object("in/.brigade/lease", 1)),
            Some(Filter::Control)
        );
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        let glob = |pattern: &str| {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build().unwrap();
            Config { matching: Some(glob.compile_matcher()), ..config("in") }
        };
        let deep = object("in/night/a.csv", 1);
        assert_eq!(filter_of(&glob("*.csv"), &deep), Some(Filter::Match));
        assert_eq!(filter_of(&glob("**/*.csv"), &deep), None);
        assert_eq!(filter_of(&glob("**/*.csv"), &object("in/a.csv", 1)), None);
    }

    #[test]
    fn young_and_future_objects_wait_for_their_age() {
        let config = Config { min_age: Duration::from_secs(60), ..config("in") };
        let mut young = object("in/a", 1);
        young.created = Timestamp::from_second(41).unwrap();
        assert_eq!(filter_of(&config, &young), Some(Filter::MinAge));
        young.created = Timestamp::from_second(40).unwrap();
        assert_eq!(filter_of(&config, &young), None);
        young.created = Timestamp::from_second(900).unwrap();
        assert_eq!(filter_of(&config, &young), Some(Filter::MinAge));
    }

    #[test]
    fn an_object_whose_worker_asked_for_time_waits_for_it() {
        let mut asked = object("in/a", 1);
        asked.metadata = mark::retry(&asked, "", 1, Timestamp::from_second(101).unwrap());
        assert_eq!(filter_of(&config("in"), &asked), Some(Filter::NotDue));
        asked.metadata = mark::retry(&asked, "", 1, Timestamp::from_second(100).unwrap());
        assert_eq!(filter_of(&config("in"), &asked), None);
    }

    #[test]
    fn holds_and_unexpired_retention_keep_an_object_from_the_worker() {
        let mut held = object("in/a", 1);
        held.retention_expires = Some(Timestamp::from_second(101).unwrap());
        assert_eq!(filter_of(&config("in"), &held), Some(Filter::Held));
        held.retention_expires = Some(Timestamp::from_second(100).unwrap());
        assert_eq!(filter_of(&config("in"), &held), None);
        held.event_based_hold = true;
        assert_eq!(filter_of(&config("in"), &held), Some(Filter::Held));
    }
}
