//! Pollers in a row, and in a ring: one worker's outputs are the next one's inbox.

use async_trait::async_trait;
use brigade_client::answer::Answer;
use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use brigade_sim::Sim;
use brigade_storage::{Metadata, NewObject, provenance};

use super::{
    world::{Ended, SimTime, collect, config},
    *,
};
use crate::{
    dispatch::Worker,
    outcome::{Ignored, ObjectResult},
};

/// Writes one output for each object, with the marks of a worker.
#[derive(Debug)]
struct Stage {
    sim: Sim,
    output: &'static str,
}

#[async_trait]
impl Worker for Stage {
    async fn process(&self, request: ProcessRequest, _: Duration) -> Answer {
        let source = request.object.unwrap();
        let listed = self.sim.objects("data").into_iter().find(|it| it.name == source.name);
        let listed = listed.unwrap();
        let hops = provenance::hops(&listed.metadata) + 1;
        let metadata = Metadata::from(
            [
                (provenance::KEY, provenance::key("data", listed.pinned())),
                (provenance::INBOX, request.inbox),
                (provenance::HOPS, hops.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        let file = source.name.rsplit('/').next().unwrap_or_default();
        let new = NewObject { content: "1".into(), metadata, ..NewObject::default() };
        self.sim.upload_new("data", &format!("{}{file}", self.output), new).unwrap();
        Answer::ok(ProcessResponse::default())
    }

    async fn is_reachable(&self, _: Duration) -> bool {
        true
    }
}

/// A poller of `inbox` whose worker writes to `output`, and whose processed objects go to a place of its own.
fn stage(sim: &Sim, inbox: &str, output: &'static str) -> Poller {
    let mut config = config(inbox);
    config.processed.prefix = format!("processed-{inbox}");
    let worker = Arc::new(Stage { sim: sim.clone(), output });
    Poller::new(config, sim, worker).clock(Arc::new(SimTime(sim.clone())))
}

async fn poll(poller: &Poller) -> Ended {
    let request = request(|request| request.explain = true);
    collect(poller.start(&request, &Trigger::default()).unwrap()).await
}

fn bucket_with(name: &str) -> Sim {
    let sim = Sim::new().with_bucket("data");
    sim.upload("data", name, "1").unwrap();
    sim
}

fn names(sim: &Sim) -> Vec<String> {
    sim.objects("data").into_iter().map(|object| object.name).collect()
}

#[tokio::test(start_paused = true)]
async fn outputs_of_one_stage_are_work_for_the_next() {
    let sim = bucket_with("in/a");
    let stages = [stage(&sim, "in/", "features/"), stage(&sim, "features/", "models/")];
    for stage in &stages {
        assert_eq!(poll(stage).await.settled.len(), 1);
    }
    assert_eq!(names(&sim), ["models/a", "processed-features/a", "processed-in/a"]);
}

#[tokio::test(start_paused = true)]
async fn outputs_below_their_own_inbox_are_not_processed_again() {
    let sim = bucket_with("in/a");
    let poller = stage(&sim, "in/", "in/out/");
    assert_eq!(poll(&poller).await.settled.len(), 1);
    let second = poll(&poller).await;
    assert!(second.settled.is_empty(), "{second:?}");
    assert_eq!(second.skipped, [("in/out/a".to_owned(), Filter::Output)]);
    let named = ObjectRef { bucket: "data".into(), name: "in/out/a".into(), generation: None };
    let result = poller.process_object(named, Trigger::default()).await.unwrap();
    let ObjectResult::Ignored(Ignored::Filtered(skip)) = result else { panic!("{result:?}") };
    assert_eq!(skip.filter, Filter::Output);
}

#[tokio::test(start_paused = true)]
async fn a_ring_of_two_stages_ends_after_16_hops() {
    let sim = bucket_with("a/x");
    let ring = [stage(&sim, "a/", "b/"), stage(&sim, "b/", "a/")];
    let mut hops = 0;
    for turn in 0..40 {
        hops += poll(&ring[turn % 2]).await.settled.len();
    }
    assert_eq!(hops, 16);
    assert!(names(&sim).contains(&"a/x".to_owned()), "{:?}", names(&sim));
    assert_eq!(poll(&ring[0]).await.skipped, [("a/x".to_owned(), Filter::Output)]);
}
