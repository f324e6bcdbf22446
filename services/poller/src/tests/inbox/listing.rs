//! Listings: what they select, and how they go on.

use brigade_proto::v1::{InboxState, ListObjectsRequest};
use brigade_sim::Synthetic;
use brigade_storage::Location;
use futures::StreamExt as _;
use proptest::prelude::*;

use super::{
    super::world::{World, config},
    *,
};

/// A worker that refuses a third of the objects, for two reasons.
fn refusing() -> Script {
    script([
        ("bad1.csv", Answer::status(Code::InvalidArgument, "line 7: no day")),
        ("bad2.csv", Answer::status(Code::InvalidArgument, "line 9: no day")),
        ("broken.csv", Answer::status(Code::DataLoss, "the sum is wrong")),
    ])
}

const NAMES: [&str; 7] =
    ["a/bad1.csv", "a/good.csv", "b/bad2.csv", "b/deep/broken.csv", "b/good.txt", "bad2.csv", "z"];

#[tokio::test(start_paused = true)]
async fn each_place_lists_its_own_objects_with_what_is_written_on_them() {
    let world = world(refusing()).with(&NAMES);
    world.poll_all().await;
    world.upload(&["new.csv", "folder/"]);
    let failed = list_all(&world.poller, &all(Place::Failed)).await;
    assert_eq!(paths(&failed), ["a/bad1.csv", "b/bad2.csv", "b/deep/broken.csv", "bad2.csv"]);
    let first = &failed[0];
    assert_eq!((&*first.reason, first.status_code, first.attempts), ("line 7: no day", Some(3), 1));
    assert_eq!((&*first.code, &*first.reason_group), ("INVALID_ARGUMENT", "line #: no day"));
    assert_eq!(first.reason_group, failed[1].reason_group);
    assert!(first.source.starts_with("gs://data/in/a/bad1.csv#"), "{}", first.source);
    assert!(first.settle_time.is_some());
    let processed = list_all(&world.poller, &all(Place::Processed)).await;
    assert_eq!(paths(&processed), ["a/good.csv", "b/good.txt", "z"]);
    let inbox = list_all(&world.poller, &all(Place::Inbox)).await;
    assert_eq!(paths(&inbox), ["folder/", "new.csv"]);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_holds_its_destinations_does_not_list_them() {
    let world = world_with(leased(refusing()), "", |_| {});
    world.put(&["bad1.csv", "good.csv"], "1");
    world.poll_all().await;
    world.put(&["new.csv", ".brigade/x"], "1");
    assert_eq!(paths(&list_all(&world.poller, &all(Place::Inbox)).await), ["new.csv"]);
    assert_eq!(paths(&list_all(&world.poller, &all(Place::Failed)).await), ["bad1.csv"]);
}

#[tokio::test(start_paused = true)]
async fn the_state_in_the_inbox_says_what_an_object_waits_for() {
    let script = script([("later.csv", Answer::status(Code::Unavailable, "busy"))]);
    let world = world_with(script, "in/", |config| config.exclude = Some("*.tmp".parse().unwrap()));
    world.upload(&["later.csv"]);
    world.poll_within(10).await;
    world.upload(&["left.tmp", "new.csv"]);
    let listed = list_all(&world.poller, &all(Place::Inbox)).await;
    let states: Vec<_> = listed.iter().map(|object| (&*object.path, object.state())).collect();
    let expected = [
        ("later.csv", InboxState::Retrying),
        ("left.tmp", InboxState::LeftOut),
        ("new.csv", InboxState::Waiting),
    ];
    assert_eq!(states, expected);
    assert!(listed[0].retry_time.is_some() && listed[0].reason.contains("busy"), "{:?}", listed[0]);
    assert_eq!(listed[1].detail, "FILTER_EXCLUDE: *.tmp");
}

#[tokio::test(start_paused = true)]
async fn a_place_with_a_date_in_its_prefix_is_listed_over_all_days() {
    let world = world_with(refusing(), "in/", |config| {
        config.failed = Location::new("archive", "bad-{date}/");
    });
    world.upload(&NAMES);
    world.poll_all().await;
    world.sim.upload("archive", "bad-report.csv", "1").unwrap();
    let failed = list_all(&world.poller, &all(Place::Failed)).await;
    assert_eq!(failed.len(), 4);
    assert!(failed[0].path.ends_with("/a/bad1.csv"), "{}", failed[0].path);
    let day = failed[0].path[..10].to_owned();
    let filter = ObjectFilter { prefix: format!("{day}/b/"), ..all(Place::Failed) };
    assert_eq!(list_all(&world.poller, &filter).await.len(), 2);
}

#[tokio::test]
async fn a_hundred_thousand_objects_are_listed_with_one_page_in_memory() {
    let bucket = Synthetic::new("data", "failed/", 100_000);
    let poller = Poller::new(config("in/"), &bucket, Arc::new(Script::default()));
    let request = ListObjectsRequest { filter: Some(all(Place::Failed)), ..Default::default() };
    let mut responses = Box::pin(list::list(&poller.instance, request).unwrap());
    let (mut listed, mut most_ahead) = (0, 0);
    while let Some(response) = responses.next().await {
        listed += response.unwrap().objects.len() as u64;
        most_ahead = most_ahead.max(bucket.shown() - listed);
    }
    assert_eq!((listed, bucket.pages()), (100_000, 100));
    assert!(most_ahead < 1_000, "{most_ahead}");
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_can_select_nothing_is_refused_with_its_field() {
    let world = world(Script::default());
    let time = |seconds| Some(brigade_proto::Timestamp { seconds, nanos: 0 });
    let failed = || all(Place::Failed);
    let mut table = Vec::new();
    for filter in [
        ObjectFilter::default(),
        ObjectFilter { place: 9, ..failed() },
        ObjectFilter { since: time(5), until: time(5), ..failed() },
        ObjectFilter { since: time(i64::MAX), ..failed() },
        ObjectFilter { kind: "no-day".into(), ..all(Place::Inbox) },
        ObjectFilter { status_code: Some(3), ..all(Place::Processed) },
        ObjectFilter { reason_group: "x".into(), ..all(Place::Processed) },
        ObjectFilter { prefix: "eu/".into(), r#match: "us/*.csv".into(), ..failed() },
        ObjectFilter { r#match: "failed/*.csv".into(), ..failed() },
        ObjectFilter { r#match: "[".into(), ..failed() },
        ObjectFilter { prefix: "x\n".into(), ..failed() },
    ] {
        let error = list_in_pieces(&world.poller, &filter, 0).await.unwrap_err();
        table.push(error.to_string());
    }
    let negative = list_in_pieces(&world.poller, &failed(), -1).await.unwrap_err();
    table.push(negative.to_string());
    let request = |filter, page_token: &str| ListObjectsRequest {
        filter: Some(filter),
        page_token: page_token.to_owned(),
        limit: 1,
    };
    for (filter, token) in
        [(failed(), "x"), (failed(), &*crate::inbox::token::encode(&all(Place::Inbox), "in/a"))]
    {
        let error = list::list(&world.poller.instance, request(filter, token)).err().unwrap();
        table.push(error.to_string());
    }
    insta::assert_snapshot!(table.join("\n"));
}

pub(super) fn filters() -> impl Strategy<Value = ObjectFilter> {
    (
        prop::sample::select(vec![Place::Inbox, Place::Processed, Place::Failed]),
        prop::sample::select(vec!["", "a", "a/", "b/", "bad", "q"]),
        prop::sample::select(vec![
            "", "**", "*", "*.csv", "**/*.csv", "b/**", "bad?.csv", "{a,b}/*",
        ]),
        prop::option::of(0_i64..6),
        prop::option::of(0_i64..6),
        prop::sample::select(vec!["", "line #: no day", "other"]),
        prop::option::of(prop::sample::select(vec![3, 15])),
    )
        .prop_map(|(place, prefix, glob, since, until, group, code)| {
            let start = brigade_sim::TokioClock::START.as_second();
            let time =
                |minutes: i64| brigade_proto::Timestamp { seconds: start + 60 * minutes, nanos: 0 };
            let is_failed = place == Place::Failed;
            ObjectFilter {
                prefix: prefix.into(),
                r#match: glob.into(),
                since: since.map(time),
                until: until.map(time),
                reason_group: if is_failed { group.into() } else { String::new() },
                status_code: code.filter(|_| is_failed),
                ..all(place)
            }
        })
}

/// What the filter means, written once more.
fn matches(filter: &ObjectFilter, object: &InboxObject) -> bool {
    let time = object.settle_time.or(object.object.as_ref().unwrap().create_time).unwrap();
    let key = |time: &brigade_proto::Timestamp| (time.seconds, time.nanos);
    let glob = globset::GlobBuilder::new(&filter.r#match).literal_separator(true).build();
    object.path.starts_with(&filter.prefix)
        && (filter.r#match.is_empty() || glob.unwrap().compile_matcher().is_match(&object.path))
        && filter.since.is_none_or(|since| key(&time) >= key(&since))
        && filter.until.is_none_or(|until| key(&time) < key(&until))
        && (filter.reason_group.is_empty() || filter.reason_group == object.reason_group)
        && filter.status_code.is_none_or(|code| object.status_code == Some(code))
}

/// A world whose objects were settled and uploaded in the course of five minutes.
pub(super) async fn five_minutes() -> World {
    let world = world(refusing());
    for minute in 0..5 {
        world.upload(
            &NAMES.map(|name| Box::leak(format!("{minute}/{name}").into_boxed_str()) as &str),
        );
        world.upload(&NAMES);
        if minute % 2 == 0 {
            world.poll_all().await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_listing_is_the_filter_applied_to_every_object(filters in prop::collection::vec(filters(), 20), limit in 0_i64..9) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = five_minutes().await;
            for filter in filters {
                let place = all(Place::try_from(filter.place).unwrap());
                let mut expected = list_all(&world.poller, &place).await;
                expected.retain(|object| matches(&filter, object));
                match list_in_pieces(&world.poller, &filter, limit).await {
                    Ok(listed) => assert_eq!(listed, expected, "{filter:?}"),
                    Err(PollError::Invalid { .. }) => assert!(expected.is_empty(), "{filter:?}"),
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
}
