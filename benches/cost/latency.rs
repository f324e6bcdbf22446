//! From upload to settled, under a steady stream of uploads.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use brigade_client::{
    PollerClient,
    identity::{Cached, MetadataServer},
};
use brigade_emulator::storage::Operation;
use brigade_proto::v1::{PollRequest, poll_response::Event};
use tokio::{runtime::Runtime, task::JoinSet, time::interval};

use crate::{
    figure::{Figure, Scale, quantile},
    subject::{AUDIENCE, Kind, Poller, Subject},
    system::{BUCKET, Protocol, System, object_name},
};

/// Uploads a second, and the work of each.
const RATE: u32 = 50;
const WORK: Duration = Duration::from_millis(20);
/// Above the least that a sweep takes.
const MARGIN: Duration = Duration::from_millis(250);
/// The pause between two listings, by default.
const PAUSE: Duration = Duration::from_secs(2);

/// When each object was uploaded.
type Uploads = Arc<Mutex<HashMap<String, Instant>>>;

pub(crate) fn figures(scale: &Scale, system: &System, runtime: &Runtime) -> Vec<Figure> {
    let worker = system.worker(WORK);
    let kind = Kind::built();
    let subject = Subject::start(&kind, system, runtime, &worker, Protocol::Grpc, 32);
    system.lay(0);
    let poller = subject.poller();
    let events = runtime.block_on(by_events(scale, system, poller));
    let by_sweep = runtime.block_on(by_sweep(scale, system, poller));
    vec![figure("events", events, MARGIN), figure("sweep", by_sweep, PAUSE + MARGIN)]
}

fn figure(by: &str, mut took: Vec<Duration>, goal: Duration) -> Figure {
    took.sort();
    let (half, most) = (quantile(&took, 0.5), quantile(&took, 0.99));
    println!(
        "from upload to settled by {by}: p50 {half:.1?}, p99 {most:.1?}, {} objects",
        took.len()
    );
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let what = format!("p99 from upload to settled, {RATE} a second, by {by}");
    Figure::at_most(what, millis(most), millis(goal), " ms")
}

/// A Pub/Sub push about this object.
pub(crate) fn event(name: &str, generation: i64) -> String {
    let attributes = serde_json::json!({"eventType": "OBJECT_FINALIZE", "bucketId": BUCKET, "objectId": name,
        "objectGeneration": generation.to_string(), "payloadFormat": "NONE"});
    let message = serde_json::json!({"attributes": attributes, "messageId": "1"});
    serde_json::json!({"message": message, "subscription": "projects/p/subscriptions/s"})
        .to_string()
}

/// One upload each so often, for as long as the scale says.
async fn stream(scale: &Scale, mut each: impl FnMut(String)) {
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < scale.stream {
        ticks.tick().await;
        each(object_name(number));
        number += 1;
    }
}

async fn by_events(scale: &Scale, system: &System, poller: &Poller) -> Vec<Duration> {
    let mut settled = JoinSet::new();
    stream(scale, |name| {
        let (uploaded, poller) = (Instant::now(), poller.clone());
        let generation = system.emulator.storage().put(&name, "day,reaction_ms\n").unwrap();
        settled.spawn(async move {
            let event = event(&name, generation);
            assert_eq!(poller.post("events", &event).await.status(), 204);
            uploaded.elapsed()
        });
    })
    .await;
    settled.join_all().await
}

/// By one poll that lists again and again, as the deployed schedule has it.
async fn by_sweep(scale: &Scale, system: &System, poller: &Poller) -> Vec<Duration> {
    let source = Cached::new(MetadataServer::new(Some(system.emulator.url().authority())));
    let url = poller.url.parse().unwrap();
    let client = PollerClient::new(&url, Some(Arc::new(source)), Some(AUDIENCE)).unwrap();
    system.lay(1);
    let uploads = Uploads::default();
    let mut responses =
        client.poll(PollRequest { relist: true, ..PollRequest::default() }).await.unwrap();
    system.emulator.storage().reset_calls();
    let seen = uploads.clone();
    let polling = tokio::spawn(async move {
        let mut took = Vec::new();
        let mut passes = 0;
        while let Some(response) = responses.message().await.unwrap() {
            match response.event {
                Some(Event::Settled(settled)) => {
                    let name = settled.object.unwrap().name;
                    took.extend(seen.lock().unwrap().get(&name).map(Instant::elapsed));
                }
                Some(Event::Finished(finished)) => passes = finished.passes,
                _ => {}
            }
        }
        (took, passes)
    });
    stream(scale, |name| {
        let name = name.replace("incoming/", "incoming/stream/");
        uploads.lock().unwrap().insert(name.clone(), Instant::now());
        system.emulator.storage().put(&name, "day,reaction_ms\n").unwrap();
    })
    .await;
    let (took, passes) = polling.await.unwrap();
    let lists = system.emulator.storage().calls().count(Operation::List);
    println!("list calls of the sweep: {lists} in {passes} passes");
    assert_eq!(took.len(), uploads.lock().unwrap().len());
    took
}
