//! A program that breaks the protocol, or writes more than anyone reads.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::json;

use super::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_meaning() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let one = worker.accepts().await;
    let refused = worker.process("refuse").await;
    assert_eq!((refused.status, refused.error()), (500, "column day is missing"));
    let later = worker.process("later").await;
    assert_eq!((later.status, later.error()), (503, "the database is locked"));
    let misconfigured = worker.process("misconfigured").await;
    assert_eq!((misconfigured.status, misconfigured.reason()), (403, "WORKER_MISCONFIGURED"));
    assert!(misconfigured.error().contains("no licence"));
    assert_eq!(worker.accepts().await, one, "none of them ends the process");
    let recycled = worker.process("recycle").await;
    assert_eq!((recycled.status, recycled.summary()), (200, &*one));
    assert_ne!(worker.accepts().await, one);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_on_stdout_costs_neither_memory_nor_the_answer() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let one = worker.accepts().await;
    let answer = worker.process("flood 100").await;
    assert_eq!((answer.status, answer.summary()), (200, &*one), "{answer:?}");
    assert_eq!(worker.accepts().await, one);
    let log = worker.process.log().len();
    assert!(log < 5_000_000, "its log has {log} bytes");
    let peak = worker.process.peak_memory();
    assert!(peak < 200 << 20, "the worker took {peak} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_a_log_without_an_end_is_no_fault() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let one = worker.accepts().await;
    let answer = worker.process("endless-log").await;
    assert_eq!((answer.status, answer.summary()), (200, &*one), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_no_answer_fails_the_object_and_is_quoted() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    worker.fails("nonsense", &["Loading the model..."]).await;
    worker.fails("endless-line", &["64 KiB"]).await;
    worker.fails("two-kinds", &[]).await;
    worker.fails("other-id", &["0000000000000000"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_answers_the_first_counts_and_the_next_object_gets_another_process() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let one = worker.accepts().await;
    let answer = worker.process("two-answers").await;
    assert_eq!((answer.status, answer.summary()), (200, &*one));
    assert_ne!(worker.accepts().await, one);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_between_two_jobs_ends_the_process_and_fails_no_object() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let one = worker.accepts().await;
    let answer = worker.process("idle-line").await;
    assert_eq!((answer.status, answer.summary()), (200, &*one));
    // This job may have been sent before the line came.
    let next = worker.accepts().await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_ne!(worker.accepts().await, one, "{next} came before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_closes_a_pipe_is_replaced() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    worker.fails("close 4", &[]).await;
    let one = worker.accepts().await;
    let answer = worker.process("close 3").await;
    assert_eq!((answer.status, answer.summary()), (200, &*one), "it had read its job");
    assert_ne!(worker.accepts().await, one);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_its_process_did_not_finish_is_no_answer() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    worker.fails("partial", &["exit status 0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_longer_than_a_pipe_arrives_whole() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let metadata = json!({ "quotes": "\"".repeat(28_000), "signs": "\u{2028}ü".repeat(1_000) });
    let answer = worker.call("in/a", "size", &metadata).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let size: usize = answer.summary().parse().unwrap();
    assert!(size > 64 << 10, "{size}");
}

/// A process that had a pipe of another one would hide that one's end.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_has_no_pipe_but_its_own() {
    let Some(worker) = Worker::start("", &[("BRIGADE_PROCESSES", "3")]).await else { return };
    let mut processes = BTreeMap::new();
    while processes.len() < 3 {
        let calls =
            (0..3).map(|n| worker.process_named(["in/a", "in/b", "in/c"][n], "descriptors"));
        for answer in join_all(calls).await {
            let labels = &answer.body["labels"];
            let list = |name: &str| -> Vec<String> {
                serde_json::from_str(labels[name].as_str().unwrap()).unwrap()
            };
            processes.insert(answer.summary().to_owned(), (list("own"), list("every")));
        }
    }
    for (one, (own, _)) in &processes {
        for (other, (_, every)) in processes.iter().filter(|(other, _)| *other != one) {
            assert!(own.iter().all(|pipe| !every.contains(pipe)), "{other} has a pipe of {one}");
        }
    }
}
