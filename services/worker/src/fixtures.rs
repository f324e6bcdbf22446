//! A simulated bucket and jobs on it, for this crate's tests.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use brigade_proto::v1;
use brigade_sim::Sim;
use brigade_storage::{Location, Object};
use tokio::{runtime, sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    flight::Deadline,
    job::{Job, Surroundings},
    request::check,
    settings::WorkerSettings,
    testing,
};

pub(crate) const BUCKET: &str = "data";
pub(crate) const AN_HOUR: Duration = Duration::from_hours(1);

pub(crate) fn sim() -> Sim {
    Sim::new().with_bucket(BUCKET)
}

/// The request that a poller makes of an object at its second attempt.
pub(crate) fn request(object: &Object) -> v1::ProcessRequest {
    v1::ProcessRequest {
        attempt: 2,
        ..testing::request(object)
    }
}

pub(crate) fn settings() -> WorkerSettings {
    WorkerSettings {
        output: Some(Location::new(BUCKET, "features")),
        ..WorkerSettings::default()
    }
}

/// A job with an output location and an hour.
pub(crate) fn job(sim: &Sim, object: &Object) -> Job {
    job_of(sim, request(object), settings().output)
}

pub(crate) fn job_of(sim: &Sim, request: v1::ProcessRequest, output: Option<Location>) -> Job {
    job_until(sim, request, output, CancellationToken::new())
}

/// A job of a worker that ends with this.
pub(crate) fn job_until(
    sim: &Sim,
    request: v1::ProcessRequest,
    output: Option<Location>,
    shutdown: CancellationToken,
) -> Job {
    let slot = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    Job::new(
        check(request).unwrap(),
        Surroundings {
            store: Arc::new(sim.clone()),
            output,
            deadline: Deadline::at(Instant::now() + AN_HOUR),
            progress: Arc::default(),
            max_size: None,
            shutdown,
            slot,
        },
    )
}

/// A runtime of one thread for tasks and one for what blocks; the latter is busy until somebody says go.
pub(crate) fn busy() -> (runtime::Runtime, mpsc::Sender<()>) {
    let runtime = runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (go, wait) = mpsc::channel();
    runtime.spawn_blocking(move || wait.recv());
    (runtime, go)
}
