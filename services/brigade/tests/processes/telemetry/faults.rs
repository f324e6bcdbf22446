//! A collector that hangs, refuses, is away, or answers with what no collector answers.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, response::Redirect, routing::post};
use bytes::Bytes;
use futures::stream;
use tokio::net::TcpListener;
use tonic::transport::Identity;

use super::{
    collector::Collector,
    poll,
    run::{Run, TRACED},
};
use crate::google::{BUCKET, Google, PICKY};

const FAILS: &str = "the collector takes no traces";

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_costs_a_poll_no_more_than_a_moment() {
    let google = Google::start().await;
    let (_worker, at) = google.worker(PICKY).await;
    // It accepts, and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", hanging.local_addr().unwrap());
    for protocol in ["grpc", "http/protobuf"] {
        let more = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
        ];
        let (poller, address) = google.poller_with(at, &more).await;
        let began = Instant::now();
        for n in 0..10 {
            google.emulator.storage().put(&format!("in/{protocol}{n}.csv"), "a\n").unwrap();
            assert_eq!(poll(&google, address).await.status(), 200);
            assert!(google.names(BUCKET, "in/").is_empty());
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
        poller.terminate();
        let (status, log) = poller.ended().await;
        assert!(status.success(), "{log}");
    }
}

/// Polls three times, each time with three files.
async fn polls_work(run: &Run) {
    for _ in 0..3 {
        run.upload();
        assert_eq!(run.poll("01").await.status(), 200, "{}", run.poller.log());
        assert!(run.is_inbox_empty());
    }
}

/// Both services say once that the collector fails, and end well.
async fn each_says_it_once_and_ends_well(run: Run) {
    let warned = || [&run.poller, &run.worker].map(|process| process.log().matches(FAILS).count());
    run.collector.until(|| warned() == [1, 1]).await;
    for process in [run.poller, run.worker] {
        process.terminate();
        let (status, log) = process.ended().await;
        assert!(status.success(), "{log}");
        assert_eq!(log.matches(FAILS).count(), 1, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_costs_a_poll_nothing_and_gets_what_comes_when_it_takes_again() {
    for protocol in ["grpc", "http"] {
        let collector = Collector::default();
        let endpoint = collector.start().await;
        collector.refuse(true);
        let run = Run::start_at(collector, &endpoint, protocol, TRACED, &[]).await;
        polls_work(&run).await;
        let warned = || run.poller.log().matches(FAILS).count();
        run.collector.until(|| warned() == 1).await;
        assert_eq!(warned(), 1, "{}", run.poller.log());
        assert!(run.collector.spans().is_empty());
        run.collector.refuse(false);
        run.collector.until(|| !run.collector.metrics("brigade.polls").is_empty()).await;
        let polls = run.collector.metrics("brigade.polls");
        assert_eq!(polls, ["poller: brigade.polls end=COMPLETE 3"], "no count is lost");
        run.poller.says("the collector takes metrics again").await;
        run.upload();
        assert_eq!(run.poll("01").await.status(), 200);
        run.collector.until(|| !run.spans("POST /poll").is_empty()).await;
        assert!(!run.spans("POST /poll").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_a_poll_nothing() {
    for protocol in ["grpc", "http"] {
        // A port that is taken, and where nothing listens.
        let taken = tokio::net::TcpSocket::new_v4().unwrap();
        taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let endpoint = format!("http://{}", taken.local_addr().unwrap());
        let run = Run::start_at(Collector::default(), &endpoint, protocol, TRACED, &[]).await;
        polls_work(&run).await;
        each_says_it_once_and_ends_well(run).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_of_a_collector_is_cut_and_its_redirect_is_not_followed() {
    let endless = || {
        Body::from_stream(stream::repeat_with(|| {
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 16_384]))
        }))
    };
    let (other, listener) = (Collector::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let elsewhere = format!("{}/v1/metrics", other.start().await);
    let routes = Router::new()
        .route("/v1/traces", post(async move || endless()))
        .route("/v1/metrics", post(async move || Redirect::temporary(&elsewhere)));
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, routes).await });
    let run = Run::start_at(other, &endpoint, "http", TRACED, &[]).await;
    polls_work(&run).await;
    run.poller.says(FAILS).await;
    assert!(run.collector.metrics("").is_empty());
    let peak = run.poller.peak_memory();
    assert!(peak < 150_000_000, "{peak}");
    each_says_it_once_and_ends_well(run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_over_tls_is_trusted_by_the_certificates_of_the_machine_alone() {
    let directory = tempfile::tempdir().unwrap();
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| directory.path().join(name));
    let mut made = Command::new("openssl");
    made.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]);
    made.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    made.args(["-addext", "basicConstraints=critical,CA:FALSE", "-days", "2"]);
    made.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stderr(Stdio::null());
    if !made.status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: openssl makes no certificate here");
        return;
    }
    let read = |path| fs::read_to_string(path).unwrap();
    let identity = Identity::from_pem(read(&certificate), read(&key));
    let trusts = [("SSL_CERT_FILE", certificate.to_str().unwrap())];
    for protocol in ["grpc", "http"] {
        let collector = Collector::default();
        let endpoint = collector.start_tls(identity.clone()).await;
        // The worker trusts it, and the poller does not.
        let run = Run::start_at(collector, &endpoint, protocol, TRACED, &trusts).await;
        polls_work(&run).await;
        run.collector.until(|| !run.spans("run program").is_empty()).await;
        assert!(!run.spans("run program").is_empty(), "{}", run.worker.log());
        run.poller.says(FAILS).await;
        assert!(run.spans("poll").is_empty());
    }
}
