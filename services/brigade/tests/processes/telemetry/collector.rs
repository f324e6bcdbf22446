//! An OTLP collector within the test, over gRPC and HTTP at one port.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{Metric, metric::Data, number_data_point::Value as Number},
    resource::v1::Resource,
    trace::v1::{Span, status::StatusCode as SpanStatus},
};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    service::Routes,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use crate::process::PATIENCE;

/// What arrived, of all services.
#[derive(Clone, Default)]
pub(super) struct Collector {
    seen: Arc<Mutex<Seen>>,
    refuses: Arc<AtomicBool>,
}

#[derive(Default)]
struct Seen {
    /// Each with the name of its service.
    spans: Vec<(&'static str, Span)>,
    /// The last value of each series, as a line of service, name and labels.
    points: BTreeMap<String, u64>,
}

// === impl Collector ===

impl Collector {
    /// Its URL.
    pub(super) async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = self.routes().into_axum_router();
        tokio::spawn(async { axum::serve(listener, routes).await });
        url
    }

    /// Its URL, over TLS with this key and certificate of `localhost`.
    pub(super) async fn start_tls(&self, identity: Identity) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let server = Server::builder().accept_http1(true);
        let mut server = server.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
        let endless =
            server.add_routes(self.routes()).serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(endless);
        url
    }

    fn routes(&self) -> Routes {
        let traces = async |State(this): State<Self>, body: Bytes| {
            this.answer_http(|| this.take_spans(ExportTraceServiceRequest::decode(body).unwrap()))
        };
        let metrics = async |State(this): State<Self>, body: Bytes| {
            this.answer_http(|| {
                this.take_points(ExportMetricsServiceRequest::decode(body).unwrap());
            })
        };
        let http = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(self.clone());
        Routes::from(http)
            .add_service(TraceServiceServer::new(self.clone()))
            .add_service(MetricsServiceServer::new(self.clone()))
    }

    /// From now on it refuses everything, or nothing.
    pub(super) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }

    fn answer_http(&self, take: impl FnOnce()) -> StatusCode {
        if self.refuses.load(Ordering::Relaxed) {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        take();
        StatusCode::OK
    }

    fn answer_grpc<T: Default>(&self, take: impl FnOnce()) -> Result<Response<T>, Status> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(Status::unavailable("full"));
        }
        take();
        Ok(Response::new(T::default()))
    }

    fn take_spans(&self, request: ExportTraceServiceRequest) {
        for resource in request.resource_spans {
            let service = service(resource.resource);
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.seen.lock().unwrap().spans.extend(spans.map(|span| (service, span)));
        }
    }

    fn take_points(&self, request: ExportMetricsServiceRequest) {
        for resource in request.resource_metrics {
            let service = service(resource.resource);
            let metrics = resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            let points = metrics.flat_map(points);
            let points = points.map(|(series, value)| (format!("{service}: {series}"), value));
            self.seen.lock().unwrap().points.extend(points);
        }
    }

    /// All spans, with the names of their services.
    pub(super) fn spans(&self) -> Vec<(&'static str, Span)> {
        self.seen.lock().unwrap().spans.clone()
    }

    /// The spans of this trace, with the names of their services.
    pub(super) fn trace(&self, id: &str) -> Vec<(&'static str, Span)> {
        let id = u128::from_str_radix(id, 16).unwrap().to_be_bytes();
        self.spans().into_iter().filter(|(_, span)| span.trace_id == id).collect()
    }

    /// The trace as one line for each place in it that has a span: the names from its root on, and the error.
    pub(super) fn places(&self, id: &str) -> Vec<String> {
        let spans = self.trace(id);
        let mut places: Vec<_> = spans.iter().map(|(_, span)| place(span, &spans)).collect();
        places.sort();
        places.dedup();
        places
    }

    /// The last value of each series whose name begins so; of a histogram the number of its measurements.
    pub(super) fn metrics(&self, name: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let of_name = seen.points.iter().filter(|(series, _)| {
            series.split_once(": ").is_some_and(|(_, series)| series.starts_with(name))
        });
        of_name.map(|(series, value)| format!("{series} {value}")).collect()
    }

    /// Waits until this is so, and no longer than for a slow machine: exports come when they come.
    pub(super) async fn until(&self, condition: impl Fn() -> bool) {
        let began = Instant::now();
        while !condition() && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.answer_grpc(|| self.take_spans(request.into_inner()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.answer_grpc(|| self.take_points(request.into_inner()))
    }
}

fn service(resource: Option<Resource>) -> &'static str {
    let attributes = resource.unwrap().attributes;
    let name = text(&attributes, "service.name");
    if name.contains("worker") { "worker" } else { "poller" }
}

fn place(span: &Span, spans: &[(&'static str, Span)]) -> String {
    let (service, _) = spans.iter().find(|(_, one)| one.span_id == span.span_id).unwrap();
    let parent = spans.iter().find(|(_, one)| one.span_id == span.parent_span_id);
    let above =
        parent.map_or_else(String::new, |(_, parent)| format!("{} > ", place(parent, spans)));
    let status = span.status.clone().unwrap_or_default();
    let error = if status.code() == SpanStatus::Error { "!" } else { "" };
    format!("{above}{service} {}{error}", span.name)
}

/// An attribute, as text.
pub(super) fn text(attributes: &[KeyValue], key: &str) -> String {
    let value = attributes.iter().find(|one| one.key == key).and_then(|one| one.value.clone());
    match value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text,
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => number.to_string(),
        other => panic!("{key} is {other:?} in {attributes:?}"),
    }
}

fn points(metric: Metric) -> Vec<(String, u64)> {
    let number = |value: Option<Number>| match value.unwrap() {
        Number::AsInt(value) => u64::try_from(value).unwrap(),
        Number::AsDouble(value) => panic!("{value}"),
    };
    let points: Vec<_> = match metric.data.unwrap() {
        Data::Gauge(gauge) => {
            gauge.data_points.into_iter().map(|p| (p.attributes, number(p.value))).collect()
        }
        Data::Sum(sum) => {
            sum.data_points.into_iter().map(|p| (p.attributes, number(p.value))).collect()
        }
        Data::Histogram(all) => {
            all.data_points.into_iter().map(|p| (p.attributes, p.count)).collect()
        }
        other => panic!("{other:?}"),
    };
    let name = metric.name;
    let series = |attributes: Vec<KeyValue>| {
        let mut labels: Vec<_> = attributes
            .iter()
            .map(|one| format!(" {}={}", one.key, text(&attributes, &one.key)))
            .collect();
        labels.sort();
        format!("{name}{}", labels.concat())
    };
    points.into_iter().map(|(attributes, value)| (series(attributes), value)).collect()
}
