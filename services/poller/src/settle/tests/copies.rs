//! Copies of several calls, and copies that earlier versions made.

use std::sync::atomic::{AtomicU64, Ordering};

use brigade_sim::Call;

use super::*;

/// A copy into the other bucket that takes as many calls as the content has bytes.
fn copying(content: String) -> (World, Object) {
    let World { sim, settler } = archive();
    let world = World { sim: sim.with_rewrite_step(1), settler };
    let object = world.sim.upload("data", "in/a", content).unwrap();
    (world, object)
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_400_calls_is_done_in_little_more_with_one_fault_in_fifty() {
    let (world, object) = copying("x".repeat(400));
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    world.sim.set_faults(move |_: &Call| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        match (number % 50, number / 50 % 3) {
            (49, 0) => Some(Fault::Before(Kind::Unknown)),
            (49, 1) => Some(Fault::AppliedThenLost),
            (49, _) => Some(Fault::Before(Kind::Busy { retry_after: None })),
            _ => None,
        }
    });
    assert_eq!(world.accept(&object).await, moved("gs://archive/done/a"));
    assert!(count.load(Ordering::SeqCst) <= 440, "{count:?} calls");
    assert_eq!(world.names("archive"), ["done/a"]);
    assert_eq!(world.names("data"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_whose_last_answer_of_several_is_lost_is_made_once() {
    let (world, object) = copying("xxx".into());
    world.sim.fail_nth(Operation::Rewrite, 3, Fault::AppliedThenLost);
    assert_eq!(world.accept(&object).await, moved("gs://archive/done/a"));
    assert_eq!(world.names("archive"), ["done/a"]);
    assert_eq!(world.sim.calls(Operation::Rewrite), 4);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_begins_the_copy_again_once() {
    for kind in [Kind::Invalid, Kind::NotFound, Kind::Precondition] {
        let (world, object) = copying("xxx".into());
        world.sim.fail_nth(Operation::Rewrite, 2, Fault::Before(kind.clone()));
        assert_eq!(world.accept(&object).await, moved("gs://archive/done/a"));
        assert_eq!(world.sim.calls(Operation::Rewrite), 5);

        let (world, object) = copying("xxx".into());
        for number in [2, 4] {
            world.sim.fail_nth(Operation::Rewrite, number, Fault::Before(kind.clone()));
        }
        let error = world.settler.processed(&object, &[]).await.unwrap_err();
        assert_eq!(error.kind(), &kind);
        assert_eq!(world.sim.calls(Operation::Rewrite), 4);
        assert_eq!(world.names("archive"), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_uploaded_again_during_a_copy_of_several_calls_ends_it() {
    let (world, object) = copying("xxx".into());
    let settling = world.settler.processed(&object, &[]);
    let uploading = async {
        while world.sim.calls(Operation::Rewrite) < 2 {
            tokio::task::yield_now().await;
        }
        world.upload("in/a", "new");
    };
    let (placed, ()) = tokio::join!(settling, uploading);
    assert_eq!(placed.unwrap(), Placement::Superseded);
    assert_eq!((world.names("data"), world.names("archive")), (vec!["in/a".into()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_copy_under_the_name_that_an_earlier_version_gave_it_is_used() {
    for taken in [1, 2] {
        let world = archive();
        let object = world.upload("in/a.csv", "1");
        world.sim.upload("archive", "done/a.csv", "another").unwrap();
        let older = format!("done/a.csv.{}", object.generation);
        let mut at = older.clone();
        if taken == 2 {
            world.sim.upload("archive", &older, "another").unwrap();
            at.push_str(".2");
        }
        let mark = mark::copied(&object);
        let copy = world.sim.bucket("data");
        copy.rewrite(object.pinned(), "archive", &at, Some(&mark), None).await.unwrap();

        assert_eq!(world.accept(&object).await, moved(&format!("gs://archive/{at}")));
        assert_eq!(world.names("data"), [""; 0]);
        assert_eq!(world.names("archive").len(), taken + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_in_another_bucket_keeps_its_extension() {
    let world = archive();
    world.sim.upload("archive", "done/a.csv", "another").unwrap();
    let object = world.upload("in/a.csv", "1");
    let uri = format!("gs://archive/done/a.{}.csv", object.generation);
    assert_eq!(world.accept(&object).await, moved(&uri));
}
