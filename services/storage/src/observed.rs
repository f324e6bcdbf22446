//! A bucket whose calls are spans, and are measured.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use async_trait::async_trait;
use brigade_telemetry::{Histogram, KeyValue, Span, SpanKind, times};
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{
    Bucket, Error, Kind, ListRequest, Metadata, NewObject, Object, Operation, Page, Pinned, Result,
    RewriteStep,
};

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    times("brigade.storage.duration", "Calls of Cloud Storage; a download's until its first byte")
});

/// The bucket, observed while anything observes: otherwise it is the same one.
pub fn observed(bucket: Arc<dyn Bucket>) -> Arc<dyn Bucket> {
    if brigade_telemetry::enabled() || brigade_telemetry::measuring() {
        Arc::new(Observed(bucket))
    } else {
        bucket
    }
}

#[derive(Debug)]
struct Observed(Arc<dyn Bucket>);

// === impl Observed ===

impl Observed {
    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let (name, method, class) = describe(operation);
        let span = Span::start(name, SpanKind::Client, || {
            let bucket = format!("//storage.googleapis.com/projects/_/buckets/{}", self.0.name());
            vec![
                KeyValue::new("gcp.client.service", "storage"),
                brigade_telemetry::text("gcp.resource.name", bucket),
            ]
        });
        let began = Instant::now();
        let result = span.around(call).await;
        let meaning = result.as_ref().err().map_or("ok", meaning);
        if let Err(error) = &result {
            span.set("error.type", meaning);
            // Looks for what is not there, and conditions that do not hold, are part of the work.
            if !matches!(error.kind(), Kind::NotFound | Kind::Precondition) {
                span.fail(error);
            }
        }
        if brigade_telemetry::measuring() {
            let attributes = [("method", method), ("class", class), ("result", meaning)];
            let attributes = attributes.map(|(key, value)| KeyValue::new(key, value));
            DURATION.record(began.elapsed().as_secs_f64(), &attributes);
        }
        result
    }
}

#[async_trait]
impl Bucket for Observed {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        self.call(Operation::List, self.0.list(request)).await
    }

    async fn get(&self, name: &str) -> Result<Object> {
        self.call(Operation::Get, self.0.get(name)).await
    }

    async fn create(&self, name: &str, replaces: i64, new: NewObject) -> Result<Object> {
        self.call(Operation::Create, self.0.create(name, replaces, new)).await
    }

    async fn update(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        self.call(Operation::Update, self.0.update(source, metageneration, metadata)).await
    }

    async fn rename(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        destination: &str,
    ) -> Result<Object> {
        self.call(Operation::Move, self.0.rename(source, metageneration, destination)).await
    }

    async fn rewrite(
        &self,
        source: Pinned<'_>,
        bucket: &str,
        destination: &str,
        metadata: Option<&Metadata>,
        token: Option<&str>,
    ) -> Result<RewriteStep> {
        let step = self.0.rewrite(source, bucket, destination, metadata, token);
        self.call(Operation::Rewrite, step).await
    }

    async fn delete(&self, source: Pinned<'_>) -> Result<()> {
        self.call(Operation::Delete, self.0.delete(source)).await
    }

    async fn read(
        &self,
        source: Pinned<'_>,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.call(Operation::Read, self.0.read(source, offset)).await
    }
}

/// The name of its span, its own, and what it is billed as: <https://cloud.google.com/storage/pricing#operations-pricing>.
fn describe(operation: Operation) -> (&'static str, &'static str, &'static str) {
    match operation {
        Operation::List => ("storage list", "list", "A"),
        Operation::Get => ("storage get", "get", "B"),
        Operation::Create => ("storage create", "create", "A"),
        Operation::Update => ("storage update", "update", "A"),
        Operation::Move => ("storage move", "move", "A"),
        Operation::Rewrite => ("storage rewrite", "rewrite", "A"),
        Operation::Delete => ("storage delete", "delete", "free"),
        Operation::Read => ("storage read", "read", "B"),
    }
}

fn meaning(error: &Error) -> &'static str {
    match error.kind() {
        Kind::NotFound => "not_found",
        Kind::NoBucket => "no_bucket",
        Kind::Precondition => "precondition",
        Kind::Held => "held",
        Kind::Encrypted => "encrypted",
        Kind::PermissionDenied => "permission_denied",
        Kind::Unauthenticated => "unauthenticated",
        Kind::Invalid => "invalid",
        Kind::Busy { .. } => "busy",
        Kind::Unknown => "unknown",
    }
}
