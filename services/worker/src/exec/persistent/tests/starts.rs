//! Programs that do not become ready.

use std::fmt::Write as _;

use super::*;

#[tokio::test]
async fn a_program_that_is_not_ready_blames_no_object_and_says_why() {
    let scripts = [
        "echo no such model >&2; exit 1",
        "exit 0",
        "echo done >&4; sleep 1000",
        r#"echo '{"ready":false,"reason":"the model does not exist"}' >&4; exit 0"#,
        r#"echo '{"ready":true}' >&4; sleep 1000"#,
        r#"echo '{"ready":true,"protocol":2}' >&4; sleep 1000"#,
        r#"echo '{"id":"1","accept":{}}' >&4; sleep 1000"#,
        "exec 4>&-; sleep 1000",
        "kill -ABRT $$",
        r#"echo no such model >&2; echo '{"ready":false,"reason":"no model","name":null}' >&4; sleep 1000"#,
    ];
    let mut table = String::new();
    for script in scripts {
        let worker = worker_of(exec(script, 2));
        worker.processor().ready().await;
        let (kind, reason) = refusal(&worker, "accept").await;
        writeln!(table, "{script}\n  {kind:?}: {reason}").unwrap();
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_program_that_takes_too_long_to_be_ready_is_ended() {
    let (exec, persistent) = exec("sleep 1000", 1);
    let short = PersistentSettings { startup_timeout: Duration::from_millis(50), ..persistent };
    let worker = worker_of((exec, short));
    worker.processor().ready().await;
    let (kind, reason) = refusal(&worker, "accept").await;
    assert_eq!(kind, ErrorKind::Misconfigured);
    assert!(reason.contains("not ready within 50ms"), "{reason}");
}

#[tokio::test]
async fn a_program_that_is_corrected_is_used_without_a_restart_of_the_worker() {
    let directory = tempfile::tempdir().unwrap();
    let flag = directory.path().join("model");
    let script = format!("test -e {} || exit 1\n{PROGRAM}", flag.display());
    let worker = worker_of(exec(&script, 2));
    worker.processor().ready().await;
    assert_eq!(refusal(&worker, "accept").await.0, ErrorKind::Misconfigured);
    std::fs::write(flag, "").unwrap();
    worker.processor().pool.ready.wait().await;
    assert_eq!(summary(&worker, "accept fine").await, "fine");
}

#[tokio::test]
async fn the_first_process_starts_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let script = format!("touch {at}/$$; while [ ! -e {at}/go ]; do sleep 0.01; done\n{PROGRAM}");
    let worker = Arc::new(worker_of(exec(&script, 4)));
    let early = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { summary(&worker, "accept fine").await }
    });
    let count = || std::fs::read_dir(directory.path()).unwrap().count();
    until(|| count() > 0).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(count(), 1);
    assert!(!early.is_finished());
    std::fs::write(directory.path().join("go"), "").unwrap();
    assert_eq!(early.await.unwrap(), "fine");
    until(|| count() == 5).await;
}

#[tokio::test]
async fn a_program_that_says_that_it_is_ready_and_ends_is_one_that_did_not_start() {
    let (ready, words) = (r#"echo '{"ready":true,"protocol":1}' >&4"#, "echo no such model >&2");
    // Whether its words are read before the line or after it is chance in the second order.
    for script in [format!("{words}; {ready}; exit 3"), format!("{ready}; {words}; exit 3")] {
        let worker = worker_of(exec(&script, 2));
        for _ in 0..5 {
            let (kind, reason) = refusal(&worker, "accept").await;
            assert_eq!(kind, ErrorKind::Misconfigured, "{reason}");
            let expected = "ready, and then it ended with exit status 3: no such model";
            assert!(reason.contains(expected), "{reason}");
        }
    }
}

#[tokio::test]
async fn an_object_that_comes_while_the_program_starts_is_told_so_at_no_attempt() {
    let directory = tempfile::tempdir().unwrap();
    let began = directory.path().join("began");
    let script = format!("echo loading the model >&2; touch {}; sleep 1000", began.display());
    let worker = worker_of(exec(&script, 2));
    until(|| began.exists()).await;
    // The line is read before time passes.
    until(|| worker.processor().pool.launch.starting().is_some_and(|s| s.contains("model"))).await;
    let object = worker.upload("in/early", "accept");
    let request = crate::testing::request(&object);
    tokio::time::pause();
    let error = worker.process_within(request, Duration::from_mins(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.message().contains("still starting, since "), "{error}");
    assert!(error.message().ends_with(" s: loading the model"), "{error}");
}
