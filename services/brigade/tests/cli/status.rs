//! `brigade status`.

use serde_json::Value;

use crate::system::System;

async fn system() -> System {
    let system = System::with_failures().await;
    for name in ["incoming/a.edf", "incoming/b.edf", "processed/c.edf"] {
        system.put(name, &[]).await;
    }
    system
}

/// Ages of what was just made differ from run to run.
fn without_ages(text: &str) -> String {
    let is_age = |word: &&str| {
        let word = word.trim_end_matches(':');
        word.ends_with('s') && word[..word.len() - 1].parse::<u32>().is_ok()
    };
    let lines = text.lines().map(|line| {
        let words: Vec<_> =
            line.split(' ').map(|word| if is_age(&word) { "AGE" } else { word }).collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_what_waits_and_what_failed_and_is_the_same_on_a_terminal_and_piped() {
    let system = system().await;
    let piped = system.run(&["status", "--since", "48h"]).await;
    let shown = without_ages(&piped.shown());
    insta::assert_snapshot!(shown);
    let terminal = system.on_terminal(&["status", "--since", "48h"], 80).await;
    assert_eq!(without_ages(&terminal.shown()), shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_as_json_is_the_answer_of_the_poller() {
    let system = system().await;
    let ended = system.run(&["status", "--json", "--limit", "1"]).await;
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    let status: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(status["inbox"], "gs://data/incoming/");
    assert_eq!(status["waiting"], serde_json::json!({ "value": "1", "atLeast": true }));
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals_and_for_those_who_ask() {
    let system = system().await;
    let has_colours = async |variables: &[(&str, &str)]| {
        let mut command = system.brigade(&["status"]);
        command.envs(variables.iter().copied());
        crate::system::run(command).await.out.contains("\u{1b}[")
    };
    assert!(!has_colours(&[]).await);
    assert!(has_colours(&[("CLICOLOR_FORCE", "1")]).await);
    assert!(!has_colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).await);
    let command = system.brigade(&["status"]);
    let shown = tokio::task::spawn_blocking(|| crate::pty::Pty::start(command, 80, 24).end());
    assert!(shown.await.unwrap().out.contains("\u{1b}[31m"));
}
