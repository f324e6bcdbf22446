//! A process that ends, hangs, or leaves others behind, during a job.

use super::{Worker, gone};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_during_which_its_process_exits_fails_with_the_status_and_the_last_words() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    worker.fails("exit 3", &["exit status 3", "the last words"]).await;
    // An end without an answer accepts nothing.
    worker.fails("exit 0", &["exit status 0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_crashes_its_process_fails_with_the_name_of_the_signal() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    worker.fails("signal SIGSEGV", &["SIGSEGV", "the last words"]).await;
    worker.fails("signal SIGABRT", &["SIGABRT"]).await;
    worker.fails("signal SIGKILL", &["SIGKILL"]).await;
    worker.fails("signal SIGTERM", &["SIGTERM"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hangs_ends_with_its_time_and_says_how_far_it_was() {
    let Some(worker) = Worker::start("", &[("BRIGADE_PROCESS_TIMEOUT", "2s")]).await else {
        return;
    };
    let before = worker.accepts().await;
    let answer = worker.process("hang").await;
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(answer.error().contains("3 of 8 channels"), "{answer:?}");
    gone(&before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_process_is_seen_although_a_daemon_of_it_holds_every_pipe() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    worker.fails("daemon 3", &["exit status 3"]).await;
    let answer = worker.process("daemon").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    worker.accepts().await;
    for daemon in worker.noted("daemon").await {
        let killed = std::process::Command::new("kill").arg(&daemon).status();
        assert!(killed.unwrap().success(), "it ran until now");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_leaves_running_in_its_group_ends_with_it() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let answer = worker.process("system").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    worker.fails("exit 3", &["exit status 3"]).await;
    for child in worker.noted("child").await {
        gone(&child).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_read_its_job_holds_no_call_longer_than_its_time() {
    let deaf = Worker::start("deaf", &[("BRIGADE_PROCESS_TIMEOUT", "2s")]).await;
    let Some(worker) = deaf else { return };
    let answer = worker.process("good").await;
    assert_eq!(answer.status, 408, "{answer:?}");
    // More than a pipe holds, so that the worker waits in the midst of the line.
    let metadata = serde_json::json!({ "note": "\u{1}\"".repeat(7_000) });
    let answer = worker.call("in/b", "good", &metadata).await.unwrap();
    assert_eq!(answer.status, 408, "{answer:?}");
}
