//! The dashboards and alerts ask for metrics that there are. docs/OBSERVE.md lists those, with both of their names.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
};

use serde_json::{Value, json};

use super::terraform;

const GRAFANA: &str = "deploy/grafana/bucket-brigade.json";

fn read(path: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Prometheus's name of each metric by that of OpenTelemetry, from the table of the document.
fn names() -> BTreeMap<String, String> {
    let document = read("docs/OBSERVE.md");
    let rows = document.lines().filter(|line| line.starts_with("| `brigade."));
    let names = rows.map(|row| {
        let mut names = row.split('`').skip(1).step_by(2).map(str::to_owned);
        (names.next().unwrap(), names.next().unwrap())
    });
    names.collect()
}

/// The dotted names in a text that begin with `brigade.`, and where each is.
fn metrics(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '.' || c == '_';
    text.match_indices("brigade.").filter_map(move |(at, _)| {
        let begins = !text[..at].ends_with(|c: char| is_name(c) || c == '/' || c == '-');
        let rest = &text[at..];
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        begins.then_some((at, name.trim_end_matches('.')))
    })
}

/// A metric without what a query has behind the name of a histogram.
fn base(metric: &str) -> &str {
    ["_bucket", "_count", "_sum"].iter().find_map(|end| metric.strip_suffix(end)).unwrap_or(metric)
}

/// A query of panels.yaml as Prometheus has it.
fn query(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut query = String::new();
    let mut done = 0;
    for (at, metric) in metrics(text) {
        let name = names.get(base(metric)).unwrap_or_else(|| panic!("{metric} is no metric"));
        query += &text[done..at];
        query += name;
        query += &metric[base(metric).len()..];
        done = at + metric.len();
    }
    query += &text[done..];
    for service in ["$poller", "$worker", "$both"] {
        query = query.replace(service, "job=~\"$job\"");
    }
    query.replace("$window", "$__rate_interval")
}

fn grafana() -> Value {
    let names = names();
    let sections: Vec<Value> =
        serde_saphyr::from_str(&read("deploy/terraform/panels.yaml")).unwrap();
    let source = json!({ "type": "prometheus", "uid": "${datasource}" });
    let mut panels = Vec::new();
    for (row, section) in sections.iter().enumerate() {
        let at = |x: usize, y: usize, w, h| json!({ "x": x, "y": row * 9 + y, "w": w, "h": h });
        let id = panels.len() + 1;
        panels.push(json!({ "id": id, "type": "row", "title": section["question"], "gridPos": at(0, 0, 24, 1), "panels": [] }));
        for (column, chart) in section["charts"].as_array().unwrap().iter().enumerate() {
            let targets = chart["queries"].as_object().unwrap().iter().enumerate().map(|(number, (legend, text))| {
                let letter = char::from(b'A' + u8::try_from(number).unwrap()).to_string();
                json!({ "refId": letter, "datasource": source, "expr": query(text.as_str().unwrap(), &names), "legendFormat": legend })
            });
            panels.push(json!({
                "id": id + 1 + column, "type": "timeseries", "title": chart["title"], "datasource": source,
                "gridPos": at(column * 12, 1, 12, 8), "targets": targets.collect::<Vec<_>>(),
                "fieldConfig": { "defaults": { "unit": chart["unit"], "min": 0 }, "overrides": [] },
            }));
        }
    }
    json!({
        "title": "Bucket Brigade", "uid": "bucket-brigade", "schemaVersion": 39, "tags": ["bucket-brigade"], "refresh": "1m",
        "time": { "from": "now-6h", "to": "now" },
        "templating": { "list": [
            { "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus" },
            { "name": "job", "label": "Services", "type": "query", "datasource": source, "refresh": 2,
              "query": "label_values({__name__=~\"brigade_.+\"}, job)", "multi": true, "includeAll": true, "allValue": ".+",
              "current": { "text": "All", "value": "$__all" } },
        ] },
        "panels": panels,
    })
}

/// Both names of each metric that the code makes: Prometheus's ends with the unit, and `_total` for a counter.
fn made() -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for text in sources() {
        for maker in ["counter(", "times(", "ages(", "gauge("] {
            let calls = text.match_indices(maker);
            let calls = calls.map(|(at, _)| text[at + maker.len()..].trim_start());
            for call in calls.filter(|call| call.starts_with("\"brigade.")) {
                let words: Vec<_> = call.split('"').skip(1).step_by(2).take(2).collect();
                let end = match (maker, words[1]) {
                    ("counter(", _) => "_total",
                    ("gauge(", "1") => "_ratio",
                    ("gauge(", "By") => "_bytes",
                    ("gauge(", unit) if unit != "s" => "",
                    _ => "_seconds",
                };
                made.insert(words[0].to_owned(), words[0].replace('.', "_") + end);
            }
        }
    }
    made
}

/// The code of the services and the client, without files of tests.
fn sources() -> Vec<String> {
    let mut sources = Vec::new();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("services"), root.join("clients/rust")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}

#[test]
fn the_grafana_dashboard_has_the_charts_of_terraforms() {
    let made = grafana();
    if env::var_os("BLESS").is_some() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(GRAFANA);
        fs::write(path, format!("{made:#}\n")).unwrap();
    }
    let written: Value = serde_json::from_str(&read(GRAFANA)).unwrap();
    assert_eq!(written, made, "run `BLESS=1 cargo test --test deploy -- dashboards`");
}

#[test]
fn every_metric_of_a_dashboard_an_alert_and_the_document_is_one_that_is_listed() {
    let names = names();
    let mut used = BTreeSet::new();
    let document = read("docs/OBSERVE.md");
    let mut texts = vec![document, read("deploy/terraform/panels.yaml")];
    texts.extend(terraform::locals().into_values());
    for slo in terraform::all("google_monitoring_slo") {
        texts.push(hcl::format::to_string(&slo.body).unwrap());
    }
    for text in &texts {
        for (_, metric) in metrics(text).filter(|(_, metric)| !names.contains_key(base(metric))) {
            // The attributes of spans are named in the document too.
            assert!(text.contains(&format!("attribute `{metric}`")), "{metric} is no metric");
        }
        used.extend(metrics(text).map(|(_, metric)| base(metric).to_owned()));
    }
    assert!(used.len() > 15, "only {} metrics were seen", used.len());
}

#[test]
fn the_document_lists_each_metric_of_the_code_and_no_other() {
    let made = made();
    assert!(names() == made, "{:#?} is listed, and {made:#?} is made", names());
}
