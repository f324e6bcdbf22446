//! Which objects each filter leaves out.

use brigade_storage::{Location, Metadata, provenance};

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
fn an_empty_name_of_hadoops_is_a_folder_and_one_with_content_is_work() {
    let with_content = object("in/night_$folder$", 1);
    let mut marker = object("in/night_$folder$", 1);
    marker.size = 0;
    assert_eq!(filter_of(&config("in"), &with_content), None);
    assert_eq!(filter_of(&config("in"), &marker), Some(Filter::Folder));
}

#[test]
fn parts_of_unfinished_uploads_are_never_work() {
    let unfinished = "in/gcloud/tmp/parallel_composite_uploads/1";
    for inbox in ["", "in", "in/gcloud"] {
        let found = filter_of(&config(inbox), &object(unfinished, 1));
        assert_eq!(found, Some(Filter::Unfinished), "{inbox}");
    }
    assert_eq!(
        skip_name(&config("in"), unfinished).unwrap().detail,
        "a part of an upload by gcloud"
    );
}

#[test]
fn empty_objects_are_work_unless_the_option_leaves_them_out() {
    let config = Config { skip_empty: true, ..config("in") };
    let mut empty = object("in/a.csv", 1);
    empty.size = 0;
    assert_eq!(filter_of(&config, &empty), Some(Filter::Empty));
    assert_eq!(filter_of(&config, &object("in/a.csv", 1)), None);
}

#[test]
fn an_excluded_object_is_no_work_even_when_it_matches() {
    let config = Config {
        matching: Some("**/*.csv".parse().unwrap()),
        exclude: Some("**/tmp-*".parse().unwrap()),
        ..config("in")
    };
    for (name, filter) in [
        ("in/a.csv", None),
        ("in/x/tmp-a.csv", Some(Filter::Exclude)),
        ("in/tmp-a.txt", Some(Filter::Match)),
    ] {
        assert_eq!(filter_of(&config, &object(name, 1)), filter, "{name}");
    }
}

#[test]
fn outputs_of_this_inbox_are_no_work_and_those_of_another_are_until_their_16th_hop() {
    let output = |inbox: Option<&str>, hops: &str| {
        let mut object = object("in/a.csv", 1);
        let mut marks = Metadata::from([(provenance::KEY.to_owned(), "bucket/in/a#1".to_owned())]);
        marks.insert(provenance::HOPS.to_owned(), hops.to_owned());
        marks.extend(inbox.map(|inbox| (provenance::INBOX.to_owned(), inbox.to_owned())));
        object.metadata = marks;
        object
    };
    for (inbox, hops, filter) in [
        (Some("gs://bucket/in/"), "1", Some(Filter::Output)),
        (Some("gs://bucket/in2/"), "1", None),
        (Some("gs://bucket/"), "15", None),
        (Some("gs://bucket/in2/"), "16", Some(Filter::Output)),
        (None, "1", None),
        (None, "16", Some(Filter::Output)),
    ] {
        let object = output(inbox, hops);
        assert_eq!(filter_of(&config("in"), &object), filter, "{inbox:?} {hops}");
    }
    // The poller writes the other marks itself, on objects that are no outputs.
    let mut moved_back = output(Some("gs://bucket/in/"), "16");
    moved_back.metadata.remove(provenance::KEY);
    assert_eq!(filter_of(&config("in"), &moved_back), None);
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
    assert_eq!(filter_of(&config("in"), &object("in/.brigade/lease", 1)), Some(Filter::Control));
}

#[test]
fn a_star_stops_at_a_slash_and_two_do_not() {
    let glob = |pattern: &str| Config { matching: Some(pattern.parse().unwrap()), ..config("in") };
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
