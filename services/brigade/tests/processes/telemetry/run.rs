//! Both services as processes, and a collector that gets everything within moments.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::trace::v1::Span;

use super::{CALLER_SPAN, TRACE, collector::Collector, poll_of};
use crate::{
    google::{BUCKET, Google},
    process::Process,
};

/// Says which trace it is in; refuses what begins with `bad`.
pub(super) const TRACED: &str = r#"sh -c 'read line < "$1"; echo "in $TRACEPARENT"; case $line in bad*) echo refused >&2; exit 3;; esac' sh {}"#;

pub(super) struct Run {
    pub(super) google: Google,
    pub(super) collector: Collector,
    pub(super) worker: Process,
    pub(super) poller: Process,
    pub(super) address: SocketAddr,
}

impl Run {
    /// The worker runs this program. It is called by this protocol, as is the collector.
    pub(super) async fn start(protocol: &str, program: &str) -> Self {
        Self::start_with(protocol, program, &[]).await
    }

    /// The same with these settings of the worker.
    pub(super) async fn start_with(
        protocol: &str,
        program: &str,
        of_worker: &[(&str, &str)],
    ) -> Self {
        let collector = Collector::default();
        let endpoint = collector.start().await;
        Self::start_at(collector, &endpoint, protocol, program, of_worker).await
    }

    /// The same with a collector at this URL.
    pub(super) async fn start_at(
        collector: Collector,
        endpoint: &str,
        protocol: &str,
        program: &str,
        of_worker: &[(&str, &str)],
    ) -> Self {
        let google = Google::start().await;
        let otlp = if protocol == "grpc" { "grpc" } else { "http/protobuf" };
        let exports = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", otlp),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("BRIGADE_TRACE_SLOW", "1h"),
            ("BRIGADE_METRICS_BIND", "127.0.0.1:0"),
        ];
        let more: Vec<_> = exports.iter().chain(of_worker).copied().collect();
        let (worker, at) = google.worker_with(program, &more).await;
        let url = format!("http://{at}/process");
        let mut more = exports.to_vec();
        if protocol == "http" {
            more.extend([("BRIGADE_WORKER_PROTOCOL", "http"), ("WORKER_URL", &url)]);
        }
        let (poller, address) = google.poller_with(at, &more).await;
        Self { google, collector, worker, poller, address }
    }

    /// Uploads three files, of which the second one is bad.
    pub(super) fn upload(&self) {
        for (name, content) in [("a", "good\n"), ("b", "bad\n"), ("c", "good\n")] {
            self.google.emulator.storage().put(&format!("in/{name}.csv"), content).unwrap();
        }
    }

    pub(super) fn is_inbox_empty(&self) -> bool {
        self.google.names(BUCKET, "in/").is_empty()
    }

    /// Polls as a caller with these flags does.
    pub(super) async fn poll(&self, flags: &str) -> reqwest::Response {
        let traceparent = format!("00-{TRACE}-{CALLER_SPAN}-{flags}");
        poll_of(&self.google, self.address, &traceparent).await
    }

    /// The spans of the caller's trace that have this name.
    pub(super) fn spans(&self, name: &str) -> Vec<Span> {
        let spans = self.collector.trace(TRACE).into_iter().map(|(_, span)| span);
        spans.filter(|span| span.name == name).collect()
    }
}
