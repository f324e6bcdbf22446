//! Which listed objects are work, and why the others are not.

use std::time::Duration;

use brigade_proto::v1::Filter;
use brigade_storage::{Location, Object};
use globset::GlobMatcher;
use jiff::Timestamp;

use crate::mark;

/// Everything under this prefix of the inbox's bucket is the poller's own.
pub const CONTROL_PREFIX: &str = ".brigade/";

/// The filters of one inbox.
#[derive(Clone, Debug)]
pub struct Filters {
    /// Where objects come from.
    pub inbox: Location,
    /// Where settled objects go, on whatever day.
    pub destinations: Vec<Location>,
    /// Objects younger than this are left alone.
    pub min_age: Duration,
    /// Matched against the name below the inbox; `*` stops at `/`, `**` does not.
    pub matching: Option<GlobMatcher>,
}

/// Why an object is not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Which filter.
    pub filter: Filter,
    /// The value that decided.
    pub detail: String,
}

impl Filters {
    /// Why this object is not work, or nothing if it is.
    pub fn skip(&self, object: &Object, now: Timestamp) -> Option<Skip> {
        folder(object)
            .or_else(|| self.skip_name(&object.name))
            .or_else(|| self.young(object, now))
            .or_else(|| held(object, now))
            .or_else(|| not_due(object, now))
    }

    /// The same for an object that somebody names: the minimum age keeps polls off what an event is on its way for.
    pub fn skip_at_any_age(&self, object: &Object, now: Timestamp) -> Option<Skip> {
        folder(object)
            .or_else(|| self.skip_name(&object.name))
            .or_else(|| held(object, now))
            .or_else(|| not_due(object, now))
    }

    /// Why nothing of this name in the inbox's bucket is work.
    pub fn skip_name(&self, name: &str) -> Option<Skip> {
        let below = self.inbox.below(name);
        if below.starts_with(CONTROL_PREFIX) || name.starts_with(CONTROL_PREFIX) {
            return skip(Filter::Control, CONTROL_PREFIX);
        }
        let destination = self
            .destinations
            .iter()
            .find(|destination| destination.holds_on_any_day(&self.inbox.bucket, name));
        if let Some(destination) = destination {
            return skip(Filter::Destination, destination.to_string());
        }
        match &self.matching {
            Some(glob) if !glob.is_match(below) => skip(Filter::Match, glob.glob().glob()),
            Some(_) | None => None,
        }
    }

    fn young(&self, object: &Object, now: Timestamp) -> Option<Skip> {
        // A creation time ahead of our clock is an age of nothing, not an overflow.
        let age = Duration::try_from(now.duration_since(object.created)).unwrap_or_default();
        if age < self.min_age {
            return skip(
                Filter::MinAge,
                format!("{age:?} old, wanted {:?}", self.min_age),
            );
        }
        None
    }
}

fn folder(object: &Object) -> Option<Skip> {
    if object.size == 0 && object.name.ends_with('/') {
        return skip(Filter::Folder, "an empty object that ends in a slash");
    }
    None
}

fn held(object: &Object, now: Timestamp) -> Option<Skip> {
    skip(Filter::Held, object.held(now)?)
}

/// Its worker asked for time, or storage refuses to move it.
fn not_due(object: &Object, now: Timestamp) -> Option<Skip> {
    let due = mark::due(object).filter(|due| *due > now)?;
    skip(Filter::NotDue, format!("due at {due}"))
}

#[allow(clippy::unnecessary_wraps, reason = "spares every caller a Some")]
fn skip(filter: Filter, detail: impl Into<String>) -> Option<Skip> {
    Some(Skip {
        filter,
        detail: detail.into(),
    })
}

#[cfg(test)]
mod tests {
    use globset::GlobBuilder;

    use super::*;
    use crate::testing::object;

    fn filters(inbox: &str) -> Filters {
        Filters {
            inbox: Location::new("bucket", inbox),
            destinations: vec![
                Location::new("bucket", "processed"),
                Location::new("other", "in/"),
            ],
            min_age: Duration::ZERO,
            matching: None,
        }
    }

    fn filter_of(filters: &Filters, object: &Object) -> Option<Filter> {
        let now = Timestamp::from_second(100).unwrap();
        filters.skip(object, now).map(|skip| skip.filter)
    }

    #[test]
    fn an_ordinary_object_is_work_even_when_it_is_empty() {
        let mut empty = object("in/a.csv", 1);
        empty.size = 0;
        assert_eq!(filter_of(&filters("in"), &empty), None);
    }

    #[test]
    fn an_empty_name_with_a_slash_is_a_folder_and_one_with_content_is_work() {
        let with_content = object("in/folder/", 1);
        let mut placeholder = object("in/folder/", 1);
        placeholder.size = 0;
        assert_eq!(filter_of(&filters("in"), &with_content), None);
        assert_eq!(
            filter_of(&filters("in"), &placeholder),
            Some(Filter::Folder)
        );
    }

    #[test]
    fn destinations_and_the_control_prefix_are_never_work() {
        let filters = filters("");
        for (name, filter) in [
            ("processed/x", Some(Filter::Destination)),
            ("processed2/x", None),
            (".brigade/in/lease", Some(Filter::Control)),
            ("in/x", None),
        ] {
            assert_eq!(filter_of(&filters, &object(name, 1)), filter, "{name}");
        }
    }

    #[test]
    fn a_name_that_begins_like_a_dated_destination_is_work() {
        let filters = Filters {
            destinations: vec![
                Location::new("bucket", "done-{date}/"),
                Location::new("bucket", "failed/{date}/"),
            ],
            ..filters("")
        };
        for (name, filter) in [
            ("done-report.csv", None),
            ("done-2026/report.csv", None),
            ("done-2026/03/04/report.csv", Some(Filter::Destination)),
            ("failed-report.csv", None),
            ("failed/2026/03/04/report.csv", Some(Filter::Destination)),
            ("failed/report.csv", Some(Filter::Destination)),
        ] {
            assert_eq!(filter_of(&filters, &object(name, 1)), filter, "{name}");
        }
    }

    #[test]
    fn a_lease_uploaded_below_the_inbox_is_not_work_either() {
        assert_eq!(
            filter_of(&filters("in"), &object("in/.brigade/lease", 1)),
            Some(Filter::Control)
        );
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        let glob = |pattern: &str| {
            let glob = GlobBuilder::new(pattern)
                .literal_separator(true)
                .build()
                .unwrap();
            Filters {
                matching: Some(glob.compile_matcher()),
                ..filters("in")
            }
        };
        let deep = object("in/night/a.csv", 1);
        assert_eq!(filter_of(&glob("*.csv"), &deep), Some(Filter::Match));
        assert_eq!(filter_of(&glob("**/*.csv"), &deep), None);
        assert_eq!(filter_of(&glob("**/*.csv"), &object("in/a.csv", 1)), None);
    }

    #[test]
    fn young_and_future_objects_wait_for_their_age() {
        let filters = Filters {
            min_age: Duration::from_secs(60),
            ..filters("in")
        };
        let mut young = object("in/a", 1);
        young.created = Timestamp::from_second(41).unwrap();
        assert_eq!(filter_of(&filters, &young), Some(Filter::MinAge));
        young.created = Timestamp::from_second(40).unwrap();
        assert_eq!(filter_of(&filters, &young), None);
        young.created = Timestamp::from_second(900).unwrap();
        assert_eq!(filter_of(&filters, &young), Some(Filter::MinAge));
    }

    #[test]
    fn an_object_whose_worker_asked_for_time_waits_for_it() {
        let mut asked = object("in/a", 1);
        asked.metadata = mark::retry(&asked, "", 1, Timestamp::from_second(101).unwrap());
        assert_eq!(filter_of(&filters("in"), &asked), Some(Filter::NotDue));
        asked.metadata = mark::retry(&asked, "", 1, Timestamp::from_second(100).unwrap());
        assert_eq!(filter_of(&filters("in"), &asked), None);
    }

    #[test]
    fn holds_and_unexpired_retention_keep_an_object_from_the_worker() {
        let mut held = object("in/a", 1);
        held.retention_expires = Some(Timestamp::from_second(101).unwrap());
        assert_eq!(filter_of(&filters("in"), &held), Some(Filter::Held));
        held.retention_expires = Some(Timestamp::from_second(100).unwrap());
        assert_eq!(filter_of(&filters("in"), &held), None);
        held.event_based_hold = true;
        assert_eq!(filter_of(&filters("in"), &held), Some(Filter::Held));
    }
}
