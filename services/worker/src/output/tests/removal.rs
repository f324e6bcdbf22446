//! Which outputs a run removes, and which it leaves.

use super::*;

#[tokio::test]
async fn the_outputs_of_a_run_that_fails_or_panics_are_removed() {
    for end in ["refuse", "retry", "panic", "a//b"] {
        let worker = worker();
        worker.process("x", format!("one\ntwo\n{end}")).await.unwrap_err();
        assert!(worker.outputs().is_empty(), "{end}: {:?}", worker.outputs());
        assert_eq!(worker.bucket().objects(BUCKET).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_outputs_of_a_run_that_times_out_or_has_no_caller_any_more_are_removed() {
    for goes_away in [true, false] {
        let worker = worker();
        let processor = worker.processor().clone();
        let run = worker.process("x", "one\nhang");
        if goes_away {
            tokio::select! {
                answer = run => panic!("{answer:?}"),
                () = processor.writes.notified() => assert_eq!(worker.outputs(), ["x/one"]),
            }
        } else {
            assert_eq!(kind(run.await), ErrorKind::DeadlineExceeded);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(worker.outputs().is_empty(), "{:?}", worker.outputs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_stopped_and_applied_is_found_by_its_run() {
    let worker = worker();
    let late = Fault::AppliedThenDelay(Duration::from_hours(2));
    worker.bucket().fail_next(Operation::Create, late);
    assert_eq!(kind(worker.process("x", "one").await), ErrorKind::DeadlineExceeded);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(worker.outputs().is_empty());
}

#[tokio::test]
async fn what_a_killed_run_left_is_removed_by_the_next_run_of_the_object() {
    for (script, expected) in [("one", &["x/one", "y/two"][..]), ("refuse", &["y/two"])] {
        let worker = worker();
        let object = worker.upload("x", script);
        let other = worker.upload("y", "");
        leftover(worker.bucket(), "x/two", &object);
        leftover(worker.bucket(), "x/deep/three", &object);
        leftover(worker.bucket(), "y/two", &other);
        let _ = worker.process_object(&object).await;
        assert_eq!(worker.outputs(), expected);
    }
}

#[tokio::test]
async fn what_a_superseded_run_wrote_too_late_is_removed_by_the_next_run() {
    let worker = worker();
    let old = worker.upload("x", "one");
    let before = leftover(worker.bucket(), "x/before", &old);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let new = worker.upload("x", "one");
    tokio::time::sleep(Duration::from_millis(2)).await;
    leftover(worker.bucket(), "x/after", &old);
    worker.process_object(&new).await.unwrap();
    assert_eq!(worker.outputs(), ["x/before", "x/one"], "{before:?} may be of an accepted version");
}

#[tokio::test]
async fn results_of_an_accepted_older_version_stay_unless_a_new_one_has_their_name() {
    let worker = worker();
    worker.process("x", "one\ntwo").await.unwrap();
    worker.bucket().remove(BUCKET, "x").unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    worker.process("x", "two").await.unwrap();
    assert_eq!(worker.outputs(), ["x/one", "x/two"]);
    assert_eq!(worker.output("x/two").unwrap(), "two");
}

#[tokio::test]
async fn results_of_an_accepted_older_version_stay_when_the_new_one_is_refused() {
    let worker = worker();
    let first = worker.upload("x", "a.json\nb.json");
    worker.process_object(&first).await.unwrap();
    let results = || ["a.json", "b.json"].map(|name| metadata(&worker, &format!("x/{name}")));
    let before = results();
    for end in ["refuse", "retry", "panic"] {
        let answer = worker.process("x", format!("b.json\nc.json\n{end}")).await;
        answer.unwrap_err();
        assert_eq!(worker.outputs(), ["x/a.json", "x/b.json"]);
        assert_eq!(results(), before, "{end}");
    }
    worker.process("x", "b.json\nc.json").await.unwrap();
    assert_eq!(worker.outputs(), ["x/a.json", "x/b.json", "x/c.json"]);
    assert_eq!(results()[0], before[0]);
    assert_ne!(results()[1], before[1]);
}

#[tokio::test]
async fn a_run_that_fails_replaces_no_other_objects_output_by_a_setting_either() {
    let worker = worker_with("{file}", Taken::Replace);
    worker.process("x", "latest.json").await.unwrap();
    let before = metadata(&worker, "latest.json");
    worker.process("y", "latest.json\nrefuse").await.unwrap_err();
    assert_eq!(metadata(&worker, "latest.json"), before);
    worker.process("y", "latest.json").await.unwrap();
    assert_ne!(metadata(&worker, "latest.json"), before);
}

#[test]
fn an_output_of_the_same_bytes_that_is_younger_than_this_run_is_no_leftover() {
    let sim = Sim::new().with_bucket(BUCKET);
    let object = sim.upload(BUCKET, "x", "").unwrap();
    let output = leftover(&sim, "x/a", &object);
    let second = jiff::SignedDuration::from_secs(1);
    for (began, expected) in [(output.created + second, true), (output.created - second, false)] {
        assert_eq!(crate::output::cleanup::is_leftover(&output, &object, began), expected);
    }
}

#[tokio::test]
async fn a_failed_run_does_not_remove_what_another_run_of_the_same_bytes_wrote() {
    let worker = worker();
    let object = worker.upload("x", "one\nretry");
    leftover(worker.bucket(), "x/one", &object);
    assert_eq!(kind(worker.process_object(&object).await), ErrorKind::Unavailable);
    assert_eq!(worker.outputs(), ["x/one"]);
}
