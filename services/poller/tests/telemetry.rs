//! What a poll's traces and metrics say of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../../telemetry/tests/kit/mod.rs"]
mod kit;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use brigade_client::answer::{Answer, TransportError};
use brigade_poller::{
    clock::Clock,
    config::Config,
    dispatch::Worker,
    poller::Poller,
    request::{ObjectRef, Trigger},
};
use brigade_proto::v1::{PollRequest, ProcessRequest, ProcessResponse, poll_response::Event};
use brigade_sim::Sim;
use brigade_storage::{Bucket, Location, Store, observed};
use brigade_telemetry::{remote, traceparent, within};
use opentelemetry::trace::Status;
use proptest::prelude::*;
use tokio::time::{advance, sleep};
use tonic::Code;

use self::kit::{Seen, TRACEPARENT, observe};

/// Answers by the object's name, and accepts every other; and knows the traces of its calls.
#[derive(Debug, Default)]
struct Script {
    answers: BTreeMap<String, Answer>,
    traces: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Worker for Script {
    async fn process(&self, request: ProcessRequest, _: Duration) -> Answer {
        self.traces.lock().unwrap().push(traceparent().unwrap_or_default());
        let name = request.object.unwrap_or_default().name;
        if name.starts_with("in/slow") {
            sleep(Duration::from_mins(1)).await;
        }
        let answer = self.answers.get(&name).cloned();
        answer.unwrap_or_else(|| Answer::ok(ProcessResponse::default()))
    }

    async fn is_reachable(&self, _: Duration) -> bool {
        true
    }
}

/// Simulated buckets whose calls are observed, as those of Cloud Storage are.
#[derive(Debug)]
struct Watched(Sim);

impl Store for Watched {
    fn bucket(&self, name: &str) -> Arc<dyn Bucket> {
        observed(self.0.bucket(name))
    }
}

#[derive(Debug)]
struct SimTime(Sim);

impl Clock for SimTime {
    fn now(&self) -> jiff::Timestamp {
        self.0.clock().now()
    }
}

struct World {
    sim: Sim,
    worker: Arc<Script>,
    poller: Poller,
}

fn world(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> World {
    let answers = answers.into_iter().map(|(name, answer)| (name.to_owned(), answer)).collect();
    let worker = Arc::new(Script { answers, ..Script::default() });
    let sim = Sim::new().with_bucket("data");
    let config = Config::for_inbox(Location::new("data", "in/"));
    let poller = Poller::new(config, &Watched(sim.clone()), worker.clone());
    let poller = poller.clock(Arc::new(SimTime(sim.clone())));
    World { sim, worker, poller }
}

impl World {
    fn upload(&self, names: &[&str]) {
        for name in names {
            self.sim.upload("data", name, "1").unwrap();
        }
    }

    /// Polls everything for a caller with this trace.
    async fn poll(&self, trace: &str) {
        self.poll_by(PollRequest::default(), trace).await;
    }

    async fn poll_by(&self, request: PollRequest, trace: &str) {
        let polling = async {
            let events = self.poller.start(&request, &Trigger::default());
            let mut events = events.unwrap();
            while events.recv().await.is_some() {}
        };
        within(remote(trace), polling).await;
        self.ended().await;
    }

    /// Waits for the poll's task, whose span ends after its last event.
    async fn ended(&self) {
        self.poller.clone().drained().await;
    }
}

fn later() -> Answer {
    Answer::status(Code::Unavailable, "wait")
}

fn lost() -> Answer {
    Answer::Transport(TransportError::CutShort("cut".into()))
}

/// The values of the gauges whose names begin so: the last parts of the names and the values.
fn gauges(seen: &Seen, start: &str) -> String {
    let metrics = seen.metrics();
    let values = metrics.iter().filter_map(|line| line.strip_prefix(start));
    values
        .map(|value| value.replace(" [{object}]", "").replace(" [s]", ""))
        .collect::<Vec<_>>()
        .join(", ")
}

fn refused() -> Answer {
    Answer::status(Code::InvalidArgument, "line 2: no day")
}

#[tokio::test(start_paused = true)]
async fn a_poll_and_its_objects_are_one_trace_of_the_trigger() {
    let seen = observe();
    let world = world([("in/bad", refused()), ("in/later", later()), ("in/lost", lost())]);
    world.upload(&["in/bad", "in/good", "in/later", "in/lost"]);
    world.poll(TRACEPARENT).await;
    insta::assert_snapshot!(seen.tree());
    for span in seen.spans() {
        assert_eq!(span.span_context.trace_id().to_string(), &TRACEPARENT[3..35], "{}", span.name);
    }
    let parent = |name: &str| {
        let spans = seen.spans();
        spans.into_iter().find(|span| span.name == name).unwrap().parent_span_id.to_string()
    };
    assert_eq!(parent("poll"), &TRACEPARENT[36..52]);
    let attempts: Vec<_> = seen.spans().into_iter().filter(|span| span.name == "attempt").collect();
    for trace in &*world.worker.traces.lock().unwrap() {
        let is_called = |id: String| trace.contains(&id) && trace.ends_with("-01");
        assert!(attempts.iter().any(|span| is_called(span.span_context.span_id().to_string())));
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_an_event_names_is_a_trace_of_its_event() {
    let seen = observe();
    let world = world([]);
    world.upload(&["in/a"]);
    let named = ObjectRef { bucket: "data".into(), name: "in/a".into(), generation: None };
    let settling = world.poller.process_object(named, Trigger::default());
    within(remote(TRACEPARENT), settling).await.unwrap();
    insta::assert_snapshot!(seen.tree());
}

#[tokio::test(start_paused = true)]
async fn the_first_thousand_objects_of_a_poll_are_in_its_trace() {
    let seen = observe();
    let world = world([]);
    for number in 0..1_003 {
        world.upload(&[&format!("in/{number:04}")]);
    }
    world.poll(TRACEPARENT).await;
    let count = |name: &str| seen.spans().iter().filter(|span| span.name == name).count();
    assert_eq!((count("object"), count("poll"), count("attempt")), (1_000, 1, 1_000));
    let traces = world.worker.traces.lock().unwrap();
    assert_eq!(traces.iter().filter(|trace| trace.ends_with("-00")).count(), 3);
    assert!(traces.iter().all(|trace| trace.starts_with(&TRACEPARENT[..35])), "one trace");
}

#[tokio::test(start_paused = true)]
async fn a_trace_that_its_caller_does_not_sample_is_carried_on_and_not_exported() {
    let seen = observe();
    let world = world([]);
    world.upload(&["in/a"]);
    world.poll(&TRACEPARENT.replace("-01", "-00")).await;
    assert!(seen.spans().is_empty(), "{}", seen.tree());
    let traces = world.worker.traces.lock().unwrap();
    assert!(traces[0].starts_with(&TRACEPARENT[..35]) && traces[0].ends_with("-00"), "{traces:?}");
}

#[tokio::test(start_paused = true)]
async fn metrics_say_what_became_of_every_object_and_call() {
    let seen = observe();
    let world = world([("in/bad", refused()), ("in/later", later()), ("in/lost", lost())]);
    world.upload(&["in/bad", "in/good", "in/later", "in/lost"]);
    world.sim.upload("data", "in/folder/", "").unwrap();
    world.poll(TRACEPARENT).await;
    let known = |line: &String| !line.starts_with("brigade.inbox.oldest_age");
    let metrics: Vec<_> = seen.metrics().into_iter().filter(known).collect();
    insta::assert_snapshot!(metrics.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn inbox_brake_and_breaker_are_not_exported_once_another_poll_holds_the_lease() {
    let seen = observe();
    let world = world([("in/later", later())]);
    world.upload(&["in/later"]);
    world.poll(TRACEPARENT).await;
    let states = |seen: &Seen| {
        let states = ["brigade.inbox.objects", "brigade.brake", "brigade.breaker"];
        let metrics = seen.metrics();
        metrics.iter().filter(|line| states.iter().any(|state| line.starts_with(state))).count()
    };
    assert_eq!(states(&seen), 3);
    let now = world.sim.clock().now().to_string();
    let holder =
        format!(r#"{{"prefix":"in/","globs":"","since":"{now}","renewed":"{now}","process":""}}"#);
    let metadata = [("brigade-holder", "other".to_owned()), ("brigade-lease-other", holder)];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value)).into();
    let new = brigade_storage::NewObject { metadata, ..brigade_storage::NewObject::default() };
    world.sim.bucket("data").create(".brigade/in/lease", 0, new).await.unwrap();
    seen.forget();
    world.poll(TRACEPARENT).await;
    let ends: Vec<_> =
        seen.metrics().into_iter().filter(|line| line.starts_with("brigade.polls")).collect();
    assert_eq!(ends, ["brigade.polls [{poll}] end=ALREADY_RUNNING 1"]);
    assert_eq!(states(&seen), 0);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_cut_short_lowers_no_gauge_of_the_inbox() {
    let seen = observe();
    let world = world([("in/x", later()), ("in/y", later()), ("in/z", later())]);
    let at_most = |max_objects| PollRequest { max_objects, ..PollRequest::default() };
    world.upload(&["in/x", "in/y", "in/z"]);
    advance(Duration::from_secs(90)).await;
    world.poll(TRACEPARENT).await;
    let inbox = |seen: &Seen| gauges(seen, "brigade.inbox.");
    let whole = inbox(&seen);
    assert!(whole.starts_with("objects 3, oldest_age "), "{whole}");
    world.upload(&["in/a", "in/b", "in/c"]);
    for poll in ["from the beginning", "from where that one ended"] {
        seen.forget();
        world.poll_by(at_most(1), TRACEPARENT).await;
        assert_eq!(inbox(&seen), whole, "{poll}");
    }
    seen.forget();
    world.poll(TRACEPARENT).await;
    assert!(inbox(&seen).starts_with("objects 4, "), "a whole one replaces them");
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_inbox_is_measured_while_no_whole_listing_is_known() {
    let seen = observe();
    let world = world([]);
    world.upload(&["in/a", "in/b", "in/c"]);
    advance(Duration::from_secs(90)).await;
    world.poll_by(PollRequest { max_objects: 1, ..PollRequest::default() }, TRACEPARENT).await;
    assert_eq!(gauges(&seen, "brigade.inbox."), "objects 2, oldest_age 90, retrying 0");
}

#[tokio::test(start_paused = true)]
async fn later_passes_measure_what_the_poll_itself_left_in_the_inbox() {
    let seen = observe();
    let world = world([("in/lost", lost())]);
    world.upload(&["in/lost", "in/slow"]);
    world.poll_by(PollRequest { relist: true, ..PollRequest::default() }, TRACEPARENT).await;
    let inbox = gauges(&seen, "brigade.inbox.");
    assert!(inbox.starts_with("objects 2, "), "the lost one and the one at work: {inbox}");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_is_in_no_metric_of_polls_and_objects() {
    let seen = observe();
    let world = world([]);
    world.upload(&["in/a"]);
    world.poll_by(PollRequest { dry_run: true, ..PollRequest::default() }, TRACEPARENT).await;
    for start in
        ["brigade.polls", "brigade.objects", "brigade.inbox.", "brigade.brake", "brigade.breaker"]
    {
        assert_eq!(gauges(&seen, start), "", "{start}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_poll_ends_before_its_last_event_is_read() {
    let seen = observe();
    let world = world([]);
    // With the first event as many as wait for their reader.
    for number in 0..255 {
        world.upload(&[&format!("in/{number}")]);
    }
    let mut events = world.poller.start(&PollRequest::default(), &Trigger::default()).unwrap();
    sleep(Duration::from_secs(5)).await;
    assert!(seen.spans().iter().any(|span| span.name == "poll"), "it has not ended");
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = event.unwrap().event;
    }
    assert!(matches!(last, Some(Event::Finished(_))), "{last:?}");
    world.ended().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_workers_message_a_span_has_256_bytes() {
    let seen = observe();
    let world = world([("in/bad", Answer::status(Code::InvalidArgument, "x".repeat(300)))]);
    world.upload(&["in/bad"]);
    world.poll(TRACEPARENT).await;
    for name in ["object", "attempt"] {
        let spans = seen.spans();
        let status = &spans.iter().find(|span| span.name == name).unwrap().status;
        let Status::Error { description } = status else { panic!("{name}: {status:?}") };
        assert!(description.len() == 256 && description.ends_with("xxx"), "{name}: {description}");
    }
}

/// Every value that an attribute of a metric may have.
const VALUES: &str = "\
    PROCESSED FAILED RETRY STOPPED SUPERSEDED HELD ENQUEUED ALREADY_ENQUEUED \
    none other lost-calls storage-unavailable grpc http transport timeout too_large \
    OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED \
    RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS \
    UNAUTHENTICATED worker worker_wide storage deadline busy lost doubt early_doubt poll \
    COMPLETE ALREADY_RUNNING MAX_OBJECTS DEADLINE SHUTDOWN LEASE_LOST BRAKE ERROR \
    list get create update move rewrite delete read A B free ok not_found precondition";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_word_of_a_worker_or_an_uploader_becomes_a_label(
        names in proptest::collection::btree_set("[a-z{}=\", ]{1,20}", 1..4),
        code in 1..17_i32,
        words in "[A-Za-z =\"]{0,20}",
        kind in "[a-z-]{0,20}",
    ) {
        let seen = observe();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let mut answer = Answer::status(Code::from_i32(code), words);
        if let Answer::Worker(answer) = &mut answer {
            answer.kind = kind;
        }
        runtime.block_on(async {
            let names: Vec<_> = names.iter().map(|name| format!("in/{name}")).collect();
            let mut world = world([]);
            let answers = names.iter().map(|name| (name.clone(), answer.clone())).collect();
            let worker = Arc::new(Script { answers, ..Script::default() });
            let config = Config::for_inbox(Location::new("data", "in/"));
            world.poller = Poller::new(config, &Watched(world.sim.clone()), worker)
                .clock(Arc::new(SimTime(world.sim.clone())));
            for name in &names {
                world.upload(&[name]);
            }
            world.poll(TRACEPARENT).await;
        });
        for line in seen.metrics() {
            for label in line.split(' ').filter_map(|part| part.split_once('=')) {
                prop_assert!(VALUES.split(' ').any(|value| value == label.1), "{}", line);
            }
        }
    }
}
