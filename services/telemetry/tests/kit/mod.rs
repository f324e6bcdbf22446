//! Exporters in memory, for the tests of the crates that are observed. They are global: one test at a time has them.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::unused_self,
    reason = "each crate's tests need some of it, and a test that cannot go on fails"
)]

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use opentelemetry::{KeyValue, global, trace::Status};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, InMemoryMetricExporterBuilder, PeriodicReader, SdkMeterProvider,
        Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
    },
    trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData},
};

/// The parent of what a test does, as a caller sends it.
pub(crate) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Exporters {
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
}

static EXPORTERS: LazyLock<Exporters> = LazyLock::new(|| {
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
    global::set_tracer_provider(tracers.build());
    // What a test counts is not what the one before it counted.
    let metrics = InMemoryMetricExporterBuilder::new().with_temporality(Temporality::Delta).build();
    let reader = PeriodicReader::builder(metrics.clone()).build();
    let meters = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(meters.clone());
    brigade_telemetry::enable();
    brigade_telemetry::measure();
    Exporters { spans, metrics, meters }
});
static ALONE: Mutex<()> = Mutex::new(());

/// What was exported since a test began.
pub(crate) struct Seen(MutexGuard<'static, ()>);

/// Installs the exporters, and waits for the test that has them.
pub(crate) fn observe() -> Seen {
    let seen = Seen(ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    seen.forget();
    seen
}

impl Seen {
    /// Forgets what was exported until now.
    pub(crate) fn forget(&self) {
        EXPORTERS.meters.force_flush().unwrap();
        EXPORTERS.metrics.reset();
        EXPORTERS.spans.reset();
    }

    /// The spans that have ended.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        EXPORTERS.spans.get_finished_spans().unwrap()
    }

    /// The spans as a tree, one a line, by name; with the error of those that failed.
    pub(crate) fn tree(&self) -> String {
        let spans = self.spans();
        let known: BTreeSet<_> =
            spans.iter().map(|span| span.span_context.span_id().to_bytes()).collect();
        let is_root = |span: &&SpanData| !known.contains(&span.parent_span_id.to_bytes());
        let mut roots: Vec<_> =
            spans.iter().filter(is_root).map(|span| branch(span, &spans, 0)).collect();
        roots.sort();
        roots.concat()
    }

    /// The measurements, one a line: the value, or for a histogram how many there were.
    pub(crate) fn metrics(&self) -> Vec<String> {
        EXPORTERS.meters.force_flush().unwrap();
        let exported = EXPORTERS.metrics.get_finished_metrics().unwrap();
        let metrics = exported
            .iter()
            .flat_map(ResourceMetrics::scope_metrics)
            .flat_map(ScopeMetrics::metrics);
        let mut lines = Vec::new();
        for metric in metrics {
            let start = format!("{} [{}]", metric.name(), metric.unit());
            let mut add = |attributes: Vec<&KeyValue>, value: u64| {
                lines.push(format!("{start}{} {value}", labels(&attributes)));
            };
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    sum.data_points()
                        .for_each(|point| add(point.attributes().collect(), point.value()));
                }
                AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
                    gauge
                        .data_points()
                        .for_each(|point| add(point.attributes().collect(), point.value()));
                }
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    histogram
                        .data_points()
                        .for_each(|point| add(point.attributes().collect(), point.count()));
                }
                other => panic!("{start} is {other:?}"),
            }
        }
        lines.sort();
        lines
    }
}

/// A span and what is below it.
fn branch(span: &SpanData, spans: &[SpanData], depth: usize) -> String {
    let error = match &span.status {
        Status::Error { description } => format!(" ! {description}"),
        Status::Unset | Status::Ok => String::new(),
    };
    let id = span.span_context.span_id();
    let below = spans.iter().filter(|below| below.parent_span_id == id);
    let mut below: Vec<_> = below.map(|below| branch(below, spans, depth + 1)).collect();
    below.sort();
    format!("{}{}{error}\n{}", "  ".repeat(depth), span.name, below.concat())
}

fn labels(attributes: &[&KeyValue]) -> String {
    let mut labels: Vec<_> =
        attributes.iter().map(|label| format!(" {}={}", label.key, label.value)).collect();
    labels.sort();
    labels.concat()
}
