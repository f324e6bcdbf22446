//! Processes that have too much memory.

use rustix::process::Pid;

use super::{super::memory, *};

fn with_limit(limit: u64) -> TestWorker<PersistentProcessor> {
    let (exec, persistent) = exec(PROGRAM, 1);
    worker_of((exec, PersistentSettings { max_memory: Some(limit), ..persistent }))
}

#[tokio::test]
async fn a_process_that_has_too_much_memory_after_an_object_is_replaced() {
    let unlimited = worker(1);
    let grow = "kept=$(head -c 8000000 /dev/zero | tr '\\0' x); accept $$";
    let pid = summary(&unlimited, grow).await.parse().unwrap();
    let size = memory::resident(Pid::from_raw(pid).unwrap()).unwrap();
    // It is above the limit, and below the one during an object.
    let worker = with_limit(size / 5 * 4);
    let first = summary(&worker, grow).await;
    assert_ne!(summary(&worker, "accept $$").await, first);
    let roomy = with_limit(size * 10);
    let first = summary(&roomy, "accept $$").await;
    assert_eq!(summary(&roomy, "accept $$").await, first);
}

#[tokio::test]
async fn a_process_whose_memory_grows_past_the_limit_is_ended_and_its_object_refused_with_the_figure()
 {
    let worker = with_limit(20_000_000);
    // What comes after the last line is in memory.
    let script = "(head -c 60000000 /dev/zero; sleep 1000) | tail -n 1; accept";
    let error = worker.process("in/large", script).await.unwrap_err();
    assert_eq!((error.kind(), error.details().kind.as_str()), (ErrorKind::Refused, "max-memory"));
    let is_told = error.message().contains("a process may have 19.1 MiB");
    assert!(is_told && error.message().contains("--max-memory"), "{error}");
    assert_eq!(summary(&worker, "accept fine").await, "fine");
}

#[tokio::test]
async fn a_program_that_is_larger_than_the_limit_before_its_first_object_blames_none() {
    let worker = with_limit(10_000);
    worker.processor().ready().await;
    let (kind, reason) = refusal(&worker, "accept").await;
    assert_eq!(kind, ErrorKind::Misconfigured);
    assert!(reason.contains("before its first object; BRIGADE_MAX_MEMORY"), "{reason}");
    assert_eq!(reason.matches("fix:").count(), 1, "{reason}");
}
