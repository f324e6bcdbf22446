//! The calls of one object, and nothing else.

use std::time::Duration;

use brigade_client::{WorkerClient, answer::Answer};
use brigade_proto::v1::{self, ProcessRequest};
use brigade_storage::Object;
use tonic::Code;

use crate::system::System;

/// Looks whether it is there, asks the worker, and moves it.
pub(crate) async fn one(system: &System, name: &str) {
    let object = system.bucket.get(name).await.unwrap();
    ask(&system.worker, &object).await;
    let to = name.replace("incoming/", "processed/");
    system.bucket.rename(object.pinned(), object.metageneration, &to).await.unwrap();
}

/// The worker accepts it.
pub(crate) async fn ask(worker: &WorkerClient, object: &Object) {
    let object = v1::Object {
        bucket: object.bucket.clone(),
        name: object.name.clone(),
        generation: object.generation,
        size: object.size.cast_signed(),
        ..v1::Object::default()
    };
    let request = ProcessRequest {
        idempotency_key: object.idempotency_key(),
        attempt: 1,
        object: Some(object),
        inbox: "gs://data/incoming/".into(),
    };
    match worker.process(request, Duration::from_secs(600)).await {
        Answer::Worker(answer) => assert_eq!(answer.code, Code::Ok),
        other => panic!("{other:?}"),
    }
}
