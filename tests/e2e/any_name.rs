//! Any name that Cloud Storage allows, from the listing of a simulated bucket through a worker over a real socket to its
//! destination and the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use brigade_client::WorkerClient;
use brigade_poller::{config::Config, poller::Poller};
use brigade_proto::v1::{ObjectSettled, Settlement};
use brigade_runtime::telemetry::{self, Buffer, Format};
use brigade_sim::Sim;
use brigade_storage::{Location, Object};
use brigade_worker::{Outcome, ProcessError, settings::WorkerSettings};
use proptest::{
    prelude::*,
    test_runner::{Config as Cases, TestRunner},
};

use crate::{
    harness::{BUCKET, loopback, scripted, settled, url},
    names::{check_log, source_of},
};

/// A worker over a real socket, which refuses what ends in `!`, and keeps the names that it sees.
struct Recording {
    client: Arc<WorkerClient>,
    names: Arc<Mutex<Vec<String>>>,
}

impl Recording {
    async fn start() -> Self {
        let names = Arc::new(Mutex::new(Vec::new()));
        let seen = names.clone();
        let processor = scripted(move |job| {
            let name = job.object().name.clone();
            seen.lock().unwrap().push(name.clone());
            Box::pin(async move {
                if name.ends_with('!') {
                    return Err(ProcessError::refuse(name));
                }
                Ok(Outcome::summary(name))
            })
        });
        let listener = loopback().await;
        let at = url(&listener);
        let routes =
            brigade_worker::routes(processor, Arc::new(Sim::new()), &WorkerSettings::default());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let client = Arc::new(WorkerClient::new(&at, None, None).unwrap());
        Self { client, names }
    }

    fn poller(&self, sim: &Sim) -> Poller {
        let config = Config::for_inbox(Location::new(BUCKET, "in/"));
        Poller::new(config, sim, self.client.clone())
    }

    /// Polls until the listing's end; what was said of each object.
    async fn poll(&self, sim: &Sim) -> Vec<ObjectSettled> {
        settled(&self.poller(sim)).await.unwrap()
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
    let said: BTreeMap<String, &ObjectSettled> =
        settled.iter().map(|said| (said.object.clone().unwrap().name, said)).collect();
    assert!(said.keys().eq(uploaded.keys()), "{said:?}");
    let stored = sim.objects(BUCKET);
    assert_eq!(stored.len(), uploaded.len(), "{stored:?}");
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
        assert!(at == whole || (whole.len() > 1_024 && at.len() <= 1_024), "{at:?}");
        let there = stored.iter().find(|found| found.name == at).unwrap();
        if at != whole || settlement == Settlement::Failed {
            let want = (object.uri(), object.generation);
            assert_eq!(source_of(&there.metadata["brigade-source"]), want);
        }
    }
    check_log(log, uploaded.values().map(Object::uri));
}

#[test]
fn any_legal_name_goes_the_whole_way_byte_for_byte_and_is_escaped_in_the_log() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let worker = runtime.block_on(Recording::start());
    let cases = Cases { failure_persistence: None, ..Cases::with_cases(150) };
    let names = prop::collection::btree_set(name(), 1..8);
    let run = TestRunner::new(cases).run(&names, |names| {
        let log = Buffer::default();
        let subscriber = telemetry::subscriber(Format::Json, "info", log.clone());
        let _logged = tracing::subscriber::set_default(subscriber);
        worker.names.lock().unwrap().clear();
        runtime.block_on(async {
            let sim = Sim::new().with_bucket(BUCKET);
            let names = names.iter().map(|name| format!("in/{name}"));
            let upload = |name: String| sim.upload(BUCKET, &name, name.clone()).unwrap();
            let uploaded: BTreeMap<String, Object> =
                names.map(|name| (name.clone(), upload(name))).collect();
            let settled = worker.poll(&sim).await;
            let mut seen = worker.names.lock().unwrap().clone();
            seen.sort();
            assert!(seen.iter().eq(uploaded.keys()), "the worker saw {seen:?}");
            check(&sim, &uploaded, &settled, &log.text());
        });
        Ok(())
    });
    run.unwrap();
}
