//! The end of the worker.

use std::fs;

use serde_json::json;

use super::{Worker, gone, noted, works};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_answers_its_job_and_lets_the_program_end() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let (answer, ()) = tokio::join!(worker.process("wait"), async {
        worker.noted("begun").await;
        worker.process.terminate();
        worker.process.says("shutting down").await;
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
async fn a_program_whose_worker_was_killed_during_a_job_ends_after_the_job() {
    let Some(worker) = Worker::start("", &[]).await else { return };
    let (program, worker) = killed_at_work(worker, "wait").await;
    worker.go();
    gone(&program).await;
}

/// Its script never looks at the pipes while it is at work, so the package does.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_of_the_python_package_whose_worker_was_killed_ends_during_its_job() {
    const SCRIPT: &str = "
import os, time
from bucket_brigade_worker import serve
def score(job):
    with open(os.environ['NOTES'] + '/begun', 'a') as file:
        file.write(f'{os.getpid()}\\n')
    time.sleep(600)
serve(score)
";
    if !works("python3 --version") {
        return;
    }
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../clients/python-worker/src");
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("score.py");
    fs::write(&script, SCRIPT).unwrap();
    let python = [("PYTHONPATH", packages), ("PYTHONDONTWRITEBYTECODE", "1")];
    let worker = Worker::of(&format!("python3 {}", script.display()), &python).await;
    let (program, _worker) = killed_at_work(worker, "x").await;
    gone(&program).await;
}

/// Kills the worker while its program is at work. The program.
async fn killed_at_work(mut worker: Worker, content: &str) -> (String, Worker) {
    let call = tokio::spawn(worker.request("in/a", content, &json!({})).send());
    let program = worker.noted("begun").await.remove(0);
    worker.process.kill();
    call.await.unwrap().unwrap_err();
    (program, worker)
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
