//! The trace of a trigger reaches the worker, although nothing records a span.

use std::sync::Mutex;

use brigade_proto::v1::ProcessRequest;
use brigade_telemetry::{remote, traceparent, within};

use super::*;
use crate::dispatch::Worker;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Keeps the trace of each call.
#[derive(Debug, Default)]
struct Sees(Mutex<Vec<Option<String>>>);

#[async_trait::async_trait]
impl Worker for Sees {
    async fn process(&self, _: ProcessRequest, _: Duration) -> Answer {
        self.0.lock().unwrap().push(traceparent());
        Answer::ok(brigade_proto::v1::ProcessResponse::default())
    }

    async fn is_reachable(&self, _: Duration) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_a_trigger_reaches_the_worker_without_an_exporter() {
    let worker = Arc::new(Sees::default());
    let (sim, poller) = poller_of(worker.clone(), world::config("in/"));
    let upload = |name| sim.upload("data", name, "1").unwrap();
    upload("in/a");
    let poll = async {
        collect(poller.start(&PollRequest::default(), &Trigger::default()).unwrap()).await;
    };
    within(remote(TRACEPARENT), poll).await;
    upload("in/b");
    let named = ObjectRef { bucket: "data".into(), name: "in/b".into(), generation: None };
    within(remote(TRACEPARENT), poller.process_object(named, Trigger::default())).await.unwrap();
    upload("in/c");
    collect(poller.start(&PollRequest::default(), &Trigger::default()).unwrap()).await;
    let trace = Some(TRACEPARENT.to_owned());
    assert_eq!(*worker.0.lock().unwrap(), [trace.clone(), trace, None]);
}
