//! Where a replayed object goes, however its name was changed.

use brigade_storage::Location;

use super::*;
use crate::mark;

fn placed(failed: &str) -> World {
    world_with(refusing(), "in/", |config| config.failed = Location::new("data", failed))
}

#[tokio::test(start_paused = true)]
async fn an_object_goes_back_to_the_name_that_it_had() {
    let long = "x".repeat(1_020);
    let names = [
        "a/x.csv",
        "a//b",
        "a/../b",
        "%2F",
        "tab\there",
        "\u{202e}gpj.exe",
        "é/日本/👩",
        "#7",
        "in/in/x",
        &*long,
    ];
    for failed in
        ["failed/", "bad/{date}/", "bad-{date}/", "archive/of/what/failed/in/the/pipeline/"]
    {
        // Names over the limit of Cloud Storage were never in the inbox.
        let names = names.map(|name| format!("in/{name}"));
        let world = placed(failed);
        for name in &names {
            world.put(&[name], "1");
        }
        world.poll_all().await;
        assert_eq!(world.asked(), names.len());
        let said = replay(&world.poller, everything()).await;
        assert_eq!(said.counts().replayed, 10, "{failed}: {said:?}");
        let mut names = names.to_vec();
        names.sort();
        assert_eq!(world.names(), names, "{failed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_tagged_with_its_generation_loses_the_tag() {
    let world = failed(&["x.csv"]).await;
    let world = failed_in(world, &["x.csv"]).await;
    world.sim.remove("data", "failed/x.csv").unwrap();
    let [tagged] = &world.names()[..] else { panic!("{:?}", world.names()) };
    assert!(tagged.starts_with("failed/x.") && tagged.len() > "failed/x.csv".len(), "{tagged}");
    replay(&world.poller, everything()).await;
    assert_eq!(world.names(), ["in/x.csv"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_put_into_the_failed_location_goes_to_its_name_there_with_its_metadata() {
    let world = world(Script::default());
    world.put(&["failed/b/x.csv"], "1");
    world.sim.annotate("data", "failed/b/x.csv", mark::SOURCE, "gs://data/in/other#1").unwrap();
    let said = replay(&world.poller, everything()).await;
    assert_eq!(said.results(), [("b/x.csv", ReplayResult::Replayed)]);
    assert_eq!(world.names(), ["in/b/x.csv"]);
    assert_eq!(world.written(mark::SOURCE), "gs://data/in/other#1");
}

#[tokio::test(start_paused = true)]
async fn a_source_outside_of_the_inbox_is_no_destination() {
    let sources = [
        "gs://archive/in/x#1",
        "gs://data/processed/x#1",
        "gs://data/in/.brigade/lease#1",
        "gs://data/.brigade/in/lease#1",
        "gs://data/in2/x#1",
        "nonsense",
    ];
    for source in sources {
        let world = world(Script::default());
        world.put(&["failed/x"], "1");
        world.sim.annotate("data", "failed/x", mark::STATUS, "failed").unwrap();
        world.sim.annotate("data", "failed/x", mark::SOURCE, source).unwrap();
        let said = replay(&world.poller, everything()).await;
        let names = world.names();
        let is_control = source.contains("in/.brigade");
        assert_eq!(names, [if is_control { "failed/x" } else { "in/x" }], "{source}: {said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_would_land_in_a_destination_stays() {
    let world = world_with(Script::default(), "", |_| {});
    world.put(&["failed/failed/x", "failed/.brigade/lease", "failed/processed/x"], "1");
    let said = replay(&world.poller, everything()).await;
    assert_eq!(said.counts(), ReplayCounts { errors: 3, ..Default::default() });
    assert!(said.objects[0].reason.contains("no poll would find it"), "{}", said.objects[0].reason);
    assert!(world.all_in("failed/"));
}
