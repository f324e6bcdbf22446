//! `brigade replay`: it asks, moves, and says what it skipped.

use crate::{
    pty::Pty,
    system::{Ended, System, normalised},
};

const FIRST: &str = "2026/night-0412.edf";

/// Answers the question of a replay.
async fn answered(system: &System, arguments: &[&str], answer: &'static str) -> Ended {
    let mut command = system.brigade(arguments);
    command.env("NO_COLOR", "1");
    let ended = tokio::task::spawn_blocking(move || {
        let mut terminal = Pty::start(command, 100, 24);
        terminal.read_until("[y/N]");
        terminal.send(answer);
        terminal.end()
    });
    ended.await.unwrap()
}

/// What is below this prefix.
fn below(system: &System, prefix: &str) -> Vec<String> {
    let names = system.names().into_iter();
    names.filter_map(|name| name.strip_prefix(prefix).map(str::to_owned)).collect()
}

/// How often a terminal is repainted differs from run to run.
fn without_progress(text: &str) -> String {
    text.split("\r\u{1b}[K").filter(|part| !part.contains("looked at")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_it_shows_the_count_and_moves_nothing_unless_it_is_confirmed() {
    let system = System::with_failures().await;
    let replay = ["replay", "--kind", "no-day"];
    let mut shown = String::new();
    for no in ["n\n", "\n", "\u{4}"] {
        let ended = answered(&system, &replay, no).await;
        assert_eq!(ended.code, Some(1), "{no:?}");
        shown = ended.shown();
    }
    assert_eq!(below(&system, "incoming/"), [""; 0]);
    let yes = answered(&system, &replay, "y\n").await;
    assert_eq!(below(&system, "incoming/"), ["2026/night-0412.edf", "2026/night-0413.edf"]);
    assert_eq!(below(&system, "failed/"), ["broken.edf", "tab\tand\u{1b}[2Jline.edf"]);
    insta::assert_snapshot!(without_progress(&format!("{shown}\n{}", yes.shown())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_lists_what_would_be_moved_and_moves_nothing() {
    let system = System::with_failures().await;
    let before = system.names();
    let dry = system.run(&["replay", "--all", "--dry-run"]).await;
    assert_eq!(system.names(), before);
    insta::assert_snapshot!(dry.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_skipped_is_named_with_the_reason_and_the_exit_code_tells() {
    let system = System::with_failures().await;
    system.put(&format!("incoming/{FIRST}"), &[]).await;
    let named = system.run(&["replay", FIRST, "broken.edf", "absent.edf", "--yes"]).await;
    let again = system.run(&["replay", "absent.edf", "--yes"]).await;
    let taken = system.run(&["replay", "--match", "2026/*0412*", "--yes"]).await;
    let limited = system.run(&["replay", "--all", "--yes", "--limit", "1"]).await;
    let rest = system.run(&["replay", "--prefix", "tab", "--yes"]).await;
    let none = system.run(&["replay", "--prefix", "tab", "--yes"]).await;
    let shown = [named, again, taken, limited, rest, none].map(|ended| ended.shown());
    insta::assert_snapshot!(without_progress(&shown.join("\n")));
    assert_eq!(below(&system, "failed/"), [FIRST]);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_json_each_step_is_a_line() {
    let system = System::with_failures().await;
    let ended = system.run(&["replay", "broken.edf", "--yes", "--json"]).await;
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    let lines = ended.out.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    assert!(lines[0]["started"].is_object(), "{}", normalised(&ended.out));
    let object = lines.iter().find(|line| line["object"].is_object()).unwrap();
    assert_eq!(object["object"]["result"], "REPLAY_RESULT_REPLAYED");
    assert_eq!(object["object"]["destination"], "gs://data/incoming/broken.edf");
    assert_eq!(lines.last().unwrap()["finished"]["counts"]["replayed"], "1");
}
