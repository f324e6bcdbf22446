//! A worker with a number of places, on a socket of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{extract::Request, middleware::map_request};
use brigade_runtime::serve::{Limits, serve};
use brigade_sim::Sim;
use brigade_worker::{Job, Outcome, ProcessError, Processor, settings::WorkerSettings};
use tokio::net::TcpListener;
use url::Url;

/// A processor whose work is to wait: for the nth file, the nth time.
struct Waiting(Vec<Duration>);

impl Processor for Waiting {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let n: usize = job.file_name().parse().unwrap();
        tokio::time::sleep(self.0[n]).await;
        Ok(Outcome::default())
    }
}

pub(crate) struct WorkerServer {
    pub(crate) url: Url,
    calls: Arc<AtomicUsize>,
}

// === impl WorkerServer ===

impl WorkerServer {
    pub(crate) async fn start(places: usize, times: Vec<Duration>) -> Self {
        let settings = WorkerSettings { concurrency: Some(places), ..WorkerSettings::default() };
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let count = move |request: Request| {
            // Health checks and reflection have other names.
            if request.uri().path().to_ascii_lowercase().ends_with("/process") {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            async { request }
        };
        // No file's content is read, so its bucket need not be there.
        let routes = brigade_worker::routes(Waiting(times), Arc::new(Sim::new()), &settings);
        let routes = routes.layer(map_request(count));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        // The server takes every call, so it is the worker that refuses those for which it has no place.
        tokio::spawn(serve(listener, routes, Limits::default(), std::future::pending()));
        Self { url, calls }
    }

    /// That arrived.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}
