//! `GET /metrics` as Prometheus reads it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};

use super::run::{Run, TRACED};
use crate::process::Process;

/// One family: its type, and the names of its samples' labels.
#[derive(Default)]
struct Family {
    kind: String,
    has_help: bool,
    labels: BTreeSet<String>,
    samples: BTreeMap<String, f64>,
}

/// Reads the text as its specification says: HELP and TYPE of a family, then its samples, each of them once
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && !families.contains_key(name), "{line}");
            name.clone_into(&mut current);
            families.entry(current.clone()).or_default().has_help = true;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current, "{line}");
            kind.clone_into(&mut families.get_mut(name).unwrap().kind);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let family = families.get_mut(&current).unwrap();
            let suffix = name.strip_prefix(&current).unwrap();
            let suffixes: &[&str] =
                if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&suffix), "{line}");
            // No value of ours has a comma and a quote.
            let labels =
                labels.strip_suffix('}').unwrap().split("\",").filter(|one| !one.is_empty());
            let names = labels.map(|label| label.split_once("=\"").unwrap().0.to_owned());
            family.labels.extend(names.filter(|name| name != "le"));
            let twice = family.samples.insert(series.to_owned(), value.parse().unwrap());
            assert!(twice.is_none(), "{line} is there twice");
        }
    }
    families
}

/// Names, types and labels, one family a line.
fn families(text: &str) -> String {
    let mut lines = String::new();
    for (name, family) in parse(text) {
        assert!(family.has_help && !family.kind.is_empty() && !family.samples.is_empty(), "{name}");
        assert_eq!(
            family.kind == "counter",
            name.ends_with("_total"),
            "{name} is a {}",
            family.kind
        );
        for (series, value) in &family.samples {
            // The last bucket of a histogram has all of its measurements.
            if let Some((start, _)) = series.split_once("le=\"+Inf\"") {
                let labels = start.split_once('{').unwrap().1.trim_end_matches(',');
                let labels =
                    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
                assert_eq!(
                    family.samples.get(&format!("{name}_count{labels}")),
                    Some(value),
                    "{series}"
                );
            }
        }
        let labels = family.labels.into_iter().collect::<Vec<_>>().join(" ");
        lines.push_str(format!("{name} {} {labels}", family.kind).trim_end());
        lines.push('\n');
    }
    lines
}

/// Prometheus' own tool has nothing to say, where it is installed.
fn promtool_is_content(text: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut promtool) = promtool.spawn() else {
        eprintln!("SKIPPED: promtool is not installed");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

async fn scraped(process: &Process) -> String {
    let response = reqwest::get(process.metrics_url()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4");
    response.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_every_family_of_both_services_by_its_type_and_help() {
    let run = Run::start("grpc", TRACED).await;
    run.upload();
    let stranger = reqwest::Client::new().post(format!("http://{}/poll", run.address)).send().await;
    assert_eq!(stranger.unwrap().status(), 401);
    assert_eq!(run.poll("01").await.status(), 200, "{}", run.poller.log());
    // A call counts when its response has ended, which may be a moment after its client has it.
    let ended = || run.collector.metrics("rpc.server.call.duration").len() == 2;
    run.collector.until(ended).await;
    let mut all = String::new();
    for (name, process) in [("poller", &run.poller), ("worker", &run.worker)] {
        let text = scraped(process).await;
        promtool_is_content(&text);
        all = [all, format!("{name}\n{}", families(&text))].join("\n");
    }
    insta::assert_snapshot!(all.trim());
}
