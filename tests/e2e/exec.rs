//! A program as the worker, over the whole way.

use brigade_proto::v1::Settlement;
use brigade_storage::Location;
use brigade_worker::settings::{ExecSettings, WorkerSettings};

use crate::harness::{BUCKET, System};

async fn running(command: &str) -> System {
    let settings = WorkerSettings {
        exec: Some(ExecSettings::new(command.parse().unwrap())),
        output: Some(Location::new(BUCKET, "features/")),
        ..WorkerSettings::default()
    };
    System::with_worker(settings).await
}

#[tokio::test]
async fn exit_codes_decide_and_stderr_is_the_reason() {
    let script = "case $(cat $1) in ok) echo fine;; later) [ $OBJECT_ATTEMPT = 2 ] || exit 75;; *) echo 'line 2: not ok' >&2; exit 3;; esac";
    let system = running(&format!("sh -c \"{script}\" sh {{}}")).await;
    system.upload("a", "ok");
    system.upload("b", "later");
    system.upload("c", "broken");
    let (processed, failed) = (Settlement::Processed, Settlement::Failed);
    let outcomes = [("a", processed), ("b", processed), ("c", failed)];
    system.poll_settles(&outcomes).await;
    let metadata = system.metadata_of("failed/c").await;
    assert_eq!(metadata["brigade-reason"], "line 2: not ok");
}

#[tokio::test]
async fn a_grep_sorts_files_by_its_exit_code() {
    let system = running("grep -q ok {}").await;
    system.upload("good.txt", "it is ok");
    system.upload("bad.txt", "it is not");
    system.poll().await.unwrap();
    assert_eq!(system.names(), ["failed/bad.txt", "processed/good.txt"]);
}

#[tokio::test]
async fn what_is_left_in_the_output_directory_is_uploaded_and_the_object_is_described() {
    let script = "mkdir $OUTPUT_DIR/deep; printf '%s|%s|%s' \\\"$OBJECT_NAME\\\" $OBJECT_BUCKET $OBJECT_ATTEMPT > $OUTPUT_DIR/deep/out.txt";
    let system = running(&format!("sh -c \"{script}\" sh")).await;
    system.upload("a b.csv", "x");
    let polled = system.poll().await.unwrap();
    let outputs = ["gs://data/features/a b.csv/deep/out.txt"];
    assert_eq!(polled.settled[0].outputs, outputs, "{polled:?}");
    let content = system.content("features/a b.csv/deep/out.txt");
    assert_eq!(content, "incoming/a b.csv|data|1");
}

#[tokio::test]
async fn a_name_never_becomes_a_command() {
    let system = running("cat {}").await;
    let names = ["$(touch pwned)", "; touch pwned", "-rf", "a b 'c\"", "`id`"];
    system.upload_all(&names);
    let mut processed = names.map(|name| (name, Settlement::Processed));
    processed.sort_unstable();
    system.poll_settles(&processed).await;
    assert!(!std::path::Path::new("pwned").exists());
}

#[tokio::test]
async fn a_program_that_cannot_run_fails_no_file() {
    for code in [126, 127, 78] {
        let system = running(&format!("sh -c 'echo no model >&2; exit {code}' sh")).await;
        system.upload_all(&["a", "b", "c"]);
        let status = system.poll().await.unwrap_err();
        assert!(status.message().contains(&format!("exit status {code}")), "{status}");
        assert_eq!(system.names(), ["incoming/a", "incoming/b", "incoming/c"]);
    }
}
