//! A program whose memory grows.

use super::Worker;

const LIMIT: (&str, &str) = ("BRIGADE_MAX_MEMORY", "100MiB");

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_leaks_is_replaced_between_two_jobs() {
    let Some(worker) = Worker::start("", &[LIMIT]).await else { return };
    let one = worker.accepts().await;
    for (grown, goes_on) in [("leak 30", true), ("leak 80", false)] {
        let answer = worker.process(grown).await;
        assert_eq!((answer.status, answer.summary()), (200, &*one), "{answer:?}");
        assert_eq!(worker.accepts().await == one, goes_on, "{grown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_takes_too_much_memory_fails_with_the_figure() {
    let Some(worker) = Worker::start("", &[LIMIT]).await else { return };
    worker.fails("leak-and-stay 300", &["MiB", "BRIGADE_MAX_MEMORY"]).await;
}
