//! The emulator, a worker and a poller, wired as they are deployed, over real sockets.

use std::{sync::Arc, time::Duration};

use brigade::poller::Dependencies;
use brigade_client::{PollerClient, WorkerClient, identity::TokenSource};
use brigade_emulator::Emulator;
use brigade_poller::lease::Process;
use brigade_proto::v1::{EndReason, PollRequest, poll_response::Event};
use brigade_runtime::{guard::GuardSettings, service::Service};
use brigade_storage::{Bucket, Store};
use brigade_worker::settings::WorkerSettings;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    waiting::Waiting,
    wiring::{self, BUCKET, bound, guard, poller_settings},
};

pub(crate) const IN_FLIGHT: usize = 32;

pub(crate) struct System {
    pub(crate) emulator: Emulator,
    pub(crate) bucket: Arc<dyn Bucket>,
    /// What the poller asks too.
    pub(crate) worker: WorkerClient,
    poller: PollerClient,
    pub(crate) poller_url: Url,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) identity: Arc<dyn TokenSource>,
}

impl System {
    /// A worker that takes so long for each object.
    pub(crate) async fn start(work: Duration) -> Self {
        let emulator = wiring::emulator().await;
        let google = emulator.url();
        let (store, identity) = (wiring::store(&google).await, wiring::identity(&google));

        let (listener, worker) = bound().await;
        let routes =
            brigade_worker::routes(Waiting(work), store.clone(), &WorkerSettings::default());
        let service = Service::new("brigade.v1.WorkerService", guard(&google, &worker));
        let service = service.routes(async { Ok(routes) });
        tokio::spawn(service.serve(listener, CancellationToken::new()));

        let (listener, poller) = bound().await;
        let settings = poller_settings(&worker, IN_FLIGHT);
        let gate = guard(&google, &poller);
        let outside = Dependencies {
            store: store.clone(),
            identity: identity.clone(),
            observer: None,
            process: Process::default(),
        };
        tokio::spawn(async move {
            let never = CancellationToken::new();
            let poller =
                brigade::poller::serve(listener, &settings, gate, async { Ok(outside) }, never);
            poller.await.unwrap();
        });
        Self {
            emulator,
            bucket: store.bucket(BUCKET),
            worker: WorkerClient::new(&worker, Some(identity.clone()), None).unwrap(),
            poller: PollerClient::new(&poller, Some(identity.clone()), None).unwrap(),
            poller_url: poller,
            store,
            identity,
        }
    }

    pub(crate) fn guard(&self, service: &Url) -> GuardSettings {
        guard(&self.emulator.url(), service)
    }

    /// Lays so many objects into the inbox, and nothing else is there.
    pub(crate) fn lay(&self, objects: usize) {
        wiring::lay(&self.emulator, objects);
    }

    /// One poll of all of them, through the poller's own service.
    pub(crate) async fn poll(&self, objects: usize, relist: bool) {
        let request = PollRequest { relist, ..PollRequest::default() };
        let mut events = self.poller.poll(request).await.unwrap();
        let mut finished = None;
        while let Some(response) = events.message().await.unwrap() {
            if let Some(Event::Finished(end)) = response.event {
                finished = Some(end);
            }
        }
        let finished = finished.unwrap();
        assert_eq!(finished.reason(), EndReason::Complete);
        let processed = usize::try_from(finished.counts.unwrap().processed);
        assert_eq!(processed, Ok(objects));
    }
}
