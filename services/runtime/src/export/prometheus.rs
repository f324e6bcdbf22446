//! `GET /metrics`, in Prometheus' text format.

use std::{net::SocketAddr, sync::OnceLock};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
};
use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    exit::Failure,
    local_site::LocalSite,
    serve::{self, Limits},
};

static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// The reader of all instruments; the process has one.
pub(super) fn exporter() -> Option<PrometheusExporter> {
    let registry = REGISTRY.get_or_init(Registry::new).clone();
    let built = opentelemetry_prometheus::exporter()
        .with_registry(registry)
        .scope_info_enabled(false)
        .build();
    built.map_err(|error| tracing::warn!(%error, "metrics cannot be read")).ok()
}

/// The route, where metrics can be read.
pub(super) fn routes() -> Router {
    match REGISTRY.get() {
        Some(_) => Router::new().route("/metrics", get(async || metrics())),
        None => Router::new(),
    }
}

fn metrics() -> Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    let families = REGISTRY.get().map(Registry::gather).unwrap_or_default();
    match encoder.encode(&families, &mut text) {
        Ok(()) => ([(CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Serves the route alone, without a token. On loopback a page of another site does not reach it.
pub(super) async fn serve(address: SocketAddr) -> Result<AbortOnDropHandle<()>, Failure> {
    let failed = |failure: Failure| {
        Failure::unavailable(
            failure.message,
            "choose another --metrics-bind (BRIGADE_METRICS_BIND)",
        )
    };
    let listener = serve::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!(metrics = %address, "serving metrics");
    let routes = routes();
    let routes =
        if address.ip().is_loopback() { LocalSite::default().protect(routes) } else { routes };
    let limits = Limits { connections: 64, calls: 8, ..Limits::default() };
    let served = serve::serve(listener, routes, limits, std::future::pending());
    Ok(AbortOnDropHandle::new(tokio::spawn(served)))
}
