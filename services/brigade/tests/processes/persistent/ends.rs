//! The end of the worker.

use std::time::Duration;

use super::{Worker, gone, noted};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_answers_its_job_and_lets_the_program_end() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let (answer, ()) = tokio::join!(worker.process("wait"), async {
        worker.noted("begun").await;
        worker.process.terminate();
        while !worker.process.log().contains("shutting down") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        worker.go();
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    let (status, log) = worker.process.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(noted(worker.notes.path(), "end").await, [answer.summary()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_worker_was_killed_sees_the_end_of_its_jobs() {
    let Some(mut worker) = Worker::start("", &[]).await else { return };
    let idle = worker.accepts().await;
    worker.process.kill();
    assert_eq!(worker.noted("end").await, [&*idle]);
    gone(&idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_got_the_workers_signal_costs_no_attempt() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let (answer, ()) = tokio::join!(worker.process("wait"), async {
        let begun = worker.noted("begun").await;
        worker.process.terminate_after(&begun);
    });
    assert_eq!((answer.status, answer.reason()), (429, "WORKER_BUSY"), "{answer:?}");
}
