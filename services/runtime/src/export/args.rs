//! Our settings of telemetry. OpenTelemetry's own variables set where it goes.

use std::{net::SocketAddr, time::Duration};

use crate::settings::{Given, Problems, TIME_RANGE, form, optional, setting, time};

/// Telemetry, as given.
#[derive(Clone, Debug, clap::Args)]
#[allow(clippy::doc_markdown, reason = "they are shown as help")]
pub struct TelemetryArgs {
    /// An address and port where GET /metrics answers any caller, in Prometheus' text format; OTEL_EXPORTER_OTLP_ENDPOINT and its
    /// kin send metrics and traces to a collector [default: none]
    #[arg(long, env = "BRIGADE_METRICS_BIND", value_name = "ADDRESS", default_value = "", hide_default_value = true,
        value_parser = optional(form("an IP address and a port, such as 127.0.0.1:9464", str::parse::<SocketAddr>)))]
    metrics_bind: Given<Option<SocketAddr>>,
    /// A span that takes longer is exported although its trace is not sampled, as one that fails is
    #[arg(long, env = "BRIGADE_TRACE_SLOW", value_name = "TIME", default_value = "1m",
        value_parser = setting(time(TIME_RANGE)))]
    trace_slow: Given<Duration>,
}

/// Telemetry, as resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Where metrics can be read without a token.
    pub metrics_bind: Option<SocketAddr>,
    /// Whether metrics can be read at the service's own port.
    pub metrics_route: bool,
    /// From this duration a span is always exported.
    pub slow: Duration,
}

impl TelemetryArgs {
    /// Resolves all, and notes every problem.
    pub fn resolve(&self, problems: &mut Problems) -> Option<TelemetrySettings> {
        let (metrics_bind, slow) = (self.metrics_bind.get(problems), self.trace_slow.get(problems));
        Some(TelemetrySettings { metrics_bind: metrics_bind?, metrics_route: false, slow: slow? })
    }
}
