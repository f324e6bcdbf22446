//! Where a run may work: never where anything is, and never where a poller works.

use std::str::FromStr as _;

use brigade_poller::config::Config;
use brigade_runtime::{exit::Failure, settings::names};
use brigade_storage::{Bucket, ListRequest, Location};

use crate::doctor::storage_failure;

/// The variable of the inbox.
const INBOX: &str = "BRIGADE_INBOX";

/// The parser of an argument.
pub(super) fn place(given: &str) -> Result<Location, String> {
    let place = Location::from_str(given).map_err(|error| error.to_string())?;
    if place.prefix.is_empty() {
        return Err(
            "a prefix is needed, so that no other object is near: gs://BUCKET/PREFIX/".to_owned()
        );
    }
    Ok(place)
}

/// Refuses a place that touches one of a poller's or worker's settings.
pub(super) fn check_settings(
    place: &Location,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    let given = |name: &'static str| {
        let location = lookup(name)?.trim().parse::<Location>().ok()?;
        Some((name, location))
    };
    let mut taken: Vec<(&str, Location)> = [INBOX, names::PROCESSED, names::FAILED, names::OUTPUT]
        .into_iter()
        .filter_map(given)
        .collect();
    if let Some((name, inbox)) = given(INBOX) {
        let config = Config::for_inbox(inbox);
        let lease = Location::new(&config.inbox.bucket, brigade_poller::filter::CONTROL_PREFIX);
        taken.extend([config.processed, config.failed, lease].map(|place| (name, place)));
    }
    let touches = |other: &Location| {
        let other = other.fixed();
        other.bucket == place.bucket
            && (other.prefix.starts_with(&place.prefix) || place.prefix.starts_with(&other.prefix))
    };
    match taken.iter().find(|(_, location)| touches(location)) {
        Some((name, location)) => Err(Failure::usage(
            format!(
                "{place} and {location} have names in common, and {name} is set for a poller or worker there"
            ),
            "choose a prefix that nothing else uses",
        )),
        None => Ok(()),
    }
}

/// Refuses a place that has an object.
pub(super) async fn check_empty(bucket: &dyn Bucket, place: &Location) -> Result<(), Failure> {
    let request =
        ListRequest { prefix: place.prefix.clone(), page_size: 1, ..ListRequest::default() };
    let page = bucket.list(&request).await;
    let page =
        page.map_err(|error| storage_failure(&error, "storage.objects.list on the bucket"))?;
    match page.objects.first() {
        Some(object) => Err(Failure::usage(
            format!(
                "{place} has objects, such as {}",
                brigade_storage::object::escape(&object.name)
            ),
            "choose a prefix below which nothing is",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_touches_a_pollers_or_workers_place_is_refused() {
        let settings = [(INBOX, "gs://data/in/"), (names::OUTPUT, "gs://out/features/{date}/")];
        let lookup = |name: &str| {
            let found = settings.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        for (given, is_free) in [
            ("gs://data/in/", false),
            ("gs://data/in/a/", false),
            ("gs://data/processed/x/", false),
            ("gs://data/failed/", false),
            ("gs://data/.brigade/x/", false),
            ("gs://out/features/2026/", false),
            ("gs://data/in2/", true),
            ("gs://data/contract/", true),
            ("gs://else/in/", true),
        ] {
            let place = place(given).unwrap();
            assert_eq!(check_settings(&place, lookup).is_ok(), is_free, "{given}");
        }
        assert!(place("gs://data").is_err());
        assert!(place("gs://data/").is_err());
        let whole = |name: &str| (name == INBOX).then(|| "gs://data".to_owned());
        assert!(check_settings(&place("gs://data/contract/").unwrap(), whole).is_err());
    }
}
