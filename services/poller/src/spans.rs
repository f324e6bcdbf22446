//! The spans of a poll and its objects.

use brigade_proto::v1::{EndReason, Settlement};
use brigade_storage::Object;
use brigade_telemetry::{KeyValue, Parent, Span, SpanKind, text};

use crate::{error::PollError, metrics};

/// One poll.
pub(crate) fn poll(id: &str, trigger: &'static str) -> Span {
    internal("poll", Parent::Current, || {
        vec![text("brigade.poll", id), KeyValue::new("brigade.trigger", trigger)]
    })
}

/// Ends it before its last event: a caller's server may export what has ended, and lose its CPU then.
pub(crate) fn end_poll(span: &Span, end: Result<EndReason, &PollError>) {
    span.set("brigade.poll.end", metrics::end_name(end.ok()));
    if let Err(error) = end {
        span.fail(error);
    }
    span.end();
}

/// One page of a listing.
pub(crate) fn page(number: u32) -> Span {
    internal("list page", Parent::Current, || {
        vec![KeyValue::new("brigade.page", i64::from(number))]
    })
}

/// One object, from its listing or its event to its outcome.
pub(crate) fn object(object: &Object, parent: Parent) -> Span {
    internal("object", parent, || {
        vec![
            text("brigade.object", object.uri()),
            KeyValue::new("brigade.generation", object.generation),
            KeyValue::new("brigade.size", i64::try_from(object.size).unwrap_or(i64::MAX)),
        ]
    })
}

/// What became of it.
pub(crate) fn settled(span: &Span, settlement: Settlement, kind: &'static str, reason: &str) {
    span.set("brigade.settlement", metrics::name(settlement));
    if matches!(settlement, Settlement::Failed | Settlement::Stopped) {
        span.set("brigade.kind", kind);
        span.fail(reason);
    }
}

/// The worker is asked about an object.
pub(crate) fn attempt(number: u32) -> Span {
    internal("attempt", Parent::Current, || {
        vec![KeyValue::new("brigade.attempt", i64::from(number))]
    })
}

/// An object is moved by its verdict.
pub(crate) fn settle(settlement: Settlement) -> Span {
    internal("settle", Parent::Current, || {
        vec![KeyValue::new("brigade.settlement", metrics::name(settlement))]
    })
}

fn internal(
    name: &'static str,
    parent: Parent,
    attributes: impl FnOnce() -> Vec<KeyValue>,
) -> Span {
    Span::start_under(parent, name, SpanKind::Internal, attributes)
}
