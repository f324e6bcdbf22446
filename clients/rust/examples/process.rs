//! Asks a worker about one object.

#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Duration;

use brigade_client::WorkerClient;
use brigade_proto::v1::{Object, ProcessRequest};

/// Asks the worker at `url`, with this environment's identity, to process one generation of an object.
pub async fn process(url: &str, object: Object) -> Result<(), Box<dyn std::error::Error>> {
    let worker = WorkerClient::connect(url)?;
    let request = ProcessRequest { object: Some(object), ..ProcessRequest::default() };
    let answer = worker.process(request, Duration::from_secs(600)).await;
    println!("{}", answer.into_result()?.summary);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut given = std::env::args().skip(1);
    let mut next = || given.next().ok_or("give URL BUCKET NAME GENERATION");
    let url = next()?;
    let object = Object {
        bucket: next()?,
        name: next()?,
        generation: next()?.parse()?,
        ..Object::default()
    };
    process(&url, object).await
}
