//! A failed location in another bucket: a copy, and a deletion.

use brigade_storage::Location;

use super::*;
use crate::mark;

pub(super) fn archiving(worker: Script) -> World {
    world_with(worker, "in/", |config| config.failed = Location::new("archive", "failed/"))
}

#[tokio::test(start_paused = true)]
async fn an_object_comes_back_from_another_bucket_without_its_marks() {
    let world = failed_in(archiving(refusing()), &["a", "b"]).await;
    world.upload(&["b"]);
    let said = replay(&world.poller, everything()).await;
    assert_eq!(said.results(), [("a", ReplayResult::Replayed), ("b", ReplayResult::Conflict)]);
    assert_eq!(said.objects[0].destination, "gs://data/in/a");
    let marks: Vec<_> = world.sim.objects("data")[0].metadata.keys().cloned().collect();
    assert_eq!(marks, [mark::SOURCE]);
    assert_eq!(world.sim.objects("archive").len(), 1);
    assert_eq!(world.sim.calls(Operation::Rewrite), 2 + 2);
    world.poll_all().await;
    assert_eq!(world.sim.objects("archive").len(), 3);
    assert_eq!(world.names(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_completes_a_replay_that_broke_off_before_it_passes_the_copy_on() {
    for accepts in [true, false] {
        let first = [Answer::status(Code::InvalidArgument, "no day")];
        let first = std::sync::Mutex::new([("a", first.into())].into());
        let otherwise = if accepts { None } else { refusing().otherwise };
        let world =
            failed_in(archiving(Script { first, otherwise, ..Script::default() }), &["a"]).await;
        world.refuse(Operation::Delete, Kind::Unknown);
        let said = replay(&world.poller, everything()).await;
        assert!(said.error.is_some(), "{said:?}");
        world.sim.clear_faults();
        assert_eq!(
            (world.names(), world.sim.objects("archive").len()),
            (vec!["in/a".to_owned()], 1)
        );
        // Deleting the original fails: the copy waits.
        world.fail(1, Operation::Delete, Kind::PermissionDenied);
        assert_eq!(world.poll_all().await.settled, [("in/a".into(), Settlement::Retry)]);
        assert_eq!(world.asked(), 1);
        world.poll_all().await;
        assert_eq!(world.asked(), 2);
        let places = [world.names().len(), world.sim.objects("archive").len()];
        assert_eq!(places, if accepts { [1, 0] } else { [0, 1] });
        replay(&world.poller, named(&["missing"])).await;
        assert!(world.sim.fates().iter().all(|fate| fate.places.len() == 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_begun_again_completes_its_copy() {
    let world = failed_in(archiving(refusing()), &["a"]).await;
    world.refuse(Operation::Delete, Kind::Unknown);
    replay(&world.poller, everything()).await;
    world.sim.clear_faults();
    let said = replay(&world.poller, everything()).await;
    assert_eq!(said.results(), [("a", ReplayResult::Replayed)]);
    assert_eq!((world.names().len(), world.sim.objects("archive").len()), (1, 0));
    assert_eq!(moves_in(&world.sim), [("in/a".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_names_a_failed_object_of_other_content_removes_nothing() {
    let world = failed_in(archiving(refusing()), &["a"]).await;
    let original = world.sim.objects("archive")[0].clone();
    for source in [original.generation, 7] {
        let source = format!("gs://archive/{}#{source}", original.name);
        let metadata = Metadata::from([(mark::SOURCE.to_owned(), source)]);
        let new =
            brigade_storage::NewObject { content: bytes("2"), metadata, ..Default::default() };
        world.sim.upload_new("data", "in/evil", new).unwrap();
        world.poll_all().await;
        assert!(world.sim.objects("archive").contains(&original));
    }
}

fn bytes(content: &'static str) -> brigade_storage::Content {
    content.as_bytes().to_vec().into()
}
