//! Which spans are exported: those of sampled traces, and all that fail or are slow.

use std::time::Duration;

use brigade_telemetry::Unsampled;
use opentelemetry::{
    Context, KeyValue, TraceId,
    trace::{Link, SpanKind, Status},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SamplingDecision, SamplingResult, ShouldSample, Span, SpanData, SpanProcessor},
};

/// A sampler whose unsampled spans are recorded: whether one fails is not known when it begins.
#[derive(Clone, Debug)]
pub(super) struct RecordAll(pub(super) Box<dyn ShouldSample>);

impl ShouldSample for RecordAll {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.0.should_sample(parent, trace, name, kind, attributes, links);
        let is_unsampled = parent.is_some_and(|parent| parent.get::<Unsampled>().is_some());
        if is_unsampled || result.decision == SamplingDecision::Drop {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}

/// Passes on what is to be exported. The batch processor itself exports every span that it gets.
#[derive(Debug)]
pub(super) struct Keep<P> {
    next: P,
    slow: Duration,
}

impl<P> Keep<P> {
    pub(super) fn new(next: P, slow: Duration) -> Self {
        Self { next, slow }
    }

    fn keeps(&self, span: &SpanData) -> bool {
        let took = || span.end_time.duration_since(span.start_time).unwrap_or_default();
        span.span_context.is_sampled()
            || matches!(span.status, Status::Error { .. })
            || took() >= self.slow
    }
}

impl<P: SpanProcessor> SpanProcessor for Keep<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.keeps(&span) {
            self.next.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{
        BatchSpanProcessor, InMemorySpanExporter, Sampler, SdkTracerProvider,
    };

    use super::*;

    /// The names of the spans that a batch processor behind `Keep` exports.
    fn exported(sampler: Sampler, slow: Duration) -> Vec<String> {
        exported_under(&Context::new(), sampler, slow)
    }

    fn exported_under(parent: &Context, sampler: Sampler, slow: Duration) -> Vec<String> {
        let exporter = InMemorySpanExporter::default();
        let batch = BatchSpanProcessor::builder(exporter.clone()).build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(RecordAll(Box::new(sampler)))
            .with_span_processor(Keep::new(batch, slow))
            .build();
        let tracer = provider.tracer("test");
        tracer.start_with_context("fine", parent).end();
        let mut fails = tracer.start_with_context("fails", parent);
        fails.set_status(Status::error("why"));
        fails.end();
        provider.force_flush().unwrap();
        let spans = exporter.get_finished_spans().unwrap();
        spans.into_iter().map(|span| span.name.into_owned()).collect()
    }

    #[test]
    fn of_an_unsampled_trace_the_spans_that_fail_or_are_slow_are_exported() {
        let long = Duration::from_hours(1);
        assert_eq!(exported(Sampler::AlwaysOff, long), ["fails"]);
        assert_eq!(exported(Sampler::AlwaysOff, Duration::ZERO), ["fine", "fails"]);
        assert_eq!(exported(Sampler::AlwaysOn, long), ["fine", "fails"]);
    }

    #[test]
    fn objects_beyond_the_first_of_a_poll_are_not_sampled_by_a_sampler_that_takes_all() {
        let later = Context::new().with_value(Unsampled);
        let long = Duration::from_hours(1);
        assert_eq!(exported_under(&later, Sampler::AlwaysOn, long), ["fails"]);
    }
}
