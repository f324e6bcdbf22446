//! Two verdicts on one object, and what else is written on it meanwhile.

use super::*;

fn failed(destination: &str) -> Placement {
    Placement::Overruled {
        by: RecordedVerdict::Failed("no".into()),
        destination: destination.into(),
    }
}

impl World {
    /// Where the one object is, and what verdict is on it.
    fn only(&self) -> (String, String) {
        let objects = self.objects();
        let [object] = &objects[..] else {
            panic!("{objects:?}");
        };
        let status = object.metadata.get(mark::STATUS);
        (object.name.clone(), status.cloned().unwrap_or_default())
    }

    /// Another poller marks it as failed, and dies before it is moved.
    async fn fail_and_die(&self, object: &Object) {
        self.fail(Operation::Move, Kind::PermissionDenied);
        self.settler.failed(object, &because("no"), 1).await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_verdicts_on_one_object_the_first_counts_and_leaves_one_copy() {
    for world in [world(), archive()] {
        let object = world.upload("in/a", "1");
        let no = because("no");
        let (processed, failed) = tokio::join!(
            world.settler.processed(&object, &[]),
            world.settler.failed(&object, &no, 1),
        );
        let outcomes = [processed.unwrap(), failed.unwrap()];
        let (name, status) = world.only();
        assert!(
            [("done/a", "processed"), ("failed/a", "failed")].contains(&(&*name, &*status))
                || (&*name, &*status) == ("processed/a", ""),
            "{name} is marked as {status}"
        );
        let moved = |placed: &&Placement| !matches!(placed, Placement::Superseded);
        assert_eq!(outcomes.iter().filter(moved).count(), 1, "{outcomes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_bears_another_verdict_is_moved_by_that_one() {
    for world in [world(), archive()] {
        let object = world.upload("in/a", "1");
        world.fail_and_die(&object).await;
        assert_eq!(world.accept(&object).await, failed("gs://data/failed/a"));
        assert_eq!(world.only(), ("failed/a".into(), "failed".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_accepted_first_is_never_failed() {
    let (world, object) = archive().with_upload();
    world.fail(Operation::Rewrite, Kind::PermissionDenied);
    world.settler.processed(&object, &[]).await.unwrap_err();
    let placed = world.settler.failed(&object, &because("no"), 1).await.unwrap();
    let accepted = Placement::Overruled {
        by: RecordedVerdict::Processed,
        destination: "gs://archive/done/a".into(),
    };
    assert_eq!(placed, accepted);
    assert_eq!(world.only(), ("done/a".into(), "processed".into()));
}

#[tokio::test(start_paused = true)]
async fn a_note_that_somebody_writes_meanwhile_keeps_no_object_from_its_place() {
    for world in [world(), archive()] {
        let object = world.upload("in/a", "1");
        for number in ["1", "2"] {
            let noted = world.sim.annotate("data", "in/a", "note", number);
            noted.unwrap();
        }
        let placed = world.accept(&object).await;
        assert!(matches!(placed, Placement::Moved(_)), "{placed:?}");
        assert_eq!(world.objects()[0].metadata["note"], "2");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_verdict_somebody_takes_off_stays_for_a_new_try() {
    let (world, object) = world().with_upload();
    world.fail_and_die(&object).await;
    let marked = world.sim.objects("data").remove(0);
    world.sim.annotate("data", "in/a", mark::STATUS, "").unwrap();
    let placed = world.settler.complete(&marked).await.unwrap();
    assert_eq!(placed, Placement::Superseded);
    assert_eq!(world.only(), ("in/a".into(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn the_verdict_of_an_earlier_generation_does_not_lie_beside_a_new_one() {
    let (world, object) = world().with_upload();
    world.settler.failed(&object, &because("no"), 1).await.unwrap();
    let moved_back = world.sim.carry(("data", "failed/a"), ("data", "in/a"));
    let placed = world.settler.processed(&moved_back.unwrap(), &[]).await.unwrap();
    assert_eq!(placed, moved("gs://data/processed/a"));
    assert_eq!(world.only(), ("processed/a".into(), "processed".into()));
}

#[tokio::test(start_paused = true)]
async fn the_verdict_of_an_earlier_generation_goes_even_where_there_is_no_room_for_a_new_one() {
    let (world, object) = world().with_upload();
    world.settler.failed(&object, &because("no"), 1).await.unwrap();
    let there = world.sim.objects("data").remove(0);
    let size: usize = there.metadata.iter().map(|(k, v)| k.len() + v.len()).sum();
    let notes = "x".repeat(8 * 1_024 - size - "notes".len());
    (world.sim).annotate("data", "failed/a", "notes", &notes).unwrap();
    let moved_back = world.sim.carry(("data", "failed/a"), ("data", "in/a"));
    let moved_back = moved_back.unwrap();
    let longer = "it is no better than it was";
    let placed = world.settler.failed(&moved_back, &because(longer), 1).await.unwrap();
    assert_eq!(placed, moved("gs://data/failed/a"));
    assert_eq!(world.only(), ("failed/a".into(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_uploaded_again_are_not_taken_for_a_version_that_was_refused() {
    let (world, refused) = world().with_upload();
    world.settler.failed(&refused, &because("bad"), 1).await.unwrap();
    let again = world.upload("in/a", "1");
    assert_eq!(world.accept(&again).await, moved("gs://data/processed/a"));
    world.fail(Operation::Move, Kind::Unknown);
    assert_eq!(world.accept(&refused).await, Placement::Superseded);
    assert_eq!(world.names("data"), ["failed/a", "processed/a"]);
}
