//! Both services as processes, and a collector within the test.

mod collector;
mod counts;
mod faults;
mod run;
mod scraped;
mod trace;

use std::net::SocketAddr;

use self::collector::Collector;
use crate::google::{BUCKET, CALLER, Google, PICKY, POLLER_AUDIENCE};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// The caller's span.
const CALLER_SPAN: &str = "b7ad6b7169203331";

/// `POST /poll` of a caller that samples its trace.
async fn poll(google: &Google, poller: SocketAddr) -> reqwest::Response {
    poll_of(google, poller, SAMPLED).await
}

/// The same of a caller with this trace.
async fn poll_of(google: &Google, poller: SocketAddr, traceparent: &str) -> reqwest::Response {
    let token = google.emulator.identity().mint(CALLER, POLLER_AUDIENCE);
    let request = reqwest::Client::new().post(format!("http://{poller}/poll")).bearer_auth(token);
    let request = request.header("traceparent", traceparent);
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_the_poll_to_the_collector_before_the_answer_and_metrics_can_be_read() {
    let (google, collector) = (Google::start().await, Collector::default());
    let endpoint = collector.start().await;
    google.emulator.storage().put("in/a.csv", "a\n").unwrap();
    let otlp = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    let (worker, at) = google.worker_with(PICKY, &[otlp]).await;
    let more = [
        otlp,
        ("BRIGADE_METRICS_BIND", "127.0.0.1:0"),
        // Nothing but the end of the poll exports.
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
    ];
    let (poller, address) = google.poller_with(at, &more).await;
    assert_eq!(poll(&google, address).await.status(), 200);
    let is_there = || collector.spans().iter().any(|(_, span)| span.name == "POST /poll");
    collector.until(is_there).await;
    assert!(is_there(), "{}", poller.log());
    let text = reqwest::get(poller.metrics_url()).await.unwrap().text().await.unwrap();
    assert!(text.contains("http_server_request_duration_seconds_count{"), "{text}");
    let foreign = reqwest::Client::new().get(poller.metrics_url()).header("host", "evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let own = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
    assert_eq!(own.status(), 401, "the service's own port asks for a token");
    for process in [worker, poller] {
        process.terminate();
        let (status, log) = process.ended().await;
        assert!(status.success(), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_no_url_is_a_warning_and_the_service_works() {
    let google = Google::start().await;
    let (_worker, at) = google.worker(PICKY).await;
    for (endpoint, protocol) in
        [("no url at all", "grpc"), ("no url", "http/protobuf"), ("ftp://x", "grpc")]
    {
        google.emulator.storage().put("in/a.csv", "a\n").unwrap();
        let wrong =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
        let (poller, address) = google.poller_with(at, &wrong).await;
        assert_eq!(poll(&google, address).await.status(), 200);
        assert!(google.names(BUCKET, "in/").is_empty());
        poller.terminate();
        let (_, log) = poller.ended().await;
        for signal in ["no traces are exported", "no metrics are exported"] {
            assert_eq!(log.matches(signal).count(), 1, "{endpoint}: {log}");
        }
        google.remove_lease();
        google.emulator.storage().remove("processed/a.csv").unwrap();
    }
}
