//! More files at once than one HTTP/2 connection carries.

use std::{sync::Arc, time::Duration};

use brigade_client::WorkerClient;
use brigade_proto::v1::{Object, ProcessRequest, Settlement};
use brigade_runtime::serve::{Limits, serve};
use brigade_sim::Sim;
use brigade_worker::{Outcome, settings::WorkerSettings};
use tokio::{sync::Barrier, task::JoinSet};
use url::Url;

use crate::harness::{System, loopback, scripted, url};

/// Our server lets a connection have 100 calls at once, and so does Google's front end.
const CROWD: usize = 150;

/// A worker that answers no call before all of them have come.
async fn worker() -> Url {
    let all = Arc::new(Barrier::new(CROWD));
    let processor = scripted(move |_| {
        let all = all.clone();
        Box::pin(async move {
            all.wait().await;
            Ok(Outcome::default())
        })
    });
    let settings = WorkerSettings { concurrency: Some(CROWD), ..WorkerSettings::default() };
    let routes = brigade_worker::routes(processor, Arc::new(Sim::default()), &settings);
    let listener = loopback().await;
    let url = url(&listener);
    let limits = Limits::default();
    assert!(CROWD > limits.streams as usize, "one connection would do");
    tokio::spawn(serve(listener, routes, limits, std::future::pending()));
    url
}

#[tokio::test]
async fn a_hundred_and_fifty_calls_of_one_client_are_inside_the_worker_at_once() {
    let client = WorkerClient::new(&worker().await, None, None).unwrap();
    let mut calls = JoinSet::new();
    for generation in 1..=CROWD {
        let object = Object {
            bucket: "data".into(),
            name: "a".into(),
            generation: generation.try_into().unwrap(),
            ..Object::default()
        };
        let request =
            ProcessRequest { object: Some(object), attempt: 1, ..ProcessRequest::default() };
        let client = client.clone();
        calls.spawn(async move { client.process(request, Duration::from_secs(30)).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().into_result().unwrap();
    }
}

#[tokio::test]
async fn a_hundred_and_fifty_files_of_one_poll_are_inside_the_worker_at_once() {
    let worker = worker().await;
    let system = System::tuned_at(worker, |_, settings| {
        settings.config.budgets.concurrency = CROWD;
        settings.config.budgets.poll_deadline = Duration::from_mins(1);
    })
    .await;
    for number in 0..CROWD {
        system.upload(&number.to_string(), "x");
    }
    let outcomes = system.poll().await.unwrap().outcomes();
    let processed = outcomes.iter().filter(|(_, it)| *it == Settlement::Processed);
    assert_eq!((outcomes.len(), processed.count()), (CROWD, CROWD));
}
