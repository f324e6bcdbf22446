//! Outputs that are inputs: of the same poller, of the next one, and of a ring.

use std::net::SocketAddr;

use super::{Running, worker};
use crate::{
    google::{BUCKET, Google},
    process::Process,
};

/// Leaves one file whose name has a mark of this worker.
const LINES: &str = r#"sh -c 'cp "$1" "$OUTPUT_DIR/${OBJECT_NAME##*/}.lines"' sh {}"#;
const SHORT: &str = r#"sh -c 'cp "$1" "$OUTPUT_DIR/o"' sh {}"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_output_prefix_below_the_inbox_does_not_feed_itself() {
    let output = ("BRIGADE_OUTPUT", "gs://data/in/features/");
    let running = Running::start(&[output, ("BRIGADE_EXEC", LINES)]).await;
    running.put("in/a.csv", "a");
    running.put("in/b.csv", "b");
    assert_eq!(running.poll("processed").await, 2);
    let outputs = ["in/features/a.csv/a.csv.lines", "in/features/b.csv/b.csv.lines"];
    assert_eq!(running.names("in/"), outputs);
    for _ in 0..2 {
        assert_eq!(running.poll("processed").await, 0);
    }
    assert_eq!(running.names("in/"), outputs);
    assert_eq!(running.names("processed/"), ["processed/a.csv", "processed/b.csv"]);
}

/// A worker that writes below `to`, and a poller of `from` that calls it.
struct Stage {
    _worker: Process,
    poller: Process,
    address: SocketAddr,
}

impl Stage {
    async fn start(google: &Google, from: &str, to: &str) -> Self {
        let variables = [("BRIGADE_OUTPUT", to), ("BRIGADE_EXEC", SHORT)];
        let (worker, at) = worker(google, &variables).await;
        let (poller, address) = google.poller_with(at, &[("BRIGADE_INBOX", from)]).await;
        Self { _worker: worker, poller, address }
    }

    /// How many files a poll processed.
    async fn poll(&self, google: &Google) -> usize {
        let answer = google.poll(self.address).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.poller.log());
        let processed = answer.body["counts"]["processed"].as_str();
        processed.map_or(0, |count| count.parse().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outputs_of_one_stage_are_the_inputs_of_the_next() {
    let google = Google::start().await;
    let first = Stage::start(&google, "gs://data/in/", "gs://data/stage/").await;
    let second = Stage::start(&google, "gs://data/stage/", "gs://data/features/").await;
    google.emulator.storage().put("in/a", "x").unwrap();
    assert_eq!((first.poll(&google).await, second.poll(&google).await), (1, 1));
    assert_eq!(google.names(BUCKET, "features/"), ["features/a/o/o"]);
    let output = google.emulator.storage().get("features/a/o/o").unwrap().unwrap();
    let marks = output.attributes.metadata;
    assert!(marks["brigade-source"].starts_with("gs://data/stage/a/o#"), "{marks:?}");
    assert_eq!((&*marks["brigade-inbox"], &*marks["brigade-hops"]), ("gs://data/stage/", "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_of_two_pollers_ends_after_16_hops() {
    let google = Google::start().await;
    let there = Stage::start(&google, "gs://data/a/", "gs://data/b/").await;
    let back = Stage::start(&google, "gs://data/b/", "gs://data/a/").await;
    google.emulator.storage().put("a/x", "x").unwrap();
    let mut processed = 0;
    for _ in 0..12 {
        processed += there.poll(&google).await + back.poll(&google).await;
    }
    assert_eq!(processed, 16);
    let left = [google.names(BUCKET, "a/"), google.names(BUCKET, "b/")].concat();
    let [last] = &*left else { panic!("not one output: {left:?}\n{}", there.poller.log()) };
    let last = google.emulator.storage().get(last).unwrap().unwrap();
    assert_eq!(last.attributes.metadata["brigade-hops"], "16");
}
