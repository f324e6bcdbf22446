//! Sends spans and metrics to a collector, as OpenTelemetry's variables say, and shows metrics.
//!
//! Without a setting nothing is installed, no thread runs, and spans and instruments are no-ops.

mod args;
mod body;
mod client;
mod env;
mod exporters;
mod flush;
mod keep;
mod metadata;
mod prometheus;
mod resource;
mod watched;

use std::sync::Arc;

use axum::Router;
use opentelemetry::global;
use opentelemetry_sdk::{
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{BatchSpanProcessor, Config, SdkTracerProvider},
};
use tokio_util::task::AbortOnDropHandle;

pub use self::args::{TelemetryArgs, TelemetrySettings};
use self::{
    exporters::Exporters,
    flush::Flush,
    keep::{Keep, RecordAll},
    watched::{Collector, Watched},
};
use crate::{exit::Failure, telemetry::project};

/// What is exported, until the shutdown.
#[derive(Debug, Default)]
pub struct Telemetry {
    flush: Option<Arc<Flush>>,
    /// The port for metrics.
    _metrics: Option<AbortOnDropHandle<()>>,
}

// === impl Telemetry ===

impl Telemetry {
    /// Installs what the environment and the settings ask for. A wrong endpoint is a warning: a service does its work without
    /// telemetry. Must be called before clients, storage and services are made: their instruments are no-ops otherwise.
    ///
    /// `name` is the service's, where neither `OTEL_SERVICE_NAME` nor Cloud Run's `K_SERVICE` says another.
    pub async fn start(settings: TelemetrySettings, name: &str) -> Result<Self, Failure> {
        let exporters = Exporters::from_env();
        let shown = settings.metrics_route || settings.metrics_bind.is_some();
        if exporters.is_empty() && !shown {
            // The project is for log lines alone then, and nothing waits for it.
            if project::get().is_none() && metadata::is_there() {
                tokio::spawn(async {
                    project::set(&metadata::get("project/project-id").await.unwrap_or_default());
                });
            }
            return Ok(Self::default());
        }
        let resource = resource::resource(name).await;
        let (of_traces, of_metrics) =
            (Arc::new(Collector::new("traces")), Arc::new(Collector::new("metrics")));
        let Exporters { spans, metrics } = exporters;
        let traces = spans.map(|exporter| {
            let batch = BatchSpanProcessor::builder(Watched::new(exporter, &of_traces)).build();
            SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_sampler(RecordAll(Config::default().sampler))
                .with_span_processor(Keep::new(batch, settings.slow))
                .build()
        });
        let reader = metrics
            .map(|exporter| PeriodicReader::builder(Watched::new(exporter, &of_metrics)).build());
        let sends = reader.is_some();
        let meters = (sends || shown).then(|| {
            let mut builder = SdkMeterProvider::builder().with_resource(resource);
            if let Some(reader) = reader {
                builder = builder.with_reader(reader);
            }
            if shown && let Some(exporter) = prometheus::exporter() {
                builder = builder.with_reader(exporter);
            }
            builder.build()
        });
        if let Some(traces) = &traces {
            global::set_tracer_provider(traces.clone());
            brigade_telemetry::enable();
        }
        if let Some(meters) = &meters {
            global::set_meter_provider(meters.clone());
            brigade_telemetry::measure();
        }
        let meters = meters.filter(|_| sends);
        let flush = Arc::new(Flush::new(
            traces.map(|traces| (traces, of_traces)),
            meters.map(|meters| (meters, of_metrics)),
        ));
        let flushing = Arc::clone(&flush);
        brigade_telemetry::on_flush(move || {
            let flush = Arc::clone(&flushing);
            Box::pin(async move { flush.flush().await })
        });
        let metrics = match settings.metrics_bind {
            Some(address) => Some(prometheus::serve(address).await?),
            None => None,
        };
        Ok(Self { flush: Some(flush), _metrics: metrics })
    }

    /// `GET /metrics`, where it is asked for.
    pub fn routes() -> Router {
        prometheus::routes()
    }

    /// Exports what is pending, for a second at most.
    pub async fn shutdown(self) {
        if let Some(flush) = self.flush {
            flush.shutdown().await;
        }
    }
}
