//! `brigade failed`: its tables, and which objects its filters select.

use std::process::Command;

use crate::system::{Ended, System, run};

/// The names of a table that is piped.
fn names(ended: &Ended) -> Vec<&str> {
    ended.out.lines().map(|line| line.split('\t').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_failed_objects_are_a_table_and_what_does_not_fit_is_cut() {
    let system = System::with_failures().await;
    let wide = system.on_terminal(&["failed"], 120).await;
    let narrow = system.on_terminal(&["failed"], 70).await;
    let first = system.on_terminal(&["failed", "--limit", "1"], 120).await;
    insta::assert_snapshot!([wide, narrow, first].map(|ended| ended.shown()).join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_the_causes_with_the_most_frequent_first() {
    let system = System::with_failures().await;
    let terminal = system.on_terminal(&["failed", "--group"], 120).await;
    let piped = system.run(&["failed", "--group"]).await;
    let csv = system.run(&["failed", "--group", "--csv"]).await;
    let json = system.run(&["failed", "--group", "--json"]).await;
    let limited = system.run(&["failed", "--group", "--limit", "1"]).await;
    let shown = [terminal, piped, csv, json, limited].map(|ended| ended.shown());
    insta::assert_snapshot!(shown.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn piped_each_object_is_one_line_that_is_whole() {
    let system = System::with_failures().await;
    let piped = system.run(&["failed"]).await;
    let csv = system.run(&["failed", "--csv"]).await;
    insta::assert_snapshot!([piped, csv].map(|ended| ended.shown()).join("\n"));
    // A kind that repeats the reason is left out for a person alone.
    system.fail("same.edf", "boom", "boom", 1).await;
    let same = system.run(&["failed", "--kind", "boom"]).await;
    assert_eq!(same.out.split('\t').skip(2).collect::<Vec<_>>(), ["boom", "boom\n"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn show_prints_all_that_is_known_of_one_object() {
    let system = System::with_failures().await;
    system.put("incoming/broken.edf", &[]).await;
    let mut shown = String::new();
    for name in ["2026/night-0412.edf", "gs://data/failed/broken.edf", "tab\tand\u{1b}[2Jline.edf"]
    {
        shown.push_str(&system.run(&["failed", "show", name]).await.shown());
        shown.push('\n');
    }
    insta::assert_snapshot!(without_age(&shown));
    let json = system.run(&["failed", "show", "broken.edf", "--json"]).await.out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["object"]["reason"], "the header is cut");
}

/// Objects of this test were uploaded some seconds ago.
fn without_age(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("TIME, ") {
        Some((before, _)) if line.starts_with("uploaded") => format!("{before}TIME, AGE ago\n"),
        _ if line.starts_with("also") => {
            format!("{}, uploaded AGE ago\n", line.split_once(", uploaded").unwrap().0)
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_selects_and_one_that_matches_nothing_says_so() {
    let system = System::with_failures().await;
    let (first, second) = ("2026/night-0412.edf", "2026/night-0413.edf");
    for (filter, expected) in [
        (&["--kind", "no-day"][..], &[first, second][..]),
        (&["--match", "2026/*-0413.edf"], &[second]),
        (&["--prefix", "2026/"], &[first, second]),
        (&["--since", "4h"], &[first]),
        (&["--since", "8h", "--until", "4h"], &[second]),
        (&["--reason", "the header is cut"], &["broken.edf"]),
        (&["--code", "INVALID_ARGUMENT", "--limit", "1"], &[first]),
        (&["--code", "13"], &[]),
        (&["--match", "*.wav"], &[]),
    ] {
        let ended = system.run(&[&["failed"], filter].concat()).await;
        assert_eq!((ended.code, names(&ended)), (Some(0), expected.to_vec()), "{filter:?}");
        let says_none = ended.err == "no failed object matches the filter\n";
        assert_eq!(says_none, expected.is_empty(), "{filter:?}: {}", ended.err);
    }
    let none = System::start().await.run(&["failed", "--json"]).await;
    assert_eq!((&*none.out, &*none.err), ("[]\n", "no object has failed\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_enough_ends_the_command_quietly() {
    let system = System::start().await;
    let reason = "why ".repeat(200);
    for at in 0..500 {
        system.fail(&format!("{at:04}.csv"), "", &reason, 1).await;
    }
    let command = system.brigade(&["failed"]);
    let mut shell = Command::new("bash");
    let script = "set -o pipefail; \"$0\" failed | head -n 1 | cut -c 1-8";
    shell.args(["-c", script]).arg(command.get_program());
    shell.env_clear().envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ended = run(shell).await;
    assert_eq!((ended.code, &*ended.out, &*ended.err), (Some(0), "0000.csv\n", ""));
}
