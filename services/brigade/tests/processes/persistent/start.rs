//! A program that cannot begin its work.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::Worker;
use crate::{
    google::{Google, SERVICES, WORKER_AUDIENCE, serve},
    process::PATIENCE,
};

/// The metadata server does not answer, so telemetry starts slower than the program.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_of_a_persistent_program_is_counted() {
    let google = Google::start().await;
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metadata = hanging.local_addr().unwrap().to_string();
    let variables = [
        (
            "BRIGADE_EXEC",
            r#"sh -c 'echo "{\"ready\":true,\"protocol\":1}" >&4; cat <&3 >/dev/null'"#,
        ),
        ("BRIGADE_PERSISTENT", "true"),
        ("BRIGADE_PROCESSES", "1"),
        ("BRIGADE_AUTH", "verify"),
        ("BRIGADE_AUDIENCE", WORKER_AUDIENCE),
        ("BRIGADE_ALLOWED_CALLERS", SERVICES),
        ("BRIGADE_METRICS_BIND", "127.0.0.1:0"),
        ("K_SERVICE", "worker"),
        ("GCE_METADATA_HOST", metadata.as_str()),
    ];
    let (worker, _) = serve("worker", google.emulator.env(), &variables).await;
    let url = worker.metrics_url();
    let (began, mut text) = (Instant::now(), String::new());
    while !text.contains("brigade_program_starts_total") && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
        text = reqwest::get(&url).await.unwrap().text().await.unwrap();
    }
    let line = r#"brigade_program_starts_total{kind="persistent"} 1"#;
    assert!(text.contains(line), "{text}\n{}", worker.log());
}

/// No object is sent to it, and each call says why.
async fn never_starts(start: &str, more: &[(&str, &str)], words: &[&str]) {
    let Some(worker) = Worker::start(start, more).await else { return };
    for _ in 0..2 {
        let answer = worker.process("good").await;
        assert_eq!((answer.status, answer.reason()), (403, "WORKER_MISCONFIGURED"), "{answer:?}");
        for words in words {
            assert!(answer.error().contains(words), "no {words:?} in {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_never_becomes_ready_blames_no_object() {
    let brief = [("BRIGADE_STARTUP_TIMEOUT", "1s")];
    never_starts("never", &brief, &["1s", "loading for ever"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_before_ready_is_a_failed_start_with_any_status() {
    never_starts("exit0", &[], &["exit status 0", "no module named numpy"]).await;
    never_starts("exit1", &[], &["exit status 1", "no module named numpy"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_ready_says_why() {
    never_starts("not-ready", &[], &["the model gs://models/7 does not exist"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_line_that_is_no_message_is_quoted() {
    never_starts("nonsense", &[], &["Loading the model..."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_failed_to_start_is_started_again() {
    let Some(worker) = Worker::start("once-there-is-a-file", &[]).await else { return };
    let answer = worker.process("good").await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.error().contains("there is no file yet"), "{answer:?}");
    worker.go();
    while worker.process("good").await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_start_stops_the_poll_and_moves_no_file() {
    let google = Google::start().await;
    for n in 0..20 {
        google.emulator.storage().put(&format!("in/{n:02}"), "x").unwrap();
    }
    let variables = [
        ("BRIGADE_EXEC", "sh -c 'echo no module named numpy >&2; exit 1'"),
        ("BRIGADE_PERSISTENT", "true"),
        ("BRIGADE_AUDIENCE", WORKER_AUDIENCE),
        ("BRIGADE_ALLOWED_CALLERS", SERVICES),
    ];
    let (_worker, at) = serve("worker", google.emulator.env(), &variables).await;
    let (poller, address) = google.poller_with(at, &[]).await;
    let answer = google.poll(address).await.unwrap();
    assert_ne!(answer.reason(), "END_REASON_COMPLETE", "{answer:?}");
    poller.says("no module named numpy").await;
    assert_eq!(google.names("data", "in/").len(), 20);
}
