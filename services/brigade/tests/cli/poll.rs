//! `brigade poll`, beside a `brigade dev` without a scheduler.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    system::{Ended, brigade, on_terminal, run},
    watch::{Running, drop_file, serve_dev},
};

const REFUSE_BAD: &str =
    "sh -c 'case $OBJECT_NAME in *bad*) echo no good >&2; exit 1;; esac' sh {}";

/// It polls only when it is called.
fn dev(home: &Path, flags: &[&str]) -> Running {
    let arguments =
        ["dev", "--port", "0", "--no-samples", "--rest", "0s", "--no-schedule", "--json"];
    let mut command = brigade(home, arguments);
    command.args(flags);
    serve_dev(home, command)
}

async fn poll(home: &Path, flags: &[&str]) -> Ended {
    let arguments = ["poll"].iter().chain(flags);
    run(brigade(home, arguments)).await
}

fn events(ended: &Ended) -> Vec<Value> {
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_poll_finds_the_running_dev_and_its_exit_code_says_whether_files_are_left() {
    let home = TempDir::new().unwrap();
    let _dev = dev(home.path(), &["--exec", REFUSE_BAD, "--exclude", "*.tmp"]);
    for name in ["a", "b", "x.bad", "c.tmp"] {
        drop_file(home.path(), name);
    }
    let planned = poll(home.path(), &["--dry-run", "--explain"]).await;
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let all = events(&planned);
    assert!(all.iter().any(|event| event["skipped"]["filter"] == "FILTER_EXCLUDE"), "{planned:?}");
    assert_eq!(all.last().unwrap()["finished"]["counts"]["found"], "3");

    let first = poll(home.path(), &["--max-objects", "1"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(events(&first).last().unwrap()["finished"]["reason"], "END_REASON_MAX_OBJECTS");
    let rest = poll(home.path(), &[]).await;
    assert_eq!((rest.code, rest.err.as_str()), (Some(0), ""));
    assert!(events(&rest)[0]["started"].is_object());

    drop_file(home.path(), "y.bad");
    let failed = poll(home.path(), &["--prefix", "y"]).await;
    assert_eq!(failed.code, Some(1), "all of them failed: {failed:?}");
}

#[tokio::test]
async fn on_a_terminal_a_poll_has_a_bar_and_shows_what_failed() {
    let home = TempDir::new().unwrap();
    let _dev = dev(home.path(), &["--exec", REFUSE_BAD]);
    for name in ["a", "b", "x.bad"] {
        drop_file(home.path(), name);
    }
    let mut command = brigade(home.path(), ["poll"]);
    command.env("TERM", "xterm");
    let ended = on_terminal(command, 80).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("failed     incoming/x.bad"), "{ended:?}");
    assert!(!ended.out.contains("processed  incoming/a"), "{ended:?}");
    let (_, end) = ended.out.rsplit_once("\x1b[J").unwrap();
    assert!(end.ends_with("3 found, 2 processed, 1 failed\n"), "{ended:?}");
}

#[tokio::test]
async fn with_watch_it_polls_again_until_ctrl_c_and_shows_what_comes_later() {
    let home = TempDir::new().unwrap();
    let _dev = dev(home.path(), &["--exec", REFUSE_BAD]);
    drop_file(home.path(), "a");
    let mut command = brigade(home.path(), ["poll", "--watch"]);
    let mut watching = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(watching.0.stdout.take().unwrap()).lines();
    let mut until = |field: &str| loop {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if event[field].is_object() {
            return event[field].clone();
        }
    };
    assert_eq!(until("settled")["object"]["name"], "incoming/a");
    assert_eq!(until("finished")["reason"], "END_REASON_COMPLETE");
    // That a file fails ends no watch.
    drop_file(home.path(), "b.bad");
    assert_eq!(until("settled")["settlement"], "SETTLEMENT_FAILED");
    until("finished");
    let pid = watching.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(watching.0.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_poll_beside_another_one_says_so_in_lines_that_fit_and_counts_nothing() {
    let home = TempDir::new().unwrap();
    let (began, go) = (home.path().join("began"), home.path().join("go"));
    let (began_path, go_path) = (began.display(), go.display());
    let program =
        format!("sh -c 'touch {began_path}; until test -e {go_path}; do sleep 0.1; done'");
    let _dev = dev(home.path(), &["--exec", &program]);
    drop_file(home.path(), "a");
    let mut command = brigade(home.path(), ["poll"]);
    let mut first = Running(command.stdout(Stdio::null()).spawn().unwrap());
    while !began.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut command = brigade(home.path(), ["poll"]);
    command.env("TERM", "dumb");
    let second = on_terminal(command, 60).await;
    assert_eq!(second.code, Some(1), "{second:?}");
    let fits = second.out.lines().all(|line| line.chars().count() <= 60);
    assert!(second.out.starts_with("nothing was done: poll ") && fits, "{second:?}");
    assert!(second.out.ends_with("brigade watch shows what it does\n"), "{second:?}");
    fs::write(go, "").unwrap();
    assert_eq!(first.0.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_failed_file_on_the_disk_is_replayed_and_the_poll_that_follows_processes_it() {
    let home = TempDir::new().unwrap();
    let fixed = home.path().join("fixed");
    let program = format!("sh -c 'test -e {}'", fixed.display());
    let _dev = dev(home.path(), &["--exec", &program]);
    let name = "été 1 #2.csv";
    drop_file(home.path(), name);
    drop_file(home.path(), "other");
    let data = home.path().join("brigade-data");
    assert_eq!(poll(home.path(), &[]).await.code, Some(1));
    assert_eq!(fs::read(data.join("failed").join(name)).unwrap(), b"x");

    fs::write(fixed, "").unwrap();
    let replayed = run(brigade(home.path(), ["replay", name, "--yes", "--poll"])).await;
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let shown = "1 object moved back into the inbox\n1 found, 1 processed, 0 failed\n";
    assert_eq!(replayed.out, shown, "{replayed:?}");
    assert_eq!(fs::read(data.join("processed").join(name)).unwrap(), b"x");
    assert!(!data.join("failed").join(name).exists() && data.join("failed/other").exists());

    let replayed = run(brigade(home.path(), ["replay", "--all", "--yes", "--poll", "--json"]));
    let all = events(&replayed.await);
    assert!(all[0]["started"].is_object(), "{all:?}");
    assert_eq!(all.last().unwrap()["finished"]["counts"]["processed"], "1");
    assert!(data.join("processed/other").exists());
}

#[tokio::test]
async fn the_brake_ends_a_poll_until_it_is_ignored() {
    let home = TempDir::new().unwrap();
    let flags = ["--exec", "false", "--max-refusals", "2", "--concurrency", "1"];
    let _dev = dev(home.path(), &flags);
    for n in 0..8 {
        drop_file(home.path(), &format!("{n}"));
    }
    let failed = || fs::read_dir(home.path().join("brigade-data/failed")).unwrap().count();
    let braked = poll(home.path(), &[]).await;
    assert_eq!(braked.code, Some(1), "{braked:?}");
    let before = failed();
    let command = brigade(home.path(), ["poll"]);
    let again = on_terminal(command, 200).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(
        again.out.contains("fix: correct the worker, then brigade poll --ignore-brake"),
        "{again:?}"
    );
    assert_eq!(failed(), before, "the worker was not asked");
    let ignored = poll(home.path(), &["--ignore-brake"]).await;
    assert_eq!(ignored.code, Some(1), "{ignored:?}");
    assert!(failed() > before, "{ignored:?}");
}

#[tokio::test]
async fn of_two_running_devs_the_poller_must_be_named() {
    let home = TempDir::new().unwrap();
    let first = dev(home.path(), &["--data", "one"]);
    let second = dev(home.path(), &["--data", "two"]);
    let ended = poll(home.path(), &[]).await;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    let named: Vec<_> = ended.err.lines().filter(|line| line.starts_with("  --poller ")).collect();
    assert_eq!(named.len(), 2, "{ended:?}");
    let url = named[0].split_whitespace().nth(1).unwrap();
    // It is called as its developer, as without a URL.
    let called = poll(home.path(), &["--poller", url]).await;
    assert_eq!(called.code, Some(0), "{called:?}");

    // A dev that was killed is none that runs.
    drop(first);
    assert_eq!(poll(home.path(), &[]).await.code, Some(0));
    drop(second);
    let none = poll(home.path(), &[]).await;
    assert!(none.err.contains("this user runs no brigade dev"), "{none:?}");
}
