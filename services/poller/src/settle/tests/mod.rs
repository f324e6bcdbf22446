//! Settlement over a simulated bucket, with external changes and faults.

mod copies;
mod looks;
mod marks;
mod odd;
mod two_minds;

use std::sync::Arc;

use brigade_sim::{Fault, Sim};
use brigade_storage::{Location, NewObject, Object, Operation};

use super::*;
use crate::{clock::SystemClock, mark};

struct World {
    sim: Sim,
    settler: Settler,
}

fn world_to(processed: Location) -> World {
    let sim = Sim::new().with_bucket("data").with_bucket("archive");
    let config = Config { processed, ..Config::for_inbox(Location::new("data", "in/")) };
    let settler = Settler::new(Arc::new(config), &sim, Arc::new(SystemClock));
    World { sim, settler }
}

fn world() -> World {
    world_to(Location::new("data", "processed/"))
}

fn archive() -> World {
    world_to(Location::new("archive", "done/"))
}

impl World {
    /// The same, with one object in the inbox.
    fn with_upload(self) -> (Self, Object) {
        let object = self.upload("in/a", "1");
        (self, object)
    }

    fn upload(&self, name: &str, content: &'static str) -> Object {
        self.sim.upload("data", name, content).unwrap()
    }

    fn names(&self, bucket: &str) -> Vec<String> {
        let objects = self.sim.objects(bucket).into_iter();
        objects.map(|object| object.name).collect()
    }

    async fn accept(&self, object: &Object) -> Placement {
        self.settler.processed(object, &[]).await.unwrap()
    }

    fn fail(&self, operation: Operation, kind: Kind) {
        self.sim.fail_next(operation, Fault::Before(kind));
    }

    /// Applies the next call, and loses its answer.
    fn lose(&self, operation: Operation) {
        self.sim.fail_next(operation, Fault::AppliedThenLost);
    }

    /// The live objects of all buckets.
    fn objects(&self) -> Vec<Object> {
        ["data", "archive"].map(|bucket| self.sim.objects(bucket)).concat()
    }

    fn content(&self, bucket: &str, name: &str) -> String {
        String::from_utf8(self.sim.content(bucket, name).unwrap().to_vec()).unwrap()
    }
}

fn because(reason: &str) -> Failure {
    Failure { reason: reason.into(), ..Failure::default() }
}

fn moved(uri: &str) -> Placement {
    Placement::Moved(uri.into())
}

#[tokio::test(start_paused = true)]
async fn an_accepted_object_is_moved_by_one_call() {
    let world = world();
    let object = world.upload("in/a/b.csv", "1");
    assert_eq!(world.accept(&object).await, moved("gs://data/processed/a/b.csv"));
    assert_eq!(world.names("data"), ["processed/a/b.csv"]);
    assert_eq!(world.sim.calls(Operation::Move), 1);
    assert_eq!(world.sim.calls(Operation::Get), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reuploaded_object_stays_in_the_inbox() {
    let world = world();
    let old = world.upload("in/a", "old");
    world.upload("in/a", "new");
    assert_eq!(world.accept(&old).await, Placement::Superseded);
    assert_eq!(world.names("data"), ["in/a"]);
    assert_eq!(world.content("data", "in/a"), "new");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_is_superseded() {
    let (world, object) = world().with_upload();
    world.sim.remove("data", "in/a").unwrap();
    assert_eq!(world.accept(&object).await, Placement::Superseded);
    let refused = world.settler.failed(&object, &because("bad"), 1).await.unwrap();
    assert_eq!(refused, Placement::Superseded);
}

#[tokio::test(start_paused = true)]
async fn a_taken_destination_is_never_replaced() {
    let world = world();
    world.upload("processed/a", "first");
    let object = world.upload("in/a", "second");
    let placed = world.accept(&object).await;
    let beside = format!("processed/a.{}", object.generation);
    assert_eq!(placed, moved(&format!("gs://data/{beside}")));
    assert_eq!(world.content("data", "processed/a"), "first");
    assert_eq!(world.content("data", &beside), "second");
}

#[tokio::test(start_paused = true)]
async fn a_refused_object_says_why_and_keeps_what_people_wrote_on_it() {
    let world = world();
    let new = NewObject {
        content: "x".into(),
        content_type: "text/csv".into(),
        metadata: [("owner".to_owned(), "lab".to_owned())].into(),
    };
    let object = world.sim.upload_new("data", "in/a", new).unwrap();
    world.settler.failed(&object, &because("line 3: no"), 2).await.unwrap();
    let failed = world.sim.objects("data").remove(0);
    assert_eq!(failed.name, "failed/a");
    assert_eq!(failed.content_type, "text/csv");
    let source = format!("gs://data/in/a#{}", object.generation);
    for (key, value) in [
        (mark::STATUS, "failed"),
        (mark::REASON, "line 3: no"),
        (mark::ATTEMPTS, "2"),
        (mark::SOURCE, &source),
        ("owner", "lab"),
    ] {
        assert_eq!(failed.metadata[key], value);
    }
    assert!(failed.metadata.contains_key(mark::FAILED_AT));
}

#[tokio::test(start_paused = true)]
async fn metadata_that_changed_meanwhile_is_kept() {
    let (world, object) = world().with_upload();
    world.sim.annotate("data", "in/a", "note", "mine").unwrap();
    world.settler.failed(&object, &because("bad"), 1).await.unwrap();
    let failed = world.sim.objects("data").remove(0);
    assert_eq!(failed.metadata["note"], "mine");
    assert_eq!(failed.name, "failed/a");
}

#[tokio::test(start_paused = true)]
async fn a_move_whose_answer_was_lost_is_recognised() {
    let (world, object) = world().with_upload();
    world.lose(Operation::Move);
    assert_eq!(world.accept(&object).await, moved("gs://data/processed/a"));
    assert_eq!(world.names("data"), ["processed/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_recognised_even_when_the_name_was_uploaded_again() {
    let (world, object) = world().with_upload();
    world.lose(Operation::Move);
    let settling = world.settler.processed(&object, &[]);
    let uploading = async {
        while !world.names("data").contains(&"processed/a".to_owned()) {
            tokio::task::yield_now().await;
        }
        world.upload("in/a", "2");
    };
    let (placed, ()) = tokio::join!(settling, uploading);
    assert_eq!(placed.unwrap(), moved("gs://data/processed/a"));
    assert_eq!(world.names("data"), ["in/a", "processed/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_mark_whose_answer_was_lost_is_not_written_twice() {
    let (world, object) = world().with_upload();
    world.lose(Operation::Update);
    world.settler.failed(&object, &because("bad"), 1).await.unwrap();
    assert_eq!(world.names("data"), ["failed/a"]);
    assert_eq!(world.sim.calls(Operation::Update), 1);
}

#[tokio::test(start_paused = true)]
async fn errors_that_heal_are_waited_out() {
    let (world, object) = world().with_upload();
    for _ in 0..3 {
        world.fail(Operation::Move, Kind::Busy { retry_after: None });
    }
    assert_eq!(world.accept(&object).await, moved("gs://data/processed/a"));
    assert_eq!(world.sim.calls(Operation::Move), 4);
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_is_missing_is_an_error_and_moves_nothing() {
    let (world, object) = world().with_upload();
    world.fail(Operation::Move, Kind::PermissionDenied);
    let error = world.settler.processed(&object, &[]).await.unwrap_err();
    assert!(error.needs_fix(), "{error}");
    assert_eq!(world.names("data"), ["in/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_keeps_an_object_where_it_is() {
    let (world, object) = world().with_upload();
    world.sim.set_temporary_hold("data", "in/a", true).unwrap();
    assert!(matches!(world.accept(&object).await, Placement::Held(_)));
    assert_eq!(world.names("data"), ["in/a"]);
}

#[tokio::test(start_paused = true)]
async fn another_bucket_gets_a_copy_and_the_source_goes() {
    let (world, object) = archive().with_upload();
    assert_eq!(world.accept(&object).await, moved("gs://archive/done/a"));
    assert_eq!(world.names("data"), [""; 0]);
    assert_eq!(world.content("archive", "done/a"), "1");
}

#[tokio::test(start_paused = true)]
async fn a_copy_in_several_steps_is_carried_to_its_end() {
    let World { sim, settler } = archive();
    let world = World { sim: sim.with_rewrite_step(4), settler };
    let object = world.upload("in/a", "0123456789");
    world.accept(&object).await;
    assert_eq!(world.content("archive", "done/a"), "0123456789");
    assert_eq!(world.sim.calls(Operation::Rewrite), 3);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_a_crash_left_behind_is_completed_and_not_doubled() {
    let (world, object) = archive().with_upload();
    world.fail(Operation::Delete, Kind::PermissionDenied);
    world.settler.processed(&object, &[]).await.unwrap_err();
    assert_eq!(world.names("archive"), ["done/a"]);

    assert_eq!(world.accept(&object).await, moved("gs://archive/done/a"));
    assert_eq!(world.names("archive"), ["done/a"]);
    assert_eq!(world.names("data"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_whose_answers_are_lost_is_made_once() {
    let (world, object) = archive().with_upload();
    world.lose(Operation::Rewrite);
    world.lose(Operation::Delete);
    assert_eq!(world.accept(&object).await, moved("gs://archive/done/a"));
    assert_eq!(world.names("archive"), ["done/a"]);
    assert_eq!(world.names("data"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_appears_in_between_is_waited_for_and_the_copy_is_used_then() {
    let (world, object) = archive().with_upload();
    (world.sim).set_event_based_hold("data", "in/a", true).unwrap();
    assert!(matches!(world.accept(&object).await, Placement::Held(_)));
    assert_eq!(world.names("data"), ["in/a"]);

    let marked = (world.sim).set_event_based_hold("data", "in/a", false).unwrap();
    let placed = world.settler.complete(&marked).await.unwrap();
    assert_eq!(placed, moved("gs://archive/done/a"));
    assert_eq!(world.names("data"), [""; 0]);
    assert_eq!(world.names("archive"), ["done/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_completed_under_the_date_of_its_verdict() {
    let mut world = world_to(Location::new("archive", "done/{date}/"));
    world.settler.clock = Arc::new(Day("2026-01-31T23:59:59Z"));
    let object = world.upload("in/a", "1");
    world.fail(Operation::Delete, Kind::PermissionDenied);
    world.settler.processed(&object, &[]).await.unwrap_err();

    world.settler.clock = Arc::new(Day("2026-02-01T00:00:01Z"));
    let marked = &world.sim.objects("data")[0];
    let placed = world.settler.complete(marked).await.unwrap();
    assert_eq!(placed, moved("gs://archive/done/2026/01/31/a"));
    assert_eq!(world.names("archive"), ["done/2026/01/31/a"]);
}

/// A clock that stands still.
#[derive(Debug)]
struct Day(&'static str);

impl Clock for Day {
    fn now(&self) -> jiff::Timestamp {
        self.0.parse().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_reupload_during_a_copy_stays_in_the_inbox() {
    let world = archive();
    let object = world.upload("in/a", "old");
    let settling = world.settler.processed(&object, &[]);
    let uploading = async {
        while world.names("archive").is_empty() {
            tokio::task::yield_now().await;
        }
        world.upload("in/a", "new");
    };
    let (placed, ()) = tokio::join!(settling, uploading);
    assert_eq!(placed.unwrap(), moved("gs://archive/done/a"));
    assert_eq!(world.content("archive", "done/a"), "old");
    assert_eq!(world.content("data", "in/a"), "new");
}
