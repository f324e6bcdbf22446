//! Processes that end, hang, or do not follow the protocol.

use std::fmt::Write as _;

use super::*;

/// Whether it runs; the init of the container may leave a zombie for a while.
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn what_a_process_does_to_its_object_is_in_the_reason() {
    let worker = worker(1);
    let scripts = [
        "echo reading row 7 >&2; kill -SEGV $$",
        "kill -KILL $$",
        "exit 0",
        "echo no memory >&2; exit 3",
        "line done",
        "line ''",
        "line '{}'",
        "answer '\"acept\":{}'",
        "answer '\"accept\":{},\"refuse\":{}'",
        "id=other; accept",
        "printf '{\"id\":\"%s\",\"accept\":{}}' $id >&4; exit 0",
        "exec 4>&-; sleep 1000",
        "head -c 100000 /dev/zero | tr '\\0' x >&4; sleep 1000",
    ];
    let mut table = String::new();
    for script in scripts {
        let (kind, reason) = refusal(&worker, script).await;
        // Another test's program, or an unknown count of the kernel, may explain SIGKILL.
        let reason = reason.replace(" (out of memory)", "").replace(" (perhaps out of memory)", "");
        writeln!(table, "{script}\n  {kind:?}: {reason}").unwrap();
        // The next object has another process.
        assert_eq!(summary(&worker, "accept fine").await, "fine");
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn an_answer_counts_although_its_process_ends_at_once() {
    let worker = worker(1);
    for n in 0..10 {
        assert_eq!(summary(&worker, &format!("accept {n}; exit 1")).await, n.to_string());
    }
}

#[tokio::test]
async fn an_object_keeps_its_answer_when_its_process_answers_twice_and_the_next_has_another_process()
 {
    let worker = worker(1);
    for _ in 0..10 {
        let first = summary(&worker, "accept $$; accept again").await;
        assert_ne!(summary(&worker, "accept $$").await, first);
    }
}

#[tokio::test]
async fn a_second_answer_that_comes_late_blames_no_object() {
    let worker = worker(1);
    let first = summary(&worker, "late=$id; accept $$").await;
    // The process has this job already.
    let script = r#"if [ "$late" ]; then id=$late; accept; sleep 1000; else accept $$; fi"#;
    let second = summary(&worker, script).await;
    assert_ne!(second, first);
}

#[tokio::test]
async fn the_process_of_an_object_whose_caller_goes_away_is_ended_with_all_that_it_started() {
    let worker = Arc::new(worker(1));
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    let script = format!("sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", pids.display());
    let running = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { worker.process("in/hangs", script).await }
    });
    until(|| pids.exists()).await;
    running.abort();
    assert_eq!(summary(&worker, "accept fine").await, "fine");
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        until(|| !runs(pid)).await;
    }
}

#[tokio::test]
async fn a_flood_of_output_stops_nothing() {
    let worker = worker(1);
    let script = "yes out | head -c 5000000; yes err | head -c 5000000 >&2; accept done";
    assert_eq!(summary(&worker, script).await, "done");
}

#[tokio::test]
async fn a_process_that_ends_between_two_jobs_blames_no_object() {
    let worker = worker(1);
    for _ in 0..3 {
        let pid = summary(&worker, "accept $$").await;
        let process = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        until(|| !runs(&pid)).await;
        assert_eq!(summary(&worker, "accept fine").await, "fine");
    }
}

#[tokio::test]
async fn a_daemon_that_keeps_the_pipes_open_keeps_no_process_waiting() {
    let worker = worker(1);
    let (kind, reason) = refusal(&worker, "setsid sleep 1000 & echo $! >&2; exit 3").await;
    assert_eq!(kind, ErrorKind::Internal);
    let pid = reason.rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(summary(&worker, "accept fine").await, "fine");
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
