//! What the spans and metrics of this process are about, by OpenTelemetry's conventions.

use brigade_telemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    resource::EnvResourceDetector,
    trace::{IdGenerator as _, RandomIdGenerator},
};
use tokio::join;

use super::{env::var, metadata};
use crate::{settings::names::K_SERVICE, telemetry::project};

/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over what this process knows of itself.
pub(super) async fn resource(name: &str) -> Resource {
    let service = var(K_SERVICE);
    let mut attributes = vec![
        KeyValue::new("service.name", service.clone().unwrap_or_else(|| name.to_owned())),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        // Points of two instances are never one series.
        KeyValue::new(
            "service.instance.id",
            RandomIdGenerator::default().new_trace_id().to_string(),
        ),
    ];
    if let Some(service) = service {
        let (id, region) = join!(known_project(), metadata::get("instance/region"));
        let region = region.and_then(|region| region.trim().rsplit('/').next().map(str::to_owned));
        let more = [
            ("cloud.provider", Some("gcp".to_owned())),
            ("cloud.platform", Some("gcp_cloud_run".to_owned())),
            ("cloud.account.id", id.clone()),
            ("gcp.project_id", id),
            ("cloud.region", region),
            ("faas.name", Some(service)),
            ("faas.version", var("K_REVISION")),
        ];
        let more = more.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?)));
        attributes.extend(more);
    } else if let Some(id) = project::get() {
        attributes.push(KeyValue::new("gcp.project_id", id));
    }
    let builder = Resource::builder_empty().with_attributes(attributes);
    let builder = builder.with_detector(Box::new(EnvResourceDetector::new()));
    match var("OTEL_SERVICE_NAME") {
        Some(name) => builder.with_service_name(name),
        None => builder,
    }
    .build()
}

async fn known_project() -> Option<String> {
    if project::get().is_none() {
        project::set(&metadata::get("project/project-id").await?);
    }
    project::get().map(str::to_owned)
}
