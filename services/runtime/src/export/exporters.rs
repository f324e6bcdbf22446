//! The exporters that OpenTelemetry's variables ask for. The exporter crate reads endpoint, headers, timeout and compression itself.

use std::time::Duration;

use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, RetryPolicy, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _, WithTonicConfig as _,
};
use tonic::transport::ClientTlsConfig;
use url::Url;

use super::{
    client::{Client, is_google},
    env::var,
};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Shorter than the specification's 10 s: one export at a time, and the next one waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Exporters {
    pub(super) spans: Option<SpanExporter>,
    pub(super) metrics: Option<MetricExporter>,
}

/// Where one signal goes.
struct Destination {
    grpc: bool,
    is_google: bool,
    timeout: Duration,
}

// === impl Exporters ===

impl Exporters {
    pub(super) fn from_env() -> Self {
        Self {
            spans: exporter("TRACES", Destination::spans),
            metrics: exporter("METRICS", Destination::metrics),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_none() && self.metrics.is_none()
    }
}

fn exporter<E>(
    signal: &str,
    build: impl FnOnce(Destination) -> Result<E, ExporterBuildError>,
) -> Option<E> {
    let endpoint = endpoint(signal)?;
    let exporter = Destination::new(signal, &endpoint)
        .and_then(|to| build(to).map_err(|error| error.to_string()));
    exporter
        .map_err(|error| {
            tracing::warn!(
                endpoint = shown(&endpoint), error = error.replace(&endpoint, "it"),
                "no {} are exported; fix: set {ENDPOINT} to a collector's URL, such as http://127.0.0.1:4318",
                signal.to_lowercase()
            );
        })
        .ok()
}

/// Without a key that it may hold: its origin.
fn shown(endpoint: &str) -> String {
    let origin = |url: Url| Some(format!("{}://{}", url.scheme(), url.host()?));
    Url::parse(endpoint).ok().and_then(origin).unwrap_or_default()
}

/// The endpoint of a signal that is to be exported.
fn endpoint(signal: &str) -> Option<String> {
    let disabled = var("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let endpoint =
        var(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")).or_else(|| var(ENDPOINT))?;
    match var(&format!("OTEL_{signal}_EXPORTER")).as_deref() {
        _ if disabled => None,
        None | Some("otlp") => Some(endpoint),
        Some("none") => None,
        Some(other) => {
            tracing::warn!(
                "OTEL_{signal}_EXPORTER is {other:?}; expected otlp or none; exporting nothing"
            );
            None
        }
    }
}

// === impl Destination ===

impl Destination {
    fn new(signal: &str, endpoint: &str) -> Result<Self, String> {
        let scheme = Url::parse(endpoint).ok().filter(Url::has_host);
        if endpoint.contains("://")
            && !scheme.as_ref().is_some_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            return Err("it is no http or https URL".to_owned());
        }
        let of = |name: &str| {
            var(&format!("OTEL_EXPORTER_OTLP_{signal}_{name}"))
                .or_else(|| var(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let timeout = of("TIMEOUT")
            .and_then(|text| text.trim().parse().ok())
            .map_or(TIMEOUT, Duration::from_millis);
        let is_google = scheme.as_ref().is_some_and(is_google);
        // Google's API takes gRPC too, but its tokens expire: our own client gets new ones.
        let grpc = of("PROTOCOL").is_some_and(|protocol| protocol == "grpc") && !is_google;
        Ok(Self { grpc, is_google, timeout })
    }

    fn client(&self) -> Result<Client, ExporterBuildError> {
        let client = Client::new(self.is_google, self.timeout);
        client.map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))
    }

    fn spans(self) -> Result<SpanExporter, ExporterBuildError> {
        let (once, builder) = (RetryPolicy::disabled(), SpanExporter::builder());
        if self.grpc {
            let builder = builder.with_tonic().with_tls_config(roots());
            return builder.with_timeout(self.timeout).with_retry_policy(once).build();
        }
        let builder = builder.with_http().with_http_client(self.client()?);
        builder.with_timeout(self.timeout).with_retry_policy(once).build()
    }

    fn metrics(self) -> Result<MetricExporter, ExporterBuildError> {
        let (once, builder) = (RetryPolicy::disabled(), MetricExporter::builder());
        if self.grpc {
            let builder = builder.with_tonic().with_tls_config(roots());
            return builder.with_timeout(self.timeout).with_retry_policy(once).build();
        }
        let builder = builder.with_http().with_http_client(self.client()?);
        builder.with_timeout(self.timeout).with_retry_policy(once).build()
    }
}

/// The exporter's own configuration has no root certificates.
fn roots() -> ClientTlsConfig {
    ClientTlsConfig::new().with_enabled_roots()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_an_endpoint_is_not_shown() {
        for endpoint in [
            "https://key:secret@collector.example:4318/secret?api_key=secret",
            "ftp://secret@collector.example",
            "secret",
            "secret@collector.example:4317",
            "secret:secret@collector.example",
        ] {
            let shown = shown(endpoint);
            assert!(!shown.contains("secret"), "{shown}");
            assert_eq!(shown.contains("://collector.example"), endpoint.contains("://"), "{shown}");
        }
    }
}
