//! Objects that are odd in themselves, and buckets that are.

use std::time::Duration;

use brigade_storage::{Kind, Metadata, RewriteStep};
use tokio::time::Instant;

use super::*;

/// As long as a name may be at its destination.
fn longest() -> String {
    format!("in/{}", "é".repeat((1_024 - "processed/".len()) / 2))
}

#[tokio::test(start_paused = true)]
async fn a_suffix_that_makes_a_name_too_long_is_cut_and_the_whole_name_kept() {
    let world = world();
    let name = longest();
    let taken = name.replacen("in/", "processed/", 1);
    assert_eq!(taken.len(), 1_024);
    world.upload(&taken, "old");
    let object = world.upload(&name, "new");
    let Placement::Moved(uri) = world.accept(&object).await else {
        panic!("it was not moved");
    };
    let at = uri.strip_prefix("gs://data/").unwrap();
    assert!(at.len() <= 1_024 && at != taken);
    assert_eq!(world.content("data", &taken), "old");
    assert_eq!(world.content("data", at), "new");
    let moved = world.sim.objects("data");
    let moved = moved.iter().find(|object| object.name == at).unwrap();
    assert_eq!(moved.metadata[mark::SOURCE], format!("gs://data/{name}#{}", object.generation));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_short_enough_costs_one_call() {
    let world = world();
    let object = world.upload(&format!("in/{}", "x".repeat(900)), "1");
    world.accept(&object).await;
    assert_eq!((world.sim.calls(Operation::Move), world.sim.calls(Operation::Update)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_composite_object_is_recognised_without_its_md5() {
    let world = world();
    world.upload("in/a", "composed");
    let object = world.sim.make_composite("data", "in/a").unwrap();
    assert_eq!(object.md5, None);
    world.lose(Operation::Move);
    assert_eq!(world.accept(&object).await, moved("gs://data/processed/a"));
    assert_eq!(world.names("data"), ["processed/a"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_metadata_leaves_no_room_for_the_verdict_is_moved_without_it() {
    let world = world();
    let full = Metadata::from([("notes".into(), "x".repeat(8 * 1_024 - 5))]);
    let new = NewObject { content: "1".into(), metadata: full.clone(), ..NewObject::default() };
    let object = world.sim.upload_new("data", "in/a", new).unwrap();
    let placed = world.settler.failed(&object, &because("no"), 1).await.unwrap();
    assert_eq!(placed, moved("gs://data/failed/a"));
    assert_eq!(world.sim.objects("data")[0].metadata, full);
}

#[tokio::test(start_paused = true)]
async fn a_destination_bucket_that_is_missing_needs_a_fix_and_nothing_is_moved() {
    let world = world_to(Location::new("missing", "done/"));
    let object = world.upload("in/a", "1");
    let error = world.settler.processed(&object, &[]).await.unwrap_err();
    assert!(error.needs_fix(), "{error}");
    assert_eq!(error.kind(), &Kind::NoBucket);
    assert_eq!(world.names("data"), ["in/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_crashed_between_two_steps_is_made_whole_by_the_next() {
    let World { sim, settler } = archive();
    let world = World { sim: sim.with_rewrite_step(4), settler };
    let object = world.upload("in/a", "0123456789");
    let step =
        world.sim.bucket("data").rewrite(object.pinned(), "archive", "done/a", None, None).await;
    assert!(matches!(step, Ok(RewriteStep::More(_))), "{step:?}");
    assert_eq!(world.names("archive"), [""; 0], "half an object is visible");

    assert_eq!(world.accept(&object).await, moved("gs://archive/done/a"));
    assert_eq!(world.content("archive", "done/a"), "0123456789");
    assert_eq!(world.names("data"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_versioned_bucket_keeps_a_version_of_whatever_leaves_the_inbox() {
    for (world, elsewhere) in [(world(), false), (archive(), true)] {
        let World { sim, settler } = world;
        let world = World {
            sim: sim.with_versioned_bucket("data").with_versioned_bucket("archive"),
            settler,
        };
        let object = world.upload("in/a", "1");
        let placed = world.accept(&object).await;
        assert!(matches!(placed, Placement::Moved(_)), "{placed:?}");
        let kept = world.sim.noncurrent("data");
        let kept: Vec<_> = kept.iter().map(|kept| (&*kept.name, kept.generation)).collect();
        assert_eq!(kept, [("in/a", object.generation)], "elsewhere: {elsewhere}");
        assert_eq!(world.sim.noncurrent("archive"), []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_storages_own_wish_for_a_pause_is_honoured_and_clamped() {
    for (wish, want) in [(20, 20), (3_600, 30)] {
        let (world, object) = world().with_upload();
        let busy = Kind::Busy { retry_after: Some(Duration::from_secs(wish)) };
        world.sim.fail_next(Operation::Move, Fault::Before(busy));
        let began = Instant::now();
        world.accept(&object).await;
        let waited = began.elapsed().as_secs();
        assert!((want..want + 2).contains(&waited), "{waited} s for {wish} s");
    }
}
