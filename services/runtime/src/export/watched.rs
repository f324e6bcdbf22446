//! Whether the collector takes what it gets: one log line when it begins to fail, and one when it takes again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{SpanData, SpanExporter},
};
use tokio::time::Instant;

use super::env::var;

/// Google refuses points of one series that are closer than 5 s.
const SPACE: Duration = Duration::from_secs(10);

/// The collector of one signal.
#[derive(Debug)]
pub(super) struct Collector {
    signal: &'static str,
    fails: AtomicBool,
    shuts_down: AtomicBool,
}

impl Collector {
    pub(super) fn new(signal: &'static str) -> Self {
        Self { signal, fails: AtomicBool::new(false), shuts_down: AtomicBool::new(false) }
    }

    pub(super) fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// The next export is the last one.
    pub(super) fn shuts_down(&self) {
        self.shuts_down.store(true, Ordering::Relaxed);
    }

    pub(super) fn note(&self, result: OTelSdkResult) -> OTelSdkResult {
        let signal = self.signal;
        if let Err(error) = &result {
            if !self.fails.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    %error,
                    "the collector takes no {signal}, and what it did not take is lost; the service works on; check that the \
                     collector runs and that OTEL_EXPORTER_OTLP_ENDPOINT names it"
                );
            }
        } else if self.fails.swap(false, Ordering::Relaxed) {
            tracing::info!("the collector takes {signal} again");
        }
        result
    }
}

/// An exporter to it.
#[derive(Debug)]
pub(super) struct Watched<E> {
    exporter: E,
    collector: Arc<Collector>,
    /// When it last exported.
    last: Mutex<Option<Instant>>,
    space: Duration,
}

impl<E> Watched<E> {
    pub(super) fn new(exporter: E, collector: &Arc<Collector>) -> Self {
        let interval = var("OTEL_METRIC_EXPORT_INTERVAL").and_then(|text| text.trim().parse().ok());
        let half = interval.map_or(SPACE, |ms| Duration::from_millis(ms) / 2);
        let (collector, last) = (Arc::clone(collector), Mutex::default());
        Self { exporter, collector, last, space: SPACE.min(half) }
    }

    /// Whether the last export was a moment ago; this is one otherwise.
    fn is_too_early(&self) -> bool {
        let (now, mut last) =
            (Instant::now(), self.last.lock().unwrap_or_else(PoisonError::into_inner));
        let is_early = last.is_some_and(|last| now < last + self.space);
        if !is_early {
            *last = Some(now);
        }
        is_early
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.collector.note(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    /// Sums are of all time, so the next export has what this one leaves out. There is none after the shutdown's: that one is tried,
    /// and a collector that finds it too early has not begun to fail.
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        if self.temporality() == Temporality::Cumulative && self.is_too_early() {
            if self.collector.shuts_down.load(Ordering::Relaxed) {
                return self.exporter.export(metrics).await;
            }
            return Ok(());
        }
        self.collector.note(self.exporter.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::{error::OTelSdkError, metrics::InMemoryMetricExporter};
    use tokio::time::advance;

    use super::*;
    use crate::telemetry::{Buffer, Format, subscriber};

    #[tokio::test(start_paused = true)]
    async fn metrics_are_exported_no_closer_than_ten_seconds_but_at_the_shutdown() {
        let exporter = InMemoryMetricExporter::default();
        let collector = Arc::new(Collector::new("metrics"));
        let watched = Watched::new(exporter.clone(), &collector);
        let mut counts = Vec::new();
        for wait in [0, 1, 8, 1, 3] {
            advance(Duration::from_secs(wait)).await;
            watched.export(&ResourceMetrics::default()).await.unwrap();
            counts.push(exporter.get_finished_metrics().unwrap().len());
        }
        assert_eq!(counts, [1, 1, 1, 2, 2]);
        collector.shuts_down();
        watched.export(&ResourceMetrics::default()).await.unwrap();
        assert_eq!(exporter.get_finished_metrics().unwrap().len(), 3);
    }

    #[test]
    fn a_collector_that_takes_one_signal_and_refuses_the_other_is_one_warning() {
        let buffer = Buffer::default();
        let _lines =
            tracing::subscriber::set_default(subscriber(Format::Human, "info", buffer.clone()));
        let (traces, metrics) = (Collector::new("traces"), Collector::new("metrics"));
        for _ in 0..3 {
            traces.note(Ok(())).unwrap();
            metrics.note(Err(OTelSdkError::InternalFailure("404".into()))).unwrap_err();
        }
        assert!(metrics.fails() && !traces.fails());
        let text = buffer.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("takes no metrics"), "{text}");
    }
}
