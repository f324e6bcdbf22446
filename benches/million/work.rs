//! What is done with all objects of a bucket.

use std::{sync::Arc, time::Duration};

use axum::Router;
use brigade_poller::{config::Config, poller::Poller, request::Trigger, trigger};
use brigade_proto::v1::{
    GetStatusRequest, ListObjectsRequest, ObjectFilter, Place, PollRequest, ReplayObjectsRequest,
    inbox_service_client::InboxServiceClient,
};
use brigade_sim::Synthetic;
use brigade_storage::Location;

use crate::accepting::Accepting;

pub(crate) async fn run(name: &str, bucket: &Synthetic) {
    let mut config = Config::for_inbox(Location::new("data", "in/"));
    if name == "filtered" {
        // What was uploaded in 1970 is older than any age but this one.
        config.min_age = Duration::MAX;
    }
    config.budgets.poll_deadline = Duration::from_hours(1);
    let poller = Poller::new(config, bucket, Arc::new(Accepting)).lease(false);
    match name {
        "processed" | "filtered" => poll(&poller).await,
        "status" => status(&poller).await,
        "failed" => failed(&poller).await,
        "replayed" => replay(&poller).await,
        _ => panic!("no work is named {name}"),
    }
}

/// The service in this process, without a network.
fn inbox(poller: &Poller) -> InboxServiceClient<Router> {
    InboxServiceClient::new(trigger::routes(poller))
}

async fn poll(poller: &Poller) {
    let mut events = poller.start(&PollRequest::default(), &Trigger::default()).unwrap();
    while let Some(event) = events.recv().await {
        event.unwrap();
    }
}

/// It looks at 100,000 objects of each place at most.
async fn status(poller: &Poller) {
    let request = GetStatusRequest { limit: 100_000, ..GetStatusRequest::default() };
    inbox(poller).get_status(request).await.unwrap();
}

async fn failed(poller: &Poller) {
    let filter = ObjectFilter { place: Place::Failed.into(), ..ObjectFilter::default() };
    let request = ListObjectsRequest { filter: Some(filter), ..ListObjectsRequest::default() };
    let mut pages = inbox(poller).list_objects(request).await.unwrap().into_inner();
    let mut objects = 0;
    while let Some(page) = pages.message().await.unwrap() {
        objects += page.objects.len();
    }
    assert!(objects > 0);
}

async fn replay(poller: &Poller) {
    let request = ReplayObjectsRequest { all: true, ..ReplayObjectsRequest::default() };
    let mut results = inbox(poller).replay_objects(request).await.unwrap().into_inner();
    while results.message().await.unwrap().is_some() {}
}
