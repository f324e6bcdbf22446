//! Server spans and durations, by OpenTelemetry's own SDK.

use std::{collections::HashSet, sync::LazyLock};

use axum::routing::post;
use opentelemetry::{
    Value, global,
    trace::{SpanId, Status},
};
use opentelemetry_sdk::{
    metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider},
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};

use super::*;
use crate::{
    guard::{Guard, GuardSettings},
    service::guarded,
};

const SPAN: &str = "b7ad6b7169203331";

struct Recorded {
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
}

static RECORDED: LazyLock<Recorded> = LazyLock::new(|| {
    let (spans, metrics) = (InMemorySpanExporter::default(), InMemoryMetricExporter::default());
    let traces = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let reader = PeriodicReader::builder(metrics.clone()).build();
    let meters = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_tracer_provider(traces);
    global::set_meter_provider(meters.clone());
    brigade_telemetry::enable();
    brigade_telemetry::measure();
    Recorded { spans, metrics, meters }
});

/// The ended spans of a trace.
fn spans(trace: &str) -> Vec<SpanData> {
    let all = RECORDED.spans.get_finished_spans().unwrap();
    all.into_iter().filter(|span| span.span_context.trace_id().to_string() == trace).collect()
}

fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    span.attributes.iter().find(|one| one.key.as_str() == key).map(|one| one.value.clone())
}

async fn served(settings: GuardSettings, routes: Router) -> Running {
    let _ = &*RECORDED;
    let guard = Arc::new(Guard::new(settings).unwrap());
    Running::start(guarded(routes, guard).unwrap().merge(health()), Limits::default()).await
}

fn parent(trace: &str) -> String {
    format!("00-{trace}-{SPAN}-01")
}

fn poll() -> Router {
    let inner = async || brigade_telemetry::traceparent().unwrap_or_default();
    let fails = async || StatusCode::INTERNAL_SERVER_ERROR;
    Router::new().route("/poll", post(inner)).route("/events", post(fails))
}

#[tokio::test]
async fn a_call_has_a_span_under_its_callers_and_the_handler_is_within_it() {
    let running = served(GuardSettings::off(), poll()).await;
    let trace = "0af7651916cd43dd8448eb211c803101";
    for path in ["/poll", "/events", "/health"] {
        let request = http1().post(running.url(path)).header("traceparent", parent(trace));
        let answer = request.send().await.unwrap();
        if path == "/poll" {
            let [span] = &*spans(trace) else { panic!("{:?}", spans(trace)) };
            let own = format!("00-{trace}-{}-01", span.span_context.span_id());
            assert_eq!(answer.text().await.unwrap(), own);
            assert_eq!(span.name, "POST /poll");
            assert_eq!(span.parent_span_id, SpanId::from_hex(SPAN).unwrap());
            assert_eq!(attribute(span, "http.route"), Some("/poll".into()));
            assert_eq!(attribute(span, "http.response.status_code"), Some(200.into()));
            assert_eq!(span.status, Status::Unset);
        }
    }
    let [_, failed] = &*spans(trace) else { panic!("{:?}", spans(trace)) };
    assert_eq!(failed.status, Status::error("500"));
}

#[tokio::test]
async fn a_refused_call_has_no_span() {
    let off = GuardSettings::off();
    let settings = GuardSettings {
        mode: crate::guard::Mode::Verify,
        audiences: vec!["https://poller.example".into()],
        allowed_callers: vec!["poller@example.com".into()],
        issuers: vec!["https://accounts.google.com".into()],
        ..off
    };
    let running = served(settings, poll()).await;
    let trace = "0af7651916cd43dd8448eb211c803102";
    let request = http1().post(running.url("/poll")).header("traceparent", parent(trace));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(spans(trace).is_empty());
}

#[tokio::test]
async fn what_a_stranger_chooses_is_no_name_and_no_attribute() {
    let running = served(GuardSettings::off(), poll()).await;
    let trace = "0af7651916cd43dd8448eb211c803103";
    let grpc = "application/grpc";
    for (method, path, kind) in [
        ("POST", "/strange-1", "text/plain"),
        ("STRANGE-2", "/poll", "text/plain"),
        ("POST", "/strange.v1.Service/Method", grpc),
        ("POST", "/brigade.v1.PollerService/Poll", grpc),
    ] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = http2().request(method, running.url(path)).header("content-type", kind);
        request.header("traceparent", parent(trace)).send().await.unwrap().text().await.unwrap();
    }
    let spans = spans(trace);
    let names: HashSet<_> = spans.iter().map(|span| &*span.name).collect();
    let expected = ["POST _OTHER", "_OTHER /poll", "_OTHER", "brigade.v1.PollerService/Poll"];
    assert_eq!(names, HashSet::from(expected));
    RECORDED.meters.force_flush().unwrap();
    let metrics = format!("{:?}", RECORDED.metrics.get_finished_metrics().unwrap());
    let both = ["http.server.request.duration", "rpc.server.call.duration", "UNIMPLEMENTED"];
    for name in both {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    let all = format!("{spans:?}{metrics}");
    assert!(!all.to_lowercase().contains("strange"), "{all}");
}

#[tokio::test]
async fn a_call_of_grpc_that_http_alone_answers_is_not_given_up_by_its_caller() {
    let path = "/brigade.v1.PollerService/Poll";
    let unsupported = async || StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let running = served(GuardSettings::off(), Router::new().route(path, post(unsupported))).await;
    let trace = "0af7651916cd43dd8448eb211c803105";
    let request = http2().post(running.url(path)).header("content-type", "application/grpc");
    request.header("traceparent", parent(trace)).send().await.unwrap().text().await.unwrap();
    let [span] = &*spans(trace) else { panic!("{:?}", spans(trace)) };
    assert_eq!(attribute(span, "rpc.response.status_code"), Some("UNKNOWN".into()));
}

#[tokio::test]
async fn a_stream_has_a_span_to_its_end() {
    let trace = "0af7651916cd43dd8448eb211c803104";
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<&str, std::io::Error>>(1);
    let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let handler = async move || body.lock().unwrap().take().unwrap().into_response();
    let running = served(GuardSettings::off(), Router::new().route("/poll", post(handler))).await;
    let request = http1().post(running.url("/poll")).header("traceparent", parent(trace));
    let answer = request.send().await.unwrap();
    sender.send(Ok("event")).await.unwrap();
    assert!(spans(trace).is_empty(), "the response goes on");
    drop(sender);
    assert_eq!(answer.text().await.unwrap(), "event");
    assert_eq!(spans(trace).len(), 1);
}
