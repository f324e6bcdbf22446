//! Real processes over a simulated bucket. Each object is a shell script: what the process does with it.

mod faults;
mod memory;
mod random;
mod starts;

use std::{path::Path, sync::Arc};

use brigade_telemetry::{remote, within};
use serde_json::Value;

use super::*;
use crate::{
    error::ErrorKind,
    settings::WorkerSettings,
    testing::TestWorker,
    tests::fixtures::{TRACEPARENT, listen, settings as worker_settings, traces},
};

/// Reads jobs, and runs each object's copy as a script, in which `accept`, `answer` and `line` write to descriptor 4.
const PROGRAM: &str = r#"
    line() { printf '%s\n' "$1" >&4; }
    answer() { line "{\"id\":\"$id\",$1}"; }
    accept() { answer "\"accept\":{\"summary\":\"$1\"}"; }
    field() { value=${job#*\"$1\":\"}; value=${value%%\"*}; }
    line '{"ready":true,"protocol":1,"name":"test","version":"1"}'
    while IFS= read -r job <&3; do
        field id; id=$value
        field output_dir; OUTPUT_DIR=$value
        field path; . "$value"
    done
"#;

fn command(script: &str) -> String {
    format!("sh -c {}", shell_words::quote(script))
}

/// So many processes of this script, without the other settings.
fn exec(script: &str, processes: usize) -> (ExecSettings, PersistentSettings) {
    let persistent = PersistentSettings {
        processes: Some(processes),
        recycle_after: None,
        startup_timeout: Duration::from_mins(2),
        max_memory: None,
    };
    (ExecSettings::new(command(script).parse().unwrap()), persistent)
}

fn settings() -> WorkerSettings {
    WorkerSettings { output: None, ..worker_settings() }
}

fn worker_of(
    (exec, persistent): (ExecSettings, PersistentSettings),
) -> TestWorker<PersistentProcessor> {
    TestWorker::with_settings(PersistentProcessor::start(&exec, &persistent), settings())
}

fn worker(processes: usize) -> TestWorker<PersistentProcessor> {
    worker_of(exec(PROGRAM, processes))
}

/// The summary of an object that is accepted.
async fn summary(worker: &TestWorker<PersistentProcessor>, script: &str) -> String {
    worker.process("in/script", script.to_owned()).await.unwrap().summary
}

async fn refusal(worker: &TestWorker<PersistentProcessor>, script: &str) -> (ErrorKind, String) {
    let error = worker.process("in/script", script.to_owned()).await.unwrap_err();
    (error.kind(), error.message().to_owned())
}

/// Whether there is such a process, a zombie included.
fn exists(pid: &str) -> bool {
    assert!(pid.parse::<u32>().is_ok(), "{pid:?} is no process");
    Path::new("/proc").join(pid).exists()
}

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn one_process_gets_one_object_after_the_other() {
    let worker = worker(1);
    let first = summary(&worker, "accept $$").await;
    for _ in 0..20 {
        assert_eq!(summary(&worker, "accept $$").await, first);
    }
}

#[tokio::test]
async fn a_job_has_the_trace_of_its_call() {
    let worker = worker(1);
    let traced =
        within(remote(TRACEPARENT), summary(&worker, r#"field traceparent; accept "$value""#));
    assert_eq!(traced.await, TRACEPARENT);
    assert_eq!(
        summary(&worker, "case $job in *traceparent*) ;; *) accept none ;; esac").await,
        "none"
    );
}

#[tokio::test]
async fn what_a_process_writes_about_an_object_is_in_the_trace_of_its_call() {
    let (buffer, _listening) = listen();
    let worker = worker(1);
    within(remote(TRACEPARENT), summary(&worker, "echo traced >&2; accept")).await;
    summary(&worker, "echo untraced >&2; accept").await;
    assert_eq!(
        traces(&buffer),
        [("traced".into(), TRACEPARENT[3..35].into()), ("untraced".into(), Value::Null)]
    );
}

#[tokio::test]
async fn an_answer_has_a_summary_labels_and_outputs() {
    let worker = worker(1);
    let script = r#"
        echo 12 > "$OUTPUT_DIR/rows.txt"
        answer '"accept":{"summary":"12 rows","labels":{"rows":12,"day":"mon"}},"new":1'
    "#;
    let response = worker.process("in/a", script).await.unwrap();
    assert_eq!((response.summary.as_str(), response.labels["rows"].as_str()), ("12 rows", "12"));
    assert_eq!(response.labels["day"], "mon");
    assert_eq!(response.outputs, ["gs://test/output/in/a/rows.txt"]);
}

#[tokio::test]
async fn each_answer_has_its_meaning() {
    let worker = worker(1);
    let cases = [
        (r#"answer '"refuse":{"reason":"no day","kind":"no-day"}'"#, ErrorKind::Internal, "no day"),
        (r#"answer '"later":{"seconds":30,"reason":"locked"}'"#, ErrorKind::Unavailable, "locked"),
        (
            r#"answer '"misconfigured":{"reason":"no licence"}'"#,
            ErrorKind::Misconfigured,
            "no licence",
        ),
    ];
    for (script, kind, message) in cases {
        let (found, reason) = refusal(&worker, script).await;
        assert!(reason.contains(message), "{reason}");
        assert!(found == kind || (kind == ErrorKind::Internal && found == ErrorKind::Refused));
    }
}

#[tokio::test]
async fn objects_are_processed_at_once_by_as_many_processes_as_there_are() {
    let worker = Arc::new(worker(4));
    let directory = tempfile::tempdir().unwrap();
    // Each waits until all four are at work.
    let script = format!(
        "touch {0}/$$; while [ $(ls {0} | wc -l) -lt 4 ]; do sleep 0.01; done; accept $$",
        directory.path().display()
    );
    let all = (0..4).map(|n| {
        let (worker, script) = (Arc::clone(&worker), script.clone());
        async move { worker.process(&format!("in/{n}"), script).await.unwrap().summary }
    });
    let pids = futures::future::join_all(all).await;
    let different: std::collections::BTreeSet<_> = pids.iter().collect();
    assert_eq!(different.len(), 4);
}

#[tokio::test]
async fn a_process_is_replaced_after_its_share_of_objects() {
    let (exec, persistent) = exec(PROGRAM, 1);
    let worker = worker_of((exec, PersistentSettings { recycle_after: Some(5), ..persistent }));
    let mut pids = Vec::new();
    for _ in 0..13 {
        pids.push(summary(&worker, "accept $$").await);
    }
    pids.dedup();
    assert_eq!(pids.len(), 3);
    assert!(!exists(&pids[0]) && exists(&pids[2]));
}

#[tokio::test]
async fn a_process_that_asks_for_it_is_replaced() {
    let worker = worker(1);
    let script = r#"answer "\"accept\":{\"summary\":\"$$\"},\"recycle\":true""#;
    let first = summary(&worker, script).await;
    let second = summary(&worker, "accept $$").await;
    assert_ne!(first, second);
    assert!(!exists(&first));
}

#[tokio::test]
async fn a_process_ends_by_itself_when_the_worker_ends() {
    let directory = tempfile::tempdir().unwrap();
    let end = directory.path().join("end");
    let worker = worker_of(exec(&format!("{PROGRAM}\necho bye > {}", end.display()), 2));
    let pid = summary(&worker, "accept $$").await;
    worker.processor().close(Duration::from_secs(60)).await;
    assert_eq!(std::fs::read_to_string(end).unwrap(), "bye\n");
    assert!(!exists(&pid));
    let (kind, reason) = refusal(&worker, "accept").await;
    assert_eq!((kind, reason.as_str()), (ErrorKind::Busy, "this worker is shutting down"));
}

#[tokio::test]
async fn an_object_that_no_process_takes_in_time_is_retried_at_no_attempt() {
    let worker = Arc::new(worker(1));
    let directory = tempfile::tempdir().unwrap();
    let began = directory.path().join("began");
    let script = format!("touch {}; sleep 1000", began.display());
    let slow = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { worker.process("in/slow", script).await }
    });
    until(|| began.exists()).await;
    // From here on time passes whenever nothing else can happen.
    tokio::time::pause();
    let object = worker.upload("in/late", "accept");
    let request = crate::testing::request(&object);
    let error = worker.process_within(request, Duration::from_mins(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.message().contains("--processes"), "{error}");
    slow.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_gets_more_than_its_share_of_objects_and_a_tenth() {
    for (recycle_after, most) in [(1, 1), (10, 11)] {
        let (exec, persistent) = exec(PROGRAM, 4);
        let persistent = PersistentSettings { recycle_after: Some(recycle_after), ..persistent };
        let worker = Arc::new(worker_of((exec, persistent)));
        let all = (0..60).map(|n| {
            let worker = Arc::clone(&worker);
            async move { worker.process(&format!("in/{n}"), "accept $$").await.unwrap().summary }
        });
        let mut counts = std::collections::BTreeMap::<_, u64>::new();
        // As many at once as the worker takes.
        let mut pids = futures::stream::StreamExt::buffer_unordered(futures::stream::iter(all), 8);
        while let Some(pid) = futures::stream::StreamExt::next(&mut pids).await {
            *counts.entry(pid).or_default() += 1;
        }
        assert!(counts.values().all(|count| *count <= most), "{counts:?}");
    }
}

#[tokio::test]
async fn each_process_has_a_directory_for_temporary_files_that_goes_with_it() {
    let worker = worker(1);
    let script = r#"touch "$TMPDIR/a"; accept "$TMPDIR""#;
    let first = summary(&worker, script).await;
    assert!(Path::new(&first).join("a").exists());
    assert_eq!(summary(&worker, script).await, first);
    let recycle = r#"answer '"accept":{},"recycle":true'"#;
    summary(&worker, recycle).await;
    assert_ne!(summary(&worker, script).await, first);
    assert!(!Path::new(&first).exists());
}

#[tokio::test]
async fn processes_are_replaced_when_a_file_of_the_command_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("score.sh");
    let write = |version: u8| {
        std::fs::write(&script, format!("version={version}\n{PROGRAM}")).unwrap();
        let changed = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(version.into());
        std::fs::File::options().write(true).open(&script).unwrap().set_modified(changed).unwrap();
    };
    write(1);
    let (mut exec, persistent) = exec(PROGRAM, 2);
    exec.program = format!("sh {}", script.display()).parse().unwrap();
    let worker = worker_of((exec, persistent));
    assert_eq!(summary(&worker, "accept $version").await, "1");
    write(2);
    for _ in 0..4 {
        assert_eq!(summary(&worker, "accept $version").await, "2");
    }
}
