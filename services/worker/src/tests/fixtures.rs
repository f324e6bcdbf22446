//! A simulated bucket and jobs on it, for this crate's tests.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use brigade_proto::v1;
use brigade_sim::Sim;
use brigade_storage::{Location, Object};
use bytes::Bytes;
use tokio::{
    runtime,
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use brigade_runtime::telemetry::{Buffer, Format, subscriber};
use serde_json::Value;

use crate::{
    job::{Deadline, Job, JobContext},
    output::{Cleanups, OutputPolicy, Outputs, Source, Taken},
    request::validate,
    settings::WorkerSettings,
    testing,
};

/// The trace that a call belongs to.
pub(crate) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

pub(crate) const BUCKET: &str = "data";
pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn sim() -> Sim {
    Sim::new().with_bucket(BUCKET)
}

/// A simulated bucket with one object.
pub(crate) fn uploaded(name: &str, content: impl Into<Bytes>) -> (Sim, Object) {
    let sim = sim();
    let object = sim.upload(BUCKET, name, content).unwrap();
    (sim, object)
}

/// The settings of a worker that does one object at a time.
pub(crate) fn one_at_a_time() -> WorkerSettings {
    WorkerSettings { concurrency: Some(1), ..settings() }
}

/// Notifies when it is dropped.
pub(crate) struct TellsWhenDropped(pub(crate) Arc<Notify>);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The request that a poller makes of an object at its second attempt.
pub(crate) fn request(object: &Object) -> v1::ProcessRequest {
    v1::ProcessRequest { attempt: 2, ..testing::request(object) }
}

pub(crate) fn settings() -> WorkerSettings {
    WorkerSettings { output: Some(Location::new(BUCKET, "features")), ..WorkerSettings::default() }
}

/// A job with an output location and an hour.
pub(crate) fn job(sim: &Sim, object: &Object) -> Job {
    job_with(sim, request(object), settings().output)
}

pub(crate) fn job_with(sim: &Sim, request: v1::ProcessRequest, output: Option<Location>) -> Job {
    job_with_shutdown(sim, request, output, CancellationToken::new())
}

/// A job of a worker that shuts down with this token.
pub(crate) fn job_with_shutdown(
    sim: &Sim,
    request: v1::ProcessRequest,
    output: Option<Location>,
    shutdown: CancellationToken,
) -> Job {
    let slot = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let (request, store) = (validate(request).unwrap(), Arc::new(sim.clone()));
    let name = "{file}".parse();
    let policy = OutputPolicy::new(output, name, Taken::default(), Cleanups::default());
    let source = Source::new(&request.object, request.inbox.as_ref());
    let outputs = Arc::new(Outputs::new(Arc::new(policy), store.clone(), source));
    Job::new(
        request,
        JobContext {
            store,
            outputs,
            deadline: Arc::new(Deadline::new(Instant::now() + HOUR)),
            progress: Arc::default(),
            max_size: None,
            shutdown,
            slot: Arc::new(slot),
        },
    )
}

/// A runtime with one thread for tasks and one for blocking work, which is busy until the sender sends.
pub(crate) fn one_busy_blocking_thread() -> (runtime::Runtime, mpsc::Sender<()>) {
    let runtime = runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (go, wait) = mpsc::channel();
    runtime.spawn_blocking(move || wait.recv());
    (runtime, go)
}

/// What this thread logs, until the guard is dropped.
pub(crate) fn listen() -> (Buffer, tracing::subscriber::DefaultGuard) {
    // `tracing` remembers of each line whether a subscriber wants it; those of other tests do not.
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let all = subscriber(Format::Json, "info", Buffer::default());
        let _ = tracing::subscriber::set_global_default(all);
    });
    let buffer = Buffer::default();
    let here = subscriber(Format::Json, "info", buffer.clone());
    (buffer, tracing::subscriber::set_default(here))
}

/// What programs wrote, and the traces of these lines.
pub(crate) fn traces(buffer: &Buffer) -> Vec<(String, Value)> {
    let text = buffer.text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ours = lines.filter(|line| line["stream"] == "stderr");
    let parts = |line: Value| {
        let trace = line["logging.googleapis.com/trace"].clone();
        (line["message"].as_str().unwrap().to_owned(), trace)
    };
    ours.map(parts).collect()
}
