//! One cell of the table: one poll of an inbox through one worker.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use brigade_client::{HttpWorkerClient, WorkerClient};
use brigade_poller::{
    config::{Budgets, Config},
    dispatch::Worker,
    poller::Poller,
    request::Trigger,
};
use brigade_proto::v1::{EndReason, PollRequest, poll_response::Event};
use brigade_sim::Sim;
use brigade_storage::Location;
use fastrand::Rng;

use crate::worker::WorkerServer;

const BUCKET: &str = "data";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

/// How long the worker takes for a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Constant(Duration),
    /// With this mean.
    Exponential(Duration),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) protocol: Protocol,
    /// Files that the worker takes at once.
    pub(crate) places: usize,
    /// Calls that the poller has in flight at most.
    pub(crate) most: usize,
    pub(crate) work: Work,
}

pub(crate) struct Measured {
    pub(crate) files: usize,
    /// The least time in which this worker can do all the work.
    pub(crate) ideal: Duration,
    pub(crate) took: Duration,
    pub(crate) calls_a_file: f64,
}

// === impl Work ===

impl Work {
    /// The work of each file. Each run has the same.
    fn times(self, files: usize) -> Vec<Duration> {
        let mut rng = Rng::with_seed(1);
        let time = |_| match self {
            Self::Constant(time) => time,
            Self::Exponential(mean) => mean.mul_f64(-(1.0 - rng.f64()).ln()),
        };
        (0..files).map(time).collect()
    }
}

// === impl Cell ===

impl Cell {
    pub(crate) fn is_judged(&self) -> bool {
        self.places >= 4 && matches!(self.work, Work::Constant(_))
    }

    /// The first columns of the table, by which a cell is chosen.
    pub(crate) fn words(&self) -> [String; 3] {
        let protocol = match self.protocol {
            Protocol::Grpc => "grpc",
            Protocol::Http => "http",
        };
        let work = match self.work {
            Work::Constant(_) => "constant",
            Work::Exponential(_) => "exponential",
        };
        [protocol.to_owned(), format!("{}/{}", self.places, self.most), work.to_owned()]
    }

    #[allow(clippy::cast_precision_loss, reason = "no cell has 2^52 calls")]
    pub(crate) async fn measure(&self) -> Measured {
        let files = (20 * self.places).max(40);
        let times = self.work.times(files);
        let at_once = u32::try_from(self.places.min(self.most)).unwrap();
        let ideal = times.iter().sum::<Duration>() / at_once;
        let sim = Sim::new().with_bucket(BUCKET);
        for n in 0..files {
            sim.upload(BUCKET, &format!("in/{n:05}"), "x").unwrap();
        }
        let server = WorkerServer::start(self.places, times).await;
        let worker: Arc<dyn Worker> = match self.protocol {
            Protocol::Grpc => Arc::new(WorkerClient::new(&server.url, None, None).unwrap()),
            Protocol::Http => {
                let url = server.url.join("process").unwrap();
                Arc::new(HttpWorkerClient::new(&url, None, None).unwrap())
            }
        };
        let config = Config {
            budgets: Budgets { concurrency: self.most, ..Budgets::default() },
            ..Config::for_inbox(Location::new(BUCKET, "in/"))
        };
        let poller = Poller::new(config, &sim, worker);
        let began = Instant::now();
        let mut events = poller.start(&PollRequest::default(), &Trigger::default()).unwrap();
        let mut finished = None;
        while let Some(response) = events.recv().await {
            if let Some(Event::Finished(end)) = response.unwrap().event {
                finished = Some(end);
            }
        }
        let took = began.elapsed();
        let finished = finished.unwrap();
        assert_eq!(finished.reason(), EndReason::Complete);
        let processed = usize::try_from(finished.counts.unwrap().processed);
        assert_eq!(processed, Ok(files), "some files were left");
        Measured { files, ideal, took, calls_a_file: server.calls() as f64 / files as f64 }
    }
}
