//! `brigade contract` against an emulator: what it prints, and what it leaves alone.

use std::{fmt::Write as _, fs, path::Path, process::Stdio, time::Duration};

use brigade_emulator::{Emulator, storage::Operation};
use serde_json::Value;
use tempfile::TempDir;

use super::command::{Ended, brigade, google, loopback, run_beside};

async fn contract(emulator: &Emulator, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let home = TempDir::new().unwrap();
    let mut command = brigade(home.path(), ["contract"]);
    command.args(arguments).envs(emulator.env()).envs(settings.iter().copied());
    run_beside(command).await
}

async fn two_buckets() -> Emulator {
    let builder = Emulator::builder().memory().bucket("data").bucket("other");
    builder.start(loopback().await.0).await.unwrap()
}

fn names(emulator: &Emulator, bucket: &str) -> Vec<String> {
    let objects = emulator.storage().bucket(bucket).list("").unwrap();
    objects.into_iter().map(|object| object.name).collect()
}

/// The report as `docs/VERIFIED.md` shows it: a heading for each subject, and what was found of each promise.
fn shown(report: &Value) -> String {
    let mut text = String::new();
    let mut subject = "";
    for row in report["promises"].as_array().unwrap() {
        let field = |name: &str| row[name].as_str().unwrap();
        if field("subject") != subject {
            subject = field("subject");
            let headings = row["rests_on_it"].as_array().unwrap().iter();
            let headings: Vec<&str> = headings.map(|it| it.as_str().unwrap()).collect();
            writeln!(text, "\n**{subject}**: {}\n", headings.join("; ")).unwrap();
        }
        let why = if field("detail").is_empty() { "" } else { ": " };
        let promise = field("promise").replace('_', " ");
        writeln!(text, "- {}: {promise}{why}{}", field("result"), field("detail")).unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_keeps_every_promise_nothing_is_left_and_the_document_shows_it() {
    let emulator = two_buckets().await;
    for to in [&["--to", "gs://other/elsewhere/"][..], &[]] {
        emulator.storage().reset_calls();
        let words = [&["gs://data/contract/", "--yes", "--json"][..], to].concat();
        let ended = contract(&emulator, &words, &[]).await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(report["broken"], 0);
        assert!(report["kept"].as_u64().unwrap() > 50, "{report}");
        for bucket in ["data", "other"] {
            assert_eq!(names(&emulator, bucket), [""; 0], "nothing is left in {bucket}");
        }
        let calls = emulator.storage().calls();
        assert_eq!(calls.count(Operation::CreateBucket) + calls.count(Operation::DeleteBucket), 0);
        let told = |class: &str| report["calls"][class].as_u64().unwrap();
        for (class, expected) in [("class_a", 400), ("class_b", 380), ("free", 160)] {
            let near = expected * 3 / 4..=expected;
            assert!(near.contains(&told(class)), "{class} {} of {expected}", told(class));
        }
        if to.is_empty() {
            continue;
        }
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/VERIFIED.md");
        let text = fs::read_to_string(&document).unwrap();
        let (before, rest) = text.split_once("<!-- contract -->\n").unwrap();
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        let made = format!("{before}<!-- contract -->\n{}\n<!-- end -->{after}", shown(&report));
        if std::env::var_os("UPDATE_VERIFIED").is_some() {
            fs::write(&document, &made).unwrap();
        } else {
            assert_eq!(text, made, "docs/VERIFIED.md; fix: run this test with UPDATE_VERIFIED=1");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_others_below_the_prefix_are_unchanged_also_those_that_appear_meanwhile() {
    let emulator = google(&[]).await;
    let bucket = emulator.storage().bucket("data");
    let home = TempDir::new().unwrap();
    let mut command = brigade(home.path(), ["contract", "gs://data/contract/", "--yes", "--json"]);
    command.envs(emulator.env()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let run = loop {
        if let Some(object) = bucket.list("contract/").unwrap().first() {
            break object.name.split('/').nth(1).unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let foreign = [format!("contract/{run}/mine"), "contract/mine".to_owned()];
    let generations = foreign.clone().map(|name| bucket.put(&name, "mine").unwrap());
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{report}");
    let left = report["left"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{report}");
    assert!(left[0].as_str().unwrap().contains(&foreign[0]), "{report}");
    for (name, generation) in foreign.iter().zip(generations) {
        assert_eq!(bucket.get(name).unwrap().unwrap().generation, generation);
        assert_eq!(bucket.read(name).unwrap().unwrap(), "mine");
    }
    assert_eq!(names(&emulator, "data").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_may_be_in_use_is_refused_and_nothing_is_made() {
    let emulator = two_buckets().await;
    emulator.storage().put("used/a", "x").unwrap();
    let mut table = String::new();
    for (arguments, settings) in [
        (&["gs://data", "--yes"][..], &[][..]),
        (&["gs://data/used/", "--yes"], &[]),
        (&["gs://data/new/", "--to", "gs://data/other/", "--yes"], &[]),
        (&["gs://data/new/"], &[]),
        (&["gs://data/in/x/", "--yes"], &[("BRIGADE_INBOX", "gs://data/in/")]),
        (
            &["gs://data/new/", "--to", "gs://other/out/", "--yes"],
            &[("BRIGADE_OUTPUT", "gs://other/out/")],
        ),
        (&["gs://absent/new/", "--yes"], &[]),
    ] {
        let ended = contract(&emulator, arguments, settings).await;
        writeln!(table, "{}: exit {}\n{}", arguments.join(" "), ended.code.unwrap(), ended.err)
            .unwrap();
    }
    insta::assert_snapshot!(table);
    assert_eq!(names(&emulator, "data"), ["used/a"]);
    assert_eq!(names(&emulator, "other"), [""; 0]);
}
