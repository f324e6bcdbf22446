//! Every name that Cloud Storage allows, byte for byte from the listing through the worker to its destination, and on one
//! harmless line in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use brigade_client::WorkerClient;
use brigade_emulator::Emulator;
use brigade_poller::{
    clock::SystemClock,
    filter::Filters,
    poll::{Budgets, Parts, Poller, Trigger},
    settle::Settler,
};
use brigade_proto::v1::{ObjectSettled, PollRequest, Settlement, poll_response::Event};
use brigade_runtime::telemetry::{self, Buffer, Format};
use brigade_storage::{
    Location, NewObject, Object, Store as _,
    gcs::{GcsSettings, GcsStore},
    object::escape,
    sim::Sim,
};
use brigade_worker::{Outcome, ProcessError, settings::WorkerSettings};
use percent_encoding::percent_decode_str;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::{BUCKET, System, loopback, scripted, url};

/// Each has broken something: a path that was joined, a URL that was resolved, a glob, a shell, a log line, a terminal.
const ODD: [&str; 45] = [
    "a",
    "a/../b",
    "../a",
    "./a",
    "a/.",
    "a/..",
    "...",
    "//",
    "/a",
    "a//",
    "a//b",
    "dir/",
    "%2F",
    "%2e%2e",
    "a%2Fb",
    "%",
    "a?b",
    "a#123",
    "a*[x]?",
    "a{date}b",
    "\\",
    "\\n",
    "a\tb",
    "\u{1b}[31mred\u{1b}[2J",
    "\u{7f}",
    "\0",
    "nel\u{85}nel",
    "csi\u{9b}2J",
    "ls\u{2028}ps\u{2029}",
    "\u{202e}gpj.exe",
    "\u{2066}isolated\u{2069}",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{ffff}",
    "\u{feff}bom",
    "\u{1f469}\u{200d}\u{1f52c}.csv",
    " both ends ",
    "-rf",
    "--",
    "~",
    "`'\"$(x);|&<>",
    "processed/x",
    "failed/x",
    "incoming/x",
    "brigade/x",
];

/// Names of exactly so many bytes, of characters of one to four.
fn long(bytes: usize) -> impl Iterator<Item = String> {
    ["x", "é", "日", "\u{1f600}"]
        .into_iter()
        .map(move |filler| {
            let mut name = filler.repeat(bytes / filler.len());
            name.extend(std::iter::repeat_n('.', bytes - name.len()));
            name
        })
}

/// No line of a log acts on what shows it.
fn harmless(log: &str) {
    let acts = |c: &char| {
        let turns = matches!(c, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        turns || (c.is_control() && *c != '\n')
    };
    assert_eq!(log.chars().find(acts), None, "{log:?}");
}

/// The lines that tell of a settlement, as JSON.
fn settled_lines(log: &str) -> Vec<serde_json::Value> {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &serde_json::Value| line["message"] == "object settled")
        .collect()
}

/// The whole name that an object had, as its mark tells it.
fn source_of(marked: &str) -> (String, i64) {
    let (uri, generation) = marked.rsplit_once('#').unwrap();
    let uri = percent_decode_str(uri).decode_utf8().unwrap();
    (uri.into_owned(), generation.parse().unwrap())
}

#[tokio::test]
async fn every_odd_name_goes_the_whole_way_byte_for_byte_and_is_escaped_in_the_log() {
    let log = Buffer::default();
    let subscriber = telemetry::subscriber(Format::Json, "info", log.clone());
    let _logged = tracing::subscriber::set_default(subscriber);
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let asked = seen.clone();
    let system = System::with_processor(scripted(move |job| {
        let name = job.object().name.clone();
        asked.lock().unwrap().insert(name.clone());
        Box::pin(async move {
            if name.starts_with("incoming/bad/") {
                return Err(ProcessError::refuse(format!("{name} is bad")));
            }
            Ok(Outcome::summary(name))
        })
    }))
    .await;

    let mut expected = BTreeMap::new();
    for odd in ODD {
        for (name, to) in [
            (odd.to_owned(), "processed"),
            (format!("bad/{odd}"), "failed"),
        ] {
            system.upload(&name, &name);
            expected.insert(format!("incoming/{name}"), format!("{to}/{name}"));
        }
    }
    let polled = system.poll().await.unwrap();

    let names: BTreeSet<String> = expected.keys().cloned().collect();
    assert_eq!(*seen.lock().unwrap(), names, "what the worker saw");
    let mut lie = system.names();
    lie.sort();
    let mut want: Vec<String> = expected.values().cloned().collect();
    want.sort();
    assert_eq!(lie, want);
    for settled in &polled.settled {
        let object = settled.object.clone().unwrap();
        let to = &expected[&object.name];
        assert_eq!(settled.destination, format!("gs://{BUCKET}/{to}"));
        assert_eq!(
            system.content(to),
            object.name.strip_prefix("incoming/").unwrap()
        );
    }
    assert_eq!(polled.settled.len(), expected.len());

    let log = log.text();
    harmless(&log);
    let told: BTreeSet<String> = settled_lines(&log)
        .iter()
        .map(|line| line["object"].as_str().unwrap().to_owned())
        .collect();
    let uris = names
        .iter()
        .map(|name| escape(&format!("gs://{BUCKET}/{name}")).to_string());
    assert_eq!(told, uris.collect());
    assert_eq!(
        settled_lines(&log).len(),
        expected.len(),
        "one line an object"
    );
}

#[tokio::test]
async fn the_longest_names_settle_and_can_be_told_from_their_marks() {
    let system = System::with_processor(scripted(|job| {
        let bad = job.object().name.ends_with('!');
        Box::pin(async move {
            if bad {
                return Err(ProcessError::refuse("no"));
            }
            Ok(Outcome::default())
        })
    }))
    .await;
    let mut uploaded = BTreeMap::new();
    for name in (1..=4).chain([1_013, 1_014, 1_015]).flat_map(long) {
        uploaded.insert(name.clone(), system.upload(&name, &name));
        if name.len() == 1_015 {
            let refused = format!("{}!", name.trim_end_matches(|c| c == '.' || c == 'x'));
            uploaded.insert(refused.clone(), system.upload(&refused, &refused));
        }
    }
    let polled = system.poll().await.unwrap();
    assert_eq!(polled.settled.len(), uploaded.len(), "{polled:?}");
    let lie = system.names();
    assert_eq!(lie.len(), uploaded.len());
    for at in lie {
        assert!(at.len() <= 1_024);
        let name = system.content(&at);
        let whole = [format!("processed/{name}"), format!("failed/{name}")].contains(&at);
        let metadata = system.metadata_of(&at).await;
        match metadata.get("brigade-source") {
            Some(source) => {
                let uri = format!("gs://{BUCKET}/incoming/{name}");
                assert_eq!(source_of(source), (uri, uploaded[&name]));
            }
            None => assert!(whole, "{at:?} does not tell its name"),
        }
    }
}

#[tokio::test]
async fn a_name_that_no_directory_can_have_is_refused_with_a_line_that_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Emulator::builder().directory("files", directory.path());
    let emulator = builder.start(loopback().await).await.unwrap();
    let env = emulator.env();
    let settings = GcsSettings::from_env(|name| {
        let found = env.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.clone())
    });
    let bucket = GcsStore::connect(settings).await.unwrap().bucket("files");
    let long = "x".repeat(256);
    for (name, why) in [
        ("in/a/../b", "mean directories"),
        ("in/./a", "mean directories"),
        ("in//a", "two in a row"),
        ("/in/a", "a slash at its beginning"),
        ("in/a/", "a slash at its beginning or end"),
        ("in/\0", "it has a NUL"),
        (&*format!("in/{long}"), "longer than 255 bytes"),
        (".brigade-emulator/x", "its own notes"),
    ] {
        let error = bucket
            .create(name, 0, NewObject::default())
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("A directory cannot hold the name"), "{text}");
        assert!(text.contains(why) && text.contains("in memory"), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert_eq!(emulator.storage().list("").unwrap(), []);
}

/// A worker over a real socket, which refuses what ends in `!`, and keeps the names that it is asked about.
struct Asked {
    client: Arc<WorkerClient>,
    names: Arc<Mutex<Vec<String>>>,
}

impl Asked {
    async fn start() -> Self {
        let names = Arc::new(Mutex::new(Vec::new()));
        let asked = names.clone();
        let processor = scripted(move |job| {
            let name = job.object().name.clone();
            asked.lock().unwrap().push(name.clone());
            Box::pin(async move {
                if name.ends_with('!') {
                    return Err(ProcessError::refuse(name));
                }
                Ok(Outcome::summary(name))
            })
        });
        let listener: TcpListener = loopback().await;
        let at = url(&listener);
        let routes =
            brigade_worker::routes(processor, Arc::new(Sim::new()), &WorkerSettings::default());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let client = Arc::new(WorkerClient::new(&at, None, None).unwrap());
        Self { client, names }
    }

    fn poller(&self, sim: &Sim) -> Poller {
        let [inbox, processed, failed] =
            ["in/", "processed/", "failed/"].map(|prefix| Location::new(BUCKET, prefix));
        let bucket = sim.bucket(BUCKET);
        let parts = Parts {
            filters: Filters {
                inbox: inbox.clone(),
                destinations: vec![processed.clone(), failed.clone()],
                min_age: Duration::ZERO,
                matching: None,
            },
            settler: Settler {
                source: bucket.clone(),
                processed_bucket: bucket.clone(),
                failed_bucket: bucket,
                inbox,
                processed,
                failed,
                clock: Arc::new(SystemClock),
            },
            worker: self.client.clone(),
            budgets: Budgets {
                concurrency: 4,
                process_timeout: Duration::from_secs(30),
                poll_deadline: Duration::from_secs(60),
                max_objects: None,
                max_attempts: 5,
                breaker: 5,
            },
            clock: Arc::new(SystemClock),
            lease: true,
            observer: None,
        };
        Poller::new(parts, CancellationToken::new())
    }

    /// Polls until the listing's end; what was said of each object.
    async fn poll(&self, sim: &Sim) -> Vec<ObjectSettled> {
        let poller = self.poller(sim);
        let mut events = poller
            .start(&PollRequest::default(), &Trigger::default())
            .unwrap();
        let mut settled = Vec::new();
        while let Some(event) = events.recv().await {
            if let Some(Event::Settled(said)) = event.unwrap().event {
                settled.push(said);
            }
        }
        settled
    }
}

/// Any name below the inbox that Cloud Storage allows, up to 1,024 bytes with it; odd characters come often.
fn name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        2 => prop::sample::select(vec![
            "/", "//", "..", ".", "%2F", "#", "?", "*", "\\", "\t", "\0", "\u{1b}[2J", "\u{85}", "\u{202e}",
            "\u{2028}", "e\u{301}", "\u{200d}", "!", " ", "-",
        ]).prop_map(str::to_owned),
        1 => "[a-z0-9]{1,12}",
    ];
    let length = prop_oneof![6 => 1..12_usize, 1 => 180..400_usize];
    length
        .prop_flat_map(move |length| prop::collection::vec(piece.clone(), length))
        .prop_map(|pieces| {
            let mut name = pieces.concat().replace(['\r', '\n'], "_");
            name.truncate(name.floor_char_boundary(1_024 - "in/".len()));
            name
        })
        .prop_filter("the poller's own", |name| !name.starts_with(".brigade/"))
}

fn check(sim: &Sim, uploaded: &BTreeMap<String, Object>, settled: &[ObjectSettled], log: &str) {
    let said: BTreeMap<String, &ObjectSettled> = settled
        .iter()
        .map(|said| (said.object.clone().unwrap().name, said))
        .collect();
    assert!(said.keys().eq(uploaded.keys()), "{said:?}");
    let lie = sim.objects(BUCKET);
    assert_eq!(lie.len(), uploaded.len(), "{lie:?}");
    for (name, object) in uploaded {
        let said = said[name];
        let (settlement, folder) = if name.ends_with('!') {
            (Settlement::Failed, "failed/")
        } else {
            (Settlement::Processed, "processed/")
        };
        assert_eq!(said.settlement(), settlement);
        let at = said.destination.strip_prefix("gs://data/").unwrap();
        assert_eq!(sim.content(BUCKET, at).unwrap(), name.as_bytes());
        let whole = name.replacen("in/", folder, 1);
        assert!(
            at == whole || (whole.len() > 1_024 && at.len() <= 1_024),
            "{at:?}"
        );
        let there = lie.iter().find(|found| found.name == at).unwrap();
        if at != whole || settlement == Settlement::Failed {
            let want = (object.uri(), object.generation);
            assert_eq!(source_of(&there.metadata["brigade-source"]), want);
        }
    }
    harmless(log);
    let lines = settled_lines(log);
    let told: BTreeSet<&str> = lines
        .iter()
        .map(|line| line["object"].as_str().unwrap())
        .collect();
    let uris: Vec<String> = uploaded
        .values()
        .map(|object| escape(&object.uri()).to_string())
        .collect();
    assert_eq!(told, uris.iter().map(String::as_str).collect());
    assert_eq!(lines.len(), uploaded.len(), "one line an object");
}

#[test]
fn any_legal_name_goes_the_whole_way_byte_for_byte_and_is_escaped_in_the_log() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asked = runtime.block_on(Asked::start());
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(150)
    };
    let names = prop::collection::btree_set(name(), 1..8);
    let run = TestRunner::new(config).run(&names, |names| {
        let log = Buffer::default();
        let subscriber = telemetry::subscriber(Format::Json, "info", log.clone());
        let _logged = tracing::subscriber::set_default(subscriber);
        asked.names.lock().unwrap().clear();
        runtime.block_on(async {
            let sim = Sim::new().with_bucket(BUCKET);
            let uploaded: BTreeMap<String, Object> = names
                .iter()
                .map(|name| format!("in/{name}"))
                .map(|name| {
                    (
                        name.clone(),
                        sim.upload(BUCKET, &name, name.clone()).unwrap(),
                    )
                })
                .collect();
            let settled = asked.poll(&sim).await;
            let mut seen = asked.names.lock().unwrap().clone();
            seen.sort();
            assert!(
                seen.iter().eq(uploaded.keys()),
                "what the worker saw: {seen:?}"
            );
            check(&sim, &uploaded, &settled, &log.text());
        });
        Ok(())
    });
    run.unwrap();
}
