//! What spans and metrics cost: objects a second with a collector that reads and discards, to those without.

use std::time::Duration;

use axum::{Router, body::Bytes};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{
    figure::{Figure, Scale},
    rate::{IN_FLIGHT, in_turn, ratio, shown},
    subject::{Kind, Subject},
    system::{Protocol, System},
};

const WORK: Duration = Duration::from_millis(20);

pub(crate) fn figures(scale: &Scale, system: &System, runtime: &Runtime) -> Vec<Figure> {
    let worker = system.worker(WORK);
    let collector = runtime.block_on(collector());
    let start = |env: &[(&str, &str)]| {
        let kind = Kind::built().with(env);
        Subject::start(&kind, system, runtime, &worker, Protocol::Grpc, IN_FLIGHT)
    };
    let sampled = |share| {
        start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", share),
        ])
    };
    let subjects = vec![start(&[]), sampled("0.01"), sampled("1")];
    let rates = in_turn(scale, system, runtime, subjects);
    println!("spans and metrics: {} objects/s (none, 1 % of the spans, all spans)", shown(&rates));
    [("1 %", 1, 0.97), ("all", 2, 0.90)]
        .map(|(part, at, goal)| {
            let what = format!("objects/s at 20 ms of work, with {part} of the spans, to none");
            Figure::at_least(what, ratio(&rates[at], &rates[0]), goal)
        })
        .into()
}

/// Its address.
async fn collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().fallback(async |_: Bytes| {});
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://{address}")
}
